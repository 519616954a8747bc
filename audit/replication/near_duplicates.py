"""Pictures that a set holds more than once, and those that stand on both sides of a split.

Repeats decide what is copied, and a held-out picture that is in the training set as well hides the
copies of it. Neighbours are exact, found block against block, and clusters are the connected
components, as de-duplication of web-scale sets has them (Webster et al. 2023, arXiv 2303.12733).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from audit.replication.side import Side

BLOCK = 1 << 24
"""Bytes of descriptors that are compared at once, on either side."""


def pairs(side: Side, cosine: float) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Positions i < j, int64[m] each, of pictures at least that near; block by block.

    Work grows with the square of the set: ten thousand pictures take a second, a million hours.
    """
    first = 0
    for left in side.blocks(BLOCK):
        second = 0
        for right in side.blocks(BLOCK):
            if second + len(right) > first:
                i, j = np.nonzero(left @ right.T >= cosine)
                i, j = i + first, j + second
                yield i[i < j], j[i < j]
            second += len(right)
        first += len(left)


def clusters(side: Side, cosine: float) -> np.ndarray:
    """int64[n]: the cluster of each picture, numbered by first appearance.

    A cluster is what a chain of pairs at least `cosine` alike holds together.
    """
    found = [np.stack(p) for p in pairs(side, cosine)]
    i, j = np.concatenate([np.empty((2, 0), np.int64), *found], axis=1)
    graph = coo_array((np.ones(len(i), bool), (i, j)), shape=(len(side), len(side)))
    labels = connected_components(graph, directed=False)[1]
    _, first, back = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[back]


def across(train: Side, held: Side, cosine: float) -> np.ndarray:
    """bool[len(held)]: held-out pictures that are in the training set too, or nearly.

    A copy of such a picture is as near to its twin as to its source, so that it can never be told
    from chance: left in, they hide copies.
    """
    if not len(train) or not len(held):
        return np.zeros(len(held), bool)
    near = [train.nearest(block)[0][:, 0] for block in held.blocks(BLOCK)]
    return np.asarray(np.concatenate(near) >= cosine)
