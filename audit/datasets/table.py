"""Tables with an image in each row: the common base of Parquet files and saved datasets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from audit.datasets import listing, pixels
from audit.datasets.captions import TEXT_COLUMNS, caption_of
from audit.datasets.source import Files, Key, Record, Unit, damaged, present, stamp
from audit.errors import UserError

PATH_COLUMNS = ("image_path", "file_name", "path", "image")
"""Columns of text that may contain paths, where no column contains bytes."""


@dataclass(frozen=True)
class Columns:
    """Which columns of a table are read."""

    image: str
    paths: bool
    """Whether the images are given as paths instead of bytes."""
    words: tuple[str, ...]
    """Caption, seed and arm, as far as these columns exist."""


def columns(schema: Any, path: Path) -> Columns:
    """The columns of a table, by its Arrow schema; UserError where no column contains images."""
    image, paths = _image_column(schema, path)
    text = next((c for c in TEXT_COLUMNS if c in schema.names and c != image), None)
    words = [c for c in (text, "seed", "arm") if c in schema.names and c != image]
    return Columns(image, paths, tuple(str(c) for c in words))


def _image_column(schema: Any, path: Path) -> tuple[str, bool]:
    """The column of bytes, or of structs of bytes and path, or of paths; true for paths."""
    import pyarrow as pa

    for field in schema:
        kind = field.type
        if pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
            return str(field.name), False
        if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
            return str(field.name), False
    for name in PATH_COLUMNS:
        if name in schema.names and pa.types.is_string(schema.field(name).type):
            return name, True
    raise UserError(
        f"{path} has no column of image bytes or of paths ({', '.join(PATH_COLUMNS)}). Give a "
        "table that has one."
    )


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

    def records(self, unit: Unit) -> Iterator[Record]:
        """The rows of a table, or of a window of one; images are read on demand."""
        import pyarrow as pa

        name, _, first = (unit.id, "", "") if unit.id in self.files else unit.id.rpartition("#")
        path, start = self.files[name], int(first) if first else None
        try:
            which = self._columns(path)
            changed = path.stat().st_mtime_ns
            for row, said in enumerate(self._words(path, which, start), start or 0):
                file = str(said.pop(which.image) or "") if which.paths else ""
                caption = caption_of(said, f"{path}, line {row + 1}")
                about = f"{row}-{changed}" + (f"+{self._beside(path, file)}" if file else "")
                yield Record(f"{name}/{row}", caption, partial(self._data, path, row), about, file)
        except (OSError, ValueError, pa.ArrowException) as error:
            raise damaged(path, self.what, error) from error

    def _words(self, path: Path, which: Columns, start: int | None) -> Iterator[dict[str, Any]]:
        """The small columns of each row: words, and paths where the images are paths."""
        some = [*which.words, *([which.image] if which.paths else [])]
        for batch in self._batches(path, some, start):
            if some:
                yield from batch.select(some).to_pylist()
            else:
                yield from ({} for _ in range(batch.num_rows))

    @staticmethod
    def _inside(path: Path, file: str) -> Path:
        inside = path.parent / file
        if not listing.inside(path.parent, inside):
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
        import pyarrow as pa

        try:
            return self._bytes(path, self._cell(path, row))
        except (OSError, ValueError, pa.ArrowException) as error:
            raise damaged(path, self.what, error) from error

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
        with _unreadable():
            return self._bytes(path, self._cell(path, int(place)))

    def stamp(self, id: str) -> str:
        """Of the table and, where it names files, of the row's file."""
        path, place = self._at(id)
        own = present(path)
        with _unreadable():
            if not self._columns(path).paths:
                return own
            return f"{own}+{present(self._inside(path, str(self._cell(path, int(place)))))}"

    def _columns(self, path: Path) -> Columns:
        """The columns of a table, cached for the last one."""
        key, known = (path, stamp(path)), self._known
        if known is None or known[0] != key:
            self._known = known = (key, columns(self._schema(path), path))
        return known[1]


@contextmanager
def _unreadable() -> Iterator[None]:
    """Turn the errors of a damaged table into pixels.Unreadable."""
    import pyarrow as pa

    try:
        yield
    except (OSError, ValueError, pa.ArrowException) as error:
        raise pixels.Unreadable(f"cannot be read from the table ({error})") from None
