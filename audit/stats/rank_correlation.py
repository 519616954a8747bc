"""Rank correlation of clustered values: an interval and a p by whole clusters."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from audit.stats.interval import UNKNOWN, Interval

FEWEST = 5
"""Smallest number of clusters worth resampling."""


@dataclass(frozen=True)
class Draws:
    """How clusters are resampled."""

    rng: np.random.Generator
    number: int = 1999
    level: float = 0.95


@dataclass(frozen=True)
class RankCorrelation:
    """Spearman's rho with limits over clusters; NaN where unknown."""

    rho: Interval
    p: float
    """Two-sided, by exchanging whole clusters."""
    n: int
    clusters: int
    missing: int
    reason: str = ""
    """Why something is unknown; empty where everything is known."""


def spearman(x: np.ndarray, y: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Spearman's rho of float[n] and float[n], ties at their middle rank (Spearman 1904).

    With `weights`, whole numbers as float[n], each value counts that many times. NaN where either
    is empty or has no spread.
    """
    w = np.ones(len(x)) if weights is None else np.asarray(weights, float)
    first, second = (_ranks(np.unique(v, return_inverse=True)[1], w) for v in (x, y))
    return _pearson(first, second, w)


def _ranks(place: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Middle ranks from places among the sorted distinct values, each counted by its weight."""
    each = np.bincount(place, weights=weights)
    return np.asarray((np.cumsum(each) - each / 2)[place])


def _pearson(x: np.ndarray, y: np.ndarray, w: np.ndarray) -> float:
    total = w.sum()
    if total == 0:
        return math.nan
    x, y = x - (w @ x) / total, y - (w @ y) / total
    spread = (w @ (x * x)) * (w @ (y * y))
    return float(np.clip((w @ (x * y)) / math.sqrt(spread), -1, 1)) if spread > 1e-18 else math.nan


def clustered_spearman(
    x: np.ndarray, y: np.ndarray, clusters: np.ndarray, how: Draws
) -> RankCorrelation:
    """Spearman's rho over images clustered by prompt, with limits and p over prompts.

    `x` and `y` float[n], NaN where missing; `clusters` any labels [n]. Limits: percentiles over
    resampled clusters (Davison & Hinkley 1997, sec. 3.8). p: clusters exchange their x as a whole,
    which keeps the dependence within each; (1 + as large) / (draws + 1), never 0 (Phipson & Smyth
    2010, eq. 2). Exact where all clusters have the same size; otherwise x is repeated or cut to
    fit. NaN for fewer than five clusters. Raises ValueError where lengths differ.
    """
    if not len(x) == len(y) == len(clusters):
        raise ValueError("Values and clusters must have the same length.")
    known = np.isfinite(x) & np.isfinite(y)
    x, y, missing = x[known], y[known], int((~known).sum())
    place = np.unique(clusters[known], return_inverse=True)[1]
    count = int(place.max(initial=-1)) + 1
    rho = spearman(x, y)
    if math.isnan(rho):
        reason = "all values are the same" if len(x) else "nothing is known of any image"
        return RankCorrelation(UNKNOWN, math.nan, len(x), count, missing, reason)
    if count < FEWEST:
        alone = Interval(rho, math.nan, math.nan)
        return RankCorrelation(
            alone, math.nan, len(x), count, missing, f"fewer than {FEWEST} prompts"
        )
    low, high = _limits(x, y, place, how)
    p = _exchange_p(x, y, place, how)
    return RankCorrelation(Interval(rho, low, high), p, len(x), count, missing)


def _limits(x: np.ndarray, y: np.ndarray, place: np.ndarray, how: Draws) -> tuple[float, float]:
    """Percentiles of rho over resampled clusters; a draw without spread does not count."""
    count = int(place.max()) + 1
    a, b = (np.unique(v, return_inverse=True)[1] for v in (x, y))
    found = np.empty(how.number)
    for d in range(how.number):
        w = np.bincount(how.rng.integers(count, size=count), minlength=count)[place].astype(float)
        found[d] = _pearson(_ranks(a, w), _ranks(b, w), w)
    tail = (1 - how.level) / 2
    low, high = np.nanquantile(found, (tail, 1 - tail))
    return float(low), float(high)


def _exchange_p(x: np.ndarray, y: np.ndarray, place: np.ndarray, how: Draws) -> float:
    order, sizes = np.argsort(place, kind="stable"), np.bincount(place)
    start = np.cumsum(sizes) - sizes
    column = np.arange(sizes.max())
    cyclic = order[start[:, None] + column[None, :] % sizes[:, None]]  # [clusters, largest]
    wanted = column[None, :] < sizes[:, None]
    one = np.ones(len(x))
    ranks, other = (_ranks(np.unique(v, return_inverse=True)[1], one) for v in (x, y))
    other = other[order]
    seen = abs(_pearson(ranks[order], other, one)) - 1e-12
    hits = 0
    for _ in range(how.number):
        moved = ranks[cyclic[how.rng.permutation(len(sizes))][wanted]]
        rho = _pearson(moved, other, one)
        hits += math.isnan(rho) or abs(rho) >= seen  # no spread left: no evidence
    return (1 + hits) / (how.number + 1)
