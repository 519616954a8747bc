"""What the templates show: plain data from the tables, words clipped, addresses ready made."""

from __future__ import annotations

import math
import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from audit import pixels
from audit.records import OUTCOMES
from audit.report import wording
from audit.view.desk import Desk, Opened
from audit.view.query import SIZES, Query, choose
from audit.view.table import Column, Reading, Table

TEMPLATES = Path(__file__).parent / "templates"
NEAR = 12
"""Neighbours shown of an image."""


def environment() -> Environment:
    """Templates, escaped and strict about what is not there."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    made.filters |= {"clip": wording.clip, "count": wording.count, "title": title,
                     "arm": wording.arm, "cosine": cosine, "ref": ref}  # fmt: skip
    return made


def title(name: str) -> str:
    """An attribute's name for people."""
    return wording.clip(name.replace("_", " "), 60)


def cosine(x: float) -> str:
    """A similarity or probability with two decimals, and a dash where it is not known."""
    return wording.tie(f"{x:.2f}") if math.isfinite(x) else wording.DASH


def ref(id: str) -> str:
    """An id as one part of an address."""
    return urllib.parse.quote(id, safe="")


@dataclass(frozen=True)
class Tag:
    """What was read of one attribute of one image, or why nothing was."""

    attribute: str
    word: str
    known: bool
    score: float


def tags(table: Table, row: int) -> list[Tag]:
    """The readings of a row, those that were not asked left out."""
    found = []
    for r in table.readings:
        if outcome := r.outcome[row]:
            known = outcome == "label"
            word = r.value[row] if known else outcome
            found.append(Tag(r.name, word, known, float(r.score[row])))
    return found


def _gone(opened: Opened, id: str) -> str:
    """Why a sample has no picture; empty where it has one."""
    if reason := opened.table.blocked.get(id, ""):
        return reason
    try:
        opened.source.stamp(id)
    except (pixels.Unreadable, KeyError):
        return "no picture"
    return ""


def card(opened: Opened, row: int, href: str) -> dict[str, Any]:
    """One image on a wall."""
    table, match = opened.table, opened.table.match
    id = table.samples[row].id
    return {
        "id": id, "href": href, "text": table.text[row], "tags": tags(table, row),
        "gone": _gone(opened, id), "arm": table.arm[row],
        "score": float(match.score[row]) if match else math.nan,
        "copy": bool(match is not None and match.copy[row] == 1),
    }  # fmt: skip


def wall(opened: Opened, query: Query) -> dict[str, Any]:
    """The wall: one page of what was asked for, the filters, and the way to other pages."""
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
        "chips": chips(table, query), "sizes": SIZES, "range": extent(table),
        "sorts": [(k, words) for k, (words, _) in table.orders.items()],
    }  # fmt: skip


def extent(table: Table) -> tuple[float, float] | None:
    """The least and the greatest similarity to a training image; None where none was searched."""
    if table.match is None or not np.isfinite(table.match.score).any():
        return None
    return float(np.nanmin(table.match.score)), float(np.nanmax(table.match.score))


def facets(table: Table, query: Query) -> list[dict[str, Any]]:
    """A choice per attribute: its classes, and the reasons why there is none, with counts."""
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
        calls = [("yes", "copies", 1), ("no", "not called a copy", 0), ("open", "not decided", -1)]
        counted = [(k, w, int((table.match.copy == c).sum())) for k, w, c in calls]
        found.append(("copy", "Copy of a training image", [c for c in counted if c[2]]))
    found.append(("missing", "Something missing", gone))
    return [
        {"name": n, "title": t, "options": o, "chosen": getattr(query, n)}
        for n, t, o in found
        if len(o) > 1 or (o and n != "arm") or getattr(query, n)
    ]


def chips(table: Table, query: Query) -> list[tuple[str, str]]:
    """The filters that are on, in words, each with the address that takes it off."""
    calls = {"yes": "copies", "no": "not called a copy", "open": "copy not decided"}
    found = []
    for name, said in (("words", f"\N{LEFT DOUBLE QUOTATION MARK}{query.words}"
                                 "\N{RIGHT DOUBLE QUOTATION MARK}"),
                       ("subject", f"subject {query.subject}"), ("prompt", f"prompt {query.prompt}"),
                       ("arm", f"arm {wording.arm(query.arm)}"),
                       ("copy", calls.get(query.copy, "")),
                       ("missing", f"missing: {query.missing}")):  # fmt: skip
        if getattr(query, name):
            found.append((said, query.but(**{name: ""}).address()))
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


