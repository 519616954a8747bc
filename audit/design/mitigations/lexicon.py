"""The lists of words next to this module, made out of WordNet by `docs/making/people.py`."""

from __future__ import annotations

from functools import cache
from pathlib import Path


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
