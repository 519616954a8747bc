"""Limits of a statistic of many rows by leaving groups of clusters out in turn."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.stats import t as student

from audit.stats.interval import Interval

BLOCKS = 20
"""Groups of prompts left out in turn by the jackknife."""


def jackknife(
    statistic: Callable[[np.ndarray], float], clusters: np.ndarray, rng: np.random.Generator,
    level: float = 0.95,
) -> Interval:  # fmt: skip
    """A statistic of rows with limits from leaving out groups of clusters int[n] in turn.

    `statistic` takes the indices of the rows to keep. The delete-a-group jackknife with Student's t
    (Kott 2001, J Off Stat 17:521): no bootstrap, because an image drawn twice is its own copy,
    which distorts a measure of similarity or spread. NaN limits for fewer than two clusters.
    """
    everyone = np.arange(len(clusters))
    names, codes = np.unique(clusters, return_inverse=True)
    estimate, count = statistic(everyone), min(BLOCKS, len(names))
    if count < 2 or not math.isfinite(estimate):
        return Interval(estimate, math.nan, math.nan)
    blocks = (rng.permutation(len(names)) % count)[codes]
    left = np.array([statistic(everyone[blocks != b]) for b in range(count)])
    error = math.sqrt((count - 1) / count * ((left - left.mean()) ** 2).sum())
    reach = float(student.ppf((1 + level) / 2, count - 1)) * error
    return Interval(estimate, estimate - reach, estimate + reach)
