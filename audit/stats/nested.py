"""The mean of one value per training run, where several runs share a subject."""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import t as student

from audit.stats.interval import Interval
from audit.stats.noninferiority import mean_change
from audit.stats.proportions import effective_n, intraclass


def nested_mean(
    values: np.ndarray, groups: np.ndarray, level: float = 0.95, shares: bool = False
) -> Interval:
    """Mean of float[n] with limits for other runs on other subjects; `groups` int[n] says whose.

    `mean_change` over runs, widened as runs of one subject resemble each other: n becomes
    n / (1 + (m - 1) ICC) (Kish 1965), which also gives the degrees of freedom, but at least 1. With
    one subject the limits are for other runs on this subject. NaN limits for fewer than FEWEST
    runs. `shares` as in `mean_change`. Raises ValueError for a missing value.
    """
    n = len(values)
    found = mean_change(np.asarray(values, float), np.arange(n), level, shares)
    if not math.isfinite(found.low):
        return found
    alike = intraclass(values, groups) if len(np.unique(groups)) > 1 else 0.0
    size = effective_n(values, groups, alike if math.isfinite(alike) else 0.0)
    tail, free = (1 + level) / 2, max(size - 1, 1.0)
    wider = math.sqrt(n / size) * float(student.ppf(tail, free) / student.ppf(tail, n - 1))
    wider /= math.sqrt(1 - (n / size - 1) / (n - 1))  # runs that are alike show too little spread
    low = found.estimate - wider * (found.estimate - found.low)
    high = found.estimate + wider * (found.high - found.estimate)
    return Interval(found.estimate, max(low, -1.0), min(high, 1.0)) if shares else Interval(
        found.estimate, low, high
    )  # fmt: skip
