"""Parquet tables of images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from audit.datasets import pixels
from audit.datasets.batches import batches, rows, texts
from audit.datasets.damage import reading
from audit.datasets.source import Key, Unit
from audit.datasets.table import Cursor, Rows
from audit.errors import UserError

HELD_BYTES = 128 << 20
"""Row groups up to this size are kept in memory while images are read from them."""


class Parquet(Rows):
    """Parquet tables with image bytes or paths; a large one is read in windows of row groups."""

    kind, what = "Parquet", "Parquet"
    window = 65_536
    """Minimum rows of a window; windows keep memory from growing with the length of a table."""
    _footer: tuple[Key, Any, np.ndarray] | None = None

    def units(self) -> Sequence[Unit]:
        """One for each table, or for each window of one that has several; sorted by name."""
        found = []
        for unit in super().units():
            starts = sorted(self._windows(self.files[unit.id]))
            several = [Unit(f"{unit.id}#{start}", unit.stamp) for start in starts]
            found += several if len(several) > 1 else [unit]
        return found

    def about(self, unit: Unit) -> int:
        """By the size of the table; a window has a part of it that is known by its rows."""
        return self.window if "#" in unit.id else super().about(unit)

    def _windows(self, path: Path) -> dict[int, list[int]]:
        """Row groups by the first row of their window; empty for a table that cannot be read."""
        import pyarrow.parquet as parquet

        try:
            with reading(path, self.what):
                about = parquet.read_metadata(path)
        except UserError:
            return {}  # reading it says what is wrong
        windows: dict[int, list[int]] = {}
        start, row = 0, 0
        for group in range(about.num_row_groups):
            windows.setdefault(start, []).append(group)
            row += about.row_group(group).num_rows
            start = row if row - start >= self.window else start
        return windows

    def _schema(self, path: Path) -> Any:
        import pyarrow.parquet as parquet

        return parquet.read_schema(path)

    def _batches(self, path: Path, some: Sequence[str], start: int | None) -> Iterator[Any]:
        yield from batches(path, some, None if start is None else self._windows(path)[start])

    def _from(self, key: Key, row: int) -> Cursor:
        """The row group of a row: at once where it is small, else a few rows at a time."""
        about, starts = self._groups(key)
        group = int(np.searchsorted(starts, row, "right")) - 1
        if not 0 <= group < len(starts) - 1:
            raise pixels.Unreadable("the table has fewer rows")
        first, stop = int(starts[group]), int(starts[group + 1])
        image = self._columns(key[0]).image
        small = about.row_group(group).total_byte_size <= HELD_BYTES
        size = stop - first if small else rows(about, group, [image], 64)
        batches = self._images(key[0], image, about, group, size)
        return Cursor(key, stop, batches, first)

    def _groups(self, key: Key) -> tuple[Any, np.ndarray]:
        """The footer of a table, and the first row of each group, int64[groups + 1]."""
        import pyarrow.parquet as parquet

        if self._footer is None or self._footer[0] != key:
            about = parquet.read_metadata(key[0])
            counts = [about.row_group(g).num_rows for g in range(about.num_row_groups)]
            self._footer = (key, about, np.cumsum([0, *counts]))
        return self._footer[1:]

    @staticmethod
    def _images(path: Path, image: str, about: Any, group: int, size: int) -> Iterator[Any]:
        import pyarrow.parquet as parquet

        repeated = texts(about, [image])
        with parquet.ParquetFile(path, metadata=about, read_dictionary=repeated) as file:
            for batch in file.iter_batches(batch_size=size, row_groups=[group], columns=[image]):
                yield batch.column(image)
