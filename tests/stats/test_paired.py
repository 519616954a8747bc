"""Paired effects against published examples, scipy and simulation."""

from __future__ import annotations

import math
from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, permutation_test, ttest_1samp

from audit.stats import paired
from audit.stats.proportions import wilson

CELLS = st.tuples(*[st.integers(0, 80)] * 4).filter(any)


def test_mcnemar_equals_the_published_value() -> None:
    """Five against twenty discordant pairs: p = .0040773."""
    assert paired.mcnemar(5, 20) == pytest.approx(0.0040773, abs=1e-6)
    assert paired.mcnemar(0, 0) == 1.0


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_binomial_test_of_the_discordant_pairs(b: int, c: int) -> None:
    """Two-sided against one half, the same whichever side comes first."""
    expected = binomtest(b, b + c, 0.5).pvalue if b + c else 1.0
    assert paired.mcnemar(b, c) == pytest.approx(expected)
    assert paired.mcnemar(c, b) == pytest.approx(expected)


def test_paired_difference_equals_published_examples() -> None:
    """Newcombe 1998, table III, method 10: pairs that differ; Altman 2000, p. 52: alike ones."""
    got = paired.paired_difference(36, 12, 2, 0)
    assert (got.estimate, got.low, got.high) == pytest.approx((0.2, 0.0569, 0.3404), abs=5e-5)
    got = paired.paired_difference(14, 5, 0, 22)
    assert (got.estimate, got.low, got.high) == pytest.approx((0.122, 0.011, 0.226), abs=5e-4)


@given(CELLS)
def test_paired_difference_is_antisymmetric(cells: tuple[int, int, int, int]) -> None:
    """Swapping before and after, or what is counted, changes the sign and nothing else."""
    n11, n10, n01, n00 = cells
    got = paired.paired_difference(*cells)
    assert -1 <= got.low <= got.estimate <= got.high <= 1
    for other in (
        paired.paired_difference(n11, n01, n10, n00),
        paired.paired_difference(n00, n01, n10, n11),
    ):
        assert (-other.estimate, -other.high, -other.low) == pytest.approx(
            (got.estimate, got.low, got.high), abs=1e-9
        )


def test_paired_difference_covers_and_is_narrower_for_alike_pairs() -> None:
    """95 % limits hold in at least 93 % of simulated tables; agreement narrows them."""
    rng = np.random.default_rng(1)
    cells = np.array([0.3, 0.25, 0.1, 0.35])
    hits = []
    for table in rng.multinomial(60, cells, 1000):
        got = paired.paired_difference(*(int(k) for k in table))
        hits.append(got.low <= 0.15 <= got.high)
    assert 0.93 <= np.mean(hits) <= 0.98
    alike, unlike = (
        paired.paired_difference(45, 10, 5, 40),
        paired.paired_difference(28, 27, 22, 23),
    )
    assert alike.estimate == unlike.estimate
    assert alike.high - alike.low < 0.7 * (unlike.high - unlike.low)


def test_one_class_on_both_sides_still_has_a_width() -> None:
    """All pairs alike: difference 0, limits as far as Wilson's for each side, not [0, 0]."""
    got = paired.paired_difference(20, 0, 0, 0)
    reach = 1 - wilson(20, 20).low
    assert (got.estimate, got.low, got.high) == pytest.approx((0.0, -reach, reach))
    assert all(math.isnan(x) for x in vars(paired.paired_difference(0, 0, 0, 0)).values())


@pytest.mark.parametrize("n", [1, 2, 7, 10])
def test_sign_flip_equals_scipys_permutation_test(n: int) -> None:
    """Exact enumeration for few pairs."""
    rng = np.random.default_rng(n)
    d = rng.normal(0.6, 1, n)
    if n > 1:
        theirs = permutation_test(
            (d,), lambda x: np.abs(np.sum(x)), permutation_type="samples", alternative="greater"
        ).pvalue
    else:
        theirs = 1.0  # +d and -d are equally far from 0
    assert paired.sign_flip(d, rng) == pytest.approx(theirs)


def test_sign_flip_by_drawing_is_near_the_exact_value() -> None:
    """Just past the limit of enumeration, drawing agrees with all 2^15 flips."""
    rng = np.random.default_rng(2)
    d = rng.normal(0.3, 1, 15)
    signs = 1 - 2 * ((np.arange(2**15)[:, None] >> np.arange(15)) & 1)
    exact = np.mean(np.abs(signs @ d) >= abs(d.sum()) - 1e-9)
    assert paired.sign_flip(d, rng) == pytest.approx(exact, abs=0.02)


