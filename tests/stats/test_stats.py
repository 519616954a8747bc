"""Estimators against libraries, published examples, closed forms and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, permutation_test
from statsmodels.stats.multitest import multipletests

from audit.stats import correction, decisions, floors, multiplicity, paired, proportions, selection
from audit.stats.interval import Interval

COUNTS = [(0, 10), (3, 10), (10, 10), (5, 250), (1, 1)]


@pytest.mark.parametrize(("k", "n"), COUNTS)
def test_wilson_and_clopper_pearson_equal_scipys(k: int, n: int) -> None:
    """The same limits as scipy's own test object gives."""
    for ours, method in ((proportions.wilson, "wilson"), (proportions.clopper_pearson, "exact")):
        theirs = binomtest(k, n).proportion_ci(method=method)
        got = ours(k, n)
        assert (got.low, got.high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)
        assert got.estimate == k / n


def test_no_images_are_no_information() -> None:
    """n = 0 is unknown everywhere, never 0."""
    for interval in (proportions.wilson(0, 0), *proportions.goodman(np.zeros(3, int))):
        assert math.isnan(interval.estimate)
        assert math.isnan(interval.low)
    assert math.isnan(floors.gap_floor(0, 0.5))
    assert math.isnan(decisions.binomial_p(0, 0, 0.5))
    assert math.isnan(proportions.effective_n(np.empty(0), np.empty(0)))
    assert all(math.isnan(x) for x in proportions.worst_case(0, 0, 0))
    assert math.isnan(paired.paired_difference(0, 0, 0, 0).low)


def test_one_class_only_is_maximal_not_zero() -> None:
    """All images in one class: entropy 0, distance from even 1 - 1/K."""
    p = np.array([1.0, 0, 0, 0])
    even = np.full(4, 0.25)
    assert floors.normalised_entropy(p) == 0
    assert floors.total_variation(p, even) == 0.75
    assert floors.kl(p, even) == pytest.approx(2)


@given(st.lists(st.integers(1, 60), min_size=2, max_size=6))
def test_distances_are_zero_only_for_equal_distributions(counts: list[int]) -> None:
    """Jensen-Shannon and total variation lie in 0..1 and agree with scipy."""
    from scipy.spatial.distance import jensenshannon

    p = np.array(counts) / sum(counts)
    q = np.full(len(p), 1 / len(p))
    assert floors.jensen_shannon(p, q) == pytest.approx(jensenshannon(p, q, 2) ** 2, abs=1e-9)
    assert 0 <= floors.total_variation(p, q) <= 1
    assert floors.jensen_shannon(p, p) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(("n", "floor"), [(8, 0.137), (10, 0.123), (48, 0.057), (100, 0.040)])
def test_the_fair_floor_is_the_published_one(n: int, floor: float) -> None:
    """E|p - 1/2| of a fair model at the sample sizes that benchmarks use."""
    assert floors.gap_floor(n, 0.5) == pytest.approx(floor, abs=0.0006)
    rng = np.random.default_rng(n)
    even = np.array([0.5, 0.5])
    simulated = floors.distance_floor(n, even, floors.total_variation, rng)
    assert simulated == pytest.approx(floors.gap_floor(n, 0.5), rel=0.1)


def test_goodman_covers_all_classes_at_once() -> None:
    """All K limits hold together in at least 95 % of samples."""
    rng = np.random.default_rng(1)
    p = np.array([0.5, 0.2, 0.15, 0.1, 0.05])
    samples = rng.multinomial(120, p, 300)
    hits = [
        all(i.low <= t <= i.high for i, t in zip(proportions.goodman(s), p, strict=True))
        for s in samples
    ]
    assert np.mean(hits) >= 0.93


def test_rogan_gladen_equals_the_published_value() -> None:
    """Observed .43 with sensitivity .9 and specificity .95 is .4470588 behind it."""
    assert correction.rogan_gladen(0.43, 0.9, 0.95) == pytest.approx(0.4470588, abs=1e-6)
    assert math.isnan(correction.rogan_gladen(0.4, 0.5, 0.5))


