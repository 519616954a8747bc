"""Shares with intervals, for one class, for K classes, and for clustered images."""

from __future__ import annotations

import math

import numpy as np
from statsmodels.stats.proportion import multinomial_proportions_confint, proportion_confint

from audit.stats.interval import UNKNOWN, Interval


def _binomial(k: int, n: int, level: float, method: str) -> Interval:
    if n == 0:
        return UNKNOWN
    low, high = proportion_confint(k, n, alpha=1 - level, method=method)
    return Interval(k / n, float(max(low, 0)), float(min(high, 1)))


def wilson(k: int, n: int, level: float = 0.95) -> Interval:
    """Score interval of a share k / n (Wilson 1927); unknown for n = 0."""
    return _binomial(k, n, level, "wilson")


def jeffreys(k: int, n: int, level: float = 0.95) -> Interval:
    """Equal-tailed interval under Jeffreys' prior (Brown, Cai & DasGupta 2001, sec. 4.3)."""
    return _binomial(k, n, level, "jeffreys")


def clopper_pearson(k: int, n: int, level: float = 0.95) -> Interval:
    """Exact interval (Clopper & Pearson 1934): never below nominal coverage."""
    return _binomial(k, n, level, "beta")


def goodman(counts: np.ndarray, level: float = 0.95) -> list[Interval]:
    """Simultaneous intervals of K shares (Goodman 1965) from int[K]; unknown where all are 0."""
    n = int(np.sum(counts))
    if n == 0:
        return [UNKNOWN] * len(counts)
    limits = multinomial_proportions_confint(counts, alpha=1 - level, method="goodman")
    return [
        Interval(float(k) / n, float(low), float(high))
        for k, (low, high) in zip(counts, limits, strict=True)
    ]


def worst_case(k: int, n: int, abstained: int) -> tuple[float, float]:
    """Bounds of a share if every abstention were against or for it (Manski 2003)."""
    total = n + abstained
    if total == 0:
        return math.nan, math.nan
    return k / total, (k + abstained) / total


def effective_n(values: np.ndarray, clusters: np.ndarray) -> float:
    """Sample size after clustering: n / (1 + (m - 1) ICC) (Kish 1965), at most n.

    `values` float[n], `clusters` int[n]. ICC from one-way analysis of variance with the usual
    size for unequal clusters. NaN for a single cluster: it says nothing about others.
    """
    n, groups = len(values), np.unique(clusters)
    if len(groups) < 2 or n == 0:
        return math.nan
    if n == len(groups):
        return float(n)
    sizes = np.array([(clusters == g).sum() for g in groups], float)
    means = np.array([values[clusters == g].mean() for g in groups])
    between = (sizes * (means - values.mean()) ** 2).sum() / (len(groups) - 1)
    inside = sum(
        ((values[clusters == g] - m) ** 2).sum() for g, m in zip(groups, means, strict=True)
    )
    within = inside / (n - len(groups))
    size = (n - (sizes**2).sum() / n) / (len(groups) - 1)
    spread = between + (size - 1) * within
    icc = max(0.0, (between - within) / spread) if spread > 0 else 0.0
    return float(n / (1 + (size - 1) * icc))


def cluster_bootstrap(
    successes: np.ndarray, clusters: np.ndarray, rng: np.random.Generator,
    draws: int = 2000, level: float = 0.95,
) -> Interval:  # fmt: skip
    """Percentile interval of a mean by resampling clusters (Davison & Hinkley 1997, sec. 3.8).

    `successes` float[n], `clusters` int[n]; unknown for fewer than two clusters.
    """
    groups, place = np.unique(clusters, return_inverse=True)
    if len(groups) < 2:
        return (
            UNKNOWN if not len(successes) else Interval(float(successes.mean()), math.nan, math.nan)
        )
    sums = np.bincount(place, weights=successes)
    sizes = np.bincount(place).astype(float)
    picks = rng.integers(len(groups), size=(draws, len(groups)))
    means = sums[picks].sum(1) / sizes[picks].sum(1)
    low, high = np.quantile(means, ((1 - level) / 2, (1 + level) / 2))
    return Interval(float(successes.mean()), float(low), float(high))
