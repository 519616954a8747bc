"""The lists of words next to this module, made out of WordNet by `docs/making/people.py`."""

from __future__ import annotations

from functools import cache
from pathlib import Path

LETTERS = "abcdefghijklmnopqrstuvwxyz"
SHORTEST = 6
"""Letters of the shortest noun of which a misspelt form is read."""
_KNOWN = ("alike", "adjectives", "relational", "seeming_adjectives", "acts", "gadgets", "adverbs",
          "animals", "dishes", "proper")  # fmt: skip


@cache
def listed(name: str) -> frozenset[str]:
    """The entries of `NAME.txt`, one in a line; those of two words have a space."""
    text = Path(__file__).with_name(f"{name}.txt").read_text("utf-8")
    return frozenset(text.splitlines())


@cache
def marked(name: str) -> dict[str, str]:
    """The entries of `NAME.txt` with the mark after a tab, or nothing."""
    lines = Path(__file__).with_name(f"{name}.txt").read_text("utf-8").splitlines()
    return {word: mark for word, _, mark in (line.partition("\t") for line in lines)}


def slips(word: str) -> set[str]:
    """The words one typing error away: a letter left out, doubled, exchanged, changed or added."""
    cuts = [(word[:k], word[k:]) for k in range(1, len(word) + 1)]
    return {
        *(a + b[1:] for a, b in cuts if b),
        *(a + b[1] + b[0] + b[2:] for a, b in cuts if len(b) > 1),
        *(a + c + b[1:] for a, b in cuts if b for c in LETTERS),
        *(a + c + b for a, b in cuts for c in LETTERS),
    } - {word}


def unknown(word: str) -> bool:
    """Whether no list but that of nouns for people may have a word in lower case."""
    return not any(word in marked(name) for name in _KNOWN)
