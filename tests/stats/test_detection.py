"""AUC and rates at a threshold: other people's figures, plain sums, and coverage."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import bootstrap, norm
from sklearn.metrics import roc_auc_score, roc_curve

from audit.stats.detection import (
    at_threshold,
    auc,
    delong_variance,
    halves,
    needed,
    threshold_at,
    tpr_at_fpr,
)


def scores(seed: int, n: int, m: int, shift: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Rounded normal scores, some of which are equal."""
    rng = np.random.default_rng(seed)
    return (rng.standard_normal(n) + shift).round(1), rng.standard_normal(m).round(1)


def sklearn_auc(positive: np.ndarray, negative: np.ndarray) -> float:
    """The library's."""
    labels = np.repeat([1, 0], [len(positive), len(negative)])
    return float(roc_auc_score(labels, np.concatenate([positive, negative])))


@pytest.mark.parametrize("shift", [-1.0, 0.0, 0.5, 2.0])
@pytest.mark.parametrize("seed", range(4))
def test_the_area_is_the_library_s_and_is_never_turned_round(seed: int, shift: float) -> None:
    """Also with ties, and also below one half."""
    positive, negative = scores(seed, 37 + seed, 80, shift)
    got = auc(positive, negative)
    assert got.estimate == pytest.approx(sklearn_auc(positive, negative), abs=1e-12)
    assert got.low < got.estimate < got.high
    back = auc(-positive, -negative)
    assert back.estimate == pytest.approx(1 - got.estimate, abs=1e-12)
    assert (back.low, back.high) == pytest.approx((1 - got.high, 1 - got.low), abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_the_variance_is_that_of_delong_s_double_sums(seed: int) -> None:
    """Placement values written out as in the paper, equations 4 to 6."""
    positive, negative = scores(seed, 25, 40)
    wins = (positive[:, None] > negative) + 0.5 * (positive[:, None] == negative)
    wanted = wins.mean(1).var(ddof=1) / 25 + wins.mean(0).var(ddof=1) / 40
    area, variance = delong_variance(positive, negative)
    assert area == pytest.approx(wins.mean(), abs=1e-12)
    assert variance == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_the_interval_is_near_the_bootstrap_s(seed: int) -> None:
    """Resampling copies and the rest apart gives the same spread and limits."""
    positive, negative = scores(seed, 150, 200)
    found = bootstrap(
        (positive, negative), lambda a, b: delong_variance(a, b)[0], vectorized=False,
        n_resamples=800, method="percentile", rng=np.random.default_rng(seed),
    )  # fmt: skip
    got = auc(positive, negative)
    assert np.sqrt(delong_variance(positive, negative)[1]) == pytest.approx(
        found.standard_error, rel=0.12
    )
    low, high = found.confidence_interval
    assert (got.low, got.high) == pytest.approx((low, high), abs=0.012)


@pytest.mark.parametrize(("shift", "n"), [(0.5, 30), (1.5, 30), (2.0, 100)])
def test_the_interval_holds_the_true_area(shift: float, n: int) -> None:
    """Of 600 draws from two normals, whose area is known, 92 % or more of the intervals hold it."""
    true = norm.cdf(shift / np.sqrt(2))
    rng = np.random.default_rng(5)
    held = [
        (i := auc(rng.standard_normal(n) + shift, rng.standard_normal(n))).low <= true <= i.high
        for _ in range(600)
    ]
    assert np.mean(held) >= 0.92


def test_perfect_separation_is_not_certainty() -> None:
    """All right or all wrong: the limit follows the smaller side, and few scores say little."""
    perfect = auc(np.arange(10) + 100.0, np.arange(50.0))
    assert perfect.estimate == perfect.high == 1
    assert perfect.low == pytest.approx(0.722, abs=1e-3)
    assert auc(np.zeros(10), np.ones(50)).high == pytest.approx(1 - perfect.low)
    equal = auc(np.ones(20), np.ones(20))
    assert (equal.estimate, equal.low) == pytest.approx((0.5, 0.299), abs=1e-3)
    alone = auc(np.array([1.0, np.nan]), np.array([0.0, 2.0]))
    assert alone.estimate == 0.5
    assert np.isnan([alone.low, alone.high]).all()
    assert np.isnan(auc(np.array([np.nan]), np.arange(3.0)).estimate)


@pytest.mark.parametrize("fpr", [0.01, 0.05, 0.1])
@pytest.mark.parametrize("seed", range(3))
def test_the_threshold_is_the_lowest_that_keeps_the_rate(seed: int, fpr: float) -> None:
    """Against sklearn's whole curve: no lower threshold has so small a rate, ties included."""
    positive, negative = scores(seed, 300, 1200)
    found = at_threshold(positive, negative, threshold_at(negative, fpr))
    assert found.fpr.estimate <= fpr
    both = np.concatenate([positive, negative])
    false, true, _ = roc_curve(np.repeat([1, 0], [300, 1200]), both, drop_intermediate=False)
    assert found.tpr.estimate == pytest.approx(true[false <= fpr].max(), abs=1e-12)


def test_known_intervals_of_rates() -> None:
    """5 of 500: [.33 %, 2.32 %]; none of 500: at most .74 %; 491 of 500: [96.6 %, 99.2 %]."""
    negative = np.concatenate([np.ones(5), np.zeros(495)])
    positive = np.concatenate([np.ones(491), np.zeros(9)])
    found = at_threshold(positive, negative, 0.5)
    assert (found.fpr.low, found.fpr.high) == pytest.approx((0.00325, 0.0232), abs=5e-5)
    assert (found.tpr.low, found.tpr.high) == pytest.approx((0.966, 0.992), abs=5e-4)
    assert at_threshold(positive, np.zeros(500), 0.5).fpr.high == pytest.approx(0.00735, abs=1e-5)


def test_a_rate_that_the_negatives_cannot_tell_is_refused() -> None:
    """1 % of 500 would rest on five images: not known, with what it would take."""
    rng = np.random.default_rng(0)
    found = tpr_at_fpr(rng.random(50), rng.random(500), rng.random(2000), 0.01)
    assert np.isnan([found.threshold, found.tpr.estimate, found.fpr.high]).all()
    assert "needs 1000 negatives" in found.reason
    assert "2000 and 500" in found.reason
    assert needed(0.01) == 1000
    assert np.isnan(threshold_at(np.arange(99.0), 0.1))
    assert np.isfinite(threshold_at(np.arange(100.0), 0.1))
    nothing = tpr_at_fpr(np.array([np.nan]), rng.random(100), rng.random(100), 0.1)
    assert nothing.reason == "there are no copies to find"
    assert nothing.fpr.high > 0
    with pytest.raises(ValueError, match="between 0 and 1"):
        threshold_at(rng.random(10), 1)


def test_a_threshold_from_other_images_does_not_flatter_itself() -> None:
    """Over 300 splits the rate that came averages the rate asked for; its interval holds it."""
    rng, rates, held = np.random.default_rng(1), [], []
    for _ in range(300):
        negative = rng.standard_normal(400)
        calibration, rest = halves(400, rng)
        assert len({*calibration} | {*rest}) == 400
        found = tpr_at_fpr(rng.standard_normal(50) + 2, negative[rest], negative[calibration], 0.05)
        rates.append(found.fpr.estimate)
        truth = norm.sf(found.threshold)
        held.append(found.fpr.low <= truth <= found.fpr.high)
    assert np.mean(rates) == pytest.approx(0.05, abs=0.006)
    assert np.mean(held) >= 0.95 - 0.02
