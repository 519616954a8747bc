"""Distances and their floors against scipy, closed forms and published sample sizes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import binom

from audit.stats import floors

COUNTS = st.lists(st.integers(0, 60), min_size=2, max_size=6).filter(any)


@given(COUNTS, st.randoms(use_true_random=False))
def test_distances_agree_with_scipy_and_have_their_range(counts: list[int], random) -> None:  # type: ignore[no-untyped-def]
    """Jensen-Shannon is scipy's root squared; both it and total variation are in 0..1."""
    other = list(counts)
    random.shuffle(other)
    p, q = np.array(counts) / sum(counts), np.array(other) / sum(counts)
    divergence = floors.jensen_shannon(p, q)
    assert divergence == pytest.approx(jensenshannon(p, q, 2) ** 2, abs=1e-9)
    assert divergence == pytest.approx(floors.jensen_shannon(q, p), abs=1e-12)
    variation = floors.total_variation(p, q)
    assert -1e-12 <= divergence <= variation + 1e-12 <= 1 + 2e-12  # Lin 1991, theorem 3
    assert floors.kl(p, q) >= 2 * variation**2 / math.log(2) - 1e-9  # Pinsker, in bits
    for distance in (floors.total_variation, floors.kl, floors.jensen_shannon):
        assert distance(p, p) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("k", [2, 4, 7])
def test_one_class_only_is_maximal_not_zero(k: int) -> None:
    """All images in one class of a fixed list of K: entropy 0, and no other shares are farther."""
    one, even = np.eye(k)[0], np.full(k, 1 / k)
    assert floors.normalised_entropy(one) == 0
    assert floors.normalised_entropy(even) == pytest.approx(1)
    assert floors.total_variation(one, even) == pytest.approx(1 - 1 / k)
    assert floors.kl(one, even) == pytest.approx(math.log2(k))
    rng = np.random.default_rng(k)
    for distance in (floors.total_variation, floors.kl, floors.jensen_shannon):
        other = max(distance(p, even) for p in rng.dirichlet(np.full(k, 0.2), 300))
        assert other <= distance(one, even) + 1e-9


def test_opposite_distributions_are_farthest() -> None:
    """No class in common: 1, 1 bit, and infinite."""
    p, q = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    assert floors.total_variation(p, q) == 1
    assert floors.jensen_shannon(p, q) == pytest.approx(1)
    assert floors.kl(p, q) == math.inf


def test_nothing_is_at_no_distance() -> None:
    """No images, or a single class, have no distance: NaN, not the 0.5 of an absent half."""
    none, even = np.zeros(2), np.array([0.5, 0.5])
    for distance in (floors.total_variation, floors.kl, floors.jensen_shannon):
        assert math.isnan(distance(none, even))
    assert math.isnan(floors.normalised_entropy(none))
    assert math.isnan(floors.normalised_entropy(np.ones(1)))


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
        got = floors.distance_floor(n, seven, floors.kl, rng)
        assert got * math.log(2) == pytest.approx(floor, abs=0.002)


def test_distance_floor_repeats_from_its_seed_and_falls_with_n() -> None:
    """Equal generators give equal floors; more images, a lower one; one class, none at all."""
    shares = np.array([0.2, 0.3, 0.5])
    one, two, more = (
        floors.distance_floor(n, shares, floors.jensen_shannon, np.random.default_rng(2), 300)
        for n in (20, 20, 200)
    )
    assert one == two > 5 * more
    sure = np.array([1.0, 0.0, 0.0])
    assert floors.distance_floor(20, sure, floors.kl, np.random.default_rng(2), 30) == 0


def test_floors_without_information_are_unknown() -> None:
    """No images or an unknown share: NaN."""
    rng = np.random.default_rng(0)
    assert math.isnan(floors.gap_floor(0, 0.5))
    assert math.isnan(floors.gap_floor(9, math.nan))
    assert math.isnan(floors.distance_floor(0, np.array([0.5, 0.5]), floors.kl, rng))
    assert math.isnan(floors.distance_floor(9, np.array([np.nan, 0.5]), floors.kl, rng))
