"""Two attributes at once: joint cells, and whether they are associated beyond chance."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import beta

from audit.stats.interval import UNKNOWN, Interval


def joint(a: np.ndarray, b: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Counts int[ka, kb] of pairs of class indices a, b int[n]; the class lists are fixed."""
    table = np.zeros(shape, int)
    np.add.at(table, (a, b), 1)
    return table


def cells(counts: np.ndarray, level: float = 0.95) -> list[list[Interval]]:
    """Share of each joint cell with an interval, smoothed by 1/2 in every cell.

    Posterior mean and equal-tailed limits under Jeffreys' Dirichlet prior (Gelman et al. 2013,
    Bayesian Data Analysis, sec. 3.4): an empty cell is rare, not impossible. Unknown for no images.
    """
    n, size = int(counts.sum()), counts.size
    if n == 0:
        return [[UNKNOWN] * counts.shape[1] for _ in range(counts.shape[0])]
    up = counts + 0.5
    down = n + size / 2 - up
    low, high = beta.ppf((1 - level) / 2, up, down), beta.ppf((1 + level) / 2, up, down)
    mean = up / (n + size / 2)
    return [
        [Interval(float(mean[i, j]), float(low[i, j]), float(high[i, j]))
         for j in range(counts.shape[1])]
        for i in range(counts.shape[0])
    ]  # fmt: skip


def g_statistic(counts: np.ndarray) -> float:
    """Likelihood-ratio statistic of independence, 2 sum O log(O / E) (Woolf 1957); 0 for none."""
    n = counts.sum()
    if n == 0:
        return 0.0
    expected = np.outer(counts.sum(1), counts.sum(0)) / n
    seen = counts > 0
    return float(2 * (counts[seen] * np.log(counts[seen] / expected[seen])).sum())


def mutual_information(counts: np.ndarray) -> float:
    """Bits that one attribute tells about the other, G / (2 n ln 2); NaN for no images.

    Never negative, and biased upwards by about (ka - 1)(kb - 1) / (2 n ln 2) (Miller 1955).
    """
    n = int(counts.sum())
    return g_statistic(counts) / (2 * n * math.log(2)) if n else math.nan


@dataclass(frozen=True)
class Dependence:
    """What one class tells about another within strata, and whether chance tells as much."""

    bits: float
    """Per row, averaged over the strata; NaN where no stratum has two values of each."""
    floor: float
    """The mean of it where the two are independent, at these n."""
    p: float
    """Permutation p; never 0."""


def dependence(
    a: np.ndarray, b: np.ndarray, strata: np.ndarray, rng: np.random.Generator, draws: int = 1999
) -> Dependence:
    """Whether two attributes are associated within strata.

    `a`, `b` class indices and `strata` (subjects) int[n]. The statistic is the sum of the strata's
    G; b is shuffled inside each, so occupations that differ in both attributes create no
    association (Phipson & Smyth 2010, eq. 2): exact up to draws, however sparse the tables. Unknown
    where no stratum has two values of each.
    """
    parts = [np.flatnonzero(strata == s) for s in np.unique(strata)]
    parts = [at for at in parts if len(np.unique(a[at])) > 1 and len(np.unique(b[at])) > 1]
    if not parts:
        return Dependence(math.nan, math.nan, math.nan)
    shape = (int(a.max()) + 1, int(b.max()) + 1)

    def total(values: list[np.ndarray]) -> float:
        return sum(g_statistic(joint(a[at], v, shape)) for at, v in zip(parts, values, strict=True))

    seen = total([b[at] for at in parts])
    chance = np.array([total([rng.permutation(b[at]) for at in parts]) for _ in range(draws)])
    hits = int((chance >= seen * (1 - 1e-12)).sum())
    scale = 2 * sum(len(at) for at in parts) * math.log(2)
    return Dependence(seen / scale, float(chance.mean()) / scale, (1 + hits) / (draws + 1))


def independence_p(
    a: np.ndarray, b: np.ndarray, strata: np.ndarray, rng: np.random.Generator, draws: int = 1999
) -> float:
    """Permutation p that two attributes are independent within every stratum (`dependence`)."""
    return dependence(a, b, strata, rng, draws).p
