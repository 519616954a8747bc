"""How many different things a set of images shows, and whether two arms differ in this.

The score grows with the number of images and never exceeds it, so only sets of one size are
comparable: every comparison here is made at a size that both sides have.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.linalg import eigvalsh


def unit(vectors: np.ndarray) -> np.ndarray:
    """Rows of float[n, d] at unit length, float64; ValueError for a row of zeros or of NaN."""
    rows = np.asarray(vectors, float)
    if rows.ndim != 2:
        raise ValueError(f"Vectors must be float[n, d], not of shape {rows.shape}.")
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    if not (np.isfinite(lengths).all() and (lengths > 0).all()):
        raise ValueError("A vector without a direction has no cosine with others.")
    return rows / lengths


def spectrum(vectors: np.ndarray) -> np.ndarray:
    """Eigenvalues of the cosine matrix of float[n, d] over n, float64[min(n, d)]; they sum to 1.

    X X' and X' X have the same ones except for zeros, so the smaller of both is decomposed.
    """
    rows = unit(vectors)
    n, d = rows.shape
    values = eigvalsh(rows @ rows.T if n <= d else rows.T @ rows) / n
    return np.clip(values, 0, None)


def vendi(vectors: np.ndarray, order: float = 1.0) -> float:
    """Effective number of different rows of float[n, d] under the cosine, 1..min(n, d).

    The exponential of the entropy of the cosine matrix's eigenvalues over n (Friedman & Dieng 2023,
    TMLR, def. 3.1); other orders are Hill numbers, from 0 exclusive to infinity, of which larger
    ones depend on the most common only (Pasarkar & Dieng 2024, eq. 4). n vectors can never show
    more than n kinds: the score of a sample is below that of its population, the more so the
    smaller n. NaN for no rows. Raises ValueError for an order of 0 or less and for vectors without
    a direction.
    """
    if not order > 0:
        raise ValueError(f"The order must be above 0, not {order}.")
    if len(vectors) == 0:
        return math.nan
    w = spectrum(vectors)
    if math.isinf(order):
        return float(1 / w.max())
    w = w[w > 1e-14]  # drops zeros that rounding has moved
    if order == 1:
        return float(np.exp(-(w * np.log(w)).sum()))
    return float((w**order).sum() ** (1 / (1 - order)))


def vendi_at(
    vectors: np.ndarray, size: int, rng: np.random.Generator, draws: int = 20, order: float = 1.0
) -> float:
    """Mean score of random subsets of `size` rows of float[n, d], which makes groups comparable.

    As rarefaction does for species (Hurlbert 1971, Ecology 52:577): an unbiased estimate of the
    score of `size` new images. Nothing is drawn where `size` is n. NaN where there are fewer rows.
    Raises ValueError for a size below 2, whose score is always 1.
    """
    if size < 2:
        raise ValueError(f"One image has no diversity: the size must be 2 or more, not {size}.")
    if len(vectors) < size:
        return math.nan
    if len(vectors) == size:
        return vendi(vectors, order)
    picks = [rng.choice(len(vectors), size, replace=False) for _ in range(draws)]
    return float(np.mean([vendi(vectors[p], order) for p in picks]))


def vendi_changes(
    before: tuple[np.ndarray, np.ndarray], after: tuple[np.ndarray, np.ndarray], size: int,
    rng: np.random.Generator, order: float = 1.0,
) -> dict[int, float]:  # fmt: skip
    """Change of the score at `size` in each group that has as many rows on both sides.

    Each side is vectors float[n, d] and groups int[n]. Resample groups, not images: a bootstrap of
    images would put the same image into a set twice and so lower its diversity.
    """
    out = {}
    for g in np.intersect1d(before[1], after[1]):
        sides = [v[groups == g] for v, groups in (before, after)]
        if min(len(s) for s in sides) >= size:
            was, now = (vendi_at(s, size, rng, order=order) for s in sides)
            out[int(g)] = now - was
    return out
