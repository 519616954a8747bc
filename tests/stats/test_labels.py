"""Estimates from few labels against ppi_py, closed forms and simulated audits."""

from __future__ import annotations

import math

import numpy as np
import ppi_py
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.metrics import confusion_matrix
from statsmodels.stats.proportion import proportion_confint

from audit.stats import labels as few
from audit.stats.correction import corrected_shares

RATES = np.array([[0.85, 0.1, 0.05], [0.1, 0.8, 0.1], [0.05, 0.1, 0.85]])


def audit(
    rng: np.random.Generator, p: float, n: int, m: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels and predictions of n images, predictions of m more; Se = Sp = .95."""
    truth = rng.random(n + m) < p
    seen = np.where(rng.random(n + m) < 0.95, truth, ~truth)
    return truth[:n].astype(float), seen[:n].astype(float), seen[n:].astype(float)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("weight", [None, 1.0, 0.0, 0.4])
def test_ppi_equals_ppi_py(seed: int, weight: float | None) -> None:
    """Estimate and 95 % limits of the authors' library, for 0 and 1 and for values between."""
    rng = np.random.default_rng(seed)
    y, f, g = audit(rng, 0.4, 80, 300)
    if seed % 2:
        y, f, g = (np.clip(v * 0.5 + rng.uniform(0.1, 0.4, len(v)), 0, 1) for v in (y, f, g))
    got = few.ppi_mean(y, f, g, weight)
    assert got.estimate == pytest.approx(
        np.squeeze(ppi_py.ppi_mean_pointestimate(y, f, g, lam=weight))
    )
    low, high = ppi_py.ppi_mean_ci(y, f, g, alpha=0.05, lam=weight)
    assert (got.low, got.high) == pytest.approx((float(low.item()), float(high.item())))


@pytest.mark.parametrize("seed", range(8))
def test_ppi_weight_is_the_one_of_least_variance(seed: int) -> None:
    """No weight on a fine grid has a narrower interval, up to the variances' divisors."""
    y, f, g = audit(np.random.default_rng(seed), 0.3, 100, 400)

    def width(weight: float | None) -> float:
        got = few.ppi_mean(y, f, g, weight)
        return got.high - got.low

    assert width(None) <= min(width(w) for w in np.linspace(0, 1, 201)) * 1.01


def test_ppi_follows_the_papers_formula() -> None:
    """Predictions' mean plus the mean correction, with the two squared standard errors added."""
    y, f, g = audit(np.random.default_rng(3), 0.5, 60, 200)
    got = few.ppi_mean(y, f, g, 1.0)
    centre = g.mean() + (y - f).mean()
    error = math.sqrt(np.var(g) / 200 + np.var(y - f) / 60)
    assert got.estimate == pytest.approx(centre)
    assert (got.low, got.high) == pytest.approx(norm.interval(0.95, centre, error))
    alone = few.ppi_mean(y, f, g, 0.0)
    assert alone.estimate == pytest.approx(y.mean())
    spread = math.sqrt(np.var(y) / 60)
    assert (alone.low, alone.high) == pytest.approx(norm.interval(0.95, y.mean(), spread))


def test_ppi_stays_in_range_or_is_unknown() -> None:
    """Limits are clipped to 0..1; too few or missing values are unknown; lengths must fit."""
    zero = few.ppi_mean(np.zeros(20), np.array([0.0, 1.0] * 10), np.zeros(30), 1.0)
    assert (zero.estimate, zero.low) == (0, 0)
    same = few.ppi_mean(np.array([0.0, 1, 1]), np.ones(3), np.ones(9))
    assert same.estimate == pytest.approx(2 / 3)
    for y, f, g in (
        ([1.0], [1.0], [0.0]), ([1.0, 0.0], [1.0, 1.0], []), ([1.0, math.nan], [1.0, 0.0], [1.0]),
    ):  # fmt: skip
        assert math.isnan(few.ppi_mean(np.array(y), np.array(f), np.array(g)).low)
    with pytest.raises(ValueError, match="2 labels do not fit 3"):
        few.ppi_mean(np.ones(2), np.ones(3), np.ones(4))


def stratified(
    rng: np.random.Generator, shares: np.ndarray, images: int, each: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels and predictions of at most `each` images per predicted class, and all counts."""
    truth = rng.choice(len(shares), images, p=shares)
    seen = (rng.random((images, 1)) > RATES[truth].cumsum(1)).sum(1).clip(max=len(shares) - 1)
    picked = [rng.permutation(np.flatnonzero(seen == h))[:each] for h in range(len(shares))]
    chosen = np.concatenate(picked)
    return truth[chosen], seen[chosen], np.bincount(seen, minlength=len(shares))


@pytest.mark.parametrize("truth", [(0.7, 0.25, 0.05), (0.34, 0.33, 0.33), (0.97, 0.02, 0.01)])
def test_stratified_shares_cover_and_their_variance_is_right(truth: tuple[float, ...]) -> None:
    """No bias, the stated variance that of 1,500 audits, limits that hold in 93 % of them."""
    rng, shares = np.random.default_rng(int(1000 * truth[0])), np.array(truth)
    estimates, variances, covered = [], [], []
    for _ in range(1500):
        y, f, counts = stratified(rng, shares, 400, 40)
        got = [few.stratified_share(y, f, counts, c) for c in range(3)]
        if any(g.unseen for g in got):
            continue
        estimates.append([g.interval.estimate for g in got])
        variances.append([g.variance for g in got])
        covered.append([g.interval.low <= t <= g.interval.high
                        for g, t in zip(got, truth, strict=True)])  # fmt: skip
    assert len(covered) > 1400
    spread = np.var(estimates, axis=0)
    error = np.sqrt(spread / len(estimates))
    assert (np.abs(np.mean(estimates, axis=0) - shares) < 4 * error).all()
    np.testing.assert_allclose(np.mean(variances, axis=0), spread, rtol=0.15)
    assert np.mean(covered, axis=0).min() >= 0.93


def test_stratified_variance_equals_cochrans() -> None:
    """The weighted within and between parts of double sampling, written in his form."""
    y, f, counts = stratified(np.random.default_rng(1), np.array([0.5, 0.3, 0.2]), 500, 50)
    got = few.stratified_share(y, f, counts, 0)
    total = counts.sum()
    w, n = counts / total, np.bincount(f)
    p = np.array([(y[f == h] == 0).mean() for h in range(3)])
    s2 = np.array([(y[f == h] == 0).var(ddof=1) for h in range(3)])
    whole = (w * s2).sum() + (w * (p - (w * p).sum()) ** 2).sum()
    cochran = whole / total + (w * s2 / total * (counts / n - 1)).sum()
    assert got.variance == pytest.approx(cochran)
    assert got.interval.estimate == pytest.approx((w * p).sum())


@given(st.integers(0, 40), st.integers(1, 40))
def test_a_single_stratum_is_wilsons_interval(k: int, more: int) -> None:
    """One predicted class, all of it labelled at random: statsmodels' limits, up to W's part."""
    n = k + more
    y, f = np.repeat([0, 1], [k, more]), np.ones(n, int)
    got = few.stratified_share(y, f, np.array([0, 10**9]), 0).interval
    low, high = proportion_confint(k, n, method="wilson")
    assert (got.estimate, got.low, got.high) == pytest.approx((k / n, low, high), abs=1e-6)


def test_full_agreement_is_not_certainty() -> None:
    """Without a single disagreement the interval is still open: 30 of 30 right leaves errors."""
    y = np.repeat([0, 1], 30)
    got = few.stratified_share(y, y, np.array([100, 900]), 0).interval
    assert got.estimate == pytest.approx(0.1)
    assert got.low < 0.085
    assert got.high > 0.19


def test_a_predicted_class_without_labels_is_named() -> None:
    """Its images could be anything, so the share is unknown; an empty class does no harm."""
    y, f = np.array([0, 0, 1, 1]), np.array([0, 0, 1, 0])
    got = few.stratified_share(y, f, np.array([10, 10, 5]), 0)
    assert got.unseen == (2,)
    assert math.isnan(got.interval.estimate)
    assert math.isnan(got.variance)
    assert few.stratified_share(y, f, np.array([10, 10, 0]), 0).unseen == ()
    none = few.stratified_share(np.empty(0, int), np.empty(0, int), np.zeros(2, int), 0)
    assert math.isnan(none.interval.low)


def test_weighted_confusion_undoes_the_choice_of_images() -> None:
    """Rates are those of all images, where those of the labels alone are far off."""
    rng, shares = np.random.default_rng(6), np.array([0.8, 0.14, 0.06])
    truth = rng.choice(3, 400_000, p=shares)
    seen = (rng.random((400_000, 1)) > RATES[truth].cumsum(1)).sum(1).clip(max=2)
    picked = np.concatenate([rng.permutation(np.flatnonzero(seen == h))[:25_000] for h in range(3)])
    got = few.weighted_confusion(truth[picked], seen[picked], np.bincount(seen)).counts
    np.testing.assert_allclose(got / got.sum(1, keepdims=True), RATES, atol=0.015)
    plain = confusion_matrix(truth[picked], seen[picked], normalize="true")
    assert np.abs(plain - RATES).max() > 0.1
    assert (got.sum(1) <= np.bincount(truth[picked]) + 1e-9).all()


@given(st.integers(0, 2**32 - 1))
def test_equal_weights_leave_plain_counts(seed: int) -> None:
    """Labels in proportion to the images: scikit-learn's confusion matrix."""
    rng = np.random.default_rng(seed)
    y, f = rng.integers(0, 3, (2, 60))
    got = few.weighted_confusion(y, f, 7 * np.bincount(f, minlength=3)).counts
    np.testing.assert_allclose(got, confusion_matrix(y, f, labels=[0, 1, 2]), atol=1e-9)


def test_corrected_shares_take_a_weighted_confusion() -> None:
    """From stratified labels to K corrected shares, which hold the truth."""
    rng, truth, hits = np.random.default_rng(11), np.array([0.8, 0.15, 0.05]), []
    for _ in range(120):
        y, f, counts = stratified(rng, truth, 500, 60)
        got = corrected_shares(counts, few.weighted_confusion(y, f, counts), rng, 200)
        hits.append([i.low <= t <= i.high for i, t in zip(got, truth, strict=True)])
    assert np.mean(hits, axis=0).min() >= 0.9


def test_labels_that_cannot_be_are_refused() -> None:
    """Unequal lengths, unknown classes, and more labels than images."""
    for y, f in (([0, 1], [0]), ([0, 2], [0, 1]), ([0, -1], [0, 1])):
        with pytest.raises(ValueError, match="must pair up"):
            few.stratified_share(np.array(y), np.array(f), np.array([5, 5]), 0)
    with pytest.raises(ValueError, match="more labels than images"):
        few.weighted_confusion(np.array([0, 0]), np.array([0, 0]), np.array([1, 5]))
