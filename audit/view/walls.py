"""The wall as plain data: a page of cards, every filter with its counts, links to other pages."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from audit.report import wording
from audit.view.desk import Opened
from audit.view.pages import card, ref, title
from audit.view.query import SIZES, Query, choose
from audit.view.table import Column, Reading, Table


def wall(opened: Opened, query: Query) -> dict[str, Any]:
    """The wall: one page of the results, the filters, and links to other pages."""
    table = opened.table
    rows = choose(table, query)
    pages = max(1, math.ceil(len(rows) / query.size))
    page = min(query.page, pages)
    start = (page - 1) * query.size
    shown = rows[start : start + query.size]
    cards = [
        card(opened, int(r), query.address(f"/image/{ref(table.samples[r].id)}", at=start + i))
        for i, r in enumerate(shown)
    ]
    turn = {"first": 1, "previous": page - 1, "next": page + 1, "last": pages}
    return {
        "query": query, "cards": cards, "found": len(rows), "all": len(table), "page": page,
        "pages": pages, "first": start + 1, "last": start + len(shown),
        "turn": {k: query.but(page=p).address() for k, p in turn.items()
                 if 1 <= p <= pages and p != page},
        "facets": facets(table, query), "plain": plain_facets(table, query),
        "chips": chips(query), "sizes": SIZES, "range": extent(table),
        "sorts": [(k, words) for k, (words, _) in table.orders.items()],
    }  # fmt: skip


def extent(table: Table) -> tuple[float, float] | None:
    """The lowest and highest similarity to a training image; None without a search."""
    if table.match is None or not np.isfinite(table.match.score).any():
        return None
    return float(np.nanmin(table.match.score)), float(np.nanmax(table.match.score))


def facets(table: Table, query: Query) -> list[dict[str, Any]]:
    """A choice per attribute: its classes, and the reasons for missing labels, with counts."""
    chosen = dict(query.readings)
    return [
        {"name": f"a.{r.name}", "title": title(r.name), "chosen": chosen.get(r.name, ""),
         "groups": _groups(r)}
        for r in table.readings
    ]  # fmt: skip


def _groups(reading: Reading) -> list[tuple[str, list[tuple[str, str, int]]]]:
    labelled = reading.outcome.equals("label")
    classes = Column(reading.value.names, np.where(labelled, reading.value.codes, -1)).counts
    reasons = [(n, k) for n, k in reading.outcome.counts if k and n != "label"]
    gone = sum(k for _, k in reasons)
    without = [("why:any", "any reason", gone)] if len(reasons) > 1 else []
    return [
        ("Read as", [(f"is:{n}", n, k) for n, k in classes]),
        ("Without a label", [*without, *((f"why:{n}", n, k) for n, k in reasons)]),
    ]


def plain_facets(table: Table, query: Query) -> list[dict[str, Any]]:
    """Choices of one word each: subject, arm, copy, and what is missing, with counts."""
    arms = [(n, wording.arm(n), k) for n, k in table.arm.counts]
    subjects = sorted(((n, n, k) for n, k in table.subject.counts), key=lambda x: x[0].casefold())
    gone = [(r, r, int(rows.sum())) for r, rows in table.missing.items()]
    if len(gone) > 1:
        either = int(np.any(list(table.missing.values()), axis=0).sum())
        gone.insert(0, ("any", "any reason", either))
    found = [("subject", "Subject", subjects), ("arm", "Arm", arms)]
    if table.match is not None:
        calls = [
            ("yes", "copies", 1),
            ("no", "not flagged as a copy", 0),
            ("open", "not decided", -1),
        ]
        counted = [("single", "the training image itself", int(table.match.alone.sum()))]
        counted += [(k, w, int((table.match.copy == c).sum())) for k, w, c in calls]
        found.append(("copy", "Copy of a training image", [c for c in counted if c[2]]))
    found.append(("missing", "Something missing", gone))
    return [
        {"name": n, "title": t, "options": o, "chosen": getattr(query, n)}
        for n, t, o in found
        if len(o) > 1 or (o and n != "arm") or getattr(query, n)
    ]


def chips(query: Query) -> list[tuple[str, str]]:
    """The active filters, in words, each with the address that removes it."""
    calls = {"yes": "copies", "no": "not flagged as a copy", "open": "copy not decided",
             "single": "the training image itself"}  # fmt: skip
    plain = {
        "words": f"\N{LEFT DOUBLE QUOTATION MARK}{query.words}\N{RIGHT DOUBLE QUOTATION MARK}",
        "subject": f"subject {query.subject}",
        "prompt": f"prompt {query.prompt}",
        "arm": f"arm {wording.arm(query.arm)}",
        "copy": calls.get(query.copy, ""),
        "missing": f"missing: {query.missing}",
    }
    found = [
        (said, query.but(**{k: ""}).address()) for k, said in plain.items() if getattr(query, k)
    ]
    for attribute, asked in query.readings:
        kind, _, word = asked.partition(":")
        words = word if kind == "is" else f"without a label, {word}" if word == "any" else word
        found.append((f"{title(attribute)}: {words}", query.without(attribute).address()))
    for name, sign in (("low", "\N{GREATER-THAN OR EQUAL TO}"),
                       ("high", "\N{LESS-THAN OR EQUAL TO}")):  # fmt: skip
        value = getattr(query, name)
        if value == value:
            found.append((f"similarity {sign} {value:g}", query.but(**{name: math.nan}).address()))
    return found
