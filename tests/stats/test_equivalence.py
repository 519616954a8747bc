"""Equivalence tests against statsmodels, numerical likelihoods and their exact size."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.stats import binom, multinomial
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import binom_tost, proportion_confint, tost_proportions_2indep
from statsmodels.stats.weightstats import ttost_paired

from audit.stats.equivalence import equivalent_pairs, equivalent_share, paired_score

COUNTS = st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(COUNTS, st.floats(0.2, 0.8), st.floats(0.01, 0.19))
def test_a_share_has_statsmodels_exact_p(case: tuple[int, int], r: float, m: float) -> None:
    """Both one-sided p-values and the larger one are those of binom_tost."""
    k, n = case
    got = equivalent_share(k, n, r, m)
    theirs = binom_tost(k, n, r - m, r + m)
    assert (got.p, got.p_low, got.p_high) == pytest.approx(theirs, abs=1e-9)


@given(COUNTS, st.floats(0, 1), st.floats(0.01, 0.3))
def test_verdicts_are_those_of_the_exact_intervals(
    case: tuple[int, int], r: float, m: float
) -> None:
    """Equivalent: the 90 % limits lie inside. Different: the 95 % limits lie outside."""
    k, n = case
    low, high = r - m, r + m
    (a, b), (c, d) = (proportion_confint(k, n, alpha, "beta") for alpha in (0.1, 0.05))
    a, c = (0 if k == 0 else x for x in (a, c))
    b, d = (1 if k == n else x for x in (b, d))
    if min(abs(x - y) for x in (low, high) for y in (a, b, c, d)) < 1e-7:
        return
    inside = (low < a or low < 0) and (b < high or high > 1)
    outside = d < low or c > high
    expected = "equivalent" if inside else "different" if outside else "undecided"
    assert equivalent_share(k, n, r, m).verdict == expected


@pytest.mark.parametrize("seed", range(5))
def test_a_share_is_called_equivalent_wrongly_in_5_percent_at_most(seed: int) -> None:
    """Exactly, summed over all counts, with the truth on or beyond a bound; and it has power."""
    rng = np.random.default_rng(seed)
    n, r, m = int(rng.integers(50, 500)), rng.uniform(0.1, 0.9), rng.uniform(0.03, 0.15)
    r = min(max(r, m), 1 - m)
    results = [equivalent_share(k, n, r, m) for k in range(n + 1)]
    same = np.array([x.verdict == "equivalent" for x in results])
    other = np.array([x.verdict == "different" for x in results])
    k = np.arange(n + 1)
    for truth in (r - m, r + m, max(r - 2 * m, 0), min(r + 2 * m, 1)):
        assert binom.pmf(k, n, truth)[same].sum() <= 0.05
    for truth in (r - m, r, r + m):
        assert binom.pmf(k, n, truth)[other].sum() <= 0.05
    many = equivalent_share(round(20_000 * r), 20_000, r, m)
    assert many.verdict == "equivalent"


def test_against_an_endless_second_arm_it_is_statsmodels_two_sample_test() -> None:
    """tost_proportions_2indep with a second arm of 10^9 images at the reference."""
    many = 10**9
    for k, n, r, m in ((480, 1000, 0.5, 0.05), (320, 1000, 0.3, 0.05), (2040, 4000, 0.5, 0.03)):
        theirs = tost_proportions_2indep(k, n, int(r * many), many, -m, m, method="score").pvalue
        assert equivalent_share(k, n, r, m).p == pytest.approx(theirs, rel=0.15)


def test_a_bound_that_cannot_be_crossed_asks_for_nothing() -> None:
    """Near 0 only the upper bound counts: 0 of 59 is within .05 of .0 at 5 %, 0 of 58 is not."""
    got = equivalent_share(0, 59, 0.0, 0.05)
    assert (got.p_low, got.verdict) == (0, "equivalent")
    assert got.p == pytest.approx(0.95**59)
    assert equivalent_share(0, 58, 0.0, 0.05).verdict == "undecided"
    assert equivalent_share(59, 59, 1.0, 0.05).verdict == "equivalent"
    assert equivalent_share(30, 59, 0.0, 0.05).verdict == "different"


def restricted(b: int, c: int, n: int, d: float) -> float:
    """Tango's statistic with the likelihood of the pairs maximised numerically."""

    def loss(x: float) -> float:
        cells = ((b, x + d), (c, x), (n - b - c, 1 - 2 * x - d))
        return -sum(k * math.log(max(p, 1e-300)) for k, p in cells if k)

    low, high = max(0.0, -d), (1 - d) / 2
    x = minimize_scalar(loss, (low, high), bounds=(low, high), options={"xatol": 1e-12}).x
    return (b - c - n * d) / math.sqrt(n * (2 * x + d * (1 - d)))


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 300), st.floats(-0.5, 0.5))
@settings(max_examples=80, deadline=None)
def test_the_score_uses_the_largest_likelihood(b: int, c: int, same: int, d: float) -> None:
    """The closed-form root agrees with a numerical maximiser."""
    n = b + c + same
    assert paired_score(b, c, n, d) == pytest.approx(restricted(b, c, n, d), rel=1e-4, abs=1e-4)


