"""Columns of a Parquet table a few rows at a time: as many as fit into a number of bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

BATCH_BYTES = 64 << 20
"""Bytes that are unpacked together; one row may have more."""
BATCH_ROWS = 1024


def batches(path: Path, names: Sequence[str], groups: Sequence[int] | None = None) -> Iterator[Any]:
    """Record batches of some columns, of all row groups or some; raises as pyarrow does."""
    import pyarrow.parquet as parquet

    about = parquet.read_metadata(path)
    repeated = texts(about, names)
    with parquet.ParquetFile(path, metadata=about, read_dictionary=repeated) as file:
        for group in range(about.num_row_groups) if groups is None else groups:
            size = rows(about, group, names, BATCH_ROWS)
            yield from file.iter_batches(size, row_groups=[group], columns=list(names))


def texts(about: Any, names: Sequence[str]) -> list[str]:
    """Leaves of columns that are text or bytes, by path.

    They are read as dictionaries: a value that is stored once for many rows is unpacked once.
    """
    leaves = (about.schema.column(i) for i in range(about.num_columns))
    return [
        leaf.path
        for leaf in leaves
        if leaf.physical_type == "BYTE_ARRAY" and _is_of(leaf.path, names)
    ]


def rows(about: Any, group: int, names: Sequence[str], most: int) -> int:
    """How many rows of a group are read at a time: what fits into BATCH_BYTES, at least one."""
    inside = about.row_group(group)
    parts = (inside.column(i) for i in range(inside.num_columns))
    size = sum(p.total_uncompressed_size for p in parts if _is_of(p.path_in_schema, names))
    return int(min(most, max(1, BATCH_BYTES * inside.num_rows // max(1, size))))


def _is_of(leaf: str, names: Sequence[str]) -> bool:
    """Whether a leaf belongs to one of these columns, whose names may contain full stops."""
    return any(leaf == n or leaf.startswith(f"{n}.") for n in names)


def records(batch: Any, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The rows of a batch by column, of which as few as BATCH_BYTES allow are unpacked together."""
    chosen = batch.select(list(names))
    size = max(1, BATCH_BYTES // max(1, sum(map(_longest, chosen.columns))))
    for start in range(0, chosen.num_rows, size):
        yield from chosen.slice(start, size).to_pylist()


def _longest(array: Any) -> int:
    """At least the bytes of the largest cell of an Arrow array."""
    import pyarrow as pa
    import pyarrow.compute as compute

    if isinstance(array, pa.DictionaryArray):
        return _longest(array.dictionary)
    if isinstance(array, pa.ListArray | pa.LargeListArray | pa.FixedSizeListArray):
        inner = array.flatten()
        return len(inner) * _longest(inner)
    if array.type in (pa.string_view(), pa.binary_view()):  # not measured by older pyarrow
        array = array.cast(pa.large_string() if pa.types.is_string_view(array.type)
                           else pa.large_binary())  # fmt: skip
    try:
        return int(compute.max(compute.binary_length(array)).as_py() or 0)
    except pa.ArrowNotImplementedError:  # not text
        return int(array.nbytes)
