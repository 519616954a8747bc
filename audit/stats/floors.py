"""Distances between distributions, and the score of a perfectly faithful model at this n.

Distances cannot be negative, so noise alone makes them positive: print the floor next to them.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.stats import binom, entropy

Distance = Callable[[np.ndarray, np.ndarray], float]


def total_variation(p: np.ndarray, q: np.ndarray) -> float:
    """Half the sum of absolute differences, 0..1; NaN where either is all 0 (no images)."""
    return float(np.abs(p - q).sum() / 2) if p.any() and q.any() else math.nan


def kl(p: np.ndarray, q: np.ndarray) -> float:
    """Kullback-Leibler divergence of p from q in bits; infinite where q lacks a class of p."""
    return float(entropy(p, q, base=2))


def jensen_shannon(p: np.ndarray, q: np.ndarray) -> float:
    """Jensen-Shannon divergence in bits, 0..1 (Lin 1991; the divergence, not its root)."""
    middle = (p + q) / 2
    return float((entropy(p, middle, base=2) + entropy(q, middle, base=2)) / 2)


def normalised_entropy(p: np.ndarray) -> float:
    """Entropy over its maximum for the fixed class list, 0 (one class) to 1 (even).

    NaN for a list of fewer than two classes, which cannot be uneven.
    """
    return float(entropy(p) / math.log(len(p))) if len(p) > 1 else math.nan


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
