"""Descriptors on disk: pieces that are whole or absent, never changed, and named by
their origin.

A shard is a NumPy file of vectors and a Parquet table of their images; the table is written
first, so a shard exists if its vectors do. Both carry checksums, which are compared once, when
vectors or rows are first read. What was opened stays open: a reader is not disturbed where the
index grows and the shard is removed.
"""

from __future__ import annotations

import hashlib
import io
import json
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet

from audit.datasets.source import Entry, Unit
from audit.errors import UserError
from audit.files import checked, loads, open_files, write_atomic
from audit.keys import digest

COLUMNS = pa.schema(
    [("id", pa.string()), ("caption", pa.string()), ("repeats", pa.int32()),
     ("row", pa.int32()), ("reason", pa.string()), ("content", pa.string())]
)  # fmt: skip
OLDER = COLUMNS.remove(COLUMNS.get_field_index("content"))
"""Tables of format 1: no hash of the image's pixels, and no checksum of the table."""
STORED = ("<f4", "<f2")
"""Types of stored vectors."""
AGAIN = (
    "Run the same `index` command again, which makes only damaged parts again, or copy the index "
    "again."
)


@dataclass(frozen=True)
class Facts:
    """What a shard's table says of the shard, in its head."""

    units: tuple[tuple[str, str], ...]
    rows: int
    unreadable: int
    images: int
    crc: int
    content: int | None = None


@dataclass(frozen=True)
class Shard:
    """One piece on disk."""

    path: Path
    """Of the vectors; the table is next to it."""
    units: tuple[Unit, ...]
    facts: Facts
    _table: bytes = field(repr=False)
    _map: np.ndarray | None = field(repr=False)
    """The vectors, mapped into memory; None where too many files are open already."""

    @property
    def rows(self) -> int:
        """Images with a vector."""
        return self.facts.rows

    @property
    def unreadable(self) -> int:
        """Images without one."""
        return self.facts.unreadable

    @property
    def images(self) -> int:
        """Readable images with their repeats."""
        return self.facts.images

    @property
    def crc(self) -> int:
        """Checksum of the vectors."""
        return self.facts.crc

    @property
    def content(self) -> int | None:
        """Checksum of the table's rows; None for a shard of format 1."""
        return self.facts.content

    @property
    def width(self) -> int:
        """Numbers of a vector."""
        return int(self._mapped().shape[1])

    @property
    def name(self) -> str:
        """File name without its suffix: a hash of what made the shard."""
        return self.path.stem

    def vectors(self) -> np.ndarray:
        """float16 or float32[rows, d], memory-mapped; compared with their checksum once.

        UserError where they are not the ones that were written.
        """
        if not self._vectors_whole:
            raise damaged(self.path)
        return self._mapped()

    def table(self) -> pa.Table:
        """COLUMNS; for an image without a vector `row` is -1 and `reason` says why.

        UserError where the rows are not the ones that were written.
        """
        if self._rows is None:
            raise damaged(self.path.with_suffix(".parquet"))
        return self._rows

    def whole(self) -> bool:
        """Whether vectors and table are the ones that were written."""
        return self._vectors_whole and self._rows is not None

    def _mapped(self) -> np.ndarray:
        if self._map is not None:
            return self._map
        try:
            return _opened(self.path)
        except (OSError, ValueError, EOFError) as error:
            raise UserError(
                f"{self.path} is gone: the index has changed since it was opened. Run the same "
                "command again."
            ) from error

    @cached_property
    def _vectors_whole(self) -> bool:
        # Flattened in C order, as it was written; a map of other order or shape differs here.
        data = np.ascontiguousarray(self._mapped()).reshape(-1).view(np.uint8)
        return zlib.crc32(data.data if len(data) else b"") == self.crc

    @cached_property
    def _rows(self) -> pa.Table | None:
        """The table, or None where it differs from what was written."""
        try:
            table = parquet.read_table(pa.BufferReader(self._table)).combine_chunks()
            table = table.replace_schema_metadata(None)
            if self.content is None and table.schema.equals(OLDER):
                table = table.append_column("content", pa.array([""] * len(table), pa.string()))
            if not table.schema.equals(COLUMNS):
                return None
            there = np.asarray(table["row"]) >= 0
            counted = (int(there.sum()), int((~there).sum()),
                       int(np.asarray(table["repeats"])[there].sum()))  # fmt: skip
        except (OSError, ValueError, TypeError, pa.ArrowException):
            return None
        known = self.content in (None, _checksum(table))
        return table if known and counted == (self.rows, self.unreadable, self.images) else None


