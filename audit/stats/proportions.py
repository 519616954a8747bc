"""Shares with intervals, for one class, for K classes, and for clustered images."""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import f as f_distribution
from scipy.stats import norm
from scipy.stats import t as student
from statsmodels.stats.proportion import multinomial_proportions_confint, proportion_confint

from audit.stats.interval import UNKNOWN, Interval


def _bounded(k: float, n: float, low: float, high: float) -> Interval:
    # Rounding leaves 1e-17 where the limit is 0: enough for a false verdict "above 0" at k = 0.
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

    Raises ValueError where k is outside 0..n, as does `clopper_pearson`.
    """
    return _binomial(k, n, level, "wilson")


def clopper_pearson(k: int, n: int, level: float = 0.95) -> Interval:
    """Exact interval (Clopper & Pearson 1934): never below nominal coverage."""
    return _binomial(k, n, level, "beta")


def goodman(counts: np.ndarray, level: float = 0.95) -> list[Interval]:
    """Simultaneous intervals of K shares from float[K] (Goodman 1965, Technometrics 7:247).

    Counts may be fractional, where images are thinned. Unknown where all counts are 0.
    """
    n = float(np.sum(counts))
    if n == 0:
        return [UNKNOWN] * len(counts)
    limits = multinomial_proportions_confint(counts, alpha=1 - level, method="goodman")
    return [_bounded(k, n, low, high) for k, (low, high) in zip(counts, limits, strict=True)]


def plain_shares(counts: np.ndarray, level: float = 0.95) -> list[Interval]:
    """Shares of the classes from float[K] counts of labels, as if all were right.

    Limits hold for all classes at once: Wilson's for two, whose shares are one, Goodman's for more.
    """
    if len(counts) == 2:
        return [wilson(k, counts.sum(), level) for k in counts]
    return goodman(counts, level)


def worst_case(k: int, n: int, abstained: int) -> tuple[float, float]:
    """Bounds of a share if all abstentions counted against or for it (Manski 2003, ch. 1).

    `k` of the `n` images with a label show the class; a further `abstained` images have no label.
    """
    total = n + abstained
    if total == 0:
        return math.nan, math.nan
    return k / total, (k + abstained) / total


def _sums(values: np.ndarray, clusters: np.ndarray) -> tuple[float, float, float, np.ndarray]:
    """Sums of squares between and within clusters, their typical size, and all their sizes."""
    _, place, counts = np.unique(clusters, return_inverse=True, return_counts=True)
    sizes = counts.astype(float)
    means = np.bincount(place, weights=values) / sizes
    between = float((sizes * (means - values.mean()) ** 2).sum())
    within = float(((values - means[place]) ** 2).sum())
    heavy = (sizes**2).sum() / len(values)
    return between, within, float(len(values) - heavy), sizes


def intraclass(values: np.ndarray, clusters: np.ndarray, strata: np.ndarray | None = None) -> float:
    """Correlation of two values in the same cluster, at least 0: one-way analysis of variance.

    `values` float[n], `clusters` and `strata` int[n]. With strata (subjects, whose own shares may
    differ) the sums of squares are pooled over them, because a few clusters alone say little
    (Donner & Koval 1980, Biometrics 36:19; typical size as in Eldridge, Ashby & Kerry 2006, Int J
    Epidemiol 35:1292). NaN where it cannot be known: no stratum with two clusters, none with a
    cluster of two values, equal values everywhere, or a missing value.
    """
    if not len(values) or not np.isfinite(values).all() or np.ptp(values) == 0:
        return math.nan
    groups = np.zeros(len(values), int) if strata is None else strata
    between = within = excess = 0.0
    free_between = free_within = 0
    for g in np.unique(groups):
        at = groups == g
        b, w, e, sizes = _sums(values[at], clusters[at])
        if at.sum() == len(sizes):  # no cluster of two: the variance within is unknown
            continue
        between, within, excess = between + b, within + w, excess + e
        free_between += len(sizes) - 1
        free_within += int(at.sum()) - len(sizes)
    if free_between == 0 or free_within == 0:
        return math.nan
    b, w, typical = between / free_between, within / free_within, excess / free_between
    spread = b + (typical - 1) * w
    return max(0.0, (b - w) / spread) if spread > 0 else math.nan


def effective_n(
    values: np.ndarray, clusters: np.ndarray, correlation: float | None = None
) -> float:
    """Sample size after clustering: n / (1 + (m - 1) ICC) (Kish 1965), at most n.

    `values` float[n], `clusters` int[n]; m is the size-weighted mean cluster size, sum m_i^2 / n
    (Kish 1987), because one large cluster among many small ones outweighs them. `correlation` is
    the ICC, by default that of the values. NaN where it is unknown, unless no cluster has two
    values.
    """
    n = len(values)
    if n == 0 or not np.isfinite(values).all():
        return math.nan
    sizes = np.unique(clusters, return_counts=True)[1].astype(float)
    if len(sizes) == n > 1:
        return float(n)
    icc = intraclass(values, clusters) if correlation is None else correlation
    return float(n / (1 + ((sizes**2).sum() / n - 1) * icc))


FEWEST = 5
"""Clusters of a group below which its own similarity says too little."""
OWN = 0.05
"""p of a group's own similarity below which it replaces that of all groups."""


