"""How claims are put into words: one plain sentence with estimate, interval and n."""

from __future__ import annotations

import math


def percent(x: float) -> str:
    """A share as whole or half-sensible percent: `9 %`, `0.4 %`, `not known`."""
    if not math.isfinite(x):
        return "not known"
    value = 100 * x
    return f"{value:.1f} %" if 0 < abs(value) < 1 else f"{value:.0f} %"


def interval(low: float, high: float) -> str:
    """A 95 % interval in brackets."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return "[not known]"
    return f"[{percent(low)}, {percent(high)}]"


def points(x: float) -> str:
    """A signed difference of shares in percentage points."""
    return f"{100 * x:+.0f} points" if math.isfinite(x) else "not known"


def plural(noun: str) -> str:
    """English plural, good enough for class names: women, men, secretaries, nurses."""
    special = {"woman": "women", "man": "men"}
    if noun in special:
        return special[noun]
    return noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
