"""How many images would decide a share: by the width of its interval, for undecided ones alone."""

from __future__ import annotations

import math

import pytest

from audit.findings import needed
from audit.keys import BASELINE, Key
from audit.records import Finding
from audit.stats.decisions import least_seen
from audit.stats.interval import Interval


def share(subject: str, half: float, n: int, verdict: str = "undecided") -> Finding:
    """A share of 50 % with an interval of this half-width, against a reference."""
    key = Key("representation", BASELINE, subject, "gender", "share", "woman")
    limits = 0.5 - half, 0.5 + half
    return Finding(key, subject, "share of women", "share", "images", 0.5, *limits, n, float(n), 0,
                   "Wilson", references={"even": 0.5}, against="even", verdict=verdict)  # fmt: skip


def test_the_widest_interval_decides() -> None:
    """Images grow with the square of the smallest difference seen over the margin."""
    narrow, wide = share("nurse", 0.1, 90), share("cook", 0.2, 24)
    (found,) = needed.findings([narrow, wide], 0.1)
    least = least_seen(Interval(0.5, 0.3, 0.7))
    assert found.estimate == math.ceil(24 * (least / 0.1) ** 2)
    assert found.id == "representation/none/all/gender-needed"
    assert found.n == 90 + 24
    assert "there are 24 to 90" in found.sentence


@pytest.mark.parametrize("verdict", ["above", "below", "equivalent"])
def test_decided_shares_need_nothing(verdict: str) -> None:
    """Nor do those that would have shown a difference of the margin, and those of an arm."""
    assert needed.findings([share("nurse", 0.3, 10, verdict)], 0.1) == []
    assert needed.findings([share("nurse", 0.05, 400, "compatible")], 0.1) == []
    assert needed.findings([share("nurse", math.nan, 10)], 0.1) == []
