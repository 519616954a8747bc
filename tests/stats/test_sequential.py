"""Looking at any time costs nothing in coverage; stopping by rule costs few images."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from audit.stats.proportions import wilson
from audit.stats.sequential import (
    ConfidenceSequence,
    FixedWidth,
    coverage,
    fixed_width,
    hedged,
    log_wealth,
)


def running_wealth(bits: np.ndarray, share: float) -> np.ndarray:
    """Log-wealth against a share after each of the images, float[runs, n]."""
    k, n = bits.cumsum(1), np.arange(1, bits.shape[1] + 1)
    return log_wealth(k, n[None], np.array(share))


@pytest.mark.parametrize("share", [0.02, 0.1, 0.5])
def test_peeking_after_every_image_errs_in_at_most_one_run_in_twenty(share: float) -> None:
    """The true share is ever ruled out, at any of 600 looks, in at most 5 % of runs."""
    rng = np.random.default_rng(int(1000 * share))
    bits = (rng.random((2000, 600)) < share).astype(float)
    wrong = (running_wealth(bits, share) >= np.log(20)).any(1).mean()
    assert wrong <= 0.05


def test_peeking_at_a_plain_interval_errs_far_more_often() -> None:
    """The reason for all this: Wilson's interval, looked at every time, misses in many runs."""
    rng = np.random.default_rng(1)
    runs = (rng.random((300, 400)) < 0.5).cumsum(1)
    missed = 0
    for row in runs:
        looks = (wilson(int(row[n - 1]), n) for n in range(10, 401, 10))
        missed += any(not ci.low <= 0.5 <= ci.high for ci in looks)
    assert missed / 300 > 0.15


def test_wealth_is_a_fair_game() -> None:
    """Against the true share the expected wealth stays 1, for every n, over all counts."""
    for n in (1, 7, 40):
        k = np.arange(n + 1)
        for share in (0.03, 0.4, 0.9):
            wealth = np.exp(log_wealth(k, np.array(n), np.array(share)))
            mean = (binom.pmf(k, n, share) * wealth).sum()
            assert mean == pytest.approx(1, abs=1e-9)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=12))
@settings(max_examples=40, deadline=None)
def test_limits_only_come_closer_and_hold_the_estimate(rounds: list[tuple[int, int]]) -> None:
    """Whatever is seen: 0 <= low <= estimate <= high <= 1, and no look widens the last."""
    now = ConfidenceSequence()
    for k, more in rounds:
        was, now = now, now.update(k, k + more)
        assert was.low <= now.low <= now.high <= was.high
        if now.n:
            assert now.low <= now.interval.estimate <= now.high


def test_limits_are_where_the_wealth_reaches_the_bar() -> None:
    """At each limit the wealth is 20; nothing seen says nothing; a wrong round is refused."""
    now = ConfidenceSequence().update(30, 100)
    for edge in (now.low, now.high):
        at = log_wealth(np.array(30), np.array(100), np.array(edge))
        assert float(at) == pytest.approx(np.log(20), abs=1e-4)
    nothing = ConfidenceSequence().update(0, 0).interval
    assert (nothing.low, nothing.high) == (0, 1)
    with pytest.raises(ValueError, match="0 <= k <= n"):
        now.update(3, 2)


@pytest.mark.parametrize("half", [0.05, 0.1])
@pytest.mark.parametrize("step", [1, 15])
def test_stopping_when_narrow_covers_at_every_share(half: float, step: int) -> None:
    """Exact coverage at the stop is 95 %, between the shares of the design's own grid too."""
    rule = fixed_width(half, step)
    shares = np.random.default_rng(step).uniform(0.002, 0.998, 60)
    held, images = coverage(rule, shares)
    assert held.min() >= 0.945
    assert images.max() <= rule.most


def test_exact_coverage_is_what_a_simulation_finds() -> None:
    """Walking the paths gives the same coverage and size as drawing them."""
    rule = fixed_width(0.1, 5)
    rng = np.random.default_rng(3)
    sizes, held = [], []
    for _ in range(1500):
        k = n = 0
        while not rule.narrow(k, n):
            k, n = k + int(rng.binomial(5, 0.2)), n + 5
        ci = wilson(k, n, rule.level)
        sizes.append(n)
        held.append(ci.low <= 0.2 <= ci.high)
    exact, images = coverage(rule, np.array([0.2]))
    assert np.mean(held) == pytest.approx(exact[0], abs=0.02)
    assert np.mean(sizes) == pytest.approx(images[0], rel=0.03)


def test_an_uncorrected_level_would_cover_too_little() -> None:
    """The rule with 95 % and continuous looks falls below 95 %: the reason for a higher level."""
    shares = np.linspace(0.01, 0.5, 40)
    assert coverage(FixedWidth(0.05, 1, 0.95), shares)[0].min() < 0.945
    assert fixed_width(0.05).level > 0.95


def test_skewed_shares_stop_early() -> None:
    """A share of nobody takes a tenth, one in ten less than half, of what a fixed plan takes."""
    _, images = coverage(fixed_width(0.05, 15), np.array([0.001, 0.1, 0.5]))
    assert images[0] < 0.15 * 381
    assert images[1] < 0.5 * 381
    assert images[2] < 1.25 * 381
    with pytest.raises(ValueError, match="between 0 and"):
        fixed_width(0.5)


def test_means_of_values_that_are_no_labels() -> None:
    """The hedged capital sequence covers a beta mean at all looks, and narrows."""
    rng = np.random.default_rng(5)
    wrong, widths = 0, []
    for _ in range(60):
        limits = hedged(rng.beta(2, 6, 300), points=401)
        wrong += bool(((limits[:, 0] > 0.25) | (limits[:, 1] < 0.25)).any())
        widths.append(np.ptp(limits[-1]))
    assert wrong <= 6
    assert max(widths) < 0.2
    with pytest.raises(ValueError, match="in \\[0, 1\\]"):
        hedged([0.2, 1.3])
