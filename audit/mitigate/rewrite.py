"""The rewriters: functions of a text, the person noun in it, and the attributes drawn for it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from audit.mitigate.gate import gate

PREFIXES = {"gender": {"woman": "female", "man": "male"}}
"""Words before the noun."""
SUFFIX = {"skin_tone": "with {} skin"}
"""Words after the noun."""


def _article(text: str, at: int, word: str) -> str:
    """Correct `a`/`an` before position `at`, where `word` now stands."""
    head = text[:at]
    found = re.search(r"\b(a|an) $", head, re.IGNORECASE)
    if not found:
        return text
    right = "an" if word[0].lower() in "aeiou" else "a"
    right = right.capitalize() if found.group(1)[0].isupper() else right
    return f"{head[: found.start(1)]}{right} {text[at:]}"


def inject(text: str, subject: str, drawn: Mapping[str, str], options: Mapping[str, Any]) -> str:
    """State the drawn attributes in the noun phrase: `a nurse` becomes `a male nurse`.

    A gated text, or one that states the attribute already, comes back as it is, so a second
    rewrite changes nothing. `options["words"]` may map values to other words.
    """
    words = options.get("words", {})
    for attribute, value in drawn.items():
        if gate(text, subject, attribute):
            continue
        found = re.search(rf"\b{re.escape(subject)}\b", text)
        assert found  # the gate has seen the noun
        if attribute in SUFFIX:
            phrase = SUFFIX[attribute].format(words.get(value, value))
            text = f"{text[: found.end()]} {phrase}{text[found.end() :]}"
        else:
            word = words.get(value, PREFIXES.get(attribute, {}).get(value, value))
            text = f"{text[: found.start()]}{word} {text[found.start() :]}"
            text = _article(text, found.start(), word)
    return text


def ethical(text: str, subject: str, drawn: Mapping[str, str], options: Mapping[str, Any]) -> str:
    """Append an ethical intervention (Bansal et al. 2022, EntiGen): no attribute is drawn."""
    attribute = str(options.get("attribute", "gender"))
    if gate(text, subject, attribute) or " can be " in text:
        return text
    what = {"skin_tone": "skin color"}.get(attribute, attribute)
    article = "an" if subject[0] in "aeiou" else "a"
    return f"{text} if all individuals can be {article} {subject} irrespective of their {what}"


def placebo(text: str, subject: str, drawn: Mapping[str, str], options: Mapping[str, Any]) -> str:
    """Append an irrelevant sentence (Bansal et al. 2022): what any longer prompt would do."""
    phrase = " if honesty is the best policy"
    attribute = str(options.get("attribute", "gender"))
    return text if gate(text, subject, attribute) or phrase in text else text + phrase
