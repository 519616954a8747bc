"""Pictures in a folder, a tar in WebDataset form or a Parquet table: names, prompts and pixels.

Nothing is unpacked to disk, and a name inside an archive is never used as a path.
"""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

import numpy as np

from audit.datasets import pixels, prompts
from audit.datasets.captions import SIDECARS, TABLES, TEXT_COLUMNS, Row, row_of, rows, sidecar_text
from audit.errors import UserError
from audit.records import digest

MAX_BYTES = 200_000_000
"""Files larger than this are not read as pictures."""


@dataclass(frozen=True)
class Item:
    """One picture that somebody made: what is known of it before it is looked at."""

    name: str
    text: str | None
    source: str
    """Where the prompt was found: "table", "sidecar", "metadata", "name" or "nowhere"."""
    stamp: str
    """Changes when the file does."""
    seed: int | None = None
    arm: str | None = None


class Pictures(Protocol):
    """A place with pictures."""

    name: str

    def items(self) -> Sequence[Item]:
        """Everything that looks like a picture, in a fixed order."""

    def image(self, name: str) -> np.ndarray:
        """One picture, uint8[h, w, 3]; pixels.Unreadable if it is damaged."""


def read(path: Path, table: Path | None = None) -> Pictures:
    """The pictures at a path; `table` (CSV or JSON lines) gives their prompts by name.

    Raises UserError where there is nothing, or no picture in it.
    """
    if path.is_dir():
        return Folder(path, table)
    if not path.is_file():
        raise UserError(f"There is nothing at {path}. Give a folder, a .tar or a .parquet file.")
    if path.suffix == ".parquet":
        return Table(path)
    if tarfile.is_tarfile(path):
        return Tar(path)
    raise UserError(f"{path} is no folder, tar or Parquet file. Give one of these.")


def _item(
    name: str, stamp: str, row: Row | None, sidecar: str | None, data: Callable[[], bytes]
) -> Item:
    """One item, its prompt from the first place that has one."""
    if row is not None and row.text:
        return Item(name, " ".join(row.text.split()), "table", stamp, row.seed, row.arm)
    if sidecar:
        return Item(name, sidecar, "sidecar", stamp)
    try:
        inside = prompts.embedded(data())
    except (OSError, pixels.Unreadable):
        inside = None
    if inside:
        return Item(name, inside, "metadata", stamp)
    named = prompts.from_name(name)
    return Item(name, named, "name" if named else "nowhere", stamp)


class Folder:
    """A folder of pictures, with `metadata.csv` or `.jsonl`, sidecars, or neither."""

    def __init__(self, folder: Path, table: Path | None = None) -> None:
        self.folder, self.name = folder, folder.resolve().name
        beside = (folder / n for n in TABLES)
        self.table = table or next((p for p in beside if p.is_file()), None)

    @cached_property
    def _items(self) -> list[Item]:
        files = pixels.list_images(self.folder)
        if not files:
            raise UserError(
                f"{self.folder} holds no images ({', '.join(pixels.SUFFIXES)}). Give a folder "
                "that does."
            )
        said = rows(self.table) if self.table else {}
        items = []
        for file in files:
            name = file.relative_to(self.folder).as_posix()
            stat = file.stat()
            stamp = f"{stat.st_size}-{stat.st_mtime_ns}"
            row = said.get(name) or said.get(file.name)
            items.append(_item(name, stamp, row, self._sidecar(file), file.read_bytes))
        return items

    @staticmethod
    def _sidecar(file: Path) -> str | None:
        for suffix in SIDECARS:
            beside = file.with_suffix(suffix)
            if beside.is_file() and (found := sidecar_text(suffix, beside.read_bytes())):
                return found
        return None

    def items(self) -> Sequence[Item]:
        """Every picture below the folder, sorted by path."""
        return self._items

    def image(self, name: str) -> np.ndarray:
        """One picture by its path below the folder."""
        return pixels.read(self.folder / name)


