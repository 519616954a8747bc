"""Confidence sequences against a second transcription, simulated peeking and the fixed plan."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from audit.stats.betting import Betting, MeanSequence, begin
from audit.stats.proportions import wilson

FIXED_PLAN = 385  # images for a half-width of .05 at worst, z^2 / 4 / .05^2


def capitals(values: list[float], m: float, plan: Betting) -> list[float]:
    """max(K+, K-) / 2 after every value: the paper's products, one factor at a time."""
    alpha, up, down, seen = 1 - plan.level, 1.0, 1.0, [0.0]
    means: list[float] = []
    for t, x in enumerate(values, 1):
        earlier = values[: t - 1]
        spread = sum((v - u) ** 2 for v, u in zip(earlier, means, strict=True))
        variance = (0.25 + spread) / t
        if plan.bets == "tuned":
            bet = plan.precision / (variance + plan.precision**2)
        else:
            bet = math.sqrt(2 * math.log(2 / alpha) / (variance * t * math.log(1 + t)))
        up *= 1 + min(bet, plan.cap / m if m else math.inf) * (x - m)
        down *= 1 - min(bet, plan.cap / (1 - m) if m < 1 else math.inf) * (x - m)
        means.append((0.5 + sum(values[:t])) / (t + 1))
        seen.append(max(up, down) / 2)
    return seen


@given(
    st.lists(st.floats(0, 1) | st.sampled_from([0.0, 1.0]), max_size=40),
    st.sampled_from(["tuned", "plug-in"]),
    st.sampled_from([0.8, 0.95]),
)
@settings(max_examples=60, deadline=None)
def test_limits_follow_the_papers_products(values: list[float], bets: str, level: float) -> None:
    """A candidate is strictly inside the limits if its capital never reached 1 / alpha."""
    plan = Betting(level=level, bets=bets, candidates=21)
    got = begin(plan).update(np.array(values)).interval
    peaks = [max(capitals(values, float(m), plan)) for m in plan.grid]
    if any(abs(p * (1 - level) - 1) < 1e-9 for p in peaks):
        return  # a tie that rounding may break either way
    alive = [float(m) for m, p in zip(plan.grid, peaks, strict=True) if p < 1 / (1 - level)]
    if not alive:
        assert math.isnan(got.low)
        return
    step = 1 / 20
    expected = max(alive[0] - step, 0), min(alive[-1] + step, 1)
    assert (got.low, got.high) == pytest.approx(expected, abs=1e-9)


def errors(p: float, draw: str, bets: str, seed: int, runs: int = 500, n: int = 800) -> int:
    """Runs in which the true mean, itself a candidate, is excluded at any of n times."""
    rng, wrong = np.random.default_rng(seed), 0
    plan = Betting(bets=bets, candidates=51)
    for _ in range(runs):
        x = rng.random(n) < p if draw == "binary" else rng.beta(2 * p, 2 * (1 - p), n)
        got = begin(plan).update(x).interval
        wrong += not got.low < p < got.high
    return wrong


@pytest.mark.slow
@pytest.mark.parametrize("p", [0.02, 0.1, 0.5])
@pytest.mark.parametrize(("draw", "bets"), [("binary", "tuned"), ("binary", "plug-in"),
                                            ("beta", "tuned")])  # fmt: skip
def test_looking_after_every_image_keeps_the_error(p: float, draw: str, bets: str) -> None:
    """At most 5 % of 500 runs of 800 values ever exclude the truth, but for simulation error."""
    assert errors(p, draw, bets, seed=int(100 * p)) <= binom.ppf(0.999, 500, 0.05)


@pytest.mark.parametrize("p", [0.1, 0.5])
def test_an_ordinary_interval_does_not_survive_looking(p: float) -> None:
    """Wilson's excludes the truth at some time in over a quarter of runs: the test can fail."""
    rng, z, wrong = np.random.default_rng(5), 1.959964, 0
    n = np.arange(10, 801)
    for _ in range(300):
        k = np.cumsum(rng.random(800) < p)[9:]
        wrong += bool((np.abs(k / n - p) > z * np.sqrt(p * (1 - p) / n)).any())
    assert wrong > 75


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.05, 0.5, 0.9]))
@settings(max_examples=30, deadline=None)
def test_rounds_only_narrow_and_their_size_does_not_matter(seed: int, p: float) -> None:
    """Limits never widen, and any split into rounds ends with the same ones."""
    rng = np.random.default_rng(seed)
    x = rng.random(120) < p
    state = begin(Betting(candidates=201))
    last = state.interval
    for part in np.split(x, np.sort(rng.integers(0, 121, 5))):
        state = state.update(part)
        now = state.interval
        assert last.low <= now.low <= now.high <= last.high
        assert state.n == 0 or now.low <= now.estimate <= now.high
        last = now
    whole = begin(Betting(candidates=201)).update(x)
    assert state.n == whole.n == 120
    np.testing.assert_allclose(state.peak, whole.peak, atol=1e-9)
    assert state.interval == whole.interval


