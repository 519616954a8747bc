"""Clustered rank correlation: against scipy, all permutations, and simulated clusters."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest
from scipy.stats import kstest, spearmanr

from audit.stats.rank_correlation import Draws, clustered_spearman, spearman


def draws(seed: int, number: int = 199) -> Draws:
    """Draws from a seed."""
    return Draws(np.random.default_rng(seed), number)


def simulated(
    rng: np.random.Generator, slope: float, clusters: int = 24, size: int = 6
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values with a strong part common to the cluster on both sides, and a slope between them."""
    place = np.repeat(np.arange(clusters), size)
    x = rng.normal(size=clusters)[place] + 0.3 * rng.normal(size=len(place))
    y = slope * x + rng.normal(size=clusters)[place] + 0.3 * rng.normal(size=len(place))
    return x, y, place


@pytest.mark.parametrize("seed", range(6))
def test_rho_is_scipys_with_and_without_ties(seed: int) -> None:
    """Continuous values, few levels, and weights as repeats."""
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=50), rng.normal(size=50)
    assert spearman(x, y) == pytest.approx(spearmanr(x, y).statistic, abs=1e-12)
    a, b = rng.integers(0, 4, 50), rng.integers(0, 7, 50)
    assert spearman(a, b) == pytest.approx(spearmanr(a, b).statistic, abs=1e-12)
    w = rng.integers(0, 4, 50)
    expected = spearmanr(np.repeat(a, w), np.repeat(b, w)).statistic
    assert spearman(a, b, w) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_p_is_that_of_all_permutations_of_clusters(seed: int) -> None:
    """Six clusters of three: the share of 720 exchanges that are as large, within its error."""
    rng = np.random.default_rng(seed)
    x, y, place = simulated(rng, 0.7, 6, 3)
    blocks = x.reshape(6, 3)
    seen = abs(spearmanr(x, y).statistic) - 1e-9
    exact = np.mean(
        [
            abs(spearmanr(blocks[list(o)].ravel(), y).statistic) >= seen
            for o in permutations(range(6))
        ]
    )
    found = clustered_spearman(x, y, place, draws(seed, 2999)).p
    assert found == pytest.approx(exact, abs=4 * math.sqrt(exact * (1 - exact) / 2999) + 1e-3)


@pytest.mark.parametrize("uneven", [False, True])
def test_p_is_uniform_where_clusters_alone_are_alike(uneven: bool) -> None:
    """No slope, strong clusters: p is uniform, where scipy's for single images is far too small."""
    ours, naive = [], []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        x, y, place = simulated(rng, 0.0)
        keep = rng.random(len(x)) < 0.7 if uneven else np.ones(len(x), bool)
        ours.append(clustered_spearman(x[keep], y[keep], place[keep], draws(seed, 99)).p)
        naive.append(spearmanr(x[keep], y[keep]).pvalue)
    assert kstest(ours, "uniform").pvalue > 0.001
    assert np.mean(np.array(ours) <= 0.05) < 0.12
    assert np.mean(np.array(naive) <= 0.05) > 0.15


def test_limits_hold_the_truth_where_those_of_images_do_not() -> None:
    """Slope 1 and clusters of six: the rho of 200,000 clusters is inside in most of 150 runs."""
    x, y, _ = simulated(np.random.default_rng(99), 1.0, 200_000, 1)
    truth = spearmanr(x, y).statistic
    inside = []
    for seed in range(150):
        x, y, place = simulated(np.random.default_rng(seed), 1.0, 40)
        rho = clustered_spearman(x, y, place, draws(seed)).rho
        inside.append(rho.low <= truth <= rho.high)
    assert 0.88 <= np.mean(inside) <= 0.99


def test_order_and_names_of_clusters_do_not_matter_to_rho() -> None:
    """Shuffled rows give the same rho and nearly the same limits; names may be text."""
    rng = np.random.default_rng(1)
    x, y, place = simulated(rng, 1.0)
    order = rng.permutation(len(x))
    one = clustered_spearman(x, y, place, draws(1, 999))
    two = clustered_spearman(x[order], y[order], place[order].astype(str), draws(2, 999))
    assert one.rho.estimate == pytest.approx(two.rho.estimate, abs=1e-12)
    assert one.rho.low == pytest.approx(two.rho.low, abs=0.05)
    assert one.p == two.p == 1 / 1000


def test_what_is_missing_is_counted_and_never_zero() -> None:
    """NaN on either side leaves; nothing, no spread and few clusters give a reason."""
    x, y, place = simulated(np.random.default_rng(0), 1.0)
    x[:5], y[3:9] = math.nan, math.nan
    found = clustered_spearman(x, y, place, draws(0))
    assert (found.n, found.missing) == (len(x) - 9, 9)
    assert found.rho.estimate == pytest.approx(spearmanr(x[9:], y[9:]).statistic)
    nothing = clustered_spearman(x[:5], y[:5], place[:5], draws(0))
    assert math.isnan(nothing.rho.estimate)
    assert nothing.reason == "nothing is known of any image"
    flat = clustered_spearman(np.ones(60), y[9:69], place[9:69], draws(0))
    assert math.isnan(flat.rho.estimate)
    assert flat.reason == "all values are the same"
    few = clustered_spearman(x[9:30], y[9:30], place[9:30], draws(0))
    assert math.isfinite(few.rho.estimate)
    assert math.isnan(few.p)
    assert math.isnan(few.rho.low)
    assert few.reason == "fewer than 5 prompts"
    with pytest.raises(ValueError, match="same length"):
        clustered_spearman(x, y[1:], place, draws(0))
