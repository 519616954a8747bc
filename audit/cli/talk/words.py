"""Texts of runs as data: on one line, capped, and without a place of this machine."""

from __future__ import annotations

import math
import re
from pathlib import Path

from audit.errors import UserError

NAME, TEXT, SENTENCE = 255, 300, 600
"""Most characters of a name, of a text such as a prompt or a caption, and of a sentence."""


def text(words: object) -> str:
    """A prompt, a caption, a subject, ...: at most TEXT characters on one line."""
    return clipped(words, TEXT)


def sentence(words: object) -> str:
    """A sentence that contains such texts: at most SENTENCE characters on one line."""
    return clipped(words, SENTENCE)


def number(x: float) -> float | None:
    """A finite number with nine digits; None for any other, which JSON does not have."""
    return float(f"{x:.9g}") if math.isfinite(x) else None


def without(words: str, places: dict[str, Path]) -> str:
    """The words with each place replaced by its name: an answer says nothing about the machine."""
    both = {str(form): name for name, p in places.items() for form in (p, p.resolve())}
    for place in sorted(both, key=len, reverse=True):
        if len(place) > 1:
            words = words.replace(place, both[place])
    return words


_ROOTED = re.compile(r"(?<![\w./\\:<])(?:[A-Za-z]:)?(?:[/\\][^\s/\\'\"<>&;]+)+[/\\]")


def unrooted(words: str) -> str:
    """The words, which may be HTML, with the last part alone of each absolute path."""
    return _ROOTED.sub("", words)


def short(name: str, what: str, most: int = NAME) -> str:
    """A text from a caller; UserError where it is longer than `most`, or has control characters."""
    if len(name) > most or not name.isprintable():
        raise UserError(f"Give {what} of at most {most} printable characters.")
    return name


def clipped(words: object, most: int) -> str:
    """A text on one line of at most `most` characters."""
    from audit.report import wording

    return wording.clip(words, most)
