"""Tables that people make, as CSV or TSV: read strictly, because a shifted cell is a false number.

Encodings are UTF-8 and, with a byte-order mark, UTF-16 and UTF-32; captions, which hold no numbers,
may be in others. The separator (comma, semicolon or tab) is that of the header, or of a first line
`sep=;`. Every row has as many cells as the header; commas at the ends of rows, which some programs
add, are not cells. Nothing is guessed beyond that.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import IO

from audit.datasets import cells, texts
from audit.errors import UserError

MAX_COLUMNS = 1000
MAX_CELL = 100_000
"""Characters of a cell."""
MAX_LINE = 20_000_000
"""Characters of a line."""
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}
_MAGIC = {
    b"PK\x03\x04": "is a workbook or an archive. Save it as CSV (UTF-8)",
    b"\xd0\xcf\x11\xe0": "is a workbook. Save it as CSV (UTF-8)",
    b"\x1f\x8b": "is compressed. Unpack it",
    b"PAR1": "is a Parquet file. Name it .parquet",
    b"{": "is JSON. Give a CSV file",
    b"[{": "is JSON. Give a CSV file",
    b"<!": "is a web page. Save the table as CSV (UTF-8)",
    b"<html": "is a web page. Save the table as CSV (UTF-8)",
    b"<table": "is a web page. Save the table as CSV (UTF-8)",
    b"<?xml": "is XML. Save the table as CSV (UTF-8)",
    b"%PDF": "is a PDF. Give a CSV file",
}


@dataclass(frozen=True)
class Table:
    """A table as it was written, without empty lines."""

    path: Path
    header: tuple[str, ...]
    """Names of the columns, tidied; a column without a name has an empty one."""
    rows: list[list[str]]
    """Cells as they were written, as many as there are columns."""
    lines: Sequence[int]
    """Line of the file on which each row begins, from 1."""
    unit: str = "line"

    def where(self, row: int) -> str:
        """The place of a row, for messages: `file, line 4`."""
        return f"{self.path}, {self.unit} {self.lines[row]}"

    def find(self, names: Sequence[str]) -> int | None:
        """The first of these columns that there is, whatever its capitals and spaces."""
        known = {cells.name(h): i for i, h in enumerate(self.header) if h}
        return next((known[k] for k in map(cells.name, names) if k in known), None)

    def need(self, names: Sequence[str]) -> list[int]:
        """Each of these columns; UserError for one that is missing."""
        found = [(n, self.find([n])) for n in names]
        for name, place in found:
            if place is None:
                raise UserError(
                    f"{self.path} lacks the column {name!r}. It needs {', '.join(names)}; it has "
                    f"{self.named()}."
                )
        return [place for _, place in found if place is not None]

    def named(self, most: int = 12) -> str:
        """The names of the first columns, for messages."""
        more = f" and {len(self.header) - most} more" if len(self.header) > most else ""
        return ", ".join(repr(h[:60]) for h in self.header[:most]) + more

    def column(self, place: int) -> list[str]:
        """The cells of a column."""
        return [row[place] for row in self.rows]

    def unread(self, read: Sequence[int | None]) -> list[str]:
        """Names of the columns other than these, for notes."""
        kept = set(read)
        return [h or f"column {i + 1}, without a name"
                for i, h in enumerate(self.header) if i not in kept]  # fmt: skip


@dataclass(frozen=True)
class Stream:
    """A table that is read row by row."""

    header: tuple[str, ...]
    """As in `Table`."""
    line: int
    """Line of the header."""
    rows: Iterator[tuple[int, list[str]]]
    """Rows that are not empty, as long as the header, with the line on which each begins."""
    assumed: bool
    """Whether nothing shows that the encoding is the one that was used."""


def read(
    path: Path, most: int, expected: Sequence[str] = (), ours: bool = False, least: int = 1
) -> Table:
    """The table at a path, with at most so many rows.

    `expected` are names of columns, which decide between separators. With `ours`, cells that
    `cells.inert` disarmed are given back. Raises FileNotFoundError where there is no file, and
    UserError, with the line, for anything that is not a whole table: another encoding or format,
    NUL, rows of another length than the header, columns that are there twice, too few rows.
    """
    rows, lines = list[list[str]](), list[int]()
    with opened(path, most, expected) as found:
        for line, row in found.rows:
            rows.append([cells.plain(c) for c in row] if ours else row)
            lines.append(line)
    if len(rows) < least:
        raise UserError(f"{path} has no rows. Put some in.")
    return _without_empty(Table(path, found.header, rows, lines))


@contextmanager
def opened(
    path: Path, most: int, expected: Sequence[str] = (), anyhow: bool = False
) -> Iterator[Stream]:
    """The table at a path, row by row; raises as `read` does.

    With `anyhow` it may be in any encoding that `texts` recognises, or assumes.
    """
    try:
        with path.open("rb") as raw:
            how = _encoding(path, raw.peek(64), anyhow)
            raw.seek(how.skip)
            errors = "replace" if how.assumed else "strict"
            with io.TextIOWrapper(raw, how.name, errors=errors, newline="") as text:
                yield _stream(path, text, most, expected, how.assumed)
    except FileNotFoundError:
        raise
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path}{_place(path) if error.encoding.startswith('utf-8') else ''} cannot be read as "
            f"CSV: it is not {error.encoding.upper()} text. Save it as CSV in UTF-8."
        ) from error
    except IsADirectoryError as error:
        raise UserError(f"{path} cannot be read as CSV: it is a folder. Give one table.") from error
    except (OSError, UnicodeError) as error:
        raise UserError(f"{path} cannot be read as CSV: {error}. Check the file.") from error


def checked(header: Sequence[str], path: Path) -> tuple[str, ...]:
    """Names of columns, tidied; UserError for too many, and for two that are the same."""
    if len(header) > MAX_COLUMNS:
        raise UserError(
            f"{path} has {len(header)} columns; at most {MAX_COLUMNS} are read. Keep those that "
            "are needed."
        )
    names = tuple(cells.tidy(h) for h in header)
    seen: dict[str, str] = {}
    for name in filter(None, names):
        first = seen.get(cells.name(name))
        if first is not None:
            same = f"{first!r} is there twice" if first == name else f"{first!r} and {name!r}"
            raise UserError(f"{path}: two columns have one name: {same}. Keep one, or rename it.")
        seen[cells.name(name)] = name
    return names


def _encoding(path: Path, head: bytes, anyhow: bool) -> texts.Encoding:
    for magic, said in _MAGIC.items():
        if head.removeprefix(codecs.BOM_UTF8).lstrip().startswith(magic):
            raise UserError(f"{path} cannot be read as CSV: it {said}.")
    return texts.of_file(path) if anyhow else texts.marked(head) or texts.Encoding("utf-8")


def _place(path: Path) -> str:
    """The line on which UTF-8 ends, if it can be found."""
    try:
        with path.open("rb") as raw:
            for n, line in enumerate(iter(lambda: raw.readline(MAX_LINE), b""), 1):
                try:
                    line.decode()
                except UnicodeDecodeError:
                    return f", line {n},"
    except OSError:
        pass
    return ""


def _lines(path: Path, text: IO[str]) -> Iterator[str]:
    """The lines of a file; UserError for NUL, and for a line without an end."""
    for n, line in enumerate(iter(lambda: text.readline(MAX_LINE), ""), 1):
        if "\0" in line:
            raise UserError(
                f"{path}, line {n} contains a NUL character: it is not text, or UTF-16 without its "
                "byte-order mark. Save it as CSV in UTF-8."
            )
        if len(line) >= MAX_LINE:
            raise UserError(f"{path}, line {n} is too long for a row of a table. Check the file.")
        yield line


def _stream(path: Path, text: IO[str], most: int, expected: Sequence[str], assumed: bool) -> Stream:
    lines = _lines(path, text)
    before, first, separator = _start(path, lines)
    separator = separator or _separator(first, expected)
    rows = _rows(path, chain([first], lines), separator, before)
    line, header = next(rows, (0, []))
    width = _width(header)
    if not width:
        raise UserError(f"{path} is empty. Put a header and rows in.")
    names = checked(header[:width], path)
    whole = _whole(path, rows, header[:width], separator, most)
    return Stream(names, line, whole, assumed)


def _whole(
    path: Path, rows: Iterator[tuple[int, list[str]]], header: list[str], separator: str, most: int
) -> Iterator[tuple[int, list[str]]]:
    """The rows with as many cells as the header; UserError for others, and for too many."""
    width = len(header)
    for count, (at, row) in enumerate(rows, 1):
        if len(row) != width:
            row = _fitted(row, width, separator, f"{path}, line {at}")
        if row == header:
            raise UserError(f"{path}, line {at} is the header again. Take it out.")
        if count > most:
            raise UserError(f"{path} has over {most} rows. Split it, and read each part.")
        yield at, row


def _start(path: Path, lines: Iterator[str]) -> tuple[int, str, str]:
    """Number of lines before the header, the header's first line, and the separator if given."""
    separator = ""
    for n, line in enumerate(lines):
        plain = cells.tidy(line).strip('"').replace(" ", "").casefold()
        if plain.startswith("sep=") and not separator and len(plain) <= len("sep=;"):
            separator = "\t" if "\t" in line else plain[4:]
            if separator not in (*SEPARATORS, "|"):
                raise UserError(f"{path}: {line.strip()!r} names no separator. Use a comma.")
        elif cells.tidy(line.strip(' \t\r\n,;"')):
            return n, line, separator
    raise UserError(f"{path} is empty. Put a header and rows in.")


