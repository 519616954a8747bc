"""Local search: the most similar pair of crops of two images, exact over all indexed images.

An image of a local index is one row: the unit vectors of its crops one after another, divided by
the root of their number, so the row has unit length too. `encoders.tiles` has the reasons.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from audit.evidence.copies import merge
from audit.evidence.copies.merge import SPARE, Blocks, Rows, Top

CHUNK = 64


def crops(rows: np.ndarray, count: int) -> np.ndarray:
    """float32[n, count * d] rows of a local index to float32[n, count, d], crops of unit length.

    Raises ValueError where rows are not made of this many crops.
    """
    if rows.shape[1] % count:
        raise ValueError(f"{rows.shape[1]} numbers are not {count} crops.")
    wide = np.asarray(rows, np.float32).reshape(len(rows), count, -1)
    return np.asarray(wide * np.float32(np.sqrt(count)))


def local_similarities(generated: np.ndarray, references: np.ndarray) -> np.ndarray:
    """Local similarity of every pair: float32[n, c, d] and float32[m, c', d] to float32[n, m].

    Raises ValueError where there is no crop or the widths differ.
    """
    if not generated.shape[1] or not references.shape[1]:
        raise ValueError("an image without crops has no similarity")
    if generated.shape[2] != references.shape[2]:
        raise ValueError(f"widths differ: {generated.shape[2]} and {references.shape[2]}")
    best = np.empty((len(generated), len(references)), np.float32)
    for i, some in enumerate(generated):  # one at a time: all products at once are n m c c' values
        for j in range(0, len(references), CHUNK):
            others = references[j : j + CHUNK]
            products = others.reshape(-1, others.shape[2]) @ some.T
            best[i, j : j + CHUNK] = products.reshape(len(others), -1).max(axis=1)
    return best


def similarities(left: np.ndarray, right: np.ndarray, count: int) -> np.ndarray:
    """float32[n, m] of float32[n, d] and float32[m, d]: cosines, or local ones of `count` crops."""
    if count == 1:
        return np.asarray(left @ right.T)
    return local_similarities(crops(left, count), crops(right, count))


def nearest(
    queries: np.ndarray, blocks: Callable[[], Blocks], rows: Rows, k: int, count: int
) -> Top:
    """The first k of all blocks by local similarity for float32[n, count * d]: every pair of crops.

    Float32 products choose k + SPARE candidates, which are scored again in float64, each pair
    alone; equal scores are in the order of their positions.
    """
    own = crops(queries, count)
    top = np.full((len(queries), 0), -np.inf, np.float32)
    where = np.full((len(queries), 0), -1)
    for positions, block in blocks():
        rough = local_similarities(own, crops(block, count))
        both = np.concatenate([top, rough], axis=1)
        places = np.concatenate([where, np.broadcast_to(positions, rough.shape)], axis=1)
        order = np.argsort(-both, axis=1, kind="stable")[:, : k + SPARE]
        top, where = (np.take_along_axis(a, order, 1) for a in (both, places))
    return merge.best(scored(queries, where, rows, count), where, k)


def scored(queries: np.ndarray, positions: np.ndarray, rows: Rows, count: int) -> np.ndarray:
    """Local similarity float32[n, m] with the rows at int64[n, m]; NaN for -1."""
    out = np.full(positions.shape, np.nan, np.float32)
    for i, places in enumerate(positions):
        there = np.flatnonzero(places >= 0)
        for at, (score, _, _) in zip(
            there, matched(queries[i], rows(places[there]), count), strict=True
        ):
            out[i, at] = score
    return out


def matched(query: np.ndarray, rows: np.ndarray, count: int) -> list[tuple[float, int, int]]:
    """For float32[count * d] and each of float32[m, count * d]: score and crop of either image.

    The score is a float64 cosine; of equal ones the first crop counts.
    """
    own = crops(query[None], count)[0].astype(np.float64)
    found = []
    for row in rows:
        products = own @ crops(row[None], count)[0].astype(np.float64).T
        place = int(products.argmax())
        found.append((float(products.flat[place]), *divmod(place, count)))
    return found