@given(st.integers(0, 2**32 - 1), st.floats(0, 1))
@settings(max_examples=30, deadline=None)
def test_the_other_class_is_the_mirror_image(seed: int, p: float) -> None:
    """1 - x has the mirrored limits."""
    x = np.random.default_rng(seed).random(80) < p
    a, b = (begin(Betting(candidates=201)).update(v).interval for v in (x, 1.0 - x))
    assert (a.low, a.high) == pytest.approx((1 - b.high, 1 - b.low), abs=1e-9)


def test_nothing_seen_is_anything_possible() -> None:
    """Before the first value the limits are 0 and 1, and nothing stops."""
    state = begin()
    assert (state.interval.low, state.interval.high) == (0, 1)
    assert math.isnan(state.interval.estimate)
    assert not state.stop
    assert state.update(np.empty(0)) is state


def rounds(p: float, rng: np.random.Generator, size: int = 8) -> MeanSequence:
    """Rounds of images until the half-width is .05."""
    state = begin(Betting(candidates=1001))
    while not state.stop:
        state = state.update(rng.random(size) < p)
    return state


@pytest.mark.slow
@pytest.mark.parametrize(
    ("p", "low", "high"), [(0.0, 48, 56), (0.02, 55, 110), (0.1, 240, 330), (0.5, 480, 660)]
)
def test_images_saved_against_the_fixed_plan(p: float, low: float, high: float) -> None:
    """Rare classes stop long before the 385 images of the worst case; an even one costs more."""
    rng = np.random.default_rng(int(100 * p))
    states = [rounds(p, rng) for _ in range(1 if p == 0 else 25)]
    assert low <= np.mean([s.n for s in states]) <= high
    for s in states:
        assert s.half_width <= 0.05 + 1e-12
        assert s.interval.low <= s.total / s.n <= s.interval.high


@pytest.mark.parametrize("p", [0.1, 0.5])
def test_the_price_of_looking_is_a_wider_interval(p: float) -> None:
    """At the images of the fixed plan it is wider than Wilson's, but not by half."""
    rng, ratios = np.random.default_rng(int(10 * p)), []
    for _ in range(20):
        x = rng.random(FIXED_PLAN) < p
        fixed = wilson(int(x.sum()), FIXED_PLAN)
        ratios.append(begin().update(x).half_width * 2 / (fixed.high - fixed.low))
    assert 1 < np.median(ratios) < 1.5


def test_tuned_bets_are_narrower_at_the_precision_than_plugged_in_ones() -> None:
    """What the tuning is for: fewer images until the half-width is .1."""
    x = np.random.default_rng(8).random((10, 200)) < 0.5
    widths = {
        b: np.mean([begin(Betting(precision=0.1, bets=b)).update(v).half_width for v in x])
        for b in ("tuned", "plug-in")
    }
    assert widths["tuned"] < widths["plug-in"]


def test_many_values_at_once_are_the_same_as_in_parts() -> None:
    """More values than are bet on at a time."""
    x = np.random.default_rng(12).random(1500) < 0.2
    plan = Betting(candidates=51)
    state = begin(plan)
    for part in np.array_split(x, 7):
        state = state.update(part)
    assert begin(plan).update(x).interval == state.interval


def test_values_that_change_their_mean_can_leave_no_candidate() -> None:
    """A hundred ones and then as many zeros fit no mean: unknown, and no reason to stop."""
    state = begin().update(np.repeat([1.0, 0.0], 400))
    assert math.isnan(state.interval.low)
    assert not state.stop


def test_invalid_input_is_refused() -> None:
    """Missing or impossible values, and plans without sense."""
    for bad in ([0.5, math.nan], [1.2], [-0.1]):
        with pytest.raises(ValueError, match=r"be in 0\.\.1"):
            begin().update(np.array(bad))
    levels: list[dict[str, Any]] = [{"level": 1.0}, {"cap": 1.0}, {"precision": 0.5}]
    for plan in levels:
        with pytest.raises(ValueError, match="Level and cap"):
            Betting(**plan)
    for plan in ({"candidates": 1}, {"bets": "all"}):
        with pytest.raises(ValueError, match="at least two candidates"):
            Betting(**plan)
