"""What is stated, written into a noun phrase as English does: before the compound, after its other
adjectives, with the right article and capitals."""

from __future__ import annotations

import re
from dataclasses import dataclass

from audit.design.mitigations.grammar import indefinite

_ARTICLE = re.compile(r"(?<![\w-])(an?)([\s(\[{*]+)$", re.IGNORECASE)
_STATED = re.compile(r"(?:(?<=\s)|^)(?:(?:female|male)\s+)+$", re.IGNORECASE)
PLAIN = {
    "person": {"female": "woman", "male": "man"},
    "individual": {"female": "woman", "male": "man"},
    "someone": {"female": "a woman", "male": "a man"},
    "somebody": {"female": "a woman", "male": "a man"},
    "child": {"female": "girl", "male": "boy"},
    "kid": {"female": "girl", "male": "boy"},
}
"""Nouns that say no more than that there is a person, and what replaces them."""


@dataclass(frozen=True)
class Spot:
    """Where a person's noun phrase is in a text."""

    start: int
    """Before its compound."""
    head: tuple[int, int]
    """The noun itself."""
    typed: bool = False
    """Whether the prompt was typed, so plain nouns may be replaced and capitals follow."""
    number: int = 1
    """How many there are; 0 for several without a count."""
    noun: str = ""
    """The whole noun in the singular, for a typed prompt."""


def stated(text: str, spot: Spot, words: str, place: str, attribute: str) -> str:
    """The text with words at a person's noun phrase, `place` before or after it."""
    start, end = spot.head
    noun = text[start:end].lower()
    instead = PLAIN.get(noun, {}).get(words)
    if spot.typed and instead and spot.start == start and place == "before":
        return _put(text, start, end, instead, "")
    if place == "after" or noun in ("someone", "somebody"):
        if spot.typed and re.match(r"\s+(?:of|with)\b", text[end:]) and (short := _skinned(words)):
            return _put(text, spot.start, spot.start, short, " ")
        return f"{text[:end]} {_cased(text, words)}{text[end:]}"
    at = spot.start
    if spot.typed and attribute != "gender" and (before := _STATED.search(text[:at])):
        at = before.start()
    return _put(text, at, at, words, " ", spot.typed)


_COUNTS = ("no", "a", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_MANY = {"female": ("woman", "women"), "male": ("man", "men")}


def grouped(text: str, spot: Spot, words: list[str]) -> str:
    """The text with the values of several people of a kind: by counts, or in a phrase before them.

    `two doctors` become `two doctors, a woman and a man`, and `firefighters` become `female and
    male firefighters`. Other values than genders are said of all: the first of `words`.
    """
    end = spot.head[1]
    if not set(words) <= set(_MANY):
        return stated(
            text, spot, words[0], "after" if words[0].startswith("with ") else "before", ""
        )
    if not 2 <= spot.number <= 10:
        return _put(text, spot.start, spot.start, " and ".join(words), " ")
    shares = [spot.number // len(words) + (k < spot.number % len(words)) for k in range(len(words))]
    said = [f"{_COUNTS[n]} {_MANY[w][n > 1]}" for w, n in zip(words, shares, strict=True) if n]
    close = "," if re.match(r"\s+\w", text[end:]) else ""
    return f"{text[:end]}, {' and '.join(said)}{close}{text[end:]}"


def _skinned(words: str) -> str:
    """`dark-skinned` for `with dark skin`; nothing for other words."""
    found = re.fullmatch(r"with ([\w-]+) skin", words)
    return f"{found[1]}-skinned" if found else ""


def _cased(text: str, words: str) -> str:
    """Words in capitals if the whole text is, and as in a headline if it is one."""
    letters = [c for c in text if c.isalpha()]
    if len(letters) > 3 and all(c.isupper() for c in letters if c.lower() != c.upper()):
        return words.upper()
    found = re.findall(r"[A-Za-z]{4,}", text)
    if len(found) > 1 and all(w[0].isupper() for w in found):
        return words.title()
    return words


def _put(text: str, start: int, end: int, words: str, gap: str, typed: bool = True) -> str:
    """The text with words in place of a span, its article adjusted, capitals moved."""
    words = _cased(text, words) if typed else words
    before, after = text[:start], text[end:]
    article = _ARTICLE.search(before)
    if article:
        right = indefinite(words.lower())
        if article[1].isupper() and len(article[1]) > 1:
            right = right.upper()
        elif article[1][0].isupper():
            right = right.capitalize() if not words.isupper() else right.upper()
        before = f"{before[: article.start()]}{right}{article[2]}"
    elif typed and _opens(before) and text[start : start + 1].isupper():
        words = words[:1].upper() + words[1:]
        following = re.match(r"[A-Za-z]+", after)
        if (
            gap
            and following
            and following[0][1:].islower()
            and words[1:].islower()
            and not re.match(r"[A-Za-z]+ [A-Z]", after)
            and not _proper(text, following[0])
        ):
            after = after[0].lower() + after[1:]
    return f"{before}{words}{gap}{after}"


def _opens(before: str) -> bool:
    """Whether a sentence begins here."""
    return not before.strip(" ([{*\"'") or before.rstrip().endswith((".", "!", "?"))


def _proper(text: str, word: str) -> bool:
    """Whether a first word keeps its capital anywhere: a headline's, a language's, a place's."""
    from audit.design.mitigations.gate_names import NO_NAMES
    from audit.design.mitigations.people_words import ORIGINS

    capitals = re.findall(r"(?<=[a-z] )[A-Z][a-z]+", text)
    lower = word.lower()
    return len(capitals) > 1 or (lower in NO_NAMES and bool(ORIGINS.match(lower)))