def _separator(header: str, expected: Sequence[str]) -> str:
    """The separator that gives the most of the expected columns, and then the most columns."""
    wanted = set(map(cells.name, expected))

    def count(separator: str) -> tuple[int, int]:
        try:
            found = next(
                csv.reader([header[:MAX_CELL]], delimiter=separator, skipinitialspace=True)
            )
        except csv.Error:
            return 0, 0
        return len(wanted & {cells.name(c) for c in found[:MAX_COLUMNS]}), len(found)

    return max(SEPARATORS, key=count)


def _rows(
    path: Path, lines: Iterator[str], separator: str, before: int
) -> Iterator[tuple[int, list[str]]]:
    """Rows that are not empty, with the line on which each begins."""
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=True, strict=True)
    while True:
        start = before + reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            why = f"{error}. Check the quotation marks of this row"
            if "unexpected end" in str(error):
                why = "a quotation mark opens here and none closes. Put it in, or take this one out"
            raise UserError(f"{path}, line {start} cannot be read as CSV: {why}.") from error
        if any(len(c) > MAX_CELL for c in row):
            raise UserError(f"{path}, line {start}: a cell has over {MAX_CELL} characters. Cut it.")
        if cells.tidy("".join(row)):
            yield start, row


def _width(header: Sequence[str]) -> int:
    """The number of columns: separators at its end do not count."""
    width = len(header)
    while width and not cells.tidy(header[width - 1]):
        width -= 1
    return width


def _fitted(row: list[str], width: int, separator: str, where: str) -> list[str]:
    """A row without the separators at its end; UserError if its length still is another."""
    rest = [c for c in row[width:] if cells.tidy(c)]
    if len(row) > width and not rest:
        return row[:width]
    said = f"{len(row)} cell{'s' if len(row) != 1 else ''}, and the header has {width}"
    for other in SEPARATORS:
        if other != separator and sum(c.count(other) for c in row) == width - 1 > 0 == len(row) - 1:
            said += f"; its cells are separated by {SEPARATORS[other]}"
    remedy = "Quote cells that contain the separator" if rest else "Add the missing cells"
    raise UserError(f"{where}: wrong number of cells: {said}. {remedy}.")


def _without_empty(table: Table) -> Table:
    """The table without columns that have neither a name nor a cell."""
    gone = {i for i, h in enumerate(table.header)
            if not h and not any(row[i].strip() for row in table.rows)}  # fmt: skip
    if not gone:
        return table
    kept = [i for i in range(len(table.header)) if i not in gone]
    rows = [[row[i] for i in kept] for row in table.rows]
    return Table(table.path, tuple(table.header[i] for i in kept), rows, table.lines)
