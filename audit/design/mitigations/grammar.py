"""The English grammar that templates need: `a` or `an`, plurals, and finding nouns in a text."""

from __future__ import annotations

import re

_SILENT_H = ("hour", "honest", "honor", "honour", "heir")
_SOUNDS_LIKE_YOU = re.compile(r"(?:eu|ew|uni[cfoqstv]|use|usu|uti|ura|ure|ubi|uku)", re.IGNORECASE)
_VOWEL_LETTERS = frozenset("AEFHILMNORSX")
"""Letters whose names begin with a vowel: an MRI technician, but a CEO."""


def indefinite(phrase: str) -> str:
    """`an` before a vowel sound, otherwise `a`; by spelling, so rare words can be wrong."""
    word = re.split(r"[^\w]", phrase, maxsplit=1)[0]
    if word.isupper() and (len(word) > 1 or phrase[1:2] == "-"):
        return "an" if word[0] in _VOWEL_LETTERS else "a"
    if word.lower().startswith(_SILENT_H):
        return "an"
    if word.lower() == "one" or _SOUNDS_LIKE_YOU.match(word):
        return "a"
    return "an" if word[:1].lower() in tuple("aeiou") else "a"


def article(phrase: str) -> str:
    """The phrase with its indefinite article: `a nurse`, `an astronaut`, `an hour`."""
    return f"{indefinite(phrase)} {phrase}"


def plural(noun: str) -> str:
    """The regular plural: `nurses`, `secretaries`, `waitresses`."""
    if re.search(r"[^aeiou]y$", noun):
        return noun[:-1] + "ies"
    return noun + ("es" if re.search(r"(?:s|x|z|ch|sh)$", noun) else "s")


_HYPHENS = "\\-\u2010\u2011\u2012\u2013"
_APOSTROPHES = "'\u2018\u2019\u02bc\uff07"


def _loose(noun: str) -> str:
    """Pattern of a noun with any kind of space, hyphen and apostrophe."""
    kinds = {" ": r"\s+", "-": f"[{_HYPHENS}]", "'": f"[{_APOSTROPHES}]"}
    return "".join(kinds.get(c) or re.escape(c) for c in noun)


def find(text: str, noun: str) -> re.Match[str] | None:
    """The first match of a noun as whole words, in any case; None if it is absent or empty.

    Kinds of space, hyphen and apostrophe do not matter.
    """
    if not noun.strip():
        return None
    edge = rf"(?<![\w{_HYPHENS}]){_loose(noun)}(?![\w{_HYPHENS}]|[{_APOSTROPHES}]\w)"
    return re.search(edge, text, re.IGNORECASE)


def insert_before(text: str, at: int, word: str) -> str:
    """The text with a word inserted at a position, and the `a` or `an` before it adjusted."""
    head = text[:at]
    found = re.search(r"\ban?(\s+)$", head, re.IGNORECASE)
    if found:
        right = indefinite(word)
        right = right.capitalize() if head[found.start()].isupper() else right
        head = f"{head[: found.start()]}{right}{found.group(1)}"
    return f"{head}{word} {text[at:]}"
