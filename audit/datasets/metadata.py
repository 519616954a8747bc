"""Tables of captions next to images: CSV (read by `strict`), JSON lines or Parquet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from audit.datasets import cells, strict, texts
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
from audit.datasets.chosen import USUAL, USUALLY, Chosen
from audit.datasets.damage import reading
from audit.errors import UserError
from audit.files import loads, stays

MAX_BYTES = 2 << 30
"""Larger tables are refused before they are read."""
MAX_ROWS = 100_000_000
READ_COLUMNS = (*NAME_COLUMNS, *TEXT_COLUMNS, *SEED_COLUMNS, *ARM_COLUMNS)
"""Columns that are read, as `folded` writes them."""


@dataclass(frozen=True)
class Table:
    """A table of captions: its rows by file name, and what has to be said about it."""

    path: Path
    rows: Mapping[str, Caption]
    columns: Sequence[str]
    doubts: Sequence[str] = ()
    chosen: Chosen = USUALLY

    @property
    def notes(self) -> list[str]:
        """What was assumed, that no column has captions or no row is there, columns not read."""
        out = [f"{d}: {self.path.name}." for d in self.doubts]
        if not self.rows:
            out.append(f"{self.path.name} has no rows.")
        elif "caption" not in (read := [self.chosen.reads(c, self.columns) for c in self.columns]):
            out.append(
                f"{self.path.name} has no column of captions ({', '.join(TEXT_COLUMNS)}), and "
                f"--columns caption=NAME names none; its columns are {listed(self.columns)}."
            )
        elif rest := [c for c, what in zip(self.columns, read, strict=True) if what is None]:
            out.append(f"Columns of {self.path.name} that were not read: {listed(rest)}.")
        return out


class Nameless(UserError):
    """A table that has no column of file names: it may be about something else."""


def inside(folder: Path) -> list[Path]:
    """The tables of captions in a folder and below it, the usual names in any capitals."""
    found: dict[Path, list[Path]] = {}
    for path in folder.rglob("*"):
        if path.name.lower() in TABLES and path.is_file() and stays(folder, path):
            found.setdefault(path.parent, []).append(path)
    return [
        min(paths, key=lambda p: (TABLES.index(p.name.lower()), p.name))
        for _, paths in sorted(found.items())
    ]


def read(path: Path, chosen: Chosen = USUALLY) -> Table:
    """A table of captions by file name, in any usual encoding and with any usual separator.

    UserError, with the line, for a row without a name, with more or fewer cells than the header, or
    with a seed that is not a whole number, and for a file that has two rows; NoColumn where a
    chosen column is missing.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UserError(f"{path} is larger than {MAX_BYTES >> 30} GB. Split it.")
        with path.open("rb") as file:
            parquet = file.read(4) == b"PAR1"
        if parquet:
            return _table(path, _parquet(path, chosen), chosen)
        shape = path.suffix.lower()
        if shape not in (".csv", ".tsv"):
            how = texts.of_file(path)
            with _text(path, how) as text:
                beginning = text.read(100).lstrip()[:1]
            if shape in (".jsonl", ".ndjson", ".json") or beginning == "{":
                with _text(path, how) as text:
                    array = shape == ".json" and beginning == "["
                    records = _array(path, text) if array else _lines(path, text)
                    own = (_object(where, record, chosen) for where, record in records)
                    return _table(path, own, chosen, (WINDOWS,) if how.assumed else ())
        return _cells(path, chosen)
    except (OSError, UnicodeError) as error:
        raise UserError(f"{path} cannot be read: {error}. Save it as UTF-8 text.") from error


def _text(path: Path, how: texts.Encoding) -> TextIO:
    """The text of a file behind its byte order mark."""
    file = path.open(encoding=how.name, newline="", errors="replace" if how.assumed else "strict")
    file.seek(how.skip)  # bytes, because nothing has been read
    return file


Row = tuple[str, Any]
"""The place of a row, for messages, and its cells by column."""