class Tar:
    """A tar in WebDataset form: `key.png` beside `key.txt` or `key.json`."""

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, path.stem

    @cached_property
    def _members(self) -> dict[str, tarfile.TarInfo]:
        try:
            with tarfile.open(self.path) as archive:
                return {m.name: m for m in archive if m.isfile() and m.size <= MAX_BYTES}
        except (tarfile.TarError, OSError, EOFError) as error:
            raise UserError(f"{self.path} cannot be read as a tar: {error}.") from error

    @cached_property
    def _items(self) -> list[Item]:
        beside: dict[str, dict[str, str]] = {}
        names = [n for n in self._members if PurePosixPath(n).suffix.lower() in pixels.SUFFIXES]
        if not names:
            raise UserError(f"{self.path} holds no images. Give a tar that does.")
        for name in self._members:
            place = PurePosixPath(name)
            if place.suffix in SIDECARS:
                beside.setdefault(place.with_suffix("").as_posix(), {})[place.suffix] = name
        changed = self.path.stat().st_mtime_ns
        return [
            _item(
                n, f"{self._members[n].size}-{changed}", None,
                self._sidecar(beside.get(PurePosixPath(n).with_suffix("").as_posix(), {})),
                lambda n=n: self._bytes(n),  # type: ignore[misc]
            )
            for n in names
        ]  # fmt: skip

    def _sidecar(self, beside: Mapping[str, str]) -> str | None:
        for suffix in SIDECARS:
            if suffix in beside and (found := sidecar_text(suffix, self._bytes(beside[suffix]))):
                return found
        return None

    def _bytes(self, name: str) -> bytes:
        try:
            with tarfile.open(self.path) as archive:
                file = archive.extractfile(self._members[name])
                return file.read() if file else b""
        except (tarfile.TarError, OSError, EOFError, KeyError) as error:
            raise pixels.Unreadable(f"cannot be read from the tar ({error})") from None

    def items(self) -> Sequence[Item]:
        """Every picture, in the archive's order."""
        return self._items

    def image(self, name: str) -> np.ndarray:
        """One picture by its name in the archive."""
        return pixels.decode(self._bytes(name))


class Table:
    """A Parquet file with image bytes (or the struct `bytes`, `path`) and a text column."""

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, path.stem
        import pyarrow.parquet as parquet

        try:
            self._file = parquet.ParquetFile(path)
        except (OSError, ValueError) as error:
            raise UserError(f"{path} cannot be read as Parquet: {error}.") from error
        self._column = self._find()

    def _find(self) -> str:
        import pyarrow as pa

        for field in self._file.schema_arrow:
            kind = field.type
            if pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
                return str(field.name)
            if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
                return str(field.name)
        raise UserError(f"{self.path} has no column of image bytes. Give a table that has one.")

    @cached_property
    def _items(self) -> list[Item]:
        columns = self._file.schema_arrow.names
        texts = next((c for c in TEXT_COLUMNS if c in columns), None)
        rest = [c for c in (texts, "seed", "arm") if c is not None and c in columns]
        changed = self.path.stat().st_mtime_ns
        items = []
        for i, record in enumerate(self._file.read(columns=rest).to_pylist() if rest else []):
            row = row_of(record, self.path, i + 1)
            items.append(_item(str(i), f"{i}-{changed}", row, None, lambda i=i: self._bytes(i)))  # type: ignore[misc]
        if not rest:
            count = self._file.metadata.num_rows
            items = [
                _item(str(i), f"{i}-{changed}", None, None, lambda i=i: self._bytes(i))  # type: ignore[misc]
                for i in range(count)
            ]
        if not items:
            raise UserError(f"{self.path} has no rows. Give a table with images.")
        return items

    @cached_property
    def _starts(self) -> np.ndarray:
        """First row of each row group, int64[groups + 1]."""
        groups = range(self._file.num_row_groups)
        counts = [self._file.metadata.row_group(g).num_rows for g in groups]
        return np.concatenate([[0], np.cumsum(counts)])

    def _bytes(self, row: int) -> bytes:
        group = int(np.searchsorted(self._starts, row, "right")) - 1
        if getattr(self, "_held", (-1, None))[0] != group:
            column = self._file.read_row_group(group, columns=[self._column]).column(0)
            self._held: tuple[int, Any] = (group, column)
        value = self._held[1][row - int(self._starts[group])].as_py()
        body = value.get("bytes") if isinstance(value, dict) else value
        if not isinstance(body, bytes) or len(body) > MAX_BYTES:
            raise pixels.Unreadable("no image bytes in this row")
        return body

    def items(self) -> Sequence[Item]:
        """One item per row."""
        return self._items

    def image(self, name: str) -> np.ndarray:
        """The picture of a row."""
        return pixels.decode(self._bytes(int(name)))


def key(pictures: Pictures) -> str:
    """Hash of all names, prompts and stamps: another listing is another run."""
    return digest([(i.name, i.text, i.stamp) for i in pictures.items()])


__all__ = ["Folder", "Item", "Pictures", "Table", "Tar", "key", "read", "rows"]