@pytest.mark.parametrize("p", [0.5, 0.1, 0.02])
def test_corrected_intervals_cover_where_naive_ones_do_not(p: float) -> None:
    """Se = Sp = .95, 50 labels, N = 250: Lang-Reiczigel covers, Wilson fails at small shares."""
    rng = np.random.default_rng(int(1000 * p))
    corrected, naive = [], []
    for _ in range(1500):
        k = rng.binomial(250, p * 0.95 + (1 - p) * 0.05)
        sens, spec = rng.binomial(25, 0.95, 2)
        ours = correction.lang_reiczigel(k, 250, sens, 25, spec, 25)
        wilson = proportions.wilson(k, 250)
        corrected.append(ours.low <= p <= ours.high)
        naive.append(wilson.low <= p <= wilson.high)
    assert np.mean(corrected) >= 0.92
    if p < 0.5:
        assert np.mean(naive) < 0.6


def test_k_class_correction_inverts_the_confusion_exactly() -> None:
    """Without sampling noise the estimate is the truth, and equals numpy's inverse."""
    rates = np.array([[0.9, 0.08, 0.02], [0.1, 0.8, 0.1], [0.05, 0.15, 0.8]])
    truth = np.array([0.6, 0.3, 0.1])
    seen = truth @ rates
    rng = np.random.default_rng(0)
    got = correction.corrected_shares(seen * 1e6, correction.Confusion(rates * 1e6), rng, 50)
    assert [i.estimate for i in got] == pytest.approx(list(truth), abs=1e-6)
    np.testing.assert_allclose(np.linalg.solve(rates.T, seen), truth)


def test_k_class_correction_covers() -> None:
    """Nominal 95 % intervals of three corrected shares hold in at least 90 % of simulations."""
    rng = np.random.default_rng(2)
    rates = np.array([[0.85, 0.1, 0.05], [0.1, 0.8, 0.1], [0.05, 0.1, 0.85]])
    truth, hits = np.array([0.7, 0.25, 0.05]), []
    for _ in range(60):
        counts = rng.multinomial(200, truth @ rates)
        confusion = np.stack([rng.multinomial(60, row) for row in rates])
        got = correction.corrected_shares(counts, correction.Confusion(confusion), rng, 200)
        hits += [i.low <= t <= i.high for i, t in zip(got, truth, strict=True)]
    assert np.mean(hits) >= 0.9


def test_a_perfect_classifier_changes_nothing() -> None:
    """With no errors in many labels, the corrected estimate is the observed share."""
    got = correction.lang_reiczigel(30, 100, 5000, 5000, 5000, 5000)
    assert got.estimate == pytest.approx(0.3)
    wilson = proportions.wilson(30, 100)
    assert (got.low, got.high) == pytest.approx((wilson.low, wilson.high), abs=0.01)


def test_paired_difference_equals_newcombes_example() -> None:
    """Newcombe 1998, table III, method 10: 36, 12, 2, 0 gives 0.2 [0.0569, 0.3404]."""
    got = paired.paired_difference(36, 12, 2, 0)
    assert (got.estimate, got.low, got.high) == pytest.approx((0.2, 0.0569, 0.3404), abs=5e-4)


def test_mcnemar_is_exact() -> None:
    """Five against twenty discordant pairs: p = .0040773."""
    assert paired.mcnemar(5, 20) == pytest.approx(0.0040773, abs=1e-6)
    assert paired.mcnemar(0, 0) == 1.0


def test_sign_flip_equals_scipys_permutation_test() -> None:
    """Exact enumeration for few pairs; many pairs never give 0."""
    rng = np.random.default_rng(3)
    d = rng.normal(0.4, 1, 10)
    theirs = permutation_test(
        (d,), lambda x: np.abs(np.sum(x)), permutation_type="samples", alternative="greater"
    )
    assert paired.sign_flip(d, rng) == pytest.approx(theirs.pvalue, abs=1e-3)
    assert 0 < paired.sign_flip(np.ones(40), rng, 99) <= 0.02


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_benjamini_hochberg_equals_statsmodels(p: list[float]) -> None:
    """The same adjusted values as statsmodels; a NaN neither counts nor changes."""
    theirs = multipletests(p, method="fdr_bh")[1]
    ours = multiplicity.benjamini_hochberg(np.array([*p, np.nan]))
    np.testing.assert_allclose(ours[:-1], theirs, atol=1e-12)
    assert np.isnan(ours[-1])


