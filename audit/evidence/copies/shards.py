"""Descriptors on disk: pieces that are whole or absent, never changed, and named by
their origin.

A shard is a NumPy file of vectors and a Parquet table of their images; the table is written
first, so a shard exists if its vectors do.
"""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet

from audit.datasets.source import Entry, Unit
from audit.errors import UserError
from audit.files import write_atomic
from audit.keys import digest

COLUMNS = pa.schema(
    [("id", pa.string()), ("caption", pa.string()), ("repeats", pa.int32()),
     ("row", pa.int32()), ("reason", pa.string())]
)  # fmt: skip


@dataclass(frozen=True)
class Shard:
    """One piece on disk."""

    path: Path
    """Of the vectors; the table is next to it."""
    units: tuple[Unit, ...]
    rows: int
    unreadable: int
    images: int
    """Readable images with their repeats."""
    crc: int

    @property
    def name(self) -> str:
        """File name without its suffix: a hash of what made the shard."""
        return self.path.stem

    def vectors(self) -> np.ndarray:
        """float16 or float32[rows, d], memory-mapped."""
        return np.load(self.path, mmap_mode="r", allow_pickle=False)

    def table(self) -> pa.Table:
        """COLUMNS; for an image without a vector `row` is -1 and `reason` says why."""
        return parquet.read_table(self.path.with_suffix(".parquet"))

    def whole(self) -> bool:
        """Whether the vectors are the ones that were written."""
        try:
            return zlib.crc32(np.ascontiguousarray(self.vectors()).tobytes()) == self.crc
        except (OSError, ValueError, EOFError):
            return False


def name(side: str, made: str, units: Sequence[Unit]) -> str:
    """File name of a shard: side, and hash of descriptor and pieces."""
    return f"{side}-{digest([made, [(u.id, u.stamp) for u in units]], 16)}"


def write(
    folder: Path,
    stem: str,
    units: Sequence[Unit],
    entries: Sequence[tuple[Entry, str]],
    vectors: np.ndarray,
) -> Shard:
    """Keep a shard; `entries` in order, each with its reason, empty where there is a vector."""
    vectors = np.ascontiguousarray(vectors)
    rows, at = [], 0
    for entry, reason in entries:
        rows.append((entry.id, entry.caption, entry.repeats, -1 if reason else at, reason))
        at += not reason
    if at != len(vectors):
        raise ValueError(f"{len(vectors)} vectors do not fit {at} readable images.")
    facts = {
        "units": [[u.id, u.stamp] for u in units], "rows": at, "unreadable": len(rows) - at,
        "images": sum(e.repeats for e, reason in entries if not reason),
        "crc": zlib.crc32(vectors.tobytes()),
    }  # fmt: skip
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(COLUMNS)
    table = pa.table([list(c) for c in columns], schema=COLUMNS)
    table = table.replace_schema_metadata({"shard": json.dumps(facts)})
    for suffix, dump in (
        (".parquet", lambda out: parquet.write_table(table, out, compression="zstd")),
        (".npy", lambda out: np.save(out, vectors, allow_pickle=False)),
    ):
        buffer = io.BytesIO()
        dump(buffer)
        write_atomic(folder / f"{stem}{suffix}", buffer.getvalue())
    found = read(folder / f"{stem}.npy")
    assert found is not None
    return found


def read(path: Path) -> Shard | None:
    """The shard with its vectors at a path; None unless it is whole: sizes and heads agree."""
    try:
        head = parquet.read_schema(path.with_suffix(".parquet")).metadata[b"shard"]
        facts = json.loads(head)
        vectors = np.load(path, mmap_mode="r", allow_pickle=False)
        if vectors.ndim != 2 or len(vectors) != facts["rows"]:
            return None
    except (OSError, ValueError, EOFError, KeyError, TypeError, pa.ArrowException):
        return None
    units = tuple(Unit(str(i), str(s)) for i, s in facts["units"])
    return Shard(path, units, int(facts["rows"]), int(facts["unreadable"]), int(facts["images"]),
                 int(facts["crc"]))  # fmt: skip


def remove(shard: Path) -> None:
    """Delete a shard: its vectors first, so it is never half present."""
    for path in (shard, shard.with_suffix(".parquet")):
        with suppress(FileNotFoundError):
            path.unlink()


def damaged(path: Path, again: str) -> UserError:
    """The error for a shard that differs from what was written."""
    return UserError(f"{path} is damaged. {again}")
