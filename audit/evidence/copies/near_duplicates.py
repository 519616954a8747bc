"""Near-duplicates inside a training set and between its sides: all pairs, exact, in blocks.

Repeated images are what models copy most (Carlini et al. 2023, sec. 4.4; Somepalli et al. 2023b),
and a held-out image that is a near-duplicate of a training image breaks the twin design: a copy of
one is near to the other. All pairs cost n^2 d / 2 multiplications: minutes for 100,000
images, and nothing is missed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Protocol

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

ROWS = 2048
"""Vectors of each side that are compared at once: 16 MB of cosines."""
UNSURE = 1e-5
"""A float32 cosine this near to the limit is computed again in float64."""
PAIRS = 1 << 21
"""Pairs that are kept before they are merged into clusters."""
ROUNDING = 1e-9
"""How far a float64 cosine of equal vectors may be below 1."""


class Vectors(Protocol):
    """The part of one side of an index that is used here (`audit.evidence.copies.side.Side`)."""

    dimensions: int

    def __len__(self) -> int: ...

    def blocks(self, size: int) -> Iterator[np.ndarray]:
        """float32[n, d] pieces in order, at most `size` bytes each."""


def clusters(side: Vectors, cosine: float, rows: int = ROWS) -> np.ndarray:
    """Cluster of each image, int64[n]: the position of its first member.

    Two images are joined where their cosine is at least `cosine`, and a cluster is a connected
    component: near-duplicates A, B and B, C are one cluster even where A and C are too far apart.
    So a long chain may join images that are not alike: a low cosine joins everything. Raises
    ValueError for a cosine outside -1..1.
    """
    label = np.arange(len(side))
    start = 0
    for place, block in enumerate(_blocks(side, rows)):
        pairs, other = [], start
        for against in islice(_blocks(side, rows), place, None):
            a, b = _near(block, against, cosine)
            pairs.append((a + start, b + other))
            if sum(len(p) for p, _ in pairs) > PAIRS:  # ten thousand blank images are 10^8 pairs
                label, pairs = _joined(label, pairs), []
            other += len(against)
        label = _joined(label, pairs)
        start += len(block)
    return label


def both(
    train: Vectors, held: Vectors, cosine: float, rows: int = ROWS
) -> tuple[np.ndarray, np.ndarray]:
    """Which training and which held-out images have a near-duplicate on the other side.

    bool[len(train)] and bool[len(held)]; the twin must exclude them. Raises ValueError for a cosine
    outside -1..1 or sides of different descriptors.
    """
    if len(train) and len(held) and train.dimensions != held.dimensions:
        raise ValueError(f"vectors of {train.dimensions} and {held.dimensions} have no cosine")
    mine, other = np.zeros(len(train), bool), np.zeros(len(held), bool)
    start = 0
    for block in _blocks(held, rows):
        place = 0
        for against in _blocks(train, rows):
            a, b = _near(block, against, cosine)
            other[start + a], mine[place + b] = True, True
            place += len(against)
        start += len(block)
    return mine, other


def copies(label: np.ndarray, repeats: Sequence[int]) -> np.ndarray:
    """How often the training set contains each image's cluster, int64[n], from image repeats.

    Raises ValueError where lengths differ.
    """
    if len(label) != len(repeats):
        raise ValueError(f"{len(label)} images cannot have {len(repeats)} repeats")
    place = np.unique(label, return_inverse=True)[1]
    return np.bincount(place, weights=np.asarray(repeats, float)).astype(np.int64)[place]


def _blocks(side: Vectors, rows: int) -> Iterator[np.ndarray]:
    """Pieces of at most `rows` vectors, of unit length whatever their stored type."""
    for block in side.blocks(4 * side.dimensions * rows) if len(side) else ():
        lengths = np.linalg.norm(block, axis=1, keepdims=True)
        yield block / np.where(lengths > 0, lengths, 1)


def _near(a: np.ndarray, b: np.ndarray, cosine: float) -> tuple[np.ndarray, np.ndarray]:
    """Positions in a and in b of all pairs whose cosine is at least the limit.

    A float32 product depends on the shape of its blocks in the last digits; pairs that
    this could decide are computed again, so the result does not depend on how the set was cut.
    """
    if not -1 <= cosine <= 1:
        raise ValueError(f"a cosine is between -1 and 1, not {cosine}")
    products = a @ b.T
    first, second = np.nonzero(products >= cosine - UNSURE)
    sure = products[first, second] >= cosine + UNSURE
    doubt = np.flatnonzero(~sure)
    for some in np.array_split(doubt, len(doubt) // 65536 + 1):
        x, y = (v.astype(np.float64) for v in (a[first[some]], b[second[some]]))
        scale = np.linalg.norm(x, axis=1) * np.linalg.norm(y, axis=1)
        exact = (x * y).sum(axis=1) / np.where(scale > 0, scale, 1)
        sure[some] = exact >= cosine - ROUNDING
    return first[sure], second[sure]


def _joined(label: np.ndarray, pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Clusters after these pairs, each still named by its first member."""
    first = np.concatenate([np.arange(len(label)), *(a for a, _ in pairs)])
    second = np.concatenate([label, *(b for _, b in pairs)])
    links = coo_array((np.ones(len(first), bool), (first, second)), shape=(len(label),) * 2)
    part = connected_components(links, directed=False)[1]
    return np.asarray(np.unique(part, return_index=True)[1][part])
