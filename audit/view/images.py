"""An image's own page as plain data: its readings, its neighbours, and the images next to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from audit.report import wording
from audit.view.desk import Desk, Opened
from audit.view.pages import card, gone, ref, tags
from audit.view.query import Query, choose
from audit.view.table import Table

NEAR = 12
"""Neighbours shown of an image."""


def image(desk: Desk, opened: Opened, id: str, query: Query, extra: Mapping[str, str]) -> (
    dict[str, Any]
):  # fmt: skip
    """An image's own page; KeyError for an id that is not planned.

    `extra` may give its position on the wall (`at`) and the encoder of its neighbours (`encoder`).
    """
    table = opened.table
    order = choose(table, query)
    rows = table.rows(id)
    at = _at(table, order, id, extra.get("at", ""))
    row = int(order[at]) if at is not None else rows[0]
    sample = table.samples[row]
    return {
        "query": query, "row": row, "sample": sample, "gone": gone(opened, id),
        "text": table.text[row], "original": table.original[row], "subject": table.subject[row],
        "arms": [table.arm[r] for r in rows], "tags": tags(table, row),
        "fit": float(table.fit[row]), "file": table.files.get(id, ""),
        "match": _match(table, row), "training": desk.shows_training,
        "way": _way(table, order, at, query), "found": len(order), "at": at,
        "back": query.address(), "alike": Query(prompt=sample.prompt).address(),
        "twins": _twins(opened, row), "near": _near(opened, id, query, extra),
    }  # fmt: skip


def _at(table: Table, order: np.ndarray, id: str, said: str) -> int | None:
    """Position of an image in an order: the stated one, or the first found; None if absent."""
    place = int(said) if said.isascii() and said.isdigit() and len(said) < 10 else -1
    if 0 <= place < len(order) and table.samples[order[place]].id == id:
        return place
    found = np.flatnonzero(np.isin(order, table.rows(id)))
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
        "called": int(match.copy[row]), "train": match.train[row], "caption": match.caption[row],
        "repeats": wording.repeats(float(match.repeats[row])), "single": match.single[row],
    }  # fmt: skip


def _twins(opened: Opened, row: int) -> list[dict[str, Any]]:
    """The same prompt and noise in other arms, except arms that share this image."""
    table = opened.table
    sample = table.samples[row]
    if sample.seed is None:
        return []
    same = np.flatnonzero(table.noise == table.noise[row]).tolist()
    ids = {r: table.samples[r].id for r in same}
    return [card(opened, r, f"/image/{ref(i)}") for r, i in ids.items() if i != sample.id]


def _near(opened: Opened, id: str, query: Query, extra: Mapping[str, str]) -> dict[str, Any]:
    """Nearest images of the run by one encoder, and the available encoders."""
    encoders = opened.neighbours.encoders
    wanted = extra.get("encoder", "")
    chosen = wanted if wanted in encoders else (encoders[0] if encoders else "")
    vectors = opened.neighbours.of(chosen) if chosen else None
    cards: list[dict[str, Any]] = []
    for other, score in vectors.nearest(id, NEAR) if vectors else []:
        row = opened.table.rows(other)[0]
        cards.append(card(opened, row, f"/image/{ref(other)}") | {"near": score})
    path = f"/image/{ref(id)}"
    at = {"at": extra["at"]} if extra.get("at") else {}
    links = [(e, query.address(path, **at, encoder=e)) for e in encoders]
    return {"cards": cards, "encoder": chosen, "encoders": links}
