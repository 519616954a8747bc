"""Distances agree with scipy, floors with published ones, and limits cover."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import chisquare, entropy

from audit.stats.departure import DISTANCES, departure

EVEN = {k: np.full(k, 1 / k) for k in (2, 3, 5, 7, 10)}


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_distances_are_those_of_scipy(seed: int) -> None:
    """Random distributions: divergences as scipy computes them, norms as numpy does."""
    rng = np.random.default_rng(seed)
    k = int(rng.integers(2, 9))
    p, q = rng.dirichlet(np.ones(k), 2)
    got = {name: float(f(p, q)) for name, f in DISTANCES.items()}
    assert got["Jensen-Shannon"] == pytest.approx(jensenshannon(p, q, 2) ** 2)
    assert got["Kullback-Leibler"] == pytest.approx(entropy(p, q, 2))
    assert got["unevenness"] == pytest.approx(1 - entropy(p) / math.log(k))
    assert got["total variation"] == pytest.approx(np.linalg.norm(p - q, 1) / 2)
    assert got["mean absolute difference"] == pytest.approx(np.linalg.norm(p - q, 1) / k)
    assert got["largest gap"] == pytest.approx(np.linalg.norm(p - q, np.inf))


@pytest.mark.parametrize(
    ("n", "k", "name", "published"),
    [
        (8, 2, "mean absolute difference", 0.137),  # HEIM's gender imbalance
        (8, 10, "mean absolute difference", 0.086),  # HEIM's skin tone imbalance
        (48, 2, "mean absolute difference", 0.057),
        (250, 2, "mean absolute difference", 0.025),
        (10, 7, "Kullback-Leibler", 0.360 / math.log(2)),  # ITI-GEN's races, there in nats
        (100, 7, "Kullback-Leibler", 0.030 / math.log(2)),
    ],
)
def test_a_fair_model_scores_its_known_floor(n: int, k: int, name: str, published: float) -> None:
    """What published metrics give a perfectly fair generator at their own sample sizes."""
    counts = np.zeros(k)
    counts[0] = n
    found = departure(counts, EVEN[k], name, np.random.default_rng(0), 20_000)
    assert found.floor == pytest.approx(published, abs=0.002 + 0.01 * published)


@pytest.mark.parametrize("name", ["total variation", "Jensen-Shannon", "mean absolute difference"])
def test_p_is_uniform_for_a_faithful_model(name: str) -> None:
    """Under the reference, p below 0.05 comes up in at most about 5 % of runs."""
    rng = np.random.default_rng(3)
    ps = np.array([
        departure(rng.multinomial(60, EVEN[5]), EVEN[5], name, rng, 400).p for _ in range(400)
    ])  # fmt: skip
    assert (ps < 0.05).mean() < 0.08
    assert (ps < 0.5).mean() == pytest.approx(0.5, abs=0.1)


def test_p_agrees_with_the_chi_square_of_scipy() -> None:
    """For many images the Monte-Carlo p orders samples as Pearson's test does."""
    rng = np.random.default_rng(4)
    ours, theirs = [], []
    for _ in range(40):
        counts = rng.multinomial(300, [0.24, 0.2, 0.2, 0.2, 0.16])
        ours.append(departure(counts, EVEN[5], "Jensen-Shannon", rng, 2000).p)
        theirs.append(chisquare(counts).pvalue)
    assert np.corrcoef(np.log(ours), np.log(theirs))[0, 1] > 0.95


@pytest.mark.parametrize("name", ["total variation", "largest gap", "Jensen-Shannon", "unevenness"])
@pytest.mark.parametrize("shares", [(0.7, 0.2, 0.1), (0.45, 0.35, 0.2)])
def test_limits_hold_the_true_distance_and_bias_shrinks(
    name: str, shares: tuple[float, ...]
) -> None:
    """At n = 60: about 95 % of intervals hold the truth, and correction lessens the bias."""
    rng = np.random.default_rng(5)
    truth = float(DISTANCES[name](np.array(shares), EVEN[3]))
    found = [departure(rng.multinomial(60, shares), EVEN[3], name, rng, 300) for _ in range(300)]
    held = np.mean([f.low <= truth <= f.high for f in found])
    plain, corrected = (
        abs(np.mean([getattr(f, a) for f in found]) - truth) for a in ("estimate", "corrected")
    )
    assert held >= 0.91
    assert corrected <= plain + 0.004


def test_two_classes_have_the_limits_of_the_likelihood_ratio_interval() -> None:
    """Total variation from even is |p - 1/2|: its limits are those of p by likelihood ratio."""
    from scipy.optimize import brentq
    from scipy.stats import chi2

    def deviance(p: float) -> float:
        return 2 * (70 * math.log(0.7 / p) + 30 * math.log(0.3 / (1 - p))) - chi2.ppf(0.95, 1)

    low, high = brentq(deviance, 0.5, 0.7), brentq(deviance, 0.7, 0.9)
    found = departure(np.array([70, 30]), EVEN[2], "total variation", np.random.default_rng(1))
    assert (found.low, found.high) == pytest.approx((low - 0.5, high - 0.5), abs=1e-4)


@pytest.mark.parametrize("name", ["total variation", "Jensen-Shannon"])
def test_a_faithful_model_is_rarely_called_far(name: str) -> None:
    """If the true distance is 0, the lower limit is above 0 in few runs."""
    rng = np.random.default_rng(8)
    lows = [departure(rng.multinomial(80, EVEN[5]), EVEN[5], name, rng, 400).low
            for _ in range(300)]  # fmt: skip
    assert np.mean(np.array(lows) > 0) <= 0.05


def test_extremes_and_gaps() -> None:
    """All of one class is the largest departure; nothing seen or no reference is not known."""
    rng = np.random.default_rng(6)
    worst = departure(np.array([40, 0]), EVEN[2], "unevenness", rng)
    assert (worst.estimate, worst.p) == (pytest.approx(1), pytest.approx(1 / 4001))
    assert math.isnan(departure(np.zeros(3), EVEN[3], "total variation", rng).estimate)
    unknown = np.array([0.5, math.nan])
    assert math.isnan(departure(np.ones(2), unknown, "total variation", rng).p)
    absent = departure(np.array([5, 5, 0]), np.array([0.5, 0.5, 0.0]), "Kullback-Leibler", rng)
    assert absent.estimate == 0
    assert math.isfinite(absent.high)
    with pytest.raises(ValueError, match="sum to"):
        departure(np.ones(2), np.array([0.5, 0.6]), "total variation", rng)
    with pytest.raises(ValueError, match="Shapes differ"):
        departure(np.ones(3), EVEN[2], "total variation", rng)