def effective_n_among(values: np.ndarray, clusters: np.ndarray, pooled: float) -> float:
    """`effective_n` of one group at the ICC of many, or at its own where that is clearly above.

    `values` float[n], `clusters` int[n]; `pooled` is the ICC of all groups together. A group of
    FEWEST clusters or more that differ more (F test of its mean squares, p < OWN) has its own ICC;
    its few clusters are then all that is known, so n is further multiplied by (z / t)^2 at clusters
    - 1 degrees of freedom (Korn & Graubard 1998, Survey Methodology 24:193), and is at least 1.
    """
    usual = effective_n(values, clusters, pooled)
    if not len(values) or not math.isfinite(pooled) or np.ptp(values) == 0:
        return usual
    between, within, excess, sizes = _sums(values, clusters)
    apart, alike = len(sizes) - 1, len(values) - len(sizes)
    if len(sizes) < FEWEST or alike == 0 or pooled >= 1:
        return usual
    expected = (1 + (excess / apart - 1) * pooled) / (1 - pooled)
    ratio = between / apart / max(within / alike, 1e-12)
    own = intraclass(values, clusters)
    if own <= pooled or f_distribution.sf(ratio / expected, apart, alike) >= OWN:
        return usual
    known = (norm.ppf(0.975) / student.ppf(0.975, apart)) ** 2
    return max(1.0, float(effective_n(values, clusters, own) * known))


def nested_loss(images: np.ndarray, clusters: np.ndarray, alike: float, apart: float) -> float:
    """How many times smaller an effective n is where images show several people, 0..1.

    `images` and `clusters` int[n] are the image and the prompt of each person. `alike` is the
    correlation of two people in one image, `apart` of two in different images of one prompt, from
    which the effective n without this follows (`effective_n`). The design effect is that of two
    stages, 1 + (m - 1) alike + (M - m) apart, with size-weighted mean sizes m of images and M of
    prompts (Kish 1965, sec. 5.4; Skinner, Holt & Smith 1989). An unknown `alike` counts as 1: each
    image then counts once. An unknown `apart` counts as 0.
    """
    n = len(images)
    if not n:
        return 1.0
    m, prompt = (
        float((np.unique(c, return_counts=True)[1].astype(float) ** 2).sum() / n)
        for c in (images, clusters)
    )
    between = apart if math.isfinite(apart) else 0.0
    inside = max(alike, between) if math.isfinite(alike) else 1.0
    without = 1 + (prompt - 1) * between
    return float(without / (1 + (m - 1) * inside + (prompt - m) * between))


def cluster_bootstrap(
    successes: np.ndarray, clusters: np.ndarray, rng: np.random.Generator,
    draws: int = 2000, level: float = 0.95,
) -> Interval:  # fmt: skip
    """Percentile interval of a mean by resampling clusters (Davison & Hinkley 1997, sec. 3.8).

    `successes` float[n], `clusters` int[n]. For a single cluster the limits are NaN. Where all
    clusters have the same mean the interval has no width, which is not evidence of certainty: the
    result is then `wilson` with the clusters as sample size.
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
