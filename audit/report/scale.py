"""A small scale: an estimate with its interval against a reference, in the width that it is given.

Positions are percentages of the width, which keeps marks and words the same size on a phone and on
a desk. Charts with axes are drawn by `charts`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

HEIGHT = 26
"""Pixels."""
LINE = 8
"""Height of the axis in pixels, from the top."""


@dataclass(frozen=True)
class Mark:
    """A reference on the scale, with a word below it; a range where `end` is known."""

    at: float
    word: str = ""
    end: float = math.nan


@dataclass(frozen=True)
class Ends:
    """The two ends of a scale, with their words."""

    low: float
    high: float
    words: tuple[str, str]

    def place(self, x: float) -> float:
        """Where a value is, in percent of the width, between 1 and 99."""
        share = (x - self.low) / (self.high - self.low)
        return round(1 + 98 * min(max(share, 0.0), 1.0), 1)


def scale(values: tuple[float, float, float], ends: Ends, marks: Sequence[Mark], said: str) -> str:
    """An `<svg>` with estimate, lower and upper limit; `said` is its text alternative.

    Unknown numbers have no mark.
    """
    estimate, low, high = values
    out = [f'<svg class="scale" height="{HEIGHT}" role="img" aria-label="{escape(said)}">']
    out.append(f'<line class="axis" x1="1%" x2="99%" y1="{LINE}" y2="{LINE}"/>')
    for mark in marks:
        out += _mark(mark, ends)
    if math.isfinite(low) and math.isfinite(high):
        x1, x2 = ends.place(low), ends.place(high)
        out.append(f'<line class="span" x1="{x1}%" x2="{x2}%" y1="{LINE}" y2="{LINE}"/>')
    if math.isfinite(estimate):
        out.append(f'<circle class="dot" cx="{ends.place(estimate)}%" cy="{LINE}" r="4.5"/>')
    taken = [ends.place(m.end if math.isfinite(m.end) else m.at) for m in marks if m.word]
    if all(x > 30 for x in taken):
        out.append(f'<text x="0" y="{HEIGHT - 3}">{escape(ends.words[0])}</text>')
    if all(x < 70 for x in taken):
        out.append(f'<text x="100%" y="{HEIGHT - 3}" text-anchor="end">'
                   f"{escape(ends.words[1])}</text>")  # fmt: skip
    return " ".join(out) + "</svg>"


def _mark(mark: Mark, ends: Ends) -> list[str]:
    if not math.isfinite(mark.at):
        return []
    x, out = ends.place(mark.at), []
    if math.isfinite(mark.end):
        out.append(f'<line class="chance" x1="{x}%" x2="{ends.place(mark.end)}%" '
                   f'y1="{LINE}" y2="{LINE}"/>')  # fmt: skip
        x = ends.place(mark.end)
    out.append(f'<line class="mark" x1="{x}%" x2="{x}%" y1="{LINE - 7}" y2="{LINE + 7}"/>')
    if mark.word:
        anchor = "start" if x < 25 else "end" if x > 75 else "middle"
        place = 0 if x < 25 and x < 4 else x
        out.append(f'<text x="{place}%" y="{HEIGHT - 3}" text-anchor="{anchor}">'
                   f"{escape(mark.word)}</text>")  # fmt: skip
    return out
