"""One side of an index, the training set or its twin: its contents, and exact search."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as compute

from audit.datasets.source import Entry
from audit.evidence.copies import local, merge, shards
from audit.evidence.copies.shards import Shard

IN_MEMORY = 2 << 30
"""Bytes of descriptors, as float32, up to which a side is searched from memory."""
BLOCK = 1 << 26
"""Bytes of descriptors, as float32, that are searched at once in a larger side."""


class Finder(Protocol):
    """Guesses the positions of the nearest vectors; it returns no scores."""

    def candidates(self, queries: np.ndarray, k: int, kept: np.ndarray | None) -> np.ndarray:
        """Positions int64[n, m], m >= k, of candidates for float32[n, d], -1 where there are fewer.

        Only positions that bool[N] `kept` allows; None allows all.
        """


class Side:
    """The training set, or its held-out twin, in an index."""

    def __init__(
        self, parts: Sequence[Shard], dimensions: int, left_out: np.ndarray | None = None,
        finder: Finder | None = None, crops: int = 1,
    ) -> None:  # fmt: skip
        self.parts = tuple(parts)
        self.dimensions = dimensions
        self.left_out = np.zeros(len(self), bool) if left_out is None else left_out
        """bool[n]: positions that are never found."""
        self.finder = finder
        """Chooses the vectors that are compared exactly; None compares all."""
        self.crops = crops
        """Crops whose vectors a row contains, all pairs compared; 1 for whole images."""

    def __len__(self) -> int:
        return sum(p.rows for p in self.parts)

    @property
    def images(self) -> int:
        """Readable images with their repeats."""
        return sum(p.images for p in self.parts)

    @cached_property
    def _table(self) -> pa.Table:
        tables = [p.table() for p in self.parts] or [shards.COLUMNS.empty_table()]
        return pa.concat_tables([t.replace_schema_metadata(None) for t in tables])

    @cached_property
    def _known(self) -> pa.Table:
        return self._table.filter(compute.greater_equal(self._table["row"], 0))

    @cached_property
    def skipped(self) -> dict[str, str]:
        """Images that have no vector, with the reason."""
        lost = self._table.filter(compute.less(self._table["row"], 0))
        return dict(zip(lost["id"].to_pylist(), lost["reason"].to_pylist(), strict=True))

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """All images with a vector, in the order of their positions."""
        columns = (self._known[c].to_pylist() for c in ("id", "caption", "repeats"))
        return tuple(Entry(*row) for row in zip(*columns, strict=True))

    def entry(self, position: int) -> Entry:
        """One image by its position, without listing all."""
        row = self._known.slice(position, 1)
        return Entry(*(row[c][0].as_py() for c in ("id", "caption", "repeats")))

    @cached_property
    def _content(self) -> np.ndarray:
        """object[n]: hashes of the images' pixels; empty in an index of format 1."""
        return np.array(self._known["content"].to_pylist(), object)

    @cached_property
    def _held(self) -> np.ndarray:
        """int64[n]: how often the set contains each image, counted over all with its pixels."""
        own = np.asarray(self._known["repeats"], np.int64)
        known = self._content != ""
        _, group = np.unique(self._content[known].astype(str), return_inverse=True)
        out = own.copy()
        out[known] = np.bincount(group, own[known])[group] if known.any() else 0
        return out

    def times(self, position: int) -> int:
        """How often the set contains an image: its own repeats, and those of the same pixels."""
        return int(self._held[position])

    @property
    def repeated(self) -> int:
        """Images with a vector that have the same pixels as an earlier one."""
        known = self._content[self._content != ""]
        return len(known) - len(set(known))

    def shared(self, other: Side) -> np.ndarray:
        """bool[n]: images whose pixels are those of an image of another side."""
        there = set(other._content) - {""}
        return np.array([c in there for c in self._content], bool)

    def blocks(self, size: int = BLOCK) -> Iterator[np.ndarray]:
        """float32[n, d] pieces in order, at most `size` bytes each."""
        rows = max(1, size // (4 * self.dimensions))
        for part in self.parts:
            stored = part.vectors()
            for start in range(0, len(stored), rows):
                yield np.asarray(stored[start : start + rows], np.float32)

    def without(self, left_out: np.ndarray) -> Side:
        """This side, with the same positions, in which those of bool[n] are never found."""
        left_out = self.left_out | left_out
        return Side(self.parts, self.dimensions, left_out, self.finder, self.crops)

    def through(self, finder: Finder | None) -> Side:
        """This side, searched among candidates only; with None, exactly."""
        return Side(self.parts, self.dimensions, self.left_out, finder, self.crops)

    def rows(self, positions: np.ndarray) -> np.ndarray:
        """float32[m, d] at int64[m] positions, in any order, without reading the others."""
        if "_memory" in vars(self):
            return self._memory[positions]
        order = np.argsort(positions, kind="stable")
        edges = np.cumsum([0, *(p.rows for p in self.parts)])
        cuts = np.searchsorted(positions[order], edges)
        out = np.empty((len(positions), self.dimensions), np.float32)
        for i in np.flatnonzero(np.diff(cuts)):
            here = order[cuts[i] : cuts[i + 1]]
            out[here] = self.parts[i].vectors()[positions[here] - edges[i]]
        return out

    def score(self, queries: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """Exact similarity float32[n, m] of float32[n, d] with the rows at int64[n, m].

        The cosine; where rows contain crops, the largest of any two crops.
        """
        wide = np.ascontiguousarray(queries, np.float32)
        if self.crops > 1:
            return local.scored(wide, positions, self.rows, self.crops)
        return merge.scored(wide, positions, self.rows)

    @property
    def _small(self) -> bool:
        return self.finder is None and len(self) * self.dimensions * 4 <= IN_MEMORY

    @cached_property
    def _memory(self) -> np.ndarray:
        """float32[n, d]: all vectors, filled block by block: in memory only once."""
        out, start = np.empty((len(self), self.dimensions), np.float32), 0
        for block in self.blocks():
            out[start : start + len(block)] = block
            start += len(block)
        return out

    def _searched(self) -> merge.Blocks:
        """The blocks with their positions, without what is left out."""
        step, start = max(1, BLOCK // (4 * self.dimensions)), 0
        small = (self._memory[i : i + step] for i in range(0, len(self), step))
        for block in small if self._small else self.blocks():
            kept = ~self.left_out[start : start + len(block)]
            places = start + np.flatnonzero(kept)
            yield places, block if kept.all() else block[kept]
            start += len(block)

    def nearest(self, vectors: np.ndarray, k: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """Top-k similarities float32[n, k] and positions int64[n, k]; NaN and -1 beyond the end.

        Every one is computed from the stored vectors, each pair alone: it is the same wherever
        and however it was found; equal ones are in the order of their positions. Without a finder
        every vector is compared.
        """
        if self.left_out.all() or not len(vectors):
            return np.full((len(vectors), k), np.nan, np.float32), np.full((len(vectors), k), -1)
        queries = np.ascontiguousarray(vectors, np.float32)
        if queries.shape[1] != self.dimensions:
            raise ValueError(
                f"{queries.shape[1]} numbers per query, {self.dimensions} in the index."
            )
        if self.crops > 1:
            return local.nearest(queries, self._searched, self.rows, k, self.crops)
        if self.finder is None:
            return merge.nearest(queries, self._searched, self.rows, k)
        kept = ~self.left_out if self.left_out.any() else None
        where = self.finder.candidates(queries, k, kept)
        return merge.best(self.score(queries, where), where, k)
