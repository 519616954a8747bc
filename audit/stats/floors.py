"""Distances between distributions, and the score of a perfectly faithful model at this n.

Distances cannot be negative, so noise alone makes them positive: print the floor next to them.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.stats import binom

Distance = Callable[[np.ndarray, np.ndarray], float]


def total_variation(p: np.ndarray, q: np.ndarray) -> float:
    """Half the sum of absolute differences, 0..1; NaN where either is all 0 (no images)."""
    return float(np.abs(p - q).sum() / 2) if p.any() and q.any() else math.nan


def gap_floor(n: int, share: float) -> float:
    """E|k / n - share| for k ~ Binomial(n, share), exactly; NaN for n = 0."""
    if n == 0 or not math.isfinite(share):
        return math.nan
    k = np.arange(n + 1)
    return float((np.abs(k / n - share) * binom.pmf(k, n, share)).sum())


def distance_floor(
    n: int, shares: np.ndarray, distance: Distance, rng: np.random.Generator, draws: int = 2000
) -> float:
    """Mean distance from `shares` float[K] of n images drawn from exactly these shares.

    NaN for n = 0 or an unknown share. Raises ValueError where the shares sum to more than 1.
    """
    if n == 0 or not np.isfinite(shares).all():
        return math.nan
    samples = rng.multinomial(n, shares, draws) / n
    return float(np.mean([distance(s, shares) for s in samples]))
