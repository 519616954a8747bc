"""Not worse by more than a margin: required of everything that a mitigation should leave alone.

Absence of evidence of a loss is not evidence of its absence: wide limits are undecided.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from audit.stats.interval import UNKNOWN, Interval
from audit.stats.paired import paired_difference
from audit.stats.proportions import effective_n

FEWEST = 5
"""Clusters below which a bootstrap has too little to draw from: the limits are unknown."""


@dataclass(frozen=True)
class NonInferiority:
    """A change for which more is better, and whether it stays above minus the margin."""

    interval: Interval
    margin: float

    @property
    def verdict(self) -> str:
        """`not worse`: the limits are above minus the margin; `worse`: below; else `undecided`.

        At the 95 % limits each claim errs with 2.5 % (ICH E9, sec. 3.3.2).
        """
        if not (math.isfinite(self.interval.low) and math.isfinite(self.interval.high)):
            return "undecided"
        if self.interval.low > -self.margin:
            return "not worse"
        return "worse" if self.interval.high < -self.margin else "undecided"


def mean_change(
    differences: np.ndarray, clusters: np.ndarray, level: float = 0.95, shares: bool = False
) -> Interval:
    """Mean of paired differences float[n] with Student's t limits over whole clusters int[n].

    The error is that of a ratio of cluster sums to cluster sizes (Cochran 1977, Sampling
    Techniques, sec. 6.4), which for clusters of one size is that of their means. A percentile
    bootstrap of five clusters shows a change that is not there in 10 % of runs; these limits in 5.
    Limits are NaN for fewer than FEWEST clusters. All differences 0 give [0, 0]: nothing changed.
    Differences of `shares` are not known so well: where all k clusters have the same mean, up to
    1 - (alpha / 2)^(1 / k) of the clusters could still be anywhere in -1..1 (Hanley & Lippman-Hand
    1983, JAMA 249:1743, two-sided). Raises ValueError for a missing difference.
    """
    if not np.isfinite(differences).all():
        raise ValueError("Leave missing differences out and count them.")
    if len(differences) == 0:
        return UNKNOWN
    place = np.unique(clusters, return_inverse=True)[1]
    sums, sizes = np.bincount(place, weights=differences), np.bincount(place)
    mean, count = float(np.mean(differences)), len(sums)
    if count < FEWEST:
        return Interval(mean, math.nan, math.nan)
    apart = float(((sums - mean * sizes) ** 2).sum()) * count / (count - 1)
    reach = float(student.ppf((1 + level) / 2, count - 1)) * math.sqrt(apart) / len(differences)
    if not shares:
        return Interval(mean, mean - reach, mean + reach)
    if reach < 1e-12:
        unseen = 1 - ((1 - level) / 2) ** (1 / count)
        return Interval(mean, mean - unseen * (1 + mean), mean + unseen * (1 - mean))
    return Interval(mean, max(mean - reach, -1.0), min(mean + reach, 1.0))


def share_change(
    before: np.ndarray, after: np.ndarray, clusters: np.ndarray, level: float = 0.95
) -> Interval:
    """Change of a share on pairs bool[n] of clusters int[n], after less before.

    Newcombe's limits, which have positive width where no pair differs, widened by the root of the
    design effect n / effective n of the differences (Kish 1965); where all pairs agree and the
    effect of clusters is unknown, a cluster counts as one pair.
    """
    before, after = np.asarray(before, bool), np.asarray(after, bool)
    n = len(before)
    if n == 0:
        return UNKNOWN
    n11, n10, n01, n00 = (int((a & b).sum()) for a in (after, ~after) for b in (before, ~before))
    plain = paired_difference(n11, n10, n01, n00, level)
    size = effective_n(after.astype(float) - before, clusters)
    size = size if math.isfinite(size) else float(len(np.unique(clusters)))
    wider = math.sqrt(n / size)
    low = plain.estimate - wider * (plain.estimate - plain.low)
    high = plain.estimate + wider * (plain.high - plain.estimate)
    return Interval(plain.estimate, max(low, -1.0), min(high, 1.0))
