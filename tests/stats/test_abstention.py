"""Guarantees of an abstaining classifier are kept, and abstention that differs is seen."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.stats import binom, chi2_contingency, fisher_exact
from statsmodels.stats.proportion import confint_proportions_2indep

from audit.stats import abstention as ab

GRID = np.arange(0.5, 1.0, 0.05)


def answers(rng: np.random.Generator, n: int, skill: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """Confidences even on 0.5..1, and errors of chance (2 (1 - c))^skill / 2."""
    c = rng.uniform(0.5, 1, n)
    return c, rng.random(n) < (2 * (1 - c)) ** skill / 2


def true_risk(threshold: float, skill: float = 2.0) -> float:
    """Share of errors above a threshold: the mean of u^skill / 2 for u even on 0..2 (1 - t)."""
    return float((2 * (1 - threshold)) ** skill / (2 * (skill + 1)))


def test_bound_is_the_binomial_tail_inverted() -> None:
    """At the bound so few errors have probability delta; without errors 1 - delta^(1/n)."""
    errors, n = np.array([0, 3, 17]), np.array([40, 50, 60])
    bound = ab.upper_bound(errors, n, 0.03)
    assert binom.cdf(errors, n, bound) == pytest.approx(0.03)
    assert bound[0] == pytest.approx(1 - 0.03 ** (1 / 40))
    assert ab.upper_bound(np.array([5, 0]), np.array([5, 0]), 0.1).tolist() == [1, 1]


def test_guarantee_is_kept_where_the_naive_choice_breaks_it() -> None:
    """600 calibrations: the true risk exceeds the promise in at most 10 %, picking in most."""
    rng = np.random.default_rng(3)
    delta, risk, naive, found = 0.1, true_risk(0.7), [], []
    for _ in range(600):
        c, wrong = answers(rng, 300)
        t = ab.guaranteed_threshold(c, wrong, GRID, risk, delta)
        found.append(math.isfinite(t.threshold) and true_risk(t.threshold) > risk + 1e-9)
        order = np.argsort(-c)
        seen = np.cumsum(wrong[order]) / np.arange(1, 301)
        good = c[order][seen <= risk]
        naive.append(len(good) > 0 and true_risk(good.min()) > risk + 1e-9)
        if math.isfinite(t.threshold):
            assert t.risk <= t.bound <= risk
            assert t.kept == (c >= t.threshold).sum()
    assert np.mean(found) <= delta
    assert np.mean(naive) > 0.4


def test_guarantee_is_kept_if_confidence_is_uninformative() -> None:
    """Every threshold has the risk 10.1 %: a promise of 10 % is false whichever is picked."""
    rng = np.random.default_rng(4)
    broken = 0
    for _ in range(400):
        c, wrong = rng.uniform(0.5, 1, 800), rng.random(800) < 0.101
        found = ab.guaranteed_threshold(c, wrong, GRID, 0.1, 0.1)
        broken += math.isfinite(found.threshold)
    assert 0 < broken / 400 <= 0.1


def test_more_data_bring_the_lowest_threshold_nearer() -> None:
    """With 20,000 images the threshold is the grid's first at or above the true one."""
    c, wrong = answers(np.random.default_rng(5), 20_000)
    found = ab.guaranteed_threshold(c, wrong, GRID, true_risk(0.72))
    assert found.threshold == pytest.approx(0.75)
    assert found.coverage.low < 0.5 < found.coverage.high
    few = ab.guaranteed_threshold(c[:30], wrong[:30] * 0, GRID, 0.05)
    assert math.isnan(few.threshold)
    # The smallest n for which no errors would be enough, by the tail itself.
    need = next(n for n in range(1, 999) if 0.95**n <= 0.05 / len(GRID))
    assert f"{need} images" in few.reason


