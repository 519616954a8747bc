"""The kernel two-sample test against a naive loop, scikit-learn, dgm-eval, and simulation."""

from __future__ import annotations

import math
from functools import partial
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import pdist
from sklearn.metrics.pairwise import linear_kernel, polynomial_kernel, rbf_kernel

from audit.stats import discrepancy as dis

CUBIC = partial(polynomial_kernel, degree=3, coef0=1)
"""(x'y / d + 1)^3, the kernel inception distance's (Binkowski et al. 2018, ICLR, sec. 3.1)."""


def squared(a: np.ndarray, b: np.ndarray, kernel: dis.Kernel) -> float:
    """The discrepancy of two sets alone, without its test."""
    rows, first = np.concatenate([a, b]), np.arange(len(a) + len(b)) < len(a)
    return float(dis._of_sides(kernel(rows, rows), first[None])[0])


@pytest.mark.parametrize("seed", range(3))
def test_discrepancies_equal_the_naive_double_loop(seed: int) -> None:
    """Mean over pairs of different rows of each side, less twice the mean across."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(7, 5)), rng.normal(0.5, 1, (9, 5))

    def one(x: np.ndarray, y: np.ndarray) -> float:
        return math.exp(-sum((p - q) ** 2 for p, q in zip(x, y, strict=True)) / 18)

    def inside(side: np.ndarray) -> float:
        pairs = [(i, j) for i, j in product(range(len(side)), repeat=2) if i != j]
        return sum(one(side[i], side[j]) for i, j in pairs) / len(pairs)

    across = sum(one(x, y) for x in a for y in b) / (len(a) * len(b))
    kernel = partial(dis.gaussian_kernel, sigma=3)
    got = dis.mmd_test((a, np.arange(7)), (b, np.arange(9)), kernel, rng, 9).interval
    assert got.estimate == pytest.approx(inside(a) + inside(b) - 2 * across)
    assert squared(a, b, kernel) == got.estimate
    assert got.low < got.estimate < got.high


@given(st.integers(1, 6), st.integers(1, 6), st.integers(1, 5), st.integers(0, 999))
def test_the_kernel_equals_that_of_scikit_learn(n: int, m: int, d: int, seed: int) -> None:
    """gamma = 1 / (2 sigma^2)."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(n, d)), rng.normal(size=(m, d))
    assert dis.gaussian_kernel(a, b, 10) == pytest.approx(rbf_kernel(a, b, 1 / 200))


@pytest.mark.parametrize("seed", range(3))
def test_the_width_is_the_median_of_scipys_distances(seed: int) -> None:
    """Of all pairs of different rows; in any order of the rows; unknown for one row."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(31, 4))
    assert dis.median_distance(rows) == pytest.approx(np.sqrt(np.median(pdist(rows) ** 2)))
    assert dis.median_distance(rows[::-1]) == pytest.approx(dis.median_distance(rows))
    assert math.isnan(dis.median_distance(rows[:1]))


def test_the_cubic_kernel_gives_the_distance_of_dgm_eval() -> None:
    """Its 20 subsets of 300 pictures, redrawn with its generator: .003105, copies -.024358."""
    rng = np.random.default_rng(0)
    train, _, gen, _ = (rng.standard_normal((600, 32)) for _ in range(4))
    for made, expected in ((gen, 0.003105), (train, -0.024358)):
        old = np.random.RandomState(0)  # as the published value
        values = []
        for _ in range(20):
            one, other = (v[old.choice(600, 300, replace=False)] for v in (train, made))
            values.append(squared(one, other, CUBIC))
        assert np.mean(values) == pytest.approx(expected, abs=6e-7)


def test_discrepancy_is_unbiased_where_there_is_none() -> None:
    """Its mean over 400 pairs of samples of one source is 0 within its standard error."""
    rng = np.random.default_rng(4)
    pairs = (rng.normal(size=(2, 12, 6)) for _ in range(400))
    found = [squared(one, other, CUBIC) for one, other in pairs]
    assert abs(np.mean(found)) < 3 * np.std(found) / 20


def clustered(rng: np.random.Generator, shift: float) -> tuple[np.ndarray, np.ndarray]:
    """Twelve prompts of four pictures, 6 dimensions, correlated inside a prompt."""
    groups = np.repeat(np.arange(12), 4)
    rows = shift + rng.normal(size=(12, 6))[groups] + 0.5 * rng.normal(size=(48, 6))
    return rows, groups


def test_permutation_p_keeps_its_level_for_clustered_pictures_and_finds_a_shift() -> None:
    """Prompts change sides as a whole: about 5 % false alarms at 5 %, and a shift is found."""
    rng = np.random.default_rng(5)
    null: list[float] = []
    moved: list[float] = []
    for _ in range(120):
        a, b, c = clustered(rng, 0), clustered(rng, 0), clustered(rng, 1.5)
        for found, other in ((null, b), (moved, c)):
            sigma = dis.median_distance(np.concatenate([a[0], other[0]]))
            kernel = partial(dis.gaussian_kernel, sigma=sigma)
            found.append(dis.mmd_test(a, other, kernel, rng, 99).p)
    assert 0.005 <= np.mean(np.array(null) <= 0.05) <= 0.11
    assert np.mean(np.array(moved) <= 0.05) > 0.9


def test_jackknife_limits_hold_the_discrepancy_of_shifted_sources() -> None:
    """Linear kernel: the truth is the squared shift, held in about 95 % of samples."""
    rng = np.random.default_rng(6)
    hits = []
    for _ in range(100):
        a, b = clustered(rng, 0), clustered(rng, 1.0)
        got = dis.mmd_test(a, b, linear_kernel, rng, 1).interval
        # Pictures of one prompt are correlated, and pairs of each side: their covariance counts.
        within = 2 * (3 / 47) * 6
        hits.append(got.low <= 6.0 + within <= got.high)
    assert 0.87 <= np.mean(hits) <= 1


def test_too_few_pictures_are_not_known() -> None:
    """One picture has no spread."""
    one, many = np.ones((1, 3)), np.random.default_rng(0).normal(size=(9, 3))
    got = dis.mmd_test(
        (one, np.zeros(1)), (many, np.zeros(9)), linear_kernel, np.random.default_rng(0)
    )
    assert math.isnan(got.p)
    assert math.isnan(got.interval.estimate)
