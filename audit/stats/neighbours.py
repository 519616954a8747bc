"""Nearest neighbours and distances, exact, and block by block to bound memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

ENTRIES = 2**22
"""Distances in memory at a time: 32 MiB."""
SMALL = 1e-8
"""Share of the squared norms; smaller squared distances are measured by plain differences."""


def check(*sets: np.ndarray) -> tuple[np.ndarray, ...]:
    """The sets as float64[n, d]; ValueError unless all are finite and have the same d."""
    out = tuple(np.asarray(s, float) for s in sets)
    if any(s.ndim != 2 for s in out) or len({s.shape[-1] for s in out}) > 1:
        raise ValueError(f"Features must be [n, d] with the same d, not {[s.shape for s in out]}.")
    if not all(np.isfinite(s).all() for s in out):
        raise ValueError("Features must be finite: leave out what is missing, and count it.")
    return out


def blocks(a: np.ndarray, b: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Squared distances float[rows, m] of successive rows of `a` float[n, d] to `b` float[m, d].

    By the dot product, except for pairs so near that it would lose more than half of the digits: a
    copy is at exactly 0.
    """
    square_a, square_b = (a**2).sum(1), (b**2).sum(1)
    step = max(1, ENTRIES // max(1, len(b)))
    for start in range(0, len(a), step):
        rows = slice(start, min(start + step, len(a)))
        squares = a[rows] @ b.T
        squares *= -2
        squares += square_a[rows, None]
        squares += square_b
        i, j = np.nonzero(squares < SMALL * (square_a[rows, None] + square_b))
        for some in np.array_split(np.arange(len(i)), 1 + len(i) * a.shape[1] // ENTRIES):
            squares[i[some], j[some]] = ((a[rows][i[some]] - b[j[some]]) ** 2).sum(1)
        yield rows, squares


def nearest(
    a: np.ndarray, b: np.ndarray, k: int = 1, own: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Distances float[n, k] of rows of `a` to their k nearest in `b`, ascending, and indices.

    `a` float[n, d], `b` float[m, d]. `own` int[n] is the row of `b` that is the query itself, which
    does not count as its neighbour; -1 for none. The dot product selects, plain differences
    measure: a copy is at exactly 0. Ties are in the order of `b`. Raises ValueError for too few
    points.
    """
    if k < 1 or k > len(b) - (own is not None):
        raise ValueError(f"Cannot find {k} neighbours among {len(b)} points.")
    near, where = np.empty((len(a), k)), np.empty((len(a), k), int)
    for rows, squares in blocks(a, b):
        if own is not None:
            at = np.flatnonzero(own[rows] >= 0)
            squares[at, own[rows][at]] = np.inf
        few = np.argpartition(squares, k - 1, axis=1)[:, :k]
        few = np.sort(few, axis=1)
        exact = np.column_stack([
            np.sqrt(((a[rows] - b[few[:, j]]) ** 2).sum(1)) for j in range(k)
        ])  # fmt: skip
        order = np.argsort(exact, axis=1, kind="stable")
        near[rows] = np.take_along_axis(exact, order, 1)
        where[rows] = np.take_along_axis(few, order, 1)
    return near, where


@dataclass(frozen=True)
class Lists:
    """The nearest `DEPTH` reference images of each query, to look up those of any subset."""

    queries: np.ndarray
    references: np.ndarray
    own: np.ndarray | None
    near: np.ndarray
    where: np.ndarray

    DEPTH = 32

    @classmethod
    def of(cls, queries: np.ndarray, references: np.ndarray, itself: bool = False) -> Lists:
        """Lists of float[n, d] in float[m, d]; `itself`: both are one set in one order."""
        own = np.arange(len(queries)) if itself else None
        k = min(cls.DEPTH, len(references) - itself)
        return cls(queries, references, own, *nearest(queries, references, k, own))

    def among(
        self, subset: np.ndarray, rows: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Distance float[r] and index int[r] of the nearest reference in `subset` bool[m].

        For the queries `rows` int[r], or all. Exact: queries whose list misses the subset are
        searched again. NaN and -1 where the subset contains nothing but the query.
        """
        rows = np.arange(len(self.queries)) if rows is None else rows
        inside = subset[self.where[rows]]
        first = inside.argmax(1)
        found = inside[np.arange(len(rows)), first]
        near = np.where(found, self.near[rows, first], np.nan)
        where = np.where(found, self.where[rows, first], -1)
        if not found.all():
            late = np.flatnonzero(~found)
            near[late], where[late] = self._search(subset, rows[late])
        return near, where

    def _search(self, subset: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        places = np.flatnonzero(subset)
        near, where = np.full(len(rows), np.nan), np.full(len(rows), -1)
        own = None
        if self.own is not None:
            spot = np.full(len(subset), -1)
            spot[places] = np.arange(len(places))
            own = spot[self.own[rows]]
        able = np.full(len(rows), len(places) > 0)
        if own is not None and len(places) == 1:
            able = own < 0
            own = None
        if able.any():
            others = self.references[places]
            mine = None if own is None else own[able]
            distances, at = nearest(self.queries[rows[able]], others, 1, mine)
            near[able], where[able] = distances[:, 0], places[at[:, 0]]
        return near, where