@given(st.lists(st.floats(-9, 9), min_size=1, max_size=12), st.sampled_from([1e-15, 1.0, 1e12]))
def test_sign_flip_is_never_zero_and_blind_to_scale(values: list[float], scale: float) -> None:
    """The flip that was seen always counts, whatever the unit: p >= 2 / 2^n, 1 for all zeros."""
    d = np.array(values) * scale
    p = paired.sign_flip(d, np.random.default_rng(0))
    assert 2 / 2 ** len(d) <= p <= 1
    assert p == paired.sign_flip(-d, np.random.default_rng(0))
    assert paired.sign_flip(np.zeros(len(d)), np.random.default_rng(0)) == 1


@pytest.mark.parametrize("scale", [1e-15, 1e9])
def test_sign_flip_of_measured_differences_is_the_same_in_any_unit(scale: float) -> None:
    """Sums in another order round otherwise, and the slack for it follows the unit."""
    rng = np.random.default_rng(7)
    for n in (6, 12):
        for d in rng.normal(1, 1, (40, n)):
            assert paired.sign_flip(d * scale, rng) == paired.sign_flip(d, rng) > 0


def test_sign_flip_of_many_alike_pairs_is_the_smallest_it_can_be() -> None:
    """Forty equal differences: 1 / (draws + 1), in one block or in several."""
    rng = np.random.default_rng(3)
    assert paired.sign_flip(np.ones(40), rng, 99) == 1 / 100
    assert paired.sign_flip(np.full(300_000, 1e9), rng, 39) == 1 / 40


def test_sign_flip_keeps_its_level() -> None:
    """Under symmetric noise p < .05 in about 5 % of samples."""
    rng = np.random.default_rng(4)
    rate = np.mean([paired.sign_flip(rng.normal(size=25), rng, 199) < 0.05 for _ in range(600)])
    assert 0.02 < rate < 0.08


@pytest.mark.parametrize("n", [3, 30])
def test_sign_flip_with_a_missing_difference_is_unknown(n: int) -> None:
    """NaN is not evidence: no differences or a missing one give NaN."""
    d = np.ones(n)
    d[1] = np.nan
    assert math.isnan(paired.sign_flip(d, np.random.default_rng(0), 99))
    assert math.isnan(paired.sign_flip(np.empty(0), np.random.default_rng(0)))


@pytest.mark.parametrize("seed", range(3))
def test_exchanged_columns_are_every_permutation(seed: int) -> None:
    """Against all 6^4 exchanges of four rows of three; equal columns have p of 1."""
    rng = np.random.default_rng(seed)
    values = rng.random((4, 3)) + np.array([0, 0.2, 0])
    every = [
        np.mean([row[list(o)] for row, o in zip(values, orders, strict=True)], axis=0).var()
        for orders in product(permutations(range(3)), repeat=4)
    ]
    exact = np.mean(np.array(every) >= values.mean(0).var() - 1e-12)
    drawn = paired.exchanged_columns(values, rng, 3000)
    assert drawn == pytest.approx(exact, abs=4 * np.sqrt(exact / 3000) + 1 / 3000)
    assert paired.exchanged_columns(np.ones((5, 3)), rng, 99) == 1
    assert np.isnan(paired.exchanged_columns(np.empty((0, 3)), rng))


def test_exchanged_columns_are_uniform_without_a_difference() -> None:
    """At most nominal over 200 tables of correlated rows."""
    rng = np.random.default_rng(5)
    tables = [rng.random((12, 1)) + rng.normal(size=(12, 4)) for _ in range(200)]
    p = np.array([paired.exchanged_columns(t, rng, 99) for t in tables])
    assert (p <= 0.05).mean() <= 0.1
    assert (p <= 0.5).mean() == pytest.approx(0.5, abs=0.12)


def test_five_clusters_have_students_p() -> None:
    """No flips of five signs reach 5 %; four, six and equal sums have the p of flips."""
    rng = np.random.default_rng(3)
    for m in (4, 5, 6):
        sums = rng.normal(2, 1, m)
        theirs = ttest_1samp(sums, 0).pvalue if m == 5 else paired.sign_flip(sums, rng)
        assert paired.no_change(sums, rng) == pytest.approx(theirs)
    assert paired.no_change(np.ones(5), rng) == 1 / 16
    assert math.isnan(paired.no_change(np.array([1.0, np.nan, 2, 3, 4]), rng))


@pytest.mark.parametrize(("pairs", "share"), [(3, 0.2), (6, 0.5), (15, 0.05)])
def test_five_clusters_err_as_often_as_they_may(pairs: int, share: float) -> None:
    """Shares that do not change differ in at most about 5 % of cases."""
    rng = np.random.default_rng(8)
    before, after = rng.binomial(pairs, share, (2, 3000, 5)).astype(float)
    ps = [paired.no_change(d, rng) for d in after - before]
    assert np.mean(np.array(ps) < 0.05) <= 0.062