@given(st.integers(0, 60), st.integers(1, 60), st.integers(0, 300))
def test_without_a_difference_the_score_is_mcnemars(b: int, c: int, same: int) -> None:
    """Its square is statsmodels' chi-square without continuity correction."""
    theirs = mcnemar([[same, b], [c, 0]], exact=False, correction=False).statistic
    assert paired_score(b, c, b + c + same, 0.0) ** 2 == pytest.approx(theirs, abs=1e-9)


def test_many_pairs_have_statsmodels_p() -> None:
    """The paired t version of the two one-sided tests, on the same pairs as zeros and ones."""
    for n11, n10, n01, n00, m in ((900, 210, 180, 710, 0.04), (300, 60, 66, 574, 0.025)):
        first = np.repeat([1, 1, 0, 0], [n11, n10, n01, n00])
        second = np.repeat([1, 0, 1, 0], [n11, n10, n01, n00])
        theirs = ttost_paired(first, second, -m, m)[0]
        got = equivalent_pairs(n11, n10, n01, n00, m)
        assert got.p == pytest.approx(theirs, rel=0.05)
        assert got.interval.estimate == pytest.approx((n10 - n01) / len(first))


@pytest.mark.parametrize(("n", "changed", "m"), [(60, 0.3, 0.15), (90, 0.15, 0.1), (40, 0.5, 0.25)])
def test_pairs_are_called_equivalent_wrongly_in_about_5_percent(
    n: int, changed: float, m: float
) -> None:
    """Summed over all tables with the truth on a bound: near 5 %, never above 6.5 %."""
    b, c = (x.ravel() for x in np.meshgrid(np.arange(n + 1), np.arange(n + 1)))
    b, c = b[b + c <= n], c[b + c <= n]
    names = [
        equivalent_pairs(0, int(x), int(y), int(n - x - y), m).verdict
        for x, y in zip(b, c, strict=True)
    ]
    verdicts = np.array(names)
    p = [(changed + m) / 2, (changed - m) / 2, 1 - changed]
    mass = multinomial.pmf(np.stack([b, c, n - b - c], axis=1), n, p)
    assert mass[verdicts == "equivalent"].sum() <= 0.065
    assert mass[verdicts == "different"].sum() <= 0.045
    apart = multinomial.pmf(
        np.stack([b, c, n - b - c], axis=1), n, [changed / 2, changed / 2, 1 - changed]
    )
    assert apart[verdicts == "equivalent"].sum() > 3 * mass[verdicts == "equivalent"].sum()


def test_pairs_mirror_when_before_and_after_change_places() -> None:
    """The same p, with the two one-sided ones exchanged."""
    a, b = equivalent_pairs(20, 9, 4, 67, 0.12), equivalent_pairs(20, 4, 9, 67, 0.12)
    assert (a.p_low, a.p_high) == pytest.approx((b.p_high, b.p_low))
    assert a.verdict == b.verdict


def test_pairs_without_any_change_are_judged_by_their_number() -> None:
    """No changed pair among 20 leaves .1 open, none among 200 does not."""
    assert equivalent_pairs(10, 0, 0, 10, 0.1).verdict == "undecided"
    assert equivalent_pairs(100, 0, 0, 100, 0.1).verdict == "equivalent"
    assert equivalent_pairs(10, 90, 0, 100, 0.1).verdict == "different"


def test_nothing_seen_is_undecided() -> None:
    """No images, no pairs or no reference: NaN, and no claim."""
    for got in (
        equivalent_share(0, 0, 0.5, 0.1), equivalent_share(5, 10, math.nan, 0.1),
        equivalent_pairs(0, 0, 0, 0, 0.1),
    ):  # fmt: skip
        assert math.isnan(got.p)
        assert got.verdict == "undecided"
        assert math.isnan(got.interval.low)


def test_what_cannot_be_is_refused() -> None:
    """Margins and references outside 0..1, and counts above n."""
    with pytest.raises(ValueError, match="Margin and level"):
        equivalent_share(1, 2, 0.5, 0.0)
    with pytest.raises(ValueError, match="Margin and level"):
        equivalent_pairs(1, 1, 1, 1, 1.0)
    with pytest.raises(ValueError, match="reference"):
        equivalent_share(1, 2, 1.5, 0.1)
    with pytest.raises(ValueError, match="0 <= k <= n"):
        equivalent_share(3, 2, 0.5, 0.1)
