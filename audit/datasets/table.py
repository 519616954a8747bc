"""Tables with an image in each row: the common base of Parquet files and saved datasets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from audit.datasets import pixels
from audit.datasets.batches import records
from audit.datasets.captions import caption_of
from audit.datasets.columns import Columns, columns
from audit.datasets.damage import reading, unreadable
from audit.datasets.source import Files, Key, Record, Unit, present, stamp
from audit.files import stays

LOOKED_AT = 16
"""Cells by which it is decided whether a column contains images."""


@dataclass
class Cursor:
    """A position in a column of images, from which later rows are read without starting again."""

    key: Key
    """The file and its stamp."""
    stop: int | None
    """The row before which it ends; None for the end of the table."""
    batches: Iterator[Any]
    start: int
    """Row of the table with which `batch` begins."""
    batch: Any = ()

    def reaches(self, key: Key, row: int) -> bool:
        """Whether a row is ahead."""
        return key == self.key and self.start <= row and (self.stop is None or row < self.stop)

    def cell(self, row: int) -> Any:
        """The value of a row that is ahead; pixels.Unreadable beyond the end."""
        while row >= self.start + len(self.batch):
            self.start += len(self.batch)
            self.batch = next(self.batches, None)
            if self.batch is None:
                raise pixels.Unreadable("the table has fewer rows")
        return self.batch[row - self.start].as_py()


class Rows(Files):
    """Tables with an image in each row: its bytes, or its path below the table's folder."""

    what = "a table"
    _cursor: Cursor | None = None
    _known: tuple[Key, Columns] | None = None

    def _schema(self, path: Path) -> Any:
        """The Arrow schema of a file."""
        raise NotImplementedError

    def _batches(self, path: Path, some: Sequence[str], start: int | None) -> Iterator[Any]:
        """Arrow record batches with at least these columns: all, or the window from `start`."""
        raise NotImplementedError

    def _from(self, key: Key, row: int) -> Cursor:
        """A cursor over the images that can reach a row."""
        raise NotImplementedError

    def notes(self) -> list[str]:
        """Which splits were read where there are several, and what each table left open."""
        found = Counter(s for f, p in sorted(self.files.items()) if (s := self.split(f, p)))
        names = ", ".join(f"{s} ({n} files)" if n > 1 else s for s, n in found.items())
        said = f"All splits were read: {names}. Give --split NAME to read one alone."
        return [*([said] if len(found) > 1 else []), *super().notes()]

    def check(self) -> None:
        """UserError where the first table lacks a column that was named; damage is said later."""
        for path in [*self.files.values()][:1]:
            with suppress(pixels.Unreadable), unreadable():
                self._columns(path)

    def records(self, unit: Unit) -> Iterator[Record]:
        """The rows of a table, or of a window of one; images are read on demand."""
        name, _, first = (unit.id, "", "") if unit.id in self.files else unit.id.rpartition("#")
        path, start = self.files[name], int(first) if first else None
        with reading(path, self.what):
            which = self._columns(path)
            for note in which.notes if not start else ():
                self._said.add(note, name)
            changed = path.stat().st_mtime_ns
            own = f"+{self.chosen.key}" if self.chosen.key else ""
            for row, said in enumerate(self._words(path, which, start), start or 0):
                file = str(said.pop(which.image) or "") if which.paths else ""
                caption = caption_of(self.chosen.row(said), f"{path}, line {row + 1}")
                self._said.add(caption.doubt, f"{name}/{row}")
                about = f"{row}-{changed}{own}" + (f"+{self._beside(path, file)}" if file else "")
                yield Record(f"{name}/{row}", caption, partial(self._data, path, row), about, file)

    def _words(self, path: Path, which: Columns, start: int | None) -> Iterator[dict[str, Any]]:
        """The small columns of each row: words, and paths where the images are paths."""
        some = [*which.words, *([which.image] if which.paths else [])]
        for batch in self._batches(path, some, start):
            if not some:
                yield from ({} for _ in range(batch.num_rows))
                continue
            yield from records(batch, some)

    def _peek(self, path: Path, names: Sequence[str]) -> dict[str, list[Any]]:
        """The first cells of columns that are not missing."""
        found: dict[str, list[Any]] = {n: [] for n in names}
        for seen, batch in enumerate(self._batches(path, names, None)):
            for name, cells in found.items():
                some = batch.column(name).drop_null()[: LOOKED_AT - len(cells)]
                cells += (cell.as_py() for cell in some)
            if all(found.values()) or seen > LOOKED_AT:
                break
        return found

    @staticmethod
    def _inside(path: Path, file: str) -> Path:
        inside = path.parent / file
        if "\\" in file and not inside.exists():  # as Windows writes paths
            inside = path.parent / file.replace("\\", "/")
        if not stays(path.parent, inside):
            raise pixels.Unreadable("its path leaves the table's folder")
        return inside

    def _beside(self, path: Path, file: str) -> str:
        """The stamp of an image that a table names; empty if there is none."""
        try:
            return present(self._inside(path, file))
        except pixels.Unreadable:
            return ""

    def _data(self, path: Path, row: int) -> bytes:
        """The image of a row; UserError for a damaged table."""
        with reading(path, self.what):
            return self._bytes(path, self._cell(path, row))

    def _cell(self, path: Path, row: int) -> Any:
        with self._lock:
            key = (path, stamp(path))
            if self._cursor is None or not self._cursor.reaches(key, row):
                self._cursor = self._from(key, row)
            try:
                return self._cursor.cell(row)
            except BaseException:
                self._cursor = None  # its batches have ended
                raise

    def _bytes(self, path: Path, value: Any) -> bytes:
        body = value
        if isinstance(value, Mapping):
            body = value.get("bytes") or value.get("path")
        if isinstance(body, str):
            return pixels.content(self._inside(path, body))
        if not isinstance(body, bytes) or len(body) > pixels.MAX_BYTES:
            raise pixels.Unreadable("no image bytes in this row")
        return body

    def content(self, id: str) -> bytes:
        """One image file by table and row."""
        path, place = self._at(id)
        with unreadable():
            return self._bytes(path, self._cell(path, int(place)))

    def stamp(self, id: str) -> str:
        """Of the table and, where it names files, of the row's file."""
        path, place = self._at(id)
        own = present(path)
        with unreadable():
            if not self._columns(path).paths:
                return own
            return f"{own}+{present(self._inside(path, str(self._cell(path, int(place)))))}"

    def _columns(self, path: Path) -> Columns:
        """The columns of a table, cached for the last one."""
        key, known = (path, stamp(path)), self._known
        if known is None or known[0] != key:
            found = columns(self._schema(path), path, partial(self._peek, path), self.chosen)
            self._known = known = (key, found)
        return known[1]
