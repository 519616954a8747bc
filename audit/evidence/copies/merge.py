"""Exact top-k of vectors that come in blocks: bit-identical however they are cut.

A float32 matrix product rounds by the shape of its blocks, and a heap keeps any of equal scores. So
products only choose candidates; these are scored one by one in float64, and where rounding or a tie
leaves the first k open, every vector that may belong to them is scored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import faiss
import numpy as np

Top = tuple[np.ndarray, np.ndarray]
"""Scores float32[n, k] and positions int64[n, k], best first; NaN and -1 where there are fewer."""
Blocks = Iterable[tuple[np.ndarray, np.ndarray]]
"""Positions int64[m], ascending, with vectors float32[m, d] of at most unit length."""
Rows = Callable[[np.ndarray], np.ndarray]
"""Positions int64[m], ascending, to vectors float32[m, d]."""

SPARE = 8
"""Candidates beyond k: a near tie seldom needs a second pass over all vectors."""
AT_ONCE = 1 << 26
"""Bytes that are compared at once when candidates are scored."""

faiss.cvar.distance_compute_blas_threshold = 1  # small query sets are 8 times slower without
faiss.cvar.distance_compute_blas_database_bs = 4096  # threads meet after each 1024 otherwise


def best(scores: np.ndarray, positions: np.ndarray, k: int) -> Top:
    """The first k of float32[n, m] at int64[n, m]: highest first, equal ones by their positions.

    Entries at position -1 do not count. Raises ValueError for k < 1.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, not {k}.")
    down = np.where(positions < 0, np.inf, -scores)
    order = np.lexsort((positions, down), axis=1)[:, :k]
    top, where = np.take_along_axis(scores, order, 1), np.take_along_axis(positions, order, 1)
    short = ((0, 0), (0, k - order.shape[1]))
    where = np.pad(where, short, constant_values=-1)
    top = np.pad(top, short)
    return np.where(where < 0, np.nan, top).astype(np.float32), where


def products(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Dot products float32[n] of the rows of float[n, d] and float[n, d], rounded once.

    The sum is float64 along one row, so a score depends only on its two vectors.
    """
    out = np.empty(len(left), np.float32)
    for here in _slices(len(left), 16 * left.shape[1]):
        out[here] = (left[here].astype(np.float64) * right[here]).sum(axis=1)
    return out


def scored(queries: np.ndarray, positions: np.ndarray, rows: Rows) -> np.ndarray:
    """Exact scores float32[n, m] of float32[n, d] with the vectors at int64[n, m]; NaN for -1."""
    out = np.full(positions.shape, np.nan, np.float32)
    width = max(positions.shape[1], 1)
    for here in _slices(len(queries), 4 * queries.shape[1] * width):
        query, column = np.nonzero(positions[here] >= 0)
        places, back = np.unique(positions[here][query, column], return_inverse=True)
        found = products(queries[here][query], rows(places)[back])
        out[here][query, column] = found
    return out


def nearest(queries: np.ndarray, blocks: Callable[[], Blocks], rows: Rows, k: int) -> Top:
    """The first k of all blocks for float32[n, d], exactly; equal scores by their positions.

    `blocks` is called again where there are too many candidates. The result does not depend on how
    the vectors are cut into blocks.
    """
    rough, places = _candidates(queries, blocks(), k + SPARE)
    error = _rounding(queries)
    behind = rough < (rough[:, k - 1] - 2 * error)[:, None]  # whatever the rounding
    near = np.where(behind, -1, places)
    scores, where = best(scored(queries, near, rows), near, k)
    floor = scores[:, -1] - error
    unsure = (places[:, -1] >= 0) & (rough[:, -1] >= floor)
    if unsure.any():
        scores[unsure], where[unsure] = _above(queries[unsure], floor[unsure], blocks(), k)
    return scores, where


def _rounding(queries: np.ndarray) -> np.ndarray:
    """How far a float32 product may be from the score: |fl(x'y) - x'y| <= gamma_d |x||y|.

    Higham 2002, Accuracy and Stability of Numerical Algorithms, eq. 3.5, for any order of the sum;
    one per cent is for vectors that half precision made slightly longer than 1.
    """
    size = np.linalg.norm(queries.astype(np.float64), axis=1)
    return np.asarray(1.01 * (queries.shape[1] + 2) * 2.0**-24 * size)


def _candidates(queries: np.ndarray, blocks: Blocks, count: int) -> Top:
    """The first `count` by float32 products, ties in any order; -inf and -1 beyond the end."""
    top = np.full((len(queries), count), -np.inf, np.float32)
    where = np.full((len(queries), count), -1)
    for positions, block in blocks:
        if not len(block):
            continue
        scores, at = faiss.knn(
            queries, np.ascontiguousarray(block), min(count, len(block)), faiss.METRIC_INNER_PRODUCT
        )
        both = np.concatenate([top, scores], 1)
        places = np.concatenate([where, positions[at]], 1)
        order = np.argsort(-both, axis=1, kind="stable")[:, :count]
        top, where = (np.take_along_axis(a, order, 1) for a in (both, places))
    return top, where


def _above(queries: np.ndarray, floor: np.ndarray, blocks: Blocks, k: int) -> Top:
    """The first k among all whose float32 product reaches `floor`, float[n]: k of them or more."""
    query = place = np.empty(0, np.int64)
    score = np.empty(0, np.float32)
    for positions, block in blocks:
        for here in _slices(len(queries), 4 * max(len(block), 1)):
            q, r = np.nonzero(queries[here] @ block.T >= floor[here, None])
            found = [products(queries[here][q[s]], block[r[s]]) for s in _gathered(q, block)]
            query = np.concatenate([query, q + here.start])
            score = np.concatenate([score, *found])
            place = np.concatenate([place, positions[r]])
        query, score, place = _first(query, score, place, k)
    return score.reshape(-1, k), place.reshape(-1, k)


def _first(query: np.ndarray, score: np.ndarray, place: np.ndarray, k: int) -> list[np.ndarray]:
    """The first k of each query in a flat list, in order."""
    order = np.lexsort((place, -score, query))
    query, score, place = query[order], score[order], place[order]
    keep = np.arange(len(query)) - np.searchsorted(query, query) < k
    return [query[keep], score[keep], place[keep]]


def _gathered(hits: np.ndarray, block: np.ndarray) -> Iterator[slice]:
    return _slices(len(hits), 4 * block.shape[1])


def _slices(n: int, each: int) -> Iterator[slice]:
    """Slices of 0..n of about AT_ONCE bytes, `each` an item."""
    step = max(AT_ONCE // each, 1)
    return (slice(i, min(i + step, n)) for i in range(0, n, step))
