"""The rewriters: functions of a text, its prompt, the attributes drawn for it, and options.

All leave a gated text unchanged, and a second rewrite changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from audit.design.mitigations import against_copies, who
from audit.design.mitigations.grammar import article
from audit.design.mitigations.phrases import grouped, stated
from audit.design.mitigations.syntax import readable
from audit.design.mitigations.words import PHRASES, phrase, phrases
from audit.records import MethodOptions, Prompt

if TYPE_CHECKING:
    import numpy as np


def why_not(text: str, prompt: Prompt, options: MethodOptions) -> str | None:
    """The reason to leave a text alone under a mitigation's options, or None."""
    attribute = str(options.get("attribute", "gender"))
    return who.why_not(text, prompt, attribute, phrases(attribute, options), _several(options))


def _several(options: MethodOptions) -> bool:
    """Whether texts with several people are rewritten too."""
    return options.get("people") == "all"


def inject(text: str, prompt: Prompt, drawn: Mapping[str, str], options: MethodOptions) -> str:
    """State the drawn attributes in the noun phrase: `a nurse` becomes `a male nurse`.

    `options["words"]` maps values to phrases; `options["place"]` is "before" or "after" the noun,
    by default after it for skin tone alone: `a nurse with dark skin`. With `options["people"]`
    "all", the drawn value is that of the first of several people, and the other values follow.
    """
    for attribute, value in drawn.items():
        said, several = phrases(attribute, options), _several(options)
        words = phrase(attribute, value, options)
        if words is None or who.why_not(text, prompt, attribute, said, several):
            continue
        place = options.get("place") or ("after" if attribute == "skin_tone" else "before")
        there, turn = who.spots(text, prompt), _turn(words, attribute, options)
        for k, spot in reversed(list(enumerate(there))):
            if spot.number == 1:
                text = stated(text, spot, turn[k % len(turn)], str(place), attribute)
            else:
                text = grouped(text, spot, turn)
    return text


def _turn(words: str, attribute: str, options: MethodOptions) -> list[str]:
    """The words of each value in order, beginning with the drawn one's."""
    known = [
        phrase(attribute, v, options) for v in options.get("words") or PHRASES.get(attribute, {})
    ]
    said = [w for w in known if w]
    at = said.index(words) if words in said else -1
    return [*said[at:], *said[:at]] if at >= 0 else [words]


def append(text: str, sentence: str, prompt: Prompt, options: MethodOptions) -> str:
    """The text with a sentence after it, unless it is already there or the gate blocks it.

    In a typed prompt, it comes before a full stop, parameters and a negative part.
    """
    if sentence in text or why_not(text, prompt, options):
        return text
    if who.is_typed(prompt):
        end = readable(text).end
        return f"{text[:end]} {sentence}{text[end:]}"
    return f"{text.rstrip(' .,;')} {sentence}"


def ethical(text: str, prompt: Prompt, drawn: Mapping[str, str], options: MethodOptions) -> str:
    """Append an ethical intervention (Bansal et al. 2022, ENTIGEN): no attribute is drawn."""
    attribute = str(options.get("attribute", "gender"))
    what = {"skin_tone": "skin color"}.get(attribute, attribute.replace("_", " "))
    if prompt.subject:
        nouns = article(prompt.subject)
    else:
        named = dict.fromkeys(article(s.noun) for s in who.spots(text, prompt) if s.number)
        nouns = " or ".join(named) or "anyone"
    sentence = f"if all individuals can be {nouns} irrespective of their {what}"
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
