"""How far repeated measurements of the same people agree, and how far one person's differ."""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import f as f_distribution

from audit.stats.interval import UNKNOWN, Interval


def icc(values: np.ndarray, people: np.ndarray, level: float = 0.95) -> Interval:
    """Share of the variance that lies between people, with limits; it may be below 0.

    `values` float[n], `people` int[n]. ICC(1, 1) of Shrout & Fleiss 1979 (Psychological Bulletin
    86:420) with its F interval, exact for as many values of each person; else with their typical
    number. Unknown for fewer than two people, for one value of each, and for equal values.
    """
    groups, place = np.unique(people, return_inverse=True)
    sizes = np.bincount(place).astype(float)
    n, k = len(values), len(groups)
    if k < 2 or n == k or not np.isfinite(values).all() or np.ptp(values) == 0:
        return UNKNOWN
    means = np.bincount(place, weights=values) / sizes
    between = float((sizes * (means - values.mean()) ** 2).sum()) / (k - 1)
    within = float(((values - means[place]) ** 2).sum()) / (n - k)
    typical = (n - float((sizes**2).sum()) / n) / (k - 1)
    if within == 0:
        return Interval(1.0, math.nan, 1.0)
    ratio, tail = between / within, (1 + level) / 2
    low = ratio / f_distribution.ppf(tail, k - 1, n - k)
    high = ratio * f_distribution.ppf(tail, n - k, k - 1)
    return Interval(*((r - 1) / (r + typical - 1) for r in (ratio, low, high)))


def ranges(values: np.ndarray, people: np.ndarray) -> np.ndarray:
    """Largest less least value of each person who has two or more, float[people]."""
    found = [np.ptp(values[people == p]) for p in np.unique(people) if (people == p).sum() > 1]
    return np.array(found, float)
