"""Two arms side by side: the same prompts and noise, and what the readings become."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import numpy as np

from audit.errors import UserError
from audit.report import wording
from audit.view.desk import Opened
from audit.view.pages import card, ref, title
from audit.view.query import Query, choose, read
from audit.view.table import Reading, Table

SIZE = 20
"""Pairs of one page."""
KEPT = ("words", "subject", "prompt")
"""Filters of the wall that apply to pairs."""


@dataclass(frozen=True)
class Asked:
    """Which arms, which pairs, and where in them."""

    a: str
    b: str
    query: Query
    differ: str
    """An attribute whose reading differs between the two; empty for any pair."""

    def address(self, **changes: object) -> str:
        """The page with changes, under the run's own address."""
        now = {"a": self.a, "b": self.b, "differ": self.differ, "page": self.query.page}
        now |= {k: getattr(self.query, k) for k in KEPT}
        kept = {k: str(v) for k, v in (now | changes).items() if v and (k, v) != ("page", 1)}
        return f"/sides?{urlencode(kept)}"


def asked(table: Table, parameters: Mapping[str, str]) -> Asked:
    """What an address asks for: the first two arms unless it names others.

    UserError where the run has one arm only, or not this arm.
    """
    arms = table.arm.names
    if len(arms) < 2:
        raise UserError("This run has one arm only. Audit a mitigation to compare two.")
    a = parameters.get("a") or arms[0]
    b = parameters.get("b") or next(x for x in arms if x != a)
    for arm in (a, b):
        if arm not in arms:
            raise UserError(f"This run has no arm {arm[:60]!r}. Choose another.")
    kept = {k: parameters.get(k, "") for k in (*KEPT, "page")}
    return Asked(a, b, read({**kept, "arm": a}), parameters.get("differ", ""))


def sides(opened: Opened, parameters: Mapping[str, str]) -> dict[str, Any]:
    """One page of pairs, how their readings change, and the choices."""
    table = opened.table
    these = asked(table, parameters)
    pairs = _pairs(table, these)
    pages = max(1, math.ceil(len(pairs) / SIZE))
    page = min(these.query.page, pages)
    shown = pairs[(page - 1) * SIZE : page * SIZE]
    turn = {"previous": page - 1, "next": page + 1}
    arms = [(n, wording.arm(n)) for n in table.arm.names]
    subjects = sorted((n for n, k in table.subject.counts if k), key=str.casefold)
    return {
        "asked": these, "rows": [_row(opened, *pair) for pair in shown], "found": len(pairs),
        "page": page, "pages": pages, "arms": arms, "subjects": subjects,
        "attributes": [(r.name, title(r.name)) for r in table.readings],
        "changes": [_changes(r, pairs) for r in table.readings],
        "turn": {k: these.address(page=p) for k, p in turn.items() if 1 <= p <= pages},
    }  # fmt: skip


def _pairs(table: Table, these: Asked) -> list[tuple[int, int]]:
    """Rows of the two arms that share prompt and seed, in the plan's order."""
    by_name = {r.name: r for r in table.readings}
    differs = by_name.get(these.differ)
    others = np.flatnonzero(table.arm.equals(these.b) & (table.noise >= 0))
    rows = choose(table, these.query)
    noise, first = np.unique(table.noise[others], return_index=True)
    at = np.searchsorted(noise, table.noise[rows])
    paired = np.append(noise, -2)[at] == table.noise[rows]
    twins = others[first[at[paired]]]
    pairs = zip(rows[paired].tolist(), twins.tolist(), strict=True)
    return [(a, b) for a, b in pairs if not differs or _read(differs, a) != _read(differs, b)]


def _read(reading: Reading, row: int) -> str:
    """The class of a row, or why there is none."""
    outcome = reading.outcome[row]
    return reading.value[row] if outcome == "label" else outcome or "not asked"


def _row(opened: Opened, one: int, other: int) -> dict[str, Any]:
    """Both images as cards; `same` where the second arm left the image as it was."""
    samples = opened.table.samples
    cards = [card(opened, r, f"/image/{ref(samples[r].id)}") for r in (one, other)]
    return {"cards": cards, "same": samples[one].id == samples[other].id,
            "subject": opened.table.subject[one] or ""}  # fmt: skip


def _changes(reading: Reading, pairs: Sequence[tuple[int, int]]) -> dict[str, Any]:
    """How often each reading becomes which other, the most frequent first; and stays."""
    counted = Counter((_read(reading, one), _read(reading, other)) for one, other in pairs)
    moved = [(a, b, n) for (a, b), n in counted.most_common() if a != b]
    return {"title": title(reading.name), "moved": moved[:12],
            "same": sum(n for (a, b), n in counted.items() if a == b)}  # fmt: skip
