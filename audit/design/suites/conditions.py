"""Text conditions on findings: the grammar of a gate, for suites and the command line."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from audit.datasets import cells
from audit.errors import UserError

OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    "<=": operator.le, "<": operator.lt, ">=": operator.ge, ">": operator.gt,
}  # fmt: skip
_SIGNS = {
    "\u2264": "<=", "\u2265": ">=", "\u2a7d": "<=", "\u2a7e": ">=", "=<": "<=", "=>": ">=",
    "\uff1c": "<", "\uff1e": ">", **{k: k for k in OPERATORS},
}  # fmt: skip
"""Operators as they may be typed."""
_PERCENT = ("%", "\uff05", "percent", "per cent", "pct")
_POINTS = ("points", "point", "percentage points", "percentage point", "pp")
_GATE = re.compile(
    r"(?P<selector>.*?\S)\s*(?P<op>=<|=>|<=|>=|[<>\u2264\u2265\u2a7d\u2a7e\uff1c\uff1e])\s*"
    r"(?P<number>[-+\u2212]?[0-9.,'\u00a0\u2009\u202f]*[0-9.,](?:[eE][-+]?\d+)?)\s*"
    r"(?P<unit>[^0-9<>]*)",
    re.DOTALL,
)


@dataclass(frozen=True)
class Gate:
    """A condition: which findings, the comparison, and the bound."""

    text: str
    selector: str
    op: str
    bound: float
    """In the finding's own unit: shares, and changes of shares, in 0..1 (1 % is 0.01)."""
    unit: str = ""
    """`%` or `points` where the text says so, which is divided out; else empty."""

    def holds(self, value: float) -> bool:
        """Whether one value satisfies the condition."""
        return OPERATORS[self.op](value, self.bound)


def parse(text: str) -> Gate:
    """A gate from its text; raises UserError, with the right form if it is clear, for others.

    `40 %` and `40 percent` are 0.4, and so are `40 points` of a change or a distance.
    """
    found = _GATE.fullmatch(text.strip())
    if found is None or re.match(r"[-+]?[\d.,]+\s*%?\s*[<>\u2264\u2265]", text.strip()):
        raise UserError(
            f"{text!r} is not a gate. Write SELECTOR, one of <= < >= >, and a number, such as "
            "'replication.rate.ordinary <= 1 %'; a range is two gates."
        )
    unit, said = _unit(found["unit"], text)
    number, selector = found["number"].replace("\u2212", "-"), found["selector"]
    op = _SIGNS[found["op"]]
    bound = cells.number(number)
    if math.isnan(bound):
        right = cells.meant(number, percent=False)
        offered = (
            f"Did you mean '{selector} {op} {right}{said}'?"
            if right
            else "Write it as 1000 or 0.4."
        )
        raise UserError(f"{text!r}: {number} is not a number with a decimal point. {offered}")
    if not math.isfinite(bound):
        raise UserError(f"{text!r}: {number} is not a finite number. Give one.")
    return Gate(text.strip(), selector, op, bound / (100 if unit else 1), unit)


def _unit(word: str, text: str) -> tuple[str, str]:
    """The unit of a bound, `%`, `points` or empty, and how it is written after the number."""
    plain = " ".join(word.split()).casefold()
    if plain in ("", *_PERCENT):
        return ("%", " %") if plain else ("", "")
    if plain in _POINTS:
        return "points", " points"
    raise UserError(
        f"{text!r}: {word.strip()[:40]!r} is not a unit of a gate. Write a share as 0.4 or 40 %, a "
        "change of one also as 4 points, and anything else as a number alone."
    )
