"""Distances of picture sets against closed forms, naive loops, scipy, scikit-learn and dgm-eval."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import sqrtm
from sklearn.metrics.pairwise import polynomial_kernel as sk_polynomial
from sklearn.metrics.pairwise import rbf_kernel

from audit.stats import image_quality as iq

Distance = Callable[[np.ndarray, np.ndarray], float]


def standard(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Train, generated and small noise: 600 normal vectors of 32 dimensions (published recipe)."""
    rng = np.random.default_rng(seed)
    train, _, gen, noise = (rng.standard_normal((600, 32)) for _ in range(4))
    return train, gen, 0.05 * noise


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (lambda t, g, n: g, 1.01534),
        (lambda t, g, n: t + n, 0.00239),
        (lambda t, g, n: np.concatenate([(t + n)[:60], g[60:]]), 0.91145),
        (lambda t, g, n: 0.9 * g, 1.20920),
        (lambda t, g, n: 0.5 * g, 8.39054),
    ],
    ids=["fresh", "copies", "a tenth copied", "shrunk", "shrunk by half"],
)
def test_frechet_distance_equals_that_of_dgm_eval(made: object, expected: float) -> None:
    """Five sets and their published values, to the digit."""
    train, gen, noise = standard()
    assert iq.frechet(train, made(train, gen, noise)) == pytest.approx(expected, abs=6e-6)  # type: ignore[operator]


@pytest.mark.parametrize("seed", range(4))
def test_frechet_distance_of_normals_equals_the_closed_form(seed: int) -> None:
    """One dimension: (m - n)^2 + (s - t)^2; many: scipy's root of the product of covariances."""
    rng = np.random.default_rng(seed)
    m, n, s, t = rng.uniform(0.1, 3, 4)
    one = iq.frechet_of_normals(
        np.array([m]), np.array([[s**2]]), np.array([n]), np.array([[t**2]])
    )
    assert one == pytest.approx((m - n) ** 2 + (s - t) ** 2)
    a, b = (np.cov(rng.normal(size=(40, 6)), rowvar=False) for _ in range(2))
    u, v = rng.normal(size=(2, 6))
    closed = ((u - v) ** 2).sum() + np.trace(a + b - 2 * sqrtm(a @ b).real)
    assert iq.frechet_of_normals(u, a, v, b) == pytest.approx(closed)


@pytest.mark.parametrize("seed", range(3))
def test_frechet_distance_is_symmetric_and_zero_for_the_same_even_without_full_rank(
    seed: int,
) -> None:
    """Fewer pictures than dimensions need no epsilon, and a shift counts by its square."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, 10, 30))
    assert iq.frechet(a, a) == pytest.approx(0, abs=1e-6)
    assert iq.frechet(a, b) == pytest.approx(iq.frechet(b, a), abs=1e-6)
    assert iq.frechet(a, a + 0.5) == pytest.approx(30 * 0.25, abs=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_the_floor_is_what_a_faithful_model_scores_and_the_extrapolation_removes_it(
    seed: int,
) -> None:
    """Fresh images are around the floor; at endless n they are near 0, shifted ones near truth."""
    rng = np.random.default_rng(seed)
    reference, fresh = rng.normal(size=(1200, 12)), rng.normal(size=(400, 12))
    mean, high = iq.frechet_floor(reference, 400, rng)
    assert mean < high < 2 * mean
    assert iq.frechet(fresh, reference) == pytest.approx(mean, rel=0.5)
    assert abs(iq.frechet_infinity(fresh, reference, rng)) < 0.35 * mean
    moved = 0.3 + 1.4 * fresh
    truth = 12 * (0.3**2 + 0.4**2)
    assert iq.frechet_infinity(moved, reference, rng) == pytest.approx(truth, rel=0.15)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kernel", [iq.gaussian_kernel, iq.polynomial_kernel])
def test_discrepancies_equal_the_naive_double_loop(seed: int, kernel: iq.Kernel) -> None:
    """Mean over pairs of different rows of each side, less twice the mean across."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(7, 5)), rng.normal(0.5, 1, (9, 5))

    def one(x: np.ndarray, y: np.ndarray) -> float:
        if kernel is iq.gaussian_kernel:
            return math.exp(-sum((p - q) ** 2 for p, q in zip(x, y, strict=True)) / 200)
        return (sum(p * q for p, q in zip(x, y, strict=True)) / 5 + 1) ** 3

    def inside(side: np.ndarray) -> float:
        pairs = [(i, j) for i, j in product(range(len(side)), repeat=2) if i != j]
        return sum(one(side[i], side[j]) for i, j in pairs) / len(pairs)

    across = sum(one(x, y) for x in a for y in b) / (len(a) * len(b))
    assert iq.mmd(a, b, kernel) == pytest.approx(inside(a) + inside(b) - 2 * across)


