"""Changes between separate groups, and behind a reader's errors."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import hypergeom
from statsmodels.stats.proportion import confint_proportions_2indep

from audit.stats.change import fisher, through_errors, unpaired_change, youden
from audit.stats.interval import Interval
from audit.stats.paired import paired_difference


@pytest.mark.parametrize("seed", range(5))
def test_separate_groups_have_newcombes_interval(seed: int) -> None:
    """The limits are statsmodels' own, and swapping the groups mirrors them."""
    rng = np.random.default_rng(seed)
    for _ in range(20):
        n1, n2 = (int(v) for v in rng.integers(3, 80, 2))
        k1, k2 = int(rng.integers(1, n1)), int(rng.integers(1, n2))
        found = unpaired_change(k1, n1, k2, n2)
        low, high = confint_proportions_2indep(k2, n2, k1, n1, method="newcomb")
        assert (found.low, found.high) == pytest.approx((low, high), abs=1e-9)
        assert found.estimate == pytest.approx(k2 / n2 - k1 / n1)
        other = unpaired_change(k2, n2, k1, n1)
        assert (-other.high, -other.low) == pytest.approx((found.low, found.high))


def test_newcombes_own_table() -> None:
    """56 of 70 against 48 of 80: 0.2 with limits 0.0524 and 0.3339 (Newcombe 1998, table II, a)."""
    found = unpaired_change(48, 80, 56, 70)
    assert (found.estimate, found.low, found.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_fishers_p_is_the_sum_over_tables_as_rare(seed: int) -> None:
    """The exact p by its definition, from the hypergeometric law; NaN without a group."""
    rng = np.random.default_rng(seed)
    n1, n2 = (int(v) for v in rng.integers(2, 25, 2))
    k1, k2 = int(rng.integers(0, n1 + 1)), int(rng.integers(0, n2 + 1))
    law = hypergeom(n1 + n2, k1 + k2, n1)
    chances = law.pmf(np.arange(0, n1 + 1))
    wanted = chances[chances <= law.pmf(k1) * (1 + 1e-7)].sum()
    assert fisher(k1, n1, k2, n2) == pytest.approx(wanted)
    assert math.isnan(fisher(0, 0, k2, n2))


def test_a_faultless_reader_changes_nothing() -> None:
    """Dividing by an index of exactly 1 gives the interval back; none is given below chance."""
    change = Interval(0.1, -0.05, 0.3)
    found = through_errors(change, Interval(1.0, 1.0, 1.0))
    assert (found.estimate, found.low, found.high) == pytest.approx((0.1, -0.05, 0.3))
    assert math.isnan(through_errors(change, Interval(0.2, -0.01, 0.4)).estimate)
    assert math.isnan(through_errors(Interval(math.nan, 0, 1), Interval(1.0, 1.0, 1.0)).low)


def test_an_index_known_exactly_divides_the_limits() -> None:
    """With no doubt about the errors, estimate and limits are divided by the index."""
    found = through_errors(Interval(0.12, -0.03, 0.24), Interval(0.6, 0.6, 0.6))
    assert (found.estimate, found.low, found.high) == pytest.approx((0.2, -0.05, 0.4))


def test_youdens_index_is_sensitivity_and_specificity() -> None:
    """90 of 100 and 80 of 100 give 0.7; an untried class leaves it unknown."""
    found = youden(90, 100, 80, 100)
    assert found.estimate == pytest.approx(0.7)
    assert found.low < 0.7 < found.high
    assert math.isnan(youden(90, 100, 0, 0).estimate)


@pytest.mark.parametrize(
    ("seed", "shares", "rates"),
    [(0, (0.3, 0.6), (0.9, 0.8)), (1, (0.5, 0.5), (0.95, 0.7)), (2, (0.1, 0.35), (0.75, 0.85))],
)
def test_the_true_change_is_covered_through_errors(
    seed: int, shares: tuple[float, float], rates: tuple[float, float]
) -> None:
    """Correlated pairs read by a reader that errs: 95 % intervals cover, and the mean is right."""
    rng = np.random.default_rng(seed)
    n, tried, draws = 150, 120, 800
    covered, seen = 0, []
    for _ in range(draws):
        noise = rng.random(n)  # the pairs share it
        mixed = np.where(rng.random(n) < 0.5, noise, rng.random(n))
        truth = [noise < shares[0], mixed < shares[1]]
        before, after = (
            np.where(t, rng.random(n) < rates[0], rng.random(n) >= rates[1]) for t in truth
        )
        counts = [int((x & y).sum()) for x in (after, ~after) for y in (before, ~before)]
        n11, n10, n01, n00 = counts[0], counts[1], counts[2], counts[3]
        index = youden(rng.binomial(tried, rates[0]), tried, rng.binomial(tried, rates[1]), tried)
        found = through_errors(paired_difference(n11, n10, n01, n00), index)
        covered += found.low <= shares[1] - shares[0] <= found.high
        seen.append(found.estimate)
    assert 0.93 < covered / draws < 0.985
    assert np.mean(seen) == pytest.approx(shares[1] - shares[0], abs=0.015)
