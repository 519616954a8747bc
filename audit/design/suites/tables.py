"""The tables of a suite: prompts and reference shares, read strictly, with folded names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from audit.datasets import cells, strict
from audit.errors import UserError, known, say, unknown

MAX_ROWS = 1_000_000
SHARES = ("subject", "attribute", "value", "share", "source")
ROUNDING = 0.01
"""How far shares of a subject may be from a sum of 1, because published ones are rounded."""
COMMENTS = ("note", "notes", "comment", "comments", "remark", "remarks", "source")
"""Columns that nobody expects to be read."""

Shares = dict[tuple[str, str, str], float]


@dataclass(frozen=True)
class Row:
    """A row of a table, with its place for messages."""

    where: str
    cells: Mapping[str, str]
    """Cells as they were written, by the names of the columns that were asked for."""


def rows(
    path: Path, needed: Sequence[str], also: Sequence[str] = ()
) -> tuple[list[Row], list[str]]:
    """Rows with the needed columns, none of them empty, and others if they are there; and notes.

    Columns are found whatever their capitals and spaces; a formula that `cells.inert` disarmed is
    the text that it was. Raises UserError as `strict.read` does,
    for missing columns and cells, and for a column whose name is nearly one of those.
    """
    try:
        table = strict.read(path, MAX_ROWS, (*needed, *also), ours=True)
    except FileNotFoundError as error:
        raise UserError(f"There is no table {path}. Put the file next to the suite.") from error
    places = dict(zip(needed, table.need(needed), strict=True))
    places |= {n: place for n in also if (place := table.find([n])) is not None}
    gone = table.unread(list(places.values()))
    free = [n for n in also if n not in places]
    for column in gone:
        if cells.name(column) not in COMMENTS:
            near = get_close_matches(cells.name(column), free, 1, 0.8)
            if near:
                raise UserError(f"{path}: {unknown('column', column, free)}")
    found = []
    for i, row in enumerate(table.rows):
        where = table.where(i)
        empty = [n for n in needed if not cells.tidy(row[places[n]])]
        if empty:
            raise UserError(f"{where}: a value is missing in {empty[0]!r}. Fill it in.")
        found.append(Row(where, {n: row[place] for n, place in places.items()}))
    strange = [c for c in gone if cells.name(c) not in COMMENTS]
    notes: list[str] = [
        say("Columns of {table} that were not read: {names}.", table=path.name,
            names=", ".join(c[:40] for c in strange[:8]))
    ]  # fmt: skip
    return found, notes if strange else []


def number(cell: str, where: str, whole: bool = False) -> float:
    """A share in 0..1, or a whole number from 0 up; UserError, with what was meant, otherwise."""
    value = cells.number(cell)
    if value >= 0 and value.is_integer() if whole else 0 <= value <= 1:
        return value
    wanted = "a whole number from 0 up" if whole else "a share between 0 and 1"
    meant = cells.number(cells.meant(cell, percent=not whole))
    if not whole and 1 < meant <= 100:
        meant /= 100
    right = meant >= 0 and meant.is_integer() if whole else 0 <= meant <= 1
    said = f"Did you mean {meant:.10g}?" if right else "Correct it."
    raise UserError(f"{where}: {cell!r} is not {wanted}. {said}")


def shares_table(path: Path, classes: Mapping[str, Sequence[str]]) -> tuple[Shares, str]:
    """Shares by (subject, attribute, value) from a CSV file, and its sources in one line.

    `classes` are those of each attribute that is known; others are kept as they are. Names of
    attributes and classes are those of `classes`, whatever their capitals, Unicode form and spaces.
    Shares are kept as they are written, also where they sum to 0.99. Raises UserError, with the
    line, for an unknown class, a share outside 0 to 1, a row that is there twice, and shares of one
    subject and attribute that do not sum to 1 within .01.
    """
    shares: Shares = {}
    spelled: dict[str, str] = {}
    sources: dict[str, None] = {}
    named = {cells.name(a): a for a in classes}
    for row in rows(path, SHARES)[0]:
        subject, attribute, value, share, source = (row.cells[n] for n in SHARES)
        attribute = named.get(cells.name(attribute), cells.tidy(attribute))
        value = cells.tidy(value)
        if attribute in classes:
            value = {cells.fold(c): c for c in classes[attribute]}.get(cells.fold(value), value)
            known(f"{attribute} value", value, classes[attribute], row.where)
        key = (spelled.setdefault(cells.fold(subject), cells.tidy(subject)), attribute, value)
        if key in shares:
            raise UserError(f"{row.where}: {' '.join(key)} is in the table twice. Keep one.")
        shares[key] = number(share, row.where)
        sources[cells.tidy(source).split(": ")[0]] = None
    _summed(path, shares)
    return shares, "; ".join(sorted(sources))


def _summed(path: Path, shares: Shares) -> None:
    totals: dict[tuple[str, str], float] = {}
    for (subject, attribute, _), share in shares.items():
        totals[subject, attribute] = totals.get((subject, attribute), 0.0) + share
    for (subject, attribute), total in totals.items():
        if abs(total - 1) > ROUNDING + 1e-9:
            raise UserError(
                f"{path}: the {attribute} shares of {subject} sum to {total:.3f}, not 1. "
                "Correct them."
            )


def matched(shares: Shares, subjects: Iterable[str]) -> Shares:
    """The shares with the subjects as these are spelled, whatever their capitals and spaces."""
    by_key: dict[str, list[str]] = {}
    for s in dict.fromkeys(subjects):
        by_key.setdefault(cells.fold(s), []).append(s)
    return {
        (name, a, c): v
        for (s, a, c), v in shares.items()
        for name in by_key.get(cells.fold(s), [s])
    }


def complete(path: Path, shares: Shares, classes: Mapping[str, Sequence[str]]) -> None:
    """Raise UserError where a subject lacks a share of one of an attribute's classes."""
    for subject, attribute in dict.fromkeys((s, a) for s, a, _ in shares):
        for value in classes.get(attribute, ()):
            if (subject, attribute, value) not in shares:
                raise UserError(
                    f"{path}: the {attribute} shares of {subject} lack {value!r}. Write it, also "
                    "where it is 0."
                )


def unused(name: str, shares: Shares, asked: Iterable[tuple[str, str]]) -> list[str]:
    """A note on the rows of a reference that are about nothing that is asked, if there are any."""
    wanted = set(asked)
    gone = [(s, a) for s, a, _ in shares if (s, a) not in wanted]
    if not gone:
        return []
    what = [f"{s[:30]} ({a[:20]})" for s, a in dict.fromkeys(gone)]
    more = say(", and {n} more", n=len(what) - 5) if what[5:] else ""
    return [
        say("{n} of {all} rows of the reference {name} are not used, because nothing asks for "
            "their subject and attribute: {names}{more}.", n=len(gone), all=len(shares), name=name,
            names=", ".join(what[:5]), more=more)
    ]  # fmt: skip
