"""Whether two sets of images differ as distributions: the kernel two-sample test.

It says that images as a whole look different, never which one or why.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from audit.stats.interval import UNKNOWN, Interval
from audit.stats.jackknife import jackknife

Kernel = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""float[n, d] and float[m, d] to float[n, m]."""


def _squares(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Squared distances float[n, m], at least 0."""
    return np.clip((a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T, 0, None)


def gaussian_kernel(a: np.ndarray, b: np.ndarray, sigma: float) -> np.ndarray:
    """exp(-|x - y|^2 / (2 sigma^2)), float[n, m] in 0..1; `sigma` above 0."""
    return np.exp(_squares(a, b) / (-2 * sigma**2))


def median_distance(rows: np.ndarray) -> float:
    """Median distance of two different rows of float[n, d]; NaN for fewer than two.

    The usual width of a Gaussian kernel (Gretton et al. 2012, JMLR 13:723, sec. 8). Taken over both
    sides together it does not depend on which row is on which side, so a permutation test with it
    keeps its level.
    """
    if len(rows) < 2:
        return math.nan
    return float(np.sqrt(np.median(_squares(rows, rows)[np.triu_indices(len(rows), 1)])))


@dataclass(frozen=True)
class Discrepancy:
    """A kernel discrepancy with its limits over prompts and the p-value of its size."""

    interval: Interval
    """With jackknife limits; where both sides are alike these say little, and p decides."""
    p: float
    """Chance that sets of images from one source differ as much; never 0, NaN without images."""


def mmd_test(
    a: tuple[np.ndarray, np.ndarray], b: tuple[np.ndarray, np.ndarray], kernel: Kernel,
    rng: np.random.Generator, draws: int = 499,
) -> Discrepancy:  # fmt: skip
    """Whether two sets differ: discrepancy, permutation p, interval; each float[n, d] and int[n].

    The squared maximum mean discrepancy, unbiased and so sometimes below 0 (Gretton et al. 2012,
    JMLR 13:723, eq. 3). The second of each pair names clusters (prompts); whole clusters change
    sides, because images of one prompt are dependent. p counts the observed arrangement (Phipson &
    Smyth 2010, eq. 2). Unknown for fewer than two rows on a side.
    """
    rows = np.concatenate([a[0], b[0]])
    groups = np.concatenate([_codes(a[1]), _codes(b[1]) + len(np.unique(a[1]))])
    if min(len(a[0]), len(b[0])) < 2:
        return Discrepancy(UNKNOWN, math.nan)
    k, first = kernel(rows, rows), np.arange(len(rows)) < len(a[0])
    p = mmd_p(k, first, rng, draws, groups)

    def left(keep: np.ndarray) -> float:
        return float(_of_sides(k[np.ix_(keep, keep)], first[keep][None])[0])

    return Discrepancy(jackknife(left, groups, rng), p)


def mmd_p(
    k: np.ndarray, first: np.ndarray, rng: np.random.Generator, draws: int,
    groups: np.ndarray | None = None,
) -> float:  # fmt: skip
    """Permutation p of a kernel matrix float[n, n] and the rows on the first side, bool[n].

    `groups` int[n] change sides as a whole; without them every row is its own.
    """
    groups = np.arange(len(first)) if groups is None else groups
    seen = _of_sides(k, first[None])[0]
    sides = _shuffled(groups, first, rng, draws)
    return (1 + int((_of_sides(k, sides) >= seen - 1e-12).sum())) / (1 + len(sides))


def _codes(clusters: np.ndarray) -> np.ndarray:
    return np.unique(clusters, return_inverse=True)[1]


def _shuffled(
    groups: np.ndarray, first: np.ndarray, rng: np.random.Generator, draws: int
) -> np.ndarray:
    """Sides bool[draws, n] after reassigning whole groups, as many groups to each side."""
    count = groups.max() + 1
    on_first = np.zeros(count, bool)
    on_first[groups[first]] = True
    dealt = np.stack([rng.permutation(on_first) for _ in range(draws)])[:, groups]
    sizes = dealt.sum(1)
    return np.asarray(dealt[(sizes >= 2) & (sizes <= len(groups) - 2)])


def _of_sides(k: np.ndarray, sides: np.ndarray) -> np.ndarray:
    """Unbiased discrepancies float64[draws] of sides bool[draws, n] of one kernel matrix."""
    x = sides.astype(float)
    y, diagonal = 1 - x, np.diag(k)
    xk, yk = x @ k, y @ k
    n, m = x.sum(1), y.sum(1)
    within = ((xk * x).sum(1) - x @ diagonal) / (n * (n - 1))
    within += ((yk * y).sum(1) - y @ diagonal) / (m * (m - 1))
    return np.asarray(within - 2 * (xk * y).sum(1) / (n * m))
