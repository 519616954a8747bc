"""Tables of captions next to images: CSV, JSON lines or Parquet."""

from __future__ import annotations

import csv
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, TextIO

from audit.datasets import texts
from audit.datasets.batches import batches, records
from audit.datasets.captions import (
    ARM_COLUMNS,
    NAME_COLUMNS,
    SEED_COLUMNS,
    TABLES,
    TEXT_COLUMNS,
    WINDOWS,
    Caption,
    caption_of,
    column,
    first,
    folded,
    listed,
    one_place,
    plain,
)
from audit.datasets.damage import reading
from audit.errors import UserError
from audit.files import loads

SEPARATORS = ",;\t"
MAX_BYTES = 2 << 30
"""Larger tables are refused before they are read."""
MAX_COLUMNS = 1000
READ_COLUMNS = (*NAME_COLUMNS, *TEXT_COLUMNS, *SEED_COLUMNS, *ARM_COLUMNS)
"""Columns that are read, as `folded` writes them."""


@dataclass(frozen=True)
class Table:
    """A table of captions: its rows by file name, and what has to be said about it."""

    path: Path
    rows: Mapping[str, Caption]
    columns: Sequence[str]
    doubts: Sequence[str] = ()

    @property
    def notes(self) -> list[str]:
        """That no column has captions, where none has; encodings that were assumed."""
        out = [f"{d}: {self.path.name}." for d in self.doubts]
        if self.rows and not {folded(c) for c in self.columns} & set(TEXT_COLUMNS):
            out.append(
                f"{self.path.name} has no column of captions ({', '.join(TEXT_COLUMNS)}); its "
                f"columns are {listed(self.columns)}."
            )
        return out


class Nameless(UserError):
    """A table that has no column of file names: it may be about something else."""


def inside(folder: Path) -> list[Path]:
    """The tables of captions in a folder and below it, the usual names in any capitals."""
    found: dict[Path, list[Path]] = {}
    own = folder.resolve()
    for path in folder.rglob("*"):
        if path.name.lower() in TABLES and path.is_file() and path.resolve().is_relative_to(own):
            found.setdefault(path.parent, []).append(path)
    return [
        min(paths, key=lambda p: (TABLES.index(p.name.lower()), p.name))
        for _, paths in sorted(found.items())
    ]


def read(path: Path) -> Table:
    """A table of captions by file name, in any usual encoding and with any usual separator.

    UserError, with the line, for a row without a name, with more or fewer cells than the head, or
    with a seed that is not a whole number, and for a file that has two rows.
    """
    try:
        return _read(path)
    except (OSError, UnicodeError, csv.Error) as error:
        raise UserError(f"{path} cannot be read: {error}. Save it as UTF-8 text.") from error


def _read(path: Path) -> Table:
    if path.stat().st_size > MAX_BYTES:
        raise UserError(f"{path} is larger than {MAX_BYTES >> 30} GB. Split it.")
    with path.open("rb") as file:
        start = file.read(1 << 16)
    if start.startswith(b"PAR1"):
        return _table(path, _parquet(path))
    if start.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise UserError(f"{path} is a spreadsheet. Save it as CSV.")
    found = texts.encoding(start, cut=len(start) == 1 << 16)
    try:
        return _text(path, found)
    except UnicodeDecodeError:
        if found.name != "utf-8":
            raise
        return _text(path, texts.Encoding(texts.WINDOWS, found.skip, assumed=True))


def _text(path: Path, how: texts.Encoding) -> Table:
    errors = "replace" if how.assumed else "strict"
    with path.open(encoding=how.name, newline="", errors=errors) as file:
        shape = path.suffix.lower()
        mark = how.skip if how.assumed else min(how.skip, 1)  # in characters
        beginning = "" if shape in (".csv", ".tsv") else file.read(100)[mark:].lstrip()[:1]
        file.seek(0)
        file.read(mark)
        if shape == ".json" and beginning == "[":
            records = _array(path, file)
        elif shape in (".jsonl", ".ndjson", ".json") or beginning == "{":
            records = _lines(path, file)
        else:
            records = _cells(path, file)
        return _table(path, records, (WINDOWS,) if how.assumed else ())


Row = tuple[str, Mapping[str, Any]]
"""The place of a row, for messages, and its cells by column."""


