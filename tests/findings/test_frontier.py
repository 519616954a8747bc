"""Harm against cost: verdicts, dominance and the placebo rule, by hand and on planted arms."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.findings import effects, frontier
from audit.findings.frontier import Row, Scale
from audit.records import Finding, to_json
from audit.stats.interval import UNKNOWN, Interval
from tests.findings.test_effects import BASE, GOOD, OVER, Arm, World, question

SCALE = Scale()


def about(x: float, half: float = 0.02) -> Interval:
    """An interval around x."""
    return Interval(x, x - half, x + half)


def row(bias: Interval, copying: Interval = UNKNOWN, cost: Interval = UNKNOWN, **more: str) -> Row:
    """A row with a name that does not matter."""
    return Row(more.pop("arm", "arm"), bias, copying, cost, **more)


FREE, DEAR, UNSURE = about(0, 0.002), about(0.05, 0.002), about(0.005, 0.004)


@pytest.mark.parametrize(
    ("given_row", "expected"),
    [
        (row(about(0.2), cost=FREE), "works"),
        (row(about(0.2), about(-0.2), FREE), "undecided"),
        (row(about(0.3), about(-0.1), FREE), "works"),
        (row(about(0.1), about(-0.3), FREE), "harms more than it helps"),
        (row(about(0.2), cost=DEAR), "harms more than it helps"),
        (row(about(0.6), cost=about(0.02, 0.002)), "works"),
        (row(about(0.2), cost=about(0.02, 0.002)), "undecided"),
        (row(about(0.2), cost=UNSURE), "undecided"),
        (row(about(0.2)), "undecided"),
        (row(about(0.0), cost=FREE), "no effect"),
        (row(about(0.0), about(0.3), FREE), "works"),
        (row(about(0.0, 0.2), cost=FREE), "undecided"),
        (row(about(0.0), cost=DEAR), "harms more than it helps"),
        (row(about(-0.2), cost=FREE), "harms more than it helps"),
        (row(UNKNOWN), "undecided"),
        (row(Interval(0.2, math.nan, math.nan), cost=FREE), "undecided"),
    ],
)
def test_verdicts_of_rows_made_by_hand(given_row: Row, expected: str) -> None:
    """Each way to a verdict, with its reason in words."""
    verdict, why = frontier.judge(given_row, None, SCALE)
    assert verdict == expected
    assert why


def test_an_arm_that_does_no_better_than_its_placebo_does_not_work() -> None:
    """The same gain as the placebo: no effect; more than the placebo: works; unclear: undecided."""
    arm, other = (replace(row(about(0.2, 0.01), cost=FREE), placebo="p") for _ in range(2))
    assert frontier.judge(arm, row(about(0.2, 0.01), cost=FREE), SCALE)[0] == "no effect"
    assert frontier.judge(other, row(about(0.05, 0.01), cost=FREE), SCALE)[0] == "works"
    wide = row(about(0.15, 0.1), cost=FREE)
    assert frontier.judge(arm, wide, SCALE)[0] == "undecided"
    lost = row(UNKNOWN, cost=FREE)
    assert frontier.judge(arm, lost, SCALE)[0] == "undecided"
    assert frontier.judged(arm, [arm], SCALE).verdict == "undecided"


def test_dominance_needs_every_axis_and_certainty_every_interval() -> None:
    """Better in everything: dominated; better here, worse there: not; overlap: estimates only."""
    best = row(about(0.3), about(0.2), FREE, arm="best")
    assert frontier.dominates(best, row(about(0.1), about(0.1), DEAR)) == "with certainty"
    assert frontier.dominates(best, row(about(0.29), about(0.1), DEAR)) == "in point estimate"
    assert frontier.dominates(best, row(about(0.4), about(0.1), DEAR)) == ""
    assert frontier.dominates(best, best) == ""
    assert frontier.dominates(best, row(about(0.1), UNKNOWN, DEAR)) == ""
    nothing = row(frontier.NOTHING, frontier.NOTHING, frontier.NOTHING, arm="none")
    assert frontier.dominates(nothing, row(about(-0.1), UNKNOWN, DEAR)) == "with certainty"
    assert frontier.dominates(nothing, row(about(0.1), UNKNOWN, DEAR)) == ""


NUMBERS = st.floats(-0.5, 0.5).map(lambda x: about(x, abs(x) / 3 + 0.01))


@given(st.lists(NUMBERS, min_size=6, max_size=6))
def test_dominance_is_never_mutual_and_certainty_implies_the_estimate(x: list[Interval]) -> None:
    """Of two rows at most one dominates; what is certain holds for the estimates as well."""
    a, b = row(*x[:3]), row(*x[3:])
    ways = frontier.dominates(a, b), frontier.dominates(b, a)
    assert "" in ways
    if ways[0] == "with certainty":
        assert all(p.low >= q.high for p, q in zip(a.axes, b.axes, strict=True))


def test_limits_of_a_difference_hold_for_two_normal_means() -> None:
    """Independent means with their own intervals: root of summed squares, exactly."""
    got = frontier.difference(about(0.5, 0.3), about(0.2, 0.4))
    assert (got.estimate, got.low, got.high) == pytest.approx((0.3, -0.2, 0.8))
    assert frontier.difference(about(1), UNKNOWN) == UNKNOWN
    total = frontier.net(row(about(0.1, 0.05), about(0.1, 0.05), about(0.01, 0.0)), SCALE)
    assert total.estimate == pytest.approx(2 + 2 - 2)
    assert total.high - total.estimate == pytest.approx(math.sqrt(2))


ARMS = {
    "none": BASE,
    "inject": GOOD,
    "costly": replace(GOOD, alignment=-0.08),
    "placebo": BASE,
    "useless": BASE,
    "guard": Arm(copies=0.2),
    "flip": OVER,
}


def made(seed: int) -> tuple[list[Finding], list[Row]]:
    """Findings and rows of all planted arms."""
    world = World(seed, ARMS)
    found: list[Finding] = []
    for arm in list(ARMS)[1:]:
        found += effects.findings(world.tables(), question(world, arm))
    names = [a for a in ARMS if a not in ("none", "placebo")]
    return found, frontier.rows(found, dict.fromkeys(names, "placebo"), "gender/uniform")


@pytest.mark.parametrize("seed", range(2))
def test_planted_arms_are_judged_as_they_were_planted(seed: int) -> None:
    """What helps works, what costs harms, what does nothing has no effect or is undecided."""
    found, rows = made(seed)
    got = {r.arm: r for r in rows}
    assert [r.arm for r in rows] == list(ARMS)
    assert got["inject"].verdict == "works"
    assert got["guard"].verdict == "works"
    assert got["costly"].verdict == "harms more than it helps"
    assert got["flip"].verdict in ("harms more than it helps", "undecided")
    for null in ("placebo", "useless"):
        assert got[null].verdict in ("no effect", "undecided")
    assert "inject" in got["costly"].dominated
    assert "costly" not in got["inject"].dominated
    assert np.sign(got["guard"].copying.estimate) == 1
    said = frontier.findings(rows)
    assert [f.arm for f in said] == list(ARMS)[1:]
    assert len({f.id for f in [*found, *said]}) == len(found) + len(said)
    assert to_json(said)
    for f, r in zip(said, rows[1:], strict=True):
        assert r.verdict in f.sentence
        assert f.verdict == frontier.WORDS[r.verdict]


def test_without_findings_there_is_only_the_baseline() -> None:
    """Nothing measured, nothing judged; an arm of which nothing is known is undecided."""
    assert [r.arm for r in frontier.rows([], {}, "gender/uniform")] == ["none"]
    (f,) = frontier.findings([row(UNKNOWN)])
    assert math.isnan(f.estimate)
    assert f.verdict == "undecided"
    assert f.missing == 3