@given(st.integers(1, 6), st.integers(1, 6), st.integers(1, 5), st.integers(0, 999))
def test_kernels_equal_those_of_scikit_learn(n: int, m: int, d: int, seed: int) -> None:
    """gamma = 1 / (2 sigma^2), and degree 3 with 1 / d and 1."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(n, d)), rng.normal(size=(m, d))
    assert iq.gaussian_kernel(a, b) == pytest.approx(rbf_kernel(a, b, 1 / 200))
    assert iq.polynomial_kernel(a, b) == pytest.approx(sk_polynomial(a, b, 3, None, 1))


def test_kernel_distance_equals_that_of_dgm_eval() -> None:
    """Its 20 subsets of 300 pictures, redrawn with its generator: .003105, copies -.024358."""
    train, gen, _ = standard()
    for made, expected in ((gen, 0.003105), (train, -0.024358)):
        old = np.random.RandomState(0)  # as the published value
        values = []
        for _ in range(20):
            one, other = (v[old.choice(600, 300, replace=False)] for v in (train, made))
            values.append(iq.kid(one, other))
        assert np.mean(values) == pytest.approx(expected, abs=6e-7)


@pytest.mark.parametrize("seed", range(3))
def test_cmmd_equals_the_published_code_once_diagonals_are_kept(seed: int) -> None:
    """1000 (mean xx + mean yy - 2 mean xy) with the diagonals, less what the docstring says."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(30, 16)), rng.normal(0.4, 1, (50, 16))
    a, b = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (a, b))
    k = [rbf_kernel(x, y, 1 / 200) for x, y in ((a, a), (b, b), (a, b))]
    theirs = 1000 * (k[0].mean() + k[1].mean() - 2 * k[2].mean())
    extra = 1000 * sum((1 - iq._within(s)) / len(s) for s in k[:2])
    assert iq.cmmd(a, b) == pytest.approx(theirs - extra)


def test_discrepancy_is_unbiased_where_there_is_none() -> None:
    """Its mean over 400 pairs of samples of one source is 0 within its standard error."""
    rng = np.random.default_rng(4)
    found = [iq.kid(*rng.normal(size=(2, 12, 6))) for _ in range(400)]
    assert abs(np.mean(found)) < 3 * np.std(found) / 20


def clustered(rng: np.random.Generator, shift: float) -> tuple[np.ndarray, np.ndarray]:
    """Twelve prompts of four pictures, 6 dimensions, that are correlated within a prompt."""
    groups = np.repeat(np.arange(12), 4)
    rows = shift + rng.normal(size=(12, 6))[groups] + 0.5 * rng.normal(size=(48, 6))
    return rows, groups


def test_permutation_p_keeps_its_level_for_clustered_pictures_and_finds_a_shift() -> None:
    """Prompts change sides as a whole: about 5 % false alarms at 5 %, and a shift is found."""
    rng = np.random.default_rng(5)
    null, moved = [], []
    for _ in range(120):
        a, b, c = clustered(rng, 0), clustered(rng, 0), clustered(rng, 1.5)
        null.append(iq.mmd_test(a, b, iq.polynomial_kernel, rng, 99).p)
        moved.append(iq.mmd_test(a, c, iq.polynomial_kernel, rng, 99).p)
    assert 0.005 <= np.mean(np.array(null) <= 0.05) <= 0.11
    assert np.mean(np.array(moved) <= 0.05) > 0.9


