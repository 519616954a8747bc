"""Shares and their intervals against scipy, statsmodels, published tables and simulation."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, bootstrap, f_oneway

from audit.stats import proportions
from audit.stats.decisions import verdict
from audit.stats.interval import Interval

COUNTS = [(0, 10), (3, 10), (10, 10), (5, 250), (1, 1), (0, 1), (0, 7), (60, 60)]
BINOMIAL = [proportions.wilson, proportions.clopper_pearson]
Estimator = Callable[[int, int], Interval]


@pytest.mark.parametrize(("k", "n"), COUNTS)
def test_wilson_and_clopper_pearson_equal_scipys(k: int, n: int) -> None:
    """The same limits as scipy's own test object gives."""
    for ours, method in ((proportions.wilson, "wilson"), (proportions.clopper_pearson, "exact")):
        theirs = binomtest(k, n).proportion_ci(method=method)
        got = ours(k, n)
        assert (got.low, got.high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)
        assert got.estimate == k / n


@given(st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_intervals_hold_the_estimate_and_mirror(case: tuple[int, int]) -> None:
    """Low <= k / n <= high inside 0..1, and n - k gives the mirror image."""
    k, n = case
    for method in BINOMIAL:
        got, mirror = method(k, n), method(n - k, n)
        assert 0 <= got.low <= got.estimate <= got.high <= 1
        assert (got.low, got.high) == pytest.approx((1 - mirror.high, 1 - mirror.low), abs=1e-9)


@pytest.mark.parametrize("n", range(1, 120))
def test_no_success_is_never_above_zero(n: int) -> None:
    """Rounding must not lift the lower limit of 0 / n over 0, nor drop the upper one of n / n."""
    for method in BINOMIAL:
        assert verdict(method(0, n), 0.0) == "compatible"
        assert verdict(method(n, n), 1.0) == "compatible"
    none, every = proportions.goodman(np.array([0, n]))
    assert (none.low, every.high) == (0, 1)


def test_the_rule_of_three() -> None:
    """0 of 500 bounds a rate at 0.74 %, 0 of 60 at 6 % (Clopper-Pearson, two-sided)."""
    assert proportions.clopper_pearson(0, 500).high == pytest.approx(0.0074, abs=5e-5)
    assert proportions.clopper_pearson(0, 60).high == pytest.approx(0.0596, abs=5e-5)


@pytest.mark.parametrize("method", BINOMIAL)
def test_counts_that_cannot_be_are_refused(method: Estimator) -> None:
    """More successes than images, or fewer than none, is an error and not a share of 120 %."""
    for k, n in ((6, 5), (-1, 5), (1, 0)):
        with pytest.raises(ValueError, match="0 <= k <= n"):
            method(k, n)


def test_no_images_mean_unknown() -> None:
    """n = 0 is unknown everywhere, never 0."""
    unknown = [method(0, 0) for method in BINOMIAL] + proportions.goodman(np.zeros(3, int))
    unknown.append(proportions.cluster_bootstrap(np.empty(0), np.empty(0), np.random.default_rng()))
    for interval in unknown:
        assert math.isnan(interval.estimate)
        assert math.isnan(interval.low)
        assert math.isnan(interval.high)
    assert len(unknown) == 6
    assert math.isnan(proportions.effective_n(np.empty(0), np.empty(0)))
    assert all(math.isnan(x) for x in proportions.worst_case(0, 0, 0))


def test_goodman_equals_the_published_table() -> None:
    """Goodman's limits for the seven counts of Sison & Glaz 1995 (JASA 90:366, table)."""
    got = proportions.goodman(np.array([56, 72, 73, 59, 62, 87, 58]))
    limits = [(0.085, 0.166), (0.115, 0.204), (0.116, 0.207), (0.091, 0.173), (0.096, 0.181),
              (0.143, 0.239), (0.089, 0.171)]  # fmt: skip
    for ours, (low, high) in zip(got, limits, strict=True):
        assert (ours.low, ours.high) == pytest.approx((low, high), abs=5.1e-4)


@given(st.integers(0, 2**32 - 1), st.integers(2, 6))
def test_thinned_counts_keep_their_shares(seed: int, k: int) -> None:
    """Fractional counts have the shares of the images, and wider limits than these."""
    rng = np.random.default_rng(seed)
    counts, keep = rng.integers(1, 60, k), float(rng.uniform(0.2, 0.99))
    thin, whole = (proportions.plain_shares(c) for c in (counts * keep, counts))
    for few, many in zip(thin, whole, strict=True):
        assert few.estimate == pytest.approx(many.estimate)
        assert few.low <= many.low <= many.high <= few.high


def test_goodman_covers_all_classes_at_once() -> None:
    """All K limits hold together in at least 93 % of samples, where separate ones do not."""
    rng = np.random.default_rng(1)
    p = np.array([0.5, 0.2, 0.15, 0.1, 0.05])
    together, apart = [], []
    for sample in rng.multinomial(120, p, 400):
        joint = proportions.goodman(sample)
        single = [proportions.wilson(int(k), 120) for k in sample]
        together.append(all(i.low <= t <= i.high for i, t in zip(joint, p, strict=True)))
        apart.append(all(i.low <= t <= i.high for i, t in zip(single, p, strict=True)))
    assert np.mean(together) >= 0.93
    assert np.mean(apart) < 0.9


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50))
def test_worst_case_holds_every_completion(yes: int, no: int, abstained: int) -> None:
    """Whatever the abstentions were, the share is inside; without any, the bounds meet."""
    if yes + no + abstained == 0:
        return
    low, high = proportions.worst_case(yes, yes + no, abstained)
    total = yes + no + abstained
    completed = [(yes + hidden) / total for hidden in range(abstained + 1)]
    assert (low, high) == pytest.approx((min(completed), max(completed)))