def image(desk: Desk, opened: Opened, id: str, query: Query, extra: Mapping[str, str]) -> (
    dict[str, Any]
):  # fmt: skip
    """An image's own page; KeyError for an id that is not planned.

    `extra` may say where on the wall it stood (`at`) and whose neighbours are wanted (`encoder`).
    """
    table = opened.table
    order = choose(table, query)
    rows = table.rows[id]
    at = _at(table, order, id, extra.get("at", ""))
    row = int(order[at]) if at is not None else rows[0]
    sample = table.samples[row]
    return {
        "query": query, "row": row, "sample": sample, "gone": _gone(opened, id),
        "text": table.text[row], "original": table.original[row], "subject": table.subject[row],
        "arms": [table.arm[r] for r in rows], "tags": tags(table, row), "fit": float(table.fit[row]),
        "match": _match(table, row), "training": desk.shows_training,
        "way": _way(table, order, at, query), "found": len(order), "at": at,
        "back": query.address(), "alike": Query(prompt=sample.prompt).address(),
        "twins": _twins(opened, row), "near": _near(opened, id, query, extra),
    }  # fmt: skip


def _at(table: Table, order: np.ndarray, id: str, said: str) -> int | None:
    """Where an image stands in an order: where it is said to be, or first found; None nowhere."""
    place = int(said) if said.isascii() and said.isdigit() and len(said) < 10 else -1
    if 0 <= place < len(order) and table.samples[order[place]].id == id:
        return place
    found = np.flatnonzero(np.isin(order, table.rows[id]))
    return int(found[0]) if len(found) else None


def _way(table: Table, order: np.ndarray, at: int | None, query: Query) -> dict[str, str]:
    """Addresses of the images before and after."""
    if at is None:
        return {}
    places = {"previous": at - 1, "next": at + 1}
    return {
        k: query.address(f"/image/{ref(table.samples[order[p]].id)}", at=p)
        for k, p in places.items()
        if 0 <= p < len(order)
    }


def _match(table: Table, row: int) -> dict[str, Any] | None:
    match = table.match
    if match is None or not np.isfinite(match.score[row]):
        return None
    return {
        "score": float(match.score[row]), "held": float(match.held[row]),
        "copy": int(match.copy[row]), "train": match.train[row], "caption": match.caption[row],
        "repeats": wording.repeats(float(match.repeats[row])),
    }  # fmt: skip


def _twins(opened: Opened, row: int) -> list[dict[str, Any]]:
    """The same prompt and noise in other arms, those that share this image left out."""
    table = opened.table
    sample = table.samples[row]
    others = [
        r for r in table.pairs[sample.prompt, sample.seed] if table.samples[r].id != sample.id
    ]
    return [card(opened, r, f"/image/{ref(table.samples[r].id)}") for r in others]


def _near(opened: Opened, id: str, query: Query, extra: Mapping[str, str]) -> dict[str, Any]:
    """Nearest images of the run by one encoder, and the encoders that there are."""
    encoders = opened.neighbours.encoders
    wanted = extra.get("encoder", "")
    chosen = wanted if wanted in encoders else (encoders[0] if encoders else "")
    vectors = opened.neighbours.of(chosen) if chosen else None
    cards: list[dict[str, Any]] = []
    for other, score in vectors.nearest(id, NEAR) if vectors else []:
        row = opened.table.rows[other][0]
        cards.append(card(opened, row, f"/image/{ref(other)}") | {"near": score})
    path = f"/image/{ref(id)}"
    at = {"at": extra["at"]} if extra.get("at") else {}
    links = [(e, query.address(path, **at, encoder=e)) for e in encoders]
    return {"cards": cards, "encoder": chosen, "encoders": links}


def summary(draw_rows: Sequence[Any], raters: Mapping[str, int]) -> list[tuple[str, int, int]]:
    """Each rater with how many of how many they have labelled."""
    return [(name, done, len(draw_rows)) for name, done in raters.items()]


__all__ = ["OUTCOMES", "card", "chips", "cosine", "environment", "extent", "facets", "image",
           "plain_facets", "ref", "summary", "tags", "title", "wall"]  # fmt: skip