def _cells(path: Path, chosen: Chosen) -> Table:
    """The rows of a CSV."""
    usual = (*READ_COLUMNS, *(name for _, name in chosen.columns))
    with strict.opened(path, MAX_ROWS, usual, anyhow=True) as found:
        where, named = f"{path}, line", [c for c in found.header if c]
        _check(chosen, named, str(path))
        if "image" not in {chosen.reads(c, named) for c in named}:
            raise Nameless(_nameless(f"{where} {found.line}: no column of file names", named))
        records = (
            (f"{where} {n}", {c: v for c, v in zip(found.header, row, strict=True) if c})
            for n, row in found.rows
        )
        return _table(path, records, chosen, (WINDOWS,) if found.assumed else (), named)


def _check(chosen: Chosen, names: Sequence[str], where: str) -> None:
    """NoColumn where a chosen column is missing."""
    for what, _ in chosen.columns:
        chosen.column(what, names, where)


def _nameless(what: str, columns: Sequence[str]) -> str:
    return (
        f"{what}. Name it in one of the columns {', '.join(NAME_COLUMNS)}, or the column with "
        f"--columns image=NAME; the columns are {listed(columns)}."
    )


def _table(
    path: Path, records: Iterable[Row], chosen: Chosen, doubts: Sequence[str] = (),
    known: Sequence[str] = (),
) -> Table:  # fmt: skip
    rows: dict[str, Caption] = {}
    columns: dict[str, None] = dict.fromkeys(known)
    for where, given in records:
        columns |= dict.fromkeys(map(str, given))
        record = chosen.row(given)
        name, _ = plain(first(record, NAME_COLUMNS))
        if not name:
            chosen.column("image", list(given), where)
            there = {folded(str(c)) for c in record} & set(NAME_COLUMNS)
            kind = UserError if there else Nameless
            raise kind(_nameless(f"{where}: no file name", [str(c) for c in given]))
        row = caption_of(record, where)
        row.whole_seed()
        place = one_place(cells.tidy(name))
        if place in rows:
            raise twice(place, rows[place], row)
        rows[place] = row
    _check(chosen, list(columns), str(path))
    return Table(path, rows, list(columns), doubts, chosen)


def twice(name: str, one: Caption, other: Caption) -> UserError:
    """The sentence for two rows of one image."""
    table, _, line = other.where.rpartition(", ")
    second = line if one.where.startswith(f"{table}, ") else other.where
    return UserError(f"{one.where} and {second}: two rows for the file {name}. Keep one.")


def _array(path: Path, file: TextIO) -> Iterator[Row]:
    try:
        records = loads(file.read(), finite=False, once=True)
    except ValueError as error:
        raise UserError(f"{path} is not JSON: {error}. Fix it.") from None
    for number, record in enumerate(records, 1):
        yield f"{path}, row {number}", record


def _lines(path: Path, file: TextIO) -> Iterator[Row]:
    for number, line in enumerate(file, 1):
        if line.strip():
            try:
                record = loads(line, finite=False, once=True)
            except ValueError as error:
                raise UserError(f"{path}, line {number} is not JSON: {error}. Fix it.") from None
            yield f"{path}, line {number}", record


def _object(where: str, record: Any, chosen: Chosen) -> Row:
    if not isinstance(record, dict):
        raise UserError(f"{where} is not a JSON object. Fix it.")
    _once(list(record), where, chosen)
    return where, record


def _once(names: Sequence[str], where: str, chosen: Chosen) -> None:
    """UserError where two columns differ in capitals alone, and either might be meant."""
    counts = Counter(map(folded, names))
    for what, usual in USUAL.items():
        for wanted in usual if chosen.named(what) is None else ():
            if counts[wanted] > 1:
                column(names, (wanted,), where)


def _parquet(path: Path, chosen: Chosen) -> Iterator[Row]:
    import pyarrow.parquet as parquet

    number = 0
    with reading(path, "Parquet"):
        there = parquet.read_schema(path).names
        _check(chosen, there, str(path))
        names = [n for n in there if chosen.reads(n, there)]
        _once(names, str(path), chosen)
        for batch in batches(path, names):
            for record in records(batch, names):
                number += 1
                yield f"{path}, row {number}", {**dict.fromkeys(there), **record}