def test_effective_n_of_copied_and_of_independent_images() -> None:
    """Equal images inside prompts count as one each; independent ones nearly all count."""
    rng = np.random.default_rng(4)
    clusters = np.repeat(np.arange(40), 25)
    same = np.repeat(rng.integers(0, 2, 40), 25).astype(float)
    free = rng.integers(0, 2, 1000).astype(float)
    assert proportions.effective_n(same, clusters) == pytest.approx(40)
    assert 600 < proportions.effective_n(free, clusters) <= 1000
    assert proportions.effective_n(free, np.arange(1000)) == 1000


def test_effective_n_uses_the_icc_of_scipys_analysis_of_variance() -> None:
    """With equal clusters, ICC = (F - 1) / (F + m - 1), F from scipy's f_oneway."""
    rng = np.random.default_rng(5)
    values = rng.normal(size=(30, 8)) + rng.normal(0, 0.7, (30, 1))
    f = f_oneway(*values).statistic
    expected = 240 / (1 + 7 * (f - 1) / (f + 7))
    clusters = np.repeat(np.arange(30), 8)
    assert proportions.effective_n(values.ravel(), clusters) == pytest.approx(expected)


def test_one_large_cluster_outweighs_many_single_images() -> None:
    """Kish's n^2 / sum m^2 where clusters are wholly alike: 11.1 of 500, not some hundreds."""
    sizes = [148, 15, 11] + [1] * 326
    clusters = np.repeat(np.arange(len(sizes)), sizes)
    values = (np.arange(len(sizes)) % 2).astype(float)[clusters]
    kish = sum(sizes) ** 2 / sum(m * m for m in sizes)
    assert kish == pytest.approx(11.07, abs=0.01)
    assert proportions.effective_n(values, clusters) == pytest.approx(kish)


def test_effective_n_predicts_the_variance_of_the_mean() -> None:
    """Var(mean) over redrawn unequal clusters is Var(value) / effective n, from planted effects."""
    rng = np.random.default_rng(6)
    sizes = np.array([40] * 3 + [10] * 10 + [2] * 20)
    clusters = np.repeat(np.arange(len(sizes)), sizes)
    effects = rng.normal(0, math.sqrt(0.3), (3000, len(sizes)))
    draws = effects[:, clusters] + rng.normal(0, math.sqrt(0.7), (3000, len(clusters)))
    guessed = np.median([proportions.effective_n(d, clusters) for d in draws[:400]])
    assert guessed == pytest.approx(1 / draws.mean(1).var(), rel=0.2)


def test_effective_n_without_information_is_unknown() -> None:
    """One cluster, equal values everywhere, or a missing value: NaN, never n."""
    clusters = np.repeat(np.arange(5), 4)
    values = np.tile([0.0, 1.0], 10)
    assert math.isnan(proportions.effective_n(values, np.zeros(20, int)))
    assert math.isnan(proportions.effective_n(np.ones(20), clusters))
    assert math.isnan(proportions.effective_n(np.full(20, 0.1), clusters))
    values[3] = np.nan
    assert math.isnan(proportions.effective_n(values, clusters))


@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 6)), min_size=2, max_size=60),
    st.integers(-3, 3),
)
def test_effective_n_never_exceeds_n(rows: list[tuple[int, int]], shift: int) -> None:
    """At most n, positive, and blind to how values and clusters are named."""
    values, clusters = np.array(rows).T
    got = proportions.effective_n(values.astype(float), clusters)
    again = proportions.effective_n(1.0 - values, 7 - 2 * clusters + shift)
    assert math.isnan(got) or 0 < got <= len(rows) + 1e-9
    assert got == pytest.approx(again, nan_ok=True)


