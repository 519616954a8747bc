"""Distances and their floors against scipy, closed forms and published sample sizes."""

from __future__ import annotations

import math
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import binom, entropy

from audit.stats import floors

COUNTS = st.lists(st.integers(0, 60), min_size=2, max_size=6).filter(any)


@given(COUNTS, st.randoms(use_true_random=False))
def test_total_variation_is_bounded_by_scipys_divergences(
    counts: list[int], random: Random
) -> None:
    """It lies between Jensen-Shannon's divergence and Pinsker's root, and has no direction."""
    other = list(counts)
    random.shuffle(other)
    p, q = np.array(counts) / sum(counts), np.array(other) / sum(counts)
    variation = floors.total_variation(p, q)
    divergence = jensenshannon(p, q, 2) ** 2
    assert divergence <= variation + 1e-9 <= 1 + 2e-9  # Lin 1991, theorem 3
    assert entropy(p, q) >= 2 * variation**2 - 1e-9
    assert variation == pytest.approx(floors.total_variation(q, p))
    assert floors.total_variation(p, p) == 0


@pytest.mark.parametrize("k", [2, 4, 7])
def test_one_class_only_is_maximal_not_zero(k: int) -> None:
    """All images in one class of a fixed list of K: no other shares are farther from even ones."""
    one, even = np.eye(k)[0], np.full(k, 1 / k)
    assert floors.total_variation(one, even) == pytest.approx(1 - 1 / k)
    rng = np.random.default_rng(k)
    other = max(floors.total_variation(p, even) for p in rng.dirichlet(np.full(k, 0.2), 300))
    assert other <= floors.total_variation(one, even) + 1e-9


def test_opposite_distributions_are_farthest() -> None:
    """No class in common: 1."""
    assert floors.total_variation(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == 1


def test_nothing_is_at_no_distance() -> None:
    """No images have no distance: NaN, not the 0.5 of an absent half."""
    none, even = np.zeros(2), np.array([0.5, 0.5])
    assert math.isnan(floors.total_variation(none, even))
    assert math.isnan(floors.total_variation(even, none))


@pytest.mark.parametrize(
    ("n", "floor"),
    [(8, 0.137), (10, 0.123), (48, 0.057), (64, 0.050), (100, 0.040), (160, 0.031), (250, 0.025),
     (500, 0.018)],
)  # fmt: skip
def test_the_fair_floor_at_the_sample_sizes_of_benchmarks(n: int, floor: float) -> None:
    """E|p - 1/2| of a fair model, and de Moivre's closed form for even n."""
    assert floors.gap_floor(n, 0.5) == pytest.approx(floor, abs=0.0006)
    assert floors.gap_floor(n, 0.5) == pytest.approx(math.comb(n, n // 2) / 2 ** (n + 1))


@given(st.integers(1, 300), st.floats(1e-9, 1 - 1e-9) | st.sampled_from([0.0, 1.0]))
def test_the_gap_floor_is_de_moivres_and_below_the_standard_error(n: int, share: float) -> None:
    """2 (m + 1) (1 - p) b(m + 1) / n with m = floor(np) (Diaconis & Zabell 1991, eq. 1.1)."""
    floor = floors.gap_floor(n, share)
    m = math.floor(n * share)
    expected = 2 * (m + 1) * (1 - share) * binom.pmf(m + 1, n, share) / n
    assert floor == pytest.approx(expected, rel=1e-6, abs=1e-9)
    assert 0 <= floor <= math.sqrt(share * (1 - share) / n) + 1e-9
    assert floor == pytest.approx(floors.gap_floor(n, 1 - share), abs=1e-9)
    assert floors.gap_floor(1, 0.5) == 0.5


def test_distance_floors_equal_the_exact_and_the_published_ones() -> None:
    """Two classes: the binomial floor. Seven classes, KL in nats: .048 at n = 64, .030 at 100."""
    rng = np.random.default_rng(1)
    for n, share in ((10, 0.5), (40, 0.2)):
        pair = np.array([share, 1 - share])
        got = floors.distance_floor(n, pair, floors.total_variation, rng)
        assert got == pytest.approx(floors.gap_floor(n, share), rel=0.06)
    seven = np.full(7, 1 / 7)
    for n, floor in ((64, 0.048), (100, 0.030)):
        got = floors.distance_floor(n, seven, lambda p, q: float(entropy(p, q)), rng)
        assert got == pytest.approx(floor, abs=0.002)


def test_distance_floor_repeats_from_its_seed_and_falls_with_n() -> None:
    """Equal generators give equal floors; more images, a lower one; one class, none at all."""
    shares = np.array([0.2, 0.3, 0.5])
    one, two, more = (
        floors.distance_floor(n, shares, floors.total_variation, np.random.default_rng(2), 300)
        for n in (20, 20, 200)
    )
    assert one == two > 2 * more
    sure, rng = np.array([1.0, 0.0, 0.0]), np.random.default_rng(2)
    assert floors.distance_floor(20, sure, floors.total_variation, rng, 30) == 0


def test_floors_without_information_are_unknown() -> None:
    """No images or an unknown share: NaN."""
    rng = np.random.default_rng(0)
    assert math.isnan(floors.gap_floor(0, 0.5))
    assert math.isnan(floors.gap_floor(9, math.nan))
    for n, shares in ((0, [0.5, 0.5]), (9, [np.nan, 0.5])):
        assert math.isnan(floors.distance_floor(n, np.array(shares), floors.total_variation, rng))
