"""The rewriters: functions of a text, its prompt, the attributes drawn for it, and options.

All leave a gated text unchanged, and a second rewrite changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from audit.design.mitigations import against_copies
from audit.design.mitigations.gate import gate
from audit.design.mitigations.grammar import article, find, insert_before
from audit.design.mitigations.words import phrase, phrases
from audit.records import MethodOptions, Prompt

if TYPE_CHECKING:
    import numpy as np


def why_not(text: str, prompt: Prompt, options: MethodOptions) -> str | None:
    """The gate's reason to leave a text alone under a mitigation's options, or None."""
    attribute = str(options.get("attribute", "gender"))
    return gate(text, prompt, attribute, phrases(attribute, options))


def inject(text: str, prompt: Prompt, drawn: Mapping[str, str], options: MethodOptions) -> str:
    """State the drawn attributes in the noun phrase: `a nurse` becomes `a male nurse`.

    `options["words"]` maps values to phrases; `options["place"]` is "before" or "after" the noun,
    by default after it for skin tone alone: `a nurse with dark skin`.
    """
    for attribute, value in drawn.items():
        words = phrase(attribute, value, options)
        noun = find(text, prompt.subject)
        if (
            words is None
            or noun is None
            or gate(text, prompt, attribute, phrases(attribute, options))
        ):
            continue
        place = options.get("place") or ("after" if attribute == "skin_tone" else "before")
        if place == "after":
            text = f"{text[: noun.end()]} {words}{text[noun.end() :]}"
        else:
            text = insert_before(text, noun.start(), words)
    return text


def append(text: str, sentence: str, prompt: Prompt, options: MethodOptions) -> str:
    """The text with a sentence after it, unless it is already there or the gate blocks it."""
    if sentence in text or why_not(text, prompt, options):
        return text
    return f"{text.rstrip(' .,;')} {sentence}"


def ethical(text: str, prompt: Prompt, drawn: Mapping[str, str], options: MethodOptions) -> str:
    """Append an ethical intervention (Bansal et al. 2022, ENTIGEN): no attribute is drawn."""
    attribute = str(options.get("attribute", "gender"))
    what = {"skin_tone": "skin color"}.get(attribute, attribute.replace("_", " "))
    who = article(prompt.subject)
    sentence = f"if all individuals can be {who} irrespective of their {what}"
    return append(text, sentence, prompt, options)


def unchanged(text: str, prompt: Prompt, drawn: Mapping[str, str], options: MethodOptions) -> str:
    """The unchanged text: the arm changes only the engine."""
    return text


def repeat_words(
    text: str, prompt: Prompt, drawn: Mapping[str, str], options: MethodOptions,
    rng: np.random.Generator,
) -> str:  # fmt: skip
    """Insert random words of the text itself (Somepalli et al. 2023b, CWR)."""
    return against_copies.repeat_words(text, rng, int(options.get("count", against_copies.COUNT)))


def add_words(
    text: str, prompt: Prompt, drawn: Mapping[str, str], options: MethodOptions,
    rng: np.random.Generator,
) -> str:  # fmt: skip
    """Insert random words that say nothing about a person (Somepalli et al. 2023b, RT)."""
    return against_copies.insert_words(text, rng, int(options.get("count", against_copies.COUNT)))


def add_numbers(
    text: str, prompt: Prompt, drawn: Mapping[str, str], options: MethodOptions,
    rng: np.random.Generator,
) -> str:  # fmt: skip
    """Insert random numbers (Somepalli et al. 2023b, RNA)."""
    return against_copies.add_numbers(text, rng, int(options.get("count", against_copies.COUNT)))