def _opened(path: Path) -> np.ndarray:
    """The vectors, memory-mapped; OSError, or ValueError where they cannot be read."""
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, MemoryError):
        raise
    except Exception as error:  # NumPy raises many kinds for damaged heads, such as TokenError
        raise ValueError(str(error)) from error


def _checksum(table: pa.Table) -> int:
    """CRC-32 of a table's rows, column by column, whatever its compression."""
    total = 0
    for column in table.columns:
        if pa.types.is_string(column.type):
            words = column.to_pylist()
            data = json.dumps(words, ensure_ascii=True).encode()
        else:
            data = np.asarray(column).astype("<i4").tobytes()
        total = zlib.crc32(data, total)
    return total


def pixels_key(picture: np.ndarray | None, vector: np.ndarray | None) -> str:
    """Hash of an image's pixels, uint8[h, w, 3], or of its vector where there are none."""
    array = picture if picture is not None else vector
    if array is None:
        return ""
    data = np.ascontiguousarray(array)
    made = hashlib.blake2b(repr((data.shape, data.dtype.str)).encode(), digest_size=12)
    made.update(data.reshape(-1).view(np.uint8).data)
    return made.hexdigest()


def name(side: str, made: str, units: Sequence[Unit]) -> str:
    """File name of a shard: side, and hash of descriptor and pieces."""
    return f"{side}-{digest([made, [(u.id, u.stamp) for u in units]], 16)}"


@dataclass(frozen=True)
class Row:
    """An image of a shard: its entry, why it has no vector, and the hash of its content."""

    entry: Entry
    reason: str = ""
    """Empty where there is a vector."""
    content: str = ""
    """`pixels_key`; images with the same one are the same image."""


def write(
    folder: Path, stem: str, units: Sequence[Unit], images: Sequence[Row], vectors: np.ndarray
) -> Shard:
    """Keep a shard; `images` in order, those without a reason with a vector each."""
    vectors = np.ascontiguousarray(vectors)
    rows, at = [], 0
    for one in images:
        entry, lost = one.entry, bool(one.reason)
        rows.append(
            (entry.id, entry.caption, entry.repeats, -1 if lost else at, one.reason, one.content)
        )
        at += not lost
    if at != len(vectors):
        raise ValueError(f"{len(vectors)} vectors do not fit {at} readable images.")
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(COLUMNS)
    table = pa.table([list(c) for c in columns], schema=COLUMNS)
    facts = {
        "units": [[u.id, u.stamp] for u in units], "rows": at, "unreadable": len(rows) - at,
        "images": sum(one.entry.repeats for one in images if not one.reason),
        "crc": zlib.crc32(vectors.tobytes()), "content": _checksum(table),
    }  # fmt: skip
    table = table.replace_schema_metadata({"shard": json.dumps(facts)})
    for suffix, dump in (
        (".parquet", lambda out: parquet.write_table(table, out, compression="zstd")),
        (".npy", lambda out: np.save(out, vectors, allow_pickle=False)),
    ):
        buffer = io.BytesIO()
        dump(buffer)
        write_atomic(folder / f"{stem}{suffix}", buffer.getvalue())
    found = read(folder / f"{stem}.npy", keep=False)
    assert found is not None
    return found


def read(path: Path, keep: bool = True) -> Shard | None:
    """The shard with its vectors at a path; None unless sizes, types and heads agree.

    With `keep` its vectors stay open, unless half of the files that this process may open are.
    """
    try:
        table = path.with_suffix(".parquet").read_bytes()
        head = parquet.read_schema(pa.BufferReader(table)).metadata[b"shard"]
        facts = checked(Facts, loads(head))
        vectors = _opened(path)
        if vectors.ndim != 2 or len(vectors) != facts.rows or vectors.dtype.str not in STORED:
            return None
    except (OSError, ValueError, EOFError, KeyError, TypeError, OverflowError, pa.ArrowException):
        return None
    units = tuple(Unit(*unit) for unit in facts.units)
    return Shard(path, units, facts, table, vectors if keep and open_files() else None)


def remove(shard: Path) -> None:
    """Delete a shard: its vectors first, so it is never half present."""
    for path in (shard, shard.with_suffix(".parquet")):
        with suppress(OSError):  # gone already, or open elsewhere; the next build tries again
            path.unlink()


def damaged(path: Path) -> UserError:
    """The error for a file of an index that differs from what was written."""
    return UserError(f"{path} is damaged. {AGAIN}")