def _table(path: Path, records: Iterable[Row], doubts: Sequence[str] = ()) -> Table:
    rows: dict[str, Caption] = {}
    columns: dict[str, None] = {}
    for where, record in records:
        columns |= dict.fromkeys(map(str, record))
        name, _ = plain(first(record, NAME_COLUMNS))
        if not name:
            there = {folded(str(c)) for c in record} & set(NAME_COLUMNS)
            raise (UserError if there else Nameless)(
                f"{where}: no file name. Name it in one of the columns {', '.join(NAME_COLUMNS)}; "
                f"the columns are {listed(list(record))}."
            )
        row = caption_of(record, where)
        row.whole_seed()
        place = unicodedata.normalize("NFC", one_place(name))
        if place in rows:
            raise twice(place, rows[place], row)
        rows[place] = row
    return Table(path, rows, list(columns), doubts)


def twice(name: str, one: Caption, other: Caption) -> UserError:
    """The sentence for two rows of one image."""
    table, _, line = other.where.rpartition(", ")
    second = line if one.where.startswith(f"{table}, ") else other.where
    return UserError(f"{one.where} and {second}: two rows for the file {name}. Keep one.")


def _array(path: Path, file: TextIO) -> Iterator[Row]:
    try:
        records = loads(file.read(), finite=False)
    except ValueError as error:
        raise UserError(f"{path} is not JSON: {error}. Fix it.") from None
    for number, record in enumerate(records, 1):
        yield _object(f"{path}, row {number}", record)


def _lines(path: Path, file: TextIO) -> Iterator[Row]:
    for number, line in enumerate(file, 1):
        if line.strip():
            try:
                record = loads(line, finite=False)
            except ValueError as error:
                raise UserError(f"{path}, line {number} is not JSON: {error}. Fix it.") from None
            yield _object(f"{path}, line {number}", record)


def _object(where: str, record: Any) -> Row:
    if not isinstance(record, dict):
        raise UserError(f"{where} is not a JSON object. Fix it.")
    _once(list(record), where)
    return where, record


def _once(names: Sequence[str], where: str) -> None:
    """UserError where two columns differ in capitals alone, and either might be meant."""
    counts = Counter(map(folded, names))
    for wanted in READ_COLUMNS:
        if counts[wanted] > 1:
            column(names, (wanted,), where)


def _cells(path: Path, file: TextIO) -> Iterator[Row]:
    """The rows of a CSV; UserError where a row has another number of cells than the head."""
    lines = ((n, line) for n, line in enumerate(file, 1) if line.strip())
    number, head_line = next(lines, (1, ""))
    if head_line[:4].lower() == "sep=":  # as spreadsheets mark their separator
        number, head_line = next(lines, (2, ""))
    separator = _separator(head_line)
    reader = csv.reader(chain([head_line], file), delimiter=separator, strict=True)
    head = next(reader, [])
    if len(head) > MAX_COLUMNS:
        raise UserError(f"{path} has {len(head)} columns. Keep those with names and captions.")
    while head and not head[-1].strip():
        head.pop()
    _once(head, f"{path}, line {number}")
    offset, last = number - 1, reader.line_num
    for cells in _checked(path, reader):
        line, last = last + 1 + offset, reader.line_num
        if not any(c.strip() for c in cells):
            continue
        if len(cells) < len(head) or any(c.strip() for c in cells[len(head) :]):
            hint = "Put quotation marks around a text with a comma." if separator == "," else (
                "Put quotation marks around a text that contains the separator."
            )  # fmt: skip
            raise UserError(
                f"{path}, line {line}: {len(cells)} cells, but the head has {len(head)}. {hint}"
            )
        yield f"{path}, line {line}", dict(zip(head, cells, strict=False))


def _separator(head: str) -> str:
    """The separator by which the head has a column of names, else the most frequent one."""
    for separator in sorted(SEPARATORS, key=head.count, reverse=True):
        cells = next(csv.reader([head], delimiter=separator), [])
        if {folded(c) for c in cells[:MAX_COLUMNS]} & set(NAME_COLUMNS):
            return separator
    return max(SEPARATORS, key=head.count)


def _checked(path: Path, reader: Any) -> Iterator[list[str]]:
    """Rows of a CSV; UserError with the line for quotation marks that do not pair up."""
    last = reader.line_num
    try:
        for cells in reader:
            yield cells
            last = reader.line_num
    except csv.Error as error:
        raise UserError(
            f"{path}, line {last + 1}: {error}. Check the quotation marks from there on."
        ) from None


def _parquet(path: Path) -> Iterator[Row]:
    import pyarrow.parquet as parquet

    number = 0
    with reading(path, "Parquet"):
        there = parquet.read_schema(path).names
        names = [n for n in there if folded(n) in READ_COLUMNS]
        _once(names, str(path))
        for batch in batches(path, names):
            for record in records(batch, names):
                number += 1
                yield f"{path}, row {number}", {**dict.fromkeys(there), **record}
