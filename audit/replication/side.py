"""One side of an index, the training set or its twin: what is in it, and exact search."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import faiss
import numpy as np
import pyarrow as pa
import pyarrow.compute as compute

from audit.replication import shards
from audit.replication.corpus import Entry
from audit.replication.shards import Shard

IN_MEMORY = 2 << 30
"""Bytes of descriptors, as float32, up to which a side is searched from memory."""
BLOCK = 1 << 26
"""Bytes of descriptors, as float32, that are searched at once where a side is larger."""

faiss.cvar.distance_compute_blas_threshold = 1  # small query sets are 8 times slower without


class Side:
    """The training set, or its held-out twin, as an index has it."""

    def __init__(self, parts: Sequence[Shard], dimensions: int) -> None:
        self.parts = tuple(parts)
        self.dimensions = dimensions

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

    def blocks(self, size: int = BLOCK) -> Iterator[np.ndarray]:
        """float32[n, d] pieces in order, at most `size` bytes each."""
        rows = max(1, size // (4 * self.dimensions))
        for part in self.parts:
            stored = part.vectors()
            for start in range(0, len(stored), rows):
                yield np.asarray(stored[start : start + rows], np.float32)

    @cached_property
    def _flat(self) -> Any:
        index = faiss.IndexFlatIP(self.dimensions)
        for block in self.blocks():
            index.add(block)
        return index

    def nearest(self, vectors: np.ndarray, k: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """Exact top-k cosines float32[n, k] and positions int64[n, k]; NaN and -1 beyond the end.

        Equal cosines are in the order of their positions where a side is larger than memory allows.
        """
        if not len(self) or not len(vectors):
            return np.full((len(vectors), k), np.nan, np.float32), np.full((len(vectors), k), -1)
        queries = np.ascontiguousarray(vectors, np.float32)
        if queries.shape[1] != self.dimensions:
            raise ValueError(f"{queries.shape[1]} numbers a query, {self.dimensions} in the index.")
        if len(self) * self.dimensions * 4 <= IN_MEMORY:
            scores, where = self._flat.search(queries, k)
        else:
            scores, where = self._stream(queries, k)
        return np.where(where < 0, np.nan, scores).astype(np.float32), where

    def _stream(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        best = np.full((len(queries), k), -np.inf, np.float32)
        where, start = np.full((len(queries), k), -1), 0
        for block in self.blocks():
            scores, at = faiss.knn(queries, block, min(k, len(block)), faiss.METRIC_INNER_PRODUCT)
            both = np.concatenate([best, scores], 1)
            places = np.concatenate([where, at + start], 1)
            order = np.argsort(-both, axis=1, kind="stable")[:, :k]
            best, where = (np.take_along_axis(a, order, 1) for a in (both, places))
            start += len(block)
        return best, where