def alone(missing: list[int], totals: list[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Groups of prompts with one image each: missing, totals and groups of the prompts."""
    lost = [np.arange(t) < k for k, t in zip(missing, totals, strict=True)]
    return np.concatenate(lost).astype(int), np.ones(sum(totals), int), np.repeat(
        np.arange(len(totals)), totals
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
def test_p_is_that_of_scipy_where_images_are_independent(seed: int) -> None:
    """Two equal groups: Fisher. Four large ones: chi-square."""
    rng = np.random.default_rng(seed)
    two = rng.binomial(30, [0.15, 0.3])
    ours = ab.differential_missingness(*alone([*two], [30, 30]), rng, draws=9999)
    assert ours.p == pytest.approx(fisher_exact([two, 30 - two]).pvalue, abs=0.02)
    four, n = rng.binomial(100, [0.2, 0.2, 0.3, 0.25]), np.full(4, 100)
    ours = ab.differential_missingness(*alone([*four], [*n]), rng)
    assert ours.p == pytest.approx(chi2_contingency([four, n - four]).pvalue, abs=0.04)


def test_p_is_the_exact_one() -> None:
    """Three small groups: all tables with these margins, weighed by their probability."""
    missing, totals = np.array([4, 0, 1]), np.array([7, 8, 6])
    share, exact = missing.sum() / totals.sum(), 0.0

    def distance(table: tuple[int, ...]) -> float:
        return float(((np.array(table) - totals * share) ** 2 / totals).sum())

    for table in itertools.product(*(range(t + 1) for t in totals)):
        if sum(table) == missing.sum() and distance(table) >= distance(tuple(missing)) - 1e-9:
            ways = math.prod(math.comb(t, k) for t, k in zip(totals, table, strict=True))
            exact += ways / math.comb(int(totals.sum()), int(missing.sum()))
    prompts = alone([*missing], [*totals])
    ours = ab.differential_missingness(*prompts, np.random.default_rng(1), draws=9999)
    assert ours.p == pytest.approx(exact, abs=0.01)


def test_largest_difference_is_newcombe_s_for_all_pairs_at_once() -> None:
    """Three groups: the limits of the largest pair are statsmodels' at a third of alpha."""
    prompts = alone([30, 5, 12], [80, 60, 70])
    found = ab.differential_missingness(*prompts, np.random.default_rng(0))
    theirs = confint_proportions_2indep(30, 80, 5, 60, method="newcomb", alpha=0.05 / 3)
    assert found.pair == (0, 1)
    assert found.difference.estimate == pytest.approx(30 / 80 - 5 / 60)
    assert (found.difference.low, found.difference.high) == pytest.approx(theirs, abs=1e-9)


def test_groups_that_do_not_differ_differ_by_chance_only() -> None:
    """Five like groups whose prompts are lost together: 5 % of p below .05, limits hold 0, and the
    floor is the mean difference."""
    rng = np.random.default_rng(6)
    groups, totals = np.repeat(np.arange(5), [8, 10, 6, 8, 12]), np.full(44, 8)
    ps, held, gaps, floors = [], [], [], []
    for _ in range(300):
        lost = rng.binomial(totals, rng.beta(0.6, 2.4, 44))  # a likeness within prompts of .25
        found = ab.differential_missingness(lost, totals, groups, rng, draws=199)
        ps.append(found.p)
        held.append(found.difference.low <= 0)
        gaps.append(found.difference.estimate)
        floors.append(found.floor)
    assert np.mean(np.array(ps) <= 0.05) <= 0.085
    assert np.mean(held) >= 0.95
    assert np.mean(gaps) == pytest.approx(np.mean(floors), abs=0.015)
    assert np.mean(floors) > 0.08


def test_without_information_it_is_unknown() -> None:
    """No images, one group, every image with a label: unknown, and never a difference."""
    rng = np.random.default_rng(0)
    assert math.isnan(ab.guaranteed_threshold(np.zeros(0), np.zeros(0), GRID, 0.1).bound)
    one = ab.differential_missingness(np.array([3]), np.array([9]), np.array([0]), rng)
    assert math.isnan(one.p)
    assert math.isnan(one.difference.high)
    full = ab.differential_missingness(*alone([0, 0], [20, 30]), rng)
    assert math.isnan(full.p)
    assert math.isnan(full.floor)
    assert full.difference.estimate == 0
    assert full.difference.low < 0 < full.difference.high


def test_impossible_input_is_refused() -> None:
    """Lengths, unknown confidences, more missing than there are, an empty grid."""
    one, two = np.ones(1), np.ones(2)
    for c, e in ((one, two), (two * np.nan, two), (two, two * 0.5)):
        with pytest.raises(ValueError, match=r"pair up|known"):
            ab.guaranteed_threshold(c, e, GRID, 0.1)
    with pytest.raises(ValueError, match="grid"):
        ab.guaranteed_threshold(two, two, np.zeros(0), 0.1)
    with pytest.raises(ValueError, match="between"):
        ab.differential_missingness(
            np.array([3]), np.array([2]), np.array([0]), np.random.default_rng(0)
        )


def test_a_group_that_loses_more_is_found() -> None:
    """Prompts of one group of six lose three of four images where the others lose one of five."""
    rng = np.random.default_rng(5)
    groups, totals, apart = np.repeat(np.arange(6), 5), np.full(30, 8), []
    for _ in range(200):
        rate = np.where(groups == 0, rng.beta(6, 2, 30), rng.beta(0.6, 2.4, 30))
        lost = rng.binomial(8, rate)
        apart.append(ab.differential_missingness(lost, totals, groups, rng, draws=199).p)
    assert np.mean(np.array(apart) < 0.05) >= 0.8


@pytest.mark.parametrize(
    ("missing", "groups"), [([0, 0], [0, 1]), ([1, 2], [0, 1]), ([1, 2], [0, 0]), ([4, 4], [0, 0])]
)
def test_subjects_of_one_prompt_cannot_be_told_from_prompts(
    missing: list[int], groups: list[int]
) -> None:
    """One prompt each, one group, nothing or everything missing: not known."""
    args = (np.array(missing), np.array([4, 4]), np.array(groups), np.random.default_rng(0))
    found = ab.differential_missingness(*args)
    assert math.isnan(found.p)
    assert math.isnan(found.floor_high)
