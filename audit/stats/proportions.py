"""Shares with intervals, for one class, for K classes, and for clustered images."""

from __future__ import annotations

import math

import numpy as np
from statsmodels.stats.proportion import multinomial_proportions_confint, proportion_confint

from audit.stats.interval import UNKNOWN, Interval


def _bounded(k: float, n: float, low: float, high: float) -> Interval:
    # Rounding leaves 1e-17 where the limit is 0: enough for a verdict "above 0" from no success.
    return Interval(
        float(k / n), 0.0 if k == 0 else float(max(low, 0)), 1.0 if k == n else float(min(high, 1))
    )


def _binomial(k: float, n: float, level: float, method: str) -> Interval:
    if not 0 <= k <= n:
        raise ValueError(f"A share needs 0 <= k <= n, not k = {k} of n = {n}.")
    if n == 0:
        return UNKNOWN
    return _bounded(k, n, *proportion_confint(k, n, alpha=1 - level, method=method))


def wilson(k: float, n: float, level: float = 0.95) -> Interval:
    """Score interval of a share k / n (Wilson 1927, JASA 22:209); unknown for n = 0.

    Raises ValueError where k lies outside 0..n, as do the other two.
    """
    return _binomial(k, n, level, "wilson")


def jeffreys(k: int, n: int, level: float = 0.95) -> Interval:
    """Equal-tailed interval under Jeffreys' prior (Brown, Cai & DasGupta 2001, sec. 3.1.3).

    As there, the lower limit is 0 for k = 0 and the upper one 1 for k = n.
    """
    return _binomial(k, n, level, "jeffreys")


def clopper_pearson(k: int, n: int, level: float = 0.95) -> Interval:
    """Exact interval (Clopper & Pearson 1934): never below nominal coverage."""
    return _binomial(k, n, level, "beta")


def goodman(counts: np.ndarray, level: float = 0.95) -> list[Interval]:
    """Simultaneous intervals of K shares from int[K] (Goodman 1965, Technometrics 7:247).

    Unknown where all counts are 0.
    """
    n = int(np.sum(counts))
    if n == 0:
        return [UNKNOWN] * len(counts)
    limits = multinomial_proportions_confint(counts, alpha=1 - level, method="goodman")
    return [_bounded(k, n, low, high) for k, (low, high) in zip(counts, limits, strict=True)]


def worst_case(k: int, n: int, abstained: int) -> tuple[float, float]:
    """Bounds of a share if every abstention were against or for it (Manski 2003, ch. 1).

    `k` of the `n` images with a label show the class; `abstained` images more have no label.
    """
    total = n + abstained
    if total == 0:
        return math.nan, math.nan
    return k / total, (k + abstained) / total


def effective_n(values: np.ndarray, clusters: np.ndarray) -> float:
    """Sample size after clustering: n / (1 + (m - 1) ICC) (Kish 1965), at most n.

    `values` float[n], `clusters` int[n]. ICC from one-way analysis of variance, not below 0; m is
    the size-weighted mean cluster size, sum m_i^2 / n (Kish 1987; Eldridge, Ashby & Kerry 2006, Int
    J Epidemiol 35:1292), because one large cluster among many small ones outweighs them. NaN where
    the ICC cannot be known: a single cluster, equal values everywhere, or a missing value.
    """
    n = len(values)
    _, place, counts = np.unique(clusters, return_inverse=True, return_counts=True)
    groups, sizes = len(counts), counts.astype(float)
    if groups < 2 or not np.isfinite(values).all():
        return math.nan
    if n == groups:
        return float(n)
    means = np.bincount(place, weights=values) / sizes
    between = (sizes * (means - values.mean()) ** 2).sum() / (groups - 1)
    within = ((values - means[place]) ** 2).sum() / (n - groups)
    heavy = (sizes**2).sum() / n
    typical = (n - heavy) / (groups - 1)
    spread = between + (typical - 1) * within
    if np.ptp(values) == 0 or spread <= 0:
        return math.nan
    icc = max(0.0, (between - within) / spread)
    return float(n / (1 + (heavy - 1) * icc))


def cluster_bootstrap(
    successes: np.ndarray, clusters: np.ndarray, rng: np.random.Generator,
    draws: int = 2000, level: float = 0.95,
) -> Interval:  # fmt: skip
    """Percentile interval of a mean by resampling clusters (Davison & Hinkley 1997, sec. 3.8).

    `successes` float[n], `clusters` int[n]. For a single cluster the limits are NaN. Where all
    clusters have the same mean the interval has no width, which is no evidence of certainty: fall
    back on `wilson` with the clusters as sample size.
    """
    groups, place = np.unique(clusters, return_inverse=True)
    if not len(groups):
        return UNKNOWN
    if len(groups) < 2:
        return Interval(float(successes.mean()), math.nan, math.nan)
    sums = np.bincount(place, weights=successes)
    sizes = np.bincount(place).astype(float)
    picks = rng.integers(len(groups), size=(draws, len(groups)))
    means = sums[picks].sum(1) / sizes[picks].sum(1)
    low, high = np.quantile(means, ((1 - level) / 2, (1 + level) / 2))
    return Interval(float(successes.mean()), float(low), float(high))
