"""Sample sizes agree with statsmodels, scipy and the exact binomial."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binomtest
from statsmodels.stats.proportion import proportion_confint, samplesize_confint_proportion

from audit.stats import power


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_rejected_counts_are_those_of_scipy(seed: int) -> None:
    """Every count of n is judged as binomtest judges it."""
    rng = np.random.default_rng(seed)
    n, reference, alpha = int(rng.integers(5, 80)), float(rng.uniform(0.03, 0.97)), 0.05
    ours = power.rejected(n, reference, alpha)
    theirs = [binomtest(k, n, reference).pvalue <= alpha for k in range(n + 1)]
    assert ours.tolist() == theirs


def test_power_is_what_a_simulation_finds() -> None:
    """Drawn images are told from the reference as often as is said."""
    rng = np.random.default_rng(4)
    draws = rng.binomial(60, 0.3, 4000)
    hits = np.mean([binomtest(int(k), 60, 0.5).pvalue <= 0.05 for k in draws])
    assert power.power(60, 0.5, 0.3) == pytest.approx(hits, abs=0.02)


@pytest.mark.parametrize("half", [0.05, 0.1])
@pytest.mark.parametrize("share", [0.5, 0.1])
def test_images_for_a_width(half: float, share: float) -> None:
    """The n found is the first that is narrow enough, near the normal formula of statsmodels."""
    n = power.images_for_width(half, share)
    widths = [np.ptp(proportion_confint(share * m, m, method="wilson")) / 2 for m in (n - 1, n)]
    assert widths[0] > half >= widths[1]
    assert n == pytest.approx(samplesize_confint_proportion(share, half), rel=0.25)
    assert power.images_for_width(0.05) == 381


def test_images_for_power_keep_it() -> None:
    """From the n found on, power never falls below what was wanted; just before, it did."""
    n = power.images_for_power(0.5, 0.3)
    assert n is not None
    assert power.power(n - 1, 0.5, 0.3) < 0.8
    assert all(power.power(m, 0.5, 0.3) >= 0.8 for m in range(n, 2 * n))
    assert power.images_for_power(0.5, 0.5) is None
    assert power.images_for_power(0.5, 0.499, most=500) is None


def test_the_least_difference_is_just_told_apart() -> None:
    """At the edge the power is what was wanted; where nothing suffices the answer is NaN."""
    low, high = power.least_difference(100, 0.5)
    assert power.power(100, 0.5, low) == pytest.approx(0.8, abs=1e-3)
    assert low == pytest.approx(1 - high, abs=1e-3)
    assert math.isnan(power.least_difference(3, 0.5)[0])
    assert math.isnan(power.least_difference(0, 0.5)[1])
    assert math.isnan(power.half_width(0, 0.5))
