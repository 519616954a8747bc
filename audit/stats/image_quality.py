"""Distance of images from real ones, as distributions: Frechet distance, kernel discrepancies.

Both say that images as a whole look different, never which one or why. The Frechet distance is
biased upwards, the more so the fewer the images; print the floor next to it, or compare equal
numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from audit.stats.interval import UNKNOWN, Interval

Kernel = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""float[n, d] and float[m, d] to float[n, m]."""
CMMD_SCALE = 1000.0
"""Factor of Jayasumana et al. 2024 that makes values readable."""
BLOCKS = 20
"""Groups of prompts left out in turn by the jackknife."""


def gaussian_kernel(a: np.ndarray, b: np.ndarray, sigma: float = 10.0) -> np.ndarray:
    """exp(-|x - y|^2 / (2 sigma^2)), with the sigma of Jayasumana et al. 2024 (CVPR, sec. 4)."""
    squares = (a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T
    return np.exp(np.clip(squares, 0, None) / (-2 * sigma**2))


def polynomial_kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(x'y / d + 1)^3, the kernel inception distance's (Binkowski et al. 2018, ICLR, sec. 3.1)."""
    return np.asarray((a @ b.T / a.shape[1] + 1) ** 3)


def frechet_of_normals(
    mean_a: np.ndarray, cov_a: np.ndarray, mean_b: np.ndarray, cov_b: np.ndarray
) -> float:
    """Squared Frechet distance of two normal distributions (Dowson & Landau 1982, eq. 4), >= 0.

    |m - n|^2 + tr(A + B - 2 (AB)^1/2), the last trace as the sum of singular values of A^1/2 B^1/2,
    so a covariance without full rank (fewer images than dimensions) needs no epsilon.
    """
    cross = float(np.linalg.svd(_root(cov_a) @ _root(cov_b), compute_uv=False).sum())
    shift = ((mean_a - mean_b) ** 2).sum()
    return max(float(shift + np.trace(cov_a) + np.trace(cov_b) - 2 * cross), 0.0)


def _root(covariance: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors * np.sqrt(np.clip(values, 0, None)) @ vectors.T)


def frechet(a: np.ndarray, b: np.ndarray) -> float:
    """Frechet distance of float[n, d] and float[m, d] (Heusel et al. 2017, eq. 6); 0 for the same.

    Covariances have the denominator n - 1, as is usual. NaN for fewer than two rows on a side.
    """
    if min(len(a), len(b)) < 2:
        return math.nan
    moments = [
        part
        for side in (a, b)
        for part in (side.mean(0), np.atleast_2d(np.cov(side, rowvar=False)))
    ]
    return frechet_of_normals(*moments)


def frechet_floor(
    reference: np.ndarray, size: int, rng: np.random.Generator, draws: int = 20
) -> tuple[float, float]:
    """Score of `size` real images against the others: mean and 95 % point over `draws` splits.

    Below this a faithful model cannot be distinguished from the reference float[m, d]. NaN where
    the split leaves fewer than two rows on a side.
    """
    if not 2 <= size <= len(reference) - 2:
        return math.nan, math.nan
    found = []
    for _ in range(draws):
        order = rng.permutation(len(reference))
        found.append(frechet(reference[order[:size]], reference[order[size:]]))
    return float(np.mean(found)), float(np.quantile(found, 0.95))


def frechet_infinity(
    a: np.ndarray, b: np.ndarray, rng: np.random.Generator, points: int = 8, draws: int = 4
) -> float:
    """The Frechet distance of infinitely many images: a line in 1 / n, extrapolated to 0.

    As Chong & Forsyth 2020 (CVPR, sec. 3.2), but with the same fraction of both sides at each
    point, because the reference's own sampling biases it as well. The bias is of order 1 / n only
    where there are several images per dimension. May be below 0. NaN for fewer than 20 rows on a
    side.
    """
    if min(len(a), len(b)) < 20:
        return math.nan
    shares = 1 / np.linspace(1, 2.5, points)
    values = [
        np.mean([frechet(_part(a, s, rng), _part(b, s, rng)) for _ in range(draws)]) for s in shares
    ]
    return float(np.polyfit(1 / shares, values, 1)[1])


def _part(rows: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    return rows[rng.choice(len(rows), round(share * len(rows)), replace=False)]


def mmd(a: np.ndarray, b: np.ndarray, kernel: Kernel) -> float:
    """Squared maximum mean discrepancy of float[n, d] and float[m, d], unbiased, so sometimes < 0.

    Gretton et al. 2012 (JMLR 13:723, eq. 3). NaN for fewer than two rows on a side.
    """
    n, m = len(a), len(b)
    if min(n, m) < 2:
        return math.nan
    return _within(kernel(a, a)) + _within(kernel(b, b)) - 2 * float(kernel(a, b).mean())


def _within(k: np.ndarray) -> float:
    """Mean of a kernel matrix without its diagonal."""
    n = len(k)
    return float((k.sum() - np.trace(k)) / (n * (n - 1)))


def cmmd(a: np.ndarray, b: np.ndarray) -> float:
    """CMMD of unit-length CLIP vectors float[n, d] and float[m, d] (Jayasumana et al. 2024).

    A thousand times the unbiased squared discrepancy under the Gaussian kernel of width 10. The
    published code keeps the diagonals, which adds 1000 (1 - mean similarity within) / n per side.
    """
    return CMMD_SCALE * mmd(a, b, gaussian_kernel)


def kid(a: np.ndarray, b: np.ndarray) -> float:
    """Kernel inception distance, unbiased, on all rows at once (Binkowski et al. 2018)."""
    return mmd(a, b, polynomial_kernel)


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

    The second of each pair names clusters (prompts); whole clusters change sides, because images of
    one prompt are dependent. p counts the observed arrangement (Phipson & Smyth 2010, eq. 2).
    """
    rows = np.concatenate([a[0], b[0]])
    groups = np.concatenate([_codes(a[1]), _codes(b[1]) + len(np.unique(a[1]))])
    if min(len(a[0]), len(b[0])) < 2:
        return Discrepancy(UNKNOWN, math.nan)
    k, first = kernel(rows, rows), np.arange(len(rows)) < len(a[0])
    seen = _of_sides(k, first[None])[0]
    sides = _shuffled(groups, first, rng, draws)
    p = (1 + int((_of_sides(k, sides) >= seen - 1e-12).sum())) / (1 + len(sides))

    def left(keep: np.ndarray) -> float:
        return float(_of_sides(k[np.ix_(keep, keep)], first[keep][None])[0])

    return Discrepancy(jackknife(left, groups, rng), p)


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
    estimate, codes = statistic(everyone), _codes(clusters)
    count = min(BLOCKS, len(np.unique(codes)))
    if count < 2 or not math.isfinite(estimate):
        return Interval(estimate, math.nan, math.nan)
    blocks = (rng.permutation(codes.max() + 1) % count)[codes]
    left = np.array([statistic(everyone[blocks != b]) for b in range(count)])
    error = math.sqrt((count - 1) / count * ((left - left.mean()) ** 2).sum())
    reach = float(student.ppf((1 + level) / 2, count - 1)) * error
    return Interval(estimate, estimate - reach, estimate + reach)


@dataclass(frozen=True)
class Pairs:
    """Vectors of pairs before and after float[n, d], and the prompt of each pair int[n]."""

    before: np.ndarray
    after: np.ndarray
    clusters: np.ndarray


def quality_change(
    pairs: Pairs, score: Callable[[np.ndarray], float], rng: np.random.Generator
) -> Interval:
    """How much farther the second side is from real images than the first.

    `score` gives a set's distance, such as `frechet_from(reference)`; the reference is taken as
    fixed. Both sides have the same number of images, so a bias that depends on this number cancels
    in the difference. Limits by leaving out prompts.
    """
    return jackknife(
        lambda keep: score(pairs.after[keep]) - score(pairs.before[keep]), pairs.clusters, rng
    )


def frechet_from(reference: np.ndarray) -> Callable[[np.ndarray], float]:
    """`frechet` to a fixed reference float[m, d], whose matrix root is computed once."""
    mean, covariance = reference.mean(0), np.atleast_2d(np.cov(reference, rowvar=False))
    root, trace = _root(covariance), float(np.trace(covariance))

    def distance(rows: np.ndarray) -> float:
        mine = np.atleast_2d(np.cov(rows, rowvar=False))
        cross = np.sqrt(np.clip(np.linalg.eigvalsh(root @ mine @ root), 0, None)).sum()
        shift = ((rows.mean(0) - mean) ** 2).sum()
        return max(float(shift + np.trace(mine) + trace - 2 * cross), 0.0)

    return distance


def mmd_change(
    pairs: Pairs, reference: np.ndarray, kernel: Kernel, rng: np.random.Generator
) -> Interval:
    """`quality_change` of the discrepancy from a reference float[m, d]; kernels computed once."""
    inside = [kernel(v, v) for v in (pairs.after, pairs.before)]
    across = [kernel(v, reference).mean(1) for v in (pairs.after, pairs.before)]

    def change(keep: np.ndarray) -> float:
        if len(keep) < 2:
            return math.nan
        here = np.ix_(keep, keep)
        after, before = (
            _within(k[here]) - 2 * float(c[keep].mean())
            for k, c in zip(inside, across, strict=True)
        )
        return after - before

    return jackknife(change, pairs.clusters, rng)
