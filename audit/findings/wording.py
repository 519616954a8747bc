"""Wording of claims: one plain sentence with estimate, interval and n."""

from __future__ import annotations

import math

from audit.errors import CAPITAL, Said, figure, say

NOT_KNOWN = say("not known")


def percent(x: float) -> str:
    """A share in percent with sensible digits: `9 %`, `0.4 %`, `not known`."""
    if not math.isfinite(x):
        return NOT_KNOWN
    value = 100 * x
    return figure(f"{value:.1f} %" if 0 < abs(value) < 1 else f"{value:.0f} %")


def interval(low: float, high: float) -> str:
    """A 95 % interval in brackets; empty where there is none."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return ""
    return figure(f"[{percent(low)}, {percent(high)}]")


def estimate(value: float, low: float, high: float) -> str:
    """A share with its interval: `9 % [4 %, 22 %]`, or `not known`."""
    span = interval(low, high)
    return say("{share} {span}", share=percent(value), span=span) if span else percent(value)


def points(x: float) -> str:
    """A signed difference of shares in percentage points: `+40`, `-3`, `0`."""
    return _signed(100 * x, 0)


def _signed(x: float, digits: int) -> str:
    if not math.isfinite(x):
        return NOT_KNOWN
    text = f"{x:+.{digits}f}"
    return figure(text if float(text) else f"{0:.{digits}f}")


def _known(*numbers: float) -> bool:
    return any(map(math.isfinite, numbers))


def change(value: float, low: float, high: float) -> str:
    """A difference of shares with its interval: `+40 [+32, +47] points`, or `not known`."""
    if not math.isfinite(value):
        return NOT_KNOWN
    span = f" [{points(low)}, {points(high)}]" if _known(low, high) else ""
    return say("{size} points", size=figure(f"{points(value)}{span}"))


def cosine_change(value: float, low: float, high: float) -> str:
    """A difference of cosines with its interval: `-0.010 [-0.020, 0.000]`, or `not known`."""
    if not math.isfinite(value):
        return NOT_KNOWN
    span = f" [{_signed(low, 3)}, {_signed(high, 3)}]" if _known(low, high) else ""
    return figure(f"{_signed(value, 3)}{span}")


def unseen(verdict: str, least: float) -> str:
    """`; a difference below about 23 points may be missed`, where none was shown; else empty.

    `least` is a difference of shares (`decisions.least_seen`), in 0..1; one of 1 or more says that
    any difference may be missed.
    """
    if verdict not in ("undecided", "compatible") or not math.isfinite(least):
        return ""
    if least >= 1:
        return say("; any difference may be missed")
    return say("; a difference below about {n} points may be missed", n=_round_up(least))


def _round_up(share: float) -> int:
    return math.ceil(100 * share - 1e-9)


def plural(noun: str) -> str:
    """English plural, good enough for class names: women, men, secretaries, nurses."""
    special = {"woman": "women", "man": "men"}
    if noun in special:
        return special[noun]
    return noun[:-1] + "ies" if noun.endswith("y") else noun + "s"


def share_phrase(value: str) -> str:
    """`share of women`, `share of dark`."""
    if value in ("woman", "man"):
        return say("share of women" if value == "woman" else "share of men")
    return say("share of {value}", value=value)


def p_value(x: float) -> str:
    """A p-value with sensible digits: `0.03`, `< 0.001`."""
    return figure("< 0.001" if x < 0.001 else f"{x:.3f}" if x < 0.1 else f"{x:.2f}")


def p_equals(x: float) -> str:
    """`p = 0.03`, `p < 0.001`."""
    return figure(f"p = {p_value(x)}".replace("= <", "<"))


def cap(words: str) -> str:
    """The text with its first letter capitalised and the rest unchanged (`CEO`, `Dalai Lama`)."""
    return Said(words[:1].upper() + words[1:], CAPITAL, {"0": words})
