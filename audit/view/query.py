"""Queries of the wall: filters, order and page, read from an address and written to one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

import numpy as np

from audit.errors import UserError
from audit.view.table import Reading, Table

SIZES = (30, 60, 120, 240)
COPIES = {"yes": 1, "no": 0, "open": -1}
SINGLE = "single"
"""In their place: images that are a training image, whatever the others are."""
MOST = 400
"""Characters of a search that are read."""


@dataclass(frozen=True)
class Query:
    """Filters that are combined by `and`; empty and NaN ones fit every row."""

    words: str = ""
    """Each word must be in the text, before or after rewriting; or the id of an image."""
    subject: str = ""
    arm: str = ""
    prompt: str = ""
    """A prompt by its id."""
    readings: tuple[tuple[str, str], ...] = ()
    """Attribute with `is:CLASS`, `why:OUTCOME` or `why:any`."""
    low: float = math.nan
    """Least similarity to the nearest training image, a cosine."""
    high: float = math.nan
    copy: str = ""
    missing: str = ""
    """A reason, or `any`."""
    sort: str = ""
    size: int = 60
    page: int = 1

    def parameters(self) -> dict[str, str]:
        """Differences from the unfiltered wall, as the parameters of an address."""
        plain = {k: getattr(self, k) for k in ("words", "subject", "arm", "prompt", "copy",
                                               "missing", "sort")}  # fmt: skip
        found = {k: v for k, v in plain.items() if v}
        found |= {f"a.{k}": v for k, v in self.readings}
        found |= {k: f"{v:g}" for k, v in (("low", self.low), ("high", self.high)) if v == v}
        found |= {"size": str(self.size)} if self.size != Query.size else {}
        return found | ({"page": str(self.page)} if self.page > 1 else {})

    def address(self, path: str = "/", **more: object) -> str:
        """An address under `path` with this query; `more` is added to it."""
        text = urlencode(self.parameters() | {k: str(v) for k, v in more.items()})
        return f"{path}?{text}" if text else path

    def but(self, **changes: Any) -> Query:
        """The same query with changes, from its first page unless a page is given."""
        return replace(self, **{"page": 1, **changes})

    def without(self, attribute: str) -> Query:
        """The same query without the filter of one attribute."""
        return self.but(readings=tuple(r for r in self.readings if r[0] != attribute))


def read(parameters: Mapping[str, str]) -> Query:
    """A query from an address; UserError for an invalid number or an unknown word.

    A subject, arm or class that the run does not have is not an error: no row has it.
    """
    words = {k: parameters.get(k, "").strip()[:MOST]
             for k in ("words", "subject", "arm", "prompt", "copy", "missing", "sort")}  # fmt: skip
    if words["copy"] and words["copy"] not in (*COPIES, SINGLE):
        raise UserError("The filter `copy` is single, yes, no or open. Choose one of them.")
    readings = tuple(
        (k[2:], v) for k, v in parameters.items() if k.startswith("a.") and v and len(v) <= MOST
    )
    size = _whole(parameters, "size", Query.size)
    return Query(
        **words, readings=readings, low=_number(parameters, "low"),
        high=_number(parameters, "high"), size=min(SIZES, key=lambda s: abs(s - size)),
        page=_whole(parameters, "page", 1),
    )  # fmt: skip


def _number(parameters: Mapping[str, str], name: str) -> float:
    text = parameters.get(name, "").strip().replace(",", ".")
    if not text:
        return math.nan
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UserError(f"The similarity {text[:40]!r} is not a number. Give one from -1 to 1.")
    return value


def _whole(parameters: Mapping[str, str], name: str, usual: int) -> int:
    text = parameters.get(name, "").strip()
    if not text:
        return usual
    if not (text.isascii() and text.isdigit()) or not 0 < len(text) <= 9:
        raise UserError(f"The {name} {text[:40]!r} is not a whole number. Correct the address.")
    return max(1, int(text))


def choose(table: Table, query: Query) -> np.ndarray:
    """Rows that fit the query, int64[m], in its order; unknown values last, ties as planned.

    Raises UserError for an order that the run does not have.
    """
    rows = np.flatnonzero(_holds(table, query))
    if not query.sort:
        return rows
    if query.sort not in table.orders:
        raise UserError(f"This run cannot be sorted by {query.sort[:60]!r}. Choose another order.")
    return rows[np.argsort(table.orders[query.sort][1][rows], kind="stable")]


def _holds(table: Table, query: Query) -> np.ndarray:
    keep = np.ones(len(table), bool)
    if query.words:
        terms = query.words.casefold().split()
        found = table.text.contains(terms) | table.original.contains(terms)
        found[list(table.rows(query.words))] = True
        keep &= found
    for column, word in ((table.subject, query.subject), (table.arm, query.arm),
                         (table.prompt, query.prompt)):  # fmt: skip
        if word:
            keep &= column.equals(word)
    by_name = {r.name: r for r in table.readings}
    for name, asked in query.readings:
        keep &= _read_as(by_name[name], asked) if name in by_name else False
    if query.missing:
        keep &= _any(table) if query.missing == "any" else table.missing.get(query.missing, False)
    return keep & _near(table, query)


def _any(table: Table) -> np.ndarray:
    return np.any([np.zeros(len(table), bool), *table.missing.values()], axis=0)


def _read_as(reading: Reading, asked: str) -> np.ndarray:
    kind, _, word = asked.partition(":")
    if kind == "is":
        return reading.outcome.equals("label") & reading.value.equals(word)
    if word == "any":
        return (reading.outcome.codes >= 0) & ~reading.outcome.equals("label")
    return reading.outcome.equals(word)


def _near(table: Table, query: Query) -> np.ndarray:
    keep = np.ones(len(table), bool)
    asked = query.copy or query.low == query.low or query.high == query.high
    if table.match is None:
        return ~keep if asked else keep
    if query.low == query.low:
        keep &= table.match.score >= query.low  # NaN is in no range
    if query.high == query.high:
        keep &= table.match.score <= query.high
    if query.copy == SINGLE:
        keep &= table.match.alone
    elif query.copy:
        keep &= table.match.copy == COPIES[query.copy]
    return keep