def test_jackknife_limits_hold_the_discrepancy_of_shifted_sources() -> None:
    """Linear kernel: the truth is the squared shift, held in about 95 % of samples."""
    rng = np.random.default_rng(6)
    hits = []
    for _ in range(100):
        a, b = clustered(rng, 0), clustered(rng, 1.0)
        got = iq.mmd_test(a, b, lambda x, y: x @ y.T, rng, 1).interval
        assert got.estimate == pytest.approx(iq.mmd(a[0], b[0], lambda x, y: x @ y.T))
        # Images of one prompt are correlated and are pairs of each side: their covariance counts.
        within = 2 * (3 / 47) * 6
        hits.append(got.low <= 6.0 + within <= got.high)
    assert 0.87 <= np.mean(hits) <= 1


@settings(max_examples=25, deadline=None)
@given(st.integers(3, 30), st.integers(0, 999))
def test_jackknife_of_a_mean_is_the_t_interval(n: int, seed: int) -> None:
    """One value per cluster and at most 20 of them: Student's, to the digit."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    got = iq.jackknife(lambda keep: float(x[keep].mean()), np.arange(n), rng)
    if n <= iq.BLOCKS:
        from scipy.stats import t

        reach = t.ppf(0.975, n - 1) * x.std(ddof=1) / math.sqrt(n)
        assert got.high - got.estimate == pytest.approx(reach)
    assert got.low < x.mean() == got.estimate < got.high


@pytest.mark.parametrize("distance", [iq.frechet, iq.kid, iq.cmmd])
def test_a_worse_arm_is_farther_from_the_reference_and_a_placebo_is_not(distance: Distance) -> None:
    """Blown-up pictures: limits above 0; other pictures of the same source: limits hold 0."""
    held = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        reference, groups = rng.normal(size=(300, 5)), np.repeat(np.arange(20), 6)
        base, other = 0.2 + rng.normal(size=(2, 120, 5))

        def score(rows: np.ndarray, real: np.ndarray = reference) -> float:
            return distance(rows, real)

        worse = iq.quality_change(iq.Pairs(base, 0.8 + 1.5 * other, groups), score, rng)
        assert worse.low > 0
        same = iq.quality_change(iq.Pairs(base, other, groups), score, rng)
        held.append(same.low <= 0 <= same.high)
    assert sum(held) >= 6


@pytest.mark.parametrize("seed", range(3))
def test_the_quick_ways_to_a_change_give_what_the_plain_ones_give(seed: int) -> None:
    """A kernel taken once and a root taken once change no digit of estimate or limits."""
    rng = np.random.default_rng(seed)
    reference = rng.normal(size=(50, 6))
    pairs = iq.Pairs(*rng.normal(0.5, 1, (2, 40, 6)), np.repeat(np.arange(8), 5))
    for slow, quick in (
        (
            iq.quality_change(pairs, lambda r: iq.kid(r, reference), np.random.default_rng(1)),
            iq.mmd_change(pairs, reference, iq.polynomial_kernel, np.random.default_rng(1)),
        ),
        (
            iq.quality_change(pairs, lambda r: iq.frechet(r, reference), np.random.default_rng(1)),
            iq.quality_change(pairs, iq.frechet_from(reference), np.random.default_rng(1)),
        ),
    ):
        assert vars(quick) == pytest.approx(vars(slow), abs=1e-6)


def test_too_few_pictures_are_not_known() -> None:
    """One picture has no spread, one prompt no limits, few pictures no extrapolation."""
    rng = np.random.default_rng(0)
    one, many = np.ones((1, 3)), rng.normal(size=(9, 3))
    assert math.isnan(iq.frechet(one, many))
    assert math.isnan(iq.cmmd(many, one))
    assert math.isnan(iq.frechet_infinity(many, many, rng))
    assert all(math.isnan(v) for v in iq.frechet_floor(many, 8, rng))
    assert math.isnan(
        iq.mmd_test((one, np.zeros(1)), (many, np.zeros(9)), iq.gaussian_kernel, rng).p
    )
    got = iq.jackknife(lambda keep: float(len(keep)), np.zeros(4, int), rng)
    assert got.estimate == 4
    assert math.isnan(got.low)