def test_effective_n_lies_between_clusters_and_images() -> None:
    """Equal images inside prompts count as one each; independent ones all count."""
    rng = np.random.default_rng(4)
    clusters = np.repeat(np.arange(40), 25)
    same = np.repeat(rng.integers(0, 2, 40), 25).astype(float)
    free = rng.integers(0, 2, 1000).astype(float)
    assert proportions.effective_n(same, clusters) == pytest.approx(40, rel=0.05)
    assert proportions.effective_n(free, clusters) > 600
    assert math.isnan(proportions.effective_n(free, np.zeros(1000, int)))


def test_cluster_bootstrap_is_wider_than_wilson_for_clustered_images() -> None:
    """Prompts, not images, are resampled: the interval covers where images alone do not."""
    rng = np.random.default_rng(5)
    covered = {"cluster": 0, "wilson": 0}
    for _ in range(150):
        shares = rng.beta(1, 1, 30)
        hits = np.concatenate([rng.random(20) < s for s in shares]).astype(float)
        clusters = np.repeat(np.arange(30), 20)
        a = proportions.cluster_bootstrap(hits, clusters, rng, 300)
        b = proportions.wilson(int(hits.sum()), len(hits))
        covered["cluster"] += a.low <= 0.5 <= a.high
        covered["wilson"] += b.low <= 0.5 <= b.high
    assert covered["cluster"] / 150 >= 0.88
    assert covered["wilson"] / 150 < 0.75


def test_verdicts_follow_the_interval() -> None:
    """Outside is above or below, inside is compatible, unknown is undecided."""
    inside = Interval(0.3, 0.2, 0.4)
    assert [decisions.verdict(inside, r) for r in (0.1, 0.5, 0.3, math.nan)] == [
        "above", "below", "compatible", "undecided",
    ]  # fmt: skip
    assert decisions.binomial_p(5, 250, 0.292) == pytest.approx(4.4e-30, rel=0.05)


def gaussian_toy(rng: np.random.Generator, copies: int, scale: float) -> tuple[float, float]:
    """Power and false discovery proportion of the collapsed twin test in 32 dimensions."""
    d, n = 32, 300
    train, twin = rng.standard_normal((2, n, d))
    made = scale * rng.standard_normal((n, d))
    made[:copies] = train[:copies] + 0.05 * rng.standard_normal((copies, d))
    near = np.linalg.norm(made[:, None] - train[None], axis=2)
    far = np.linalg.norm(made[:, None] - twin[None], axis=2).min(1)
    w = np.log(far / near.min(1))
    reference = np.where(w > 0, near.argmin(1), -1 - np.arange(n))
    keep = selection.collapse(w, reference)
    t = selection.barber_candes(w[keep], 0.1)
    chosen = (w >= t) & keep
    found = chosen[:copies].sum() / max(copies, 1)
    return float(found), float(chosen[copies:].sum() / max(chosen.sum(), 1))


@pytest.mark.parametrize("scale", [1.0, 0.9])
def test_selection_controls_false_discoveries_whatever_the_quality(scale: float) -> None:
    """FDR stays near q = .1 and copies are found, for a good and for a shrunken generator."""
    rng = np.random.default_rng(6)
    runs = [gaussian_toy(rng, 20, scale) for _ in range(25)]
    assert np.mean([f for f, _ in runs]) >= 0.9
    assert np.mean([fdp for _, fdp in runs]) <= 0.16
    empty = [gaussian_toy(rng, 0, scale)[1] for _ in range(25)]
    assert np.mean(empty) <= 0.2


def test_conformal_p_is_uniform_under_the_null() -> None:
    """Scores from the null have uniform p (Kolmogorov-Smirnov); none is ever 0."""
    from scipy.stats import kstest

    rng = np.random.default_rng(7)
    p = selection.conformal_p(rng.standard_normal(400), rng.standard_normal(4000))
    assert kstest(p, "uniform").pvalue > 0.001
    assert p.min() > 0


def test_nothing_is_selected_from_nothing() -> None:
    """No evidence, or fewer than 1 / q selections, gives an infinite threshold."""
    assert selection.barber_candes(np.empty(0), 0.1) == math.inf
    assert selection.barber_candes(np.ones(9), 0.1) == math.inf
    assert selection.barber_candes(np.ones(10), 0.1) == 1.0
    assert not len(selection.collapse(np.empty(0), np.empty(0, int)))