def test_cluster_bootstrap_of_single_images_equals_scipys() -> None:
    """With one image per cluster it is the ordinary percentile bootstrap."""
    rng = np.random.default_rng(7)
    values = rng.normal(size=60)
    got = proportions.cluster_bootstrap(values, np.arange(60), rng, 8000)
    theirs = bootstrap(
        (values,), np.mean, method="percentile", n_resamples=8000, rng=np.random.default_rng(8)
    ).confidence_interval
    assert got.estimate == pytest.approx(values.mean())
    assert (got.low, got.high) == pytest.approx((theirs.low, theirs.high), abs=0.02)


def test_cluster_bootstrap_is_as_wide_as_cluster_robust_errors() -> None:
    """Half-width near 1.96 times statsmodels' cluster-robust standard error, unequal clusters."""
    rng = np.random.default_rng(9)
    sizes = rng.integers(3, 30, 80)
    clusters = np.repeat(np.arange(80), sizes)
    values = rng.normal(size=80)[clusters] + rng.normal(size=len(clusters))
    got = proportions.cluster_bootstrap(values, clusters, rng, 4000)
    fit = sm.OLS(values, np.ones(len(values))).fit(
        cov_type="cluster", cov_kwds={"groups": clusters}
    )
    assert (got.high - got.low) / 2 == pytest.approx(1.96 * fit.bse[0], rel=0.1)


def test_cluster_bootstrap_covers_where_images_alone_do_not() -> None:
    """Prompts, not images, are resampled: 95 % limits hold in at least 88 % of simulations."""
    rng = np.random.default_rng(10)
    covered = {"cluster": 0, "wilson": 0}
    for _ in range(150):
        hits = (rng.random((30, 20)) < rng.beta(1, 1, (30, 1))).ravel().astype(float)
        clusters = np.repeat(np.arange(30), 20)
        a = proportions.cluster_bootstrap(hits, clusters, rng, 300)
        b = proportions.wilson(int(hits.sum()), len(hits))
        covered["cluster"] += a.low <= 0.5 <= a.high
        covered["wilson"] += b.low <= 0.5 <= b.high
    assert covered["cluster"] / 150 >= 0.88
    assert covered["wilson"] / 150 < 0.75


def test_cluster_bootstrap_repeats_from_its_seed_and_needs_two_clusters() -> None:
    """Equal seeds give equal limits; a single cluster gives a mean without limits."""
    rng = np.random.default_rng(11)
    values, clusters = rng.random(40), rng.integers(0, 8, 40)
    one, two = (
        proportions.cluster_bootstrap(values, clusters, np.random.default_rng(1), 200)
        for _ in range(2)
    )
    assert one == two
    alone = proportions.cluster_bootstrap(values, np.zeros(40, int), rng)
    assert alone.estimate == pytest.approx(values.mean())
    assert math.isnan(alone.low)
    assert math.isnan(alone.high)


def test_pooled_correlation_is_that_of_the_pooled_analysis_of_variance() -> None:
    """Subjects with shares of their own: pooling within them finds the correlation of prompts."""
    rng = np.random.default_rng(21)
    found = []
    for _ in range(60):
        subjects, prompts, images = 12, 4, 15
        own = rng.normal(0, 3, subjects)[:, None, None]
        prompt = rng.normal(0, 1, (subjects, prompts, 1))
        values = own + prompt + rng.normal(0, 2, (subjects, prompts, images))
        clusters = np.repeat(np.arange(subjects * prompts), images)
        strata = np.repeat(np.arange(subjects), prompts * images)
        found.append(proportions.intraclass(values.ravel(), clusters, strata))
    assert np.mean(found) == pytest.approx(1 / 5, abs=0.02)  # 1 / (1 + 4)
    without = proportions.intraclass(values.ravel(), clusters)
    assert without > 0.5  # subjects would pass for prompts


def test_subjects_without_two_images_of_a_prompt_say_nothing_of_correlation() -> None:
    """A subject with one image a prompt must not pass its spread off as between prompts."""
    many, one = np.zeros(12), np.array([0.0, 1.0, 1.0])
    clusters = np.r_[np.repeat([0, 1, 2], 4), [3, 4, 5]]
    strata = np.r_[np.zeros(12), np.ones(3)].astype(int)
    assert math.isnan(proportions.intraclass(np.r_[many, one], clusters, strata))


def test_correlation_that_cannot_be_known_is_nan() -> None:
    """One cluster, clusters of one, equal values or a missing one say nothing."""
    one = np.arange(4.0)
    assert math.isnan(proportions.intraclass(one, np.zeros(4)))
    assert math.isnan(proportions.intraclass(one, np.arange(4)))
    assert math.isnan(proportions.intraclass(np.ones(4), np.array([0, 0, 1, 1])))
    assert math.isnan(proportions.intraclass(np.array([1, 2, math.nan, 0]), np.array([0, 0, 1, 1])))
    assert math.isnan(proportions.intraclass(np.empty(0), np.empty(0)))
