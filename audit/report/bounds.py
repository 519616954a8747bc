"""How much of a large run a page holds: tables keep their ends, and what is left out is said.

A page is read, printed and sent, so it stays under two megabytes whatever the run. Rows give way in
steps that depend on how many there are, never on what they say; findings.json holds all of them.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from functools import cached_property
from typing import Any

from audit.keys import BASELINE
from audit.records import Finding, to_json
from audit.report import wording

LIMIT = 1_950_000
"""Bytes of a page."""
WORDS = 1_100_000
"""Bytes of text and charts at which rows are left out."""
PICTURES = 250_000
"""Bytes that pictures always have."""
ROW, MARK = 500, 850
"""Bytes that a finding needs in a table or as a claim, and in a chart."""
CHART = wording.CHART
LONG = 6_000
"""Characters of a finding's texts from which others go before it into the JSON."""
ALL = 10**9
STEPS = (
    *((rows, ALL) for rows in (ALL, 200, 100, 60, 40, 24, 16, 10, 6, 4, 2)),
    *((2, tables) for tables in (800, 400, 200, 80, 20)),
)
"""Rows of a table and number of tables, tried in this order until a page is small enough."""

Table = tuple[str, ...]
BY_SUBJECT = {
    "representation": {"share", "stated", "person-leak", "distance", "amplification"},
    "mitigation": {"change"},
    "comparison": {"share"},
}
"""Kinds of claims, by section, that are made of one subject after the other."""


def table(f: Finding) -> Table:
    """The table or list that a finding stands in: the same claim about another subject is a row."""
    if f.key.kind in ("joint", "together"):
        return ("joint", f.key.attribute)
    if f.key.kind in BY_SUBJECT.get(f.section, ()) and not f.key.everyone:
        return tuple(f.key._replace(subject=""))
    return (f.section, f.arm, f.quantity)


def ends(found: Sequence[Finding], most: int) -> list[Finding]:
    """At most so many findings in their own order: those of the highest and lowest estimates.

    Estimates that are not known come in only where there is room.
    """
    if len(found) <= most:
        return list(found)
    order = sorted(
        (i for i, f in enumerate(found) if math.isfinite(f.estimate)),
        key=lambda i: (round(found[i].estimate, 6), found[i].id),
    )
    low, high = most // 2, most - most // 2
    chosen = order if len(order) <= most else [*order[:low], *order[len(order) - high :]]
    rest = (i for i, f in enumerate(found) if not math.isfinite(f.estimate))
    kept = {*chosen, *(i for i, _ in zip(rest, range(most - len(chosen)), strict=False))}
    return [f for i, f in enumerate(found) if i in kept]


def hidden(f: Finding) -> bool:
    """Whether a page shows a finding nowhere: shares under a rewrite, which its effects tell."""
    return f.section == "representation" and f.arm != BASELINE


@dataclass(frozen=True)
class Excerpt:
    """The findings that a page shows, of all that there are."""

    everything: Sequence[Finding]
    findings: list[Finding]
    left: Mapping[Table, int] = field(default_factory=dict)
    """How many rows of a table are left out."""

    def words(self, found: Sequence[Finding]) -> str:
        """What is left out of the table with these rows, or nothing."""
        gone = sum(self.left.get(key, 0) for key in {table(f) for f in found})
        if not gone:
            return ""
        return wording.text("rows.left", shown=wording.count(len(found)),
                            all=wording.count(len(found) + gone))  # fmt: skip

    @cached_property
    def families(self) -> Mapping[str, int]:
        """How many comparisons each declared family holds, shown or not."""
        tested = Counter(f.family for f in self.everything if f.family and math.isfinite(f.p))
        return dict(tested)

    @cached_property
    def gone(self) -> int:
        """How many findings a page without bounds would show, and this one does not."""
        return sum(self.left.values())

    @property
    def cost(self) -> int:
        """Bytes that its rows and charts need, roughly; a mark is counted for every row."""
        charted = Counter(table(f) for f in self.findings if _charted(f))
        marks = sum(min(n, CHART) for n in charted.values())
        return ROW * sum(not hidden(f) for f in self.findings) + MARK * marks


def _charted(f: Finding) -> bool:
    share = f.section == "representation" and f.unit == "share" and not f.key.everyone
    return (share and not hidden(f)) or f.key.kind == "change"


def excerpts(found: Sequence[Finding], always: Sequence[Finding] = ()) -> Iterator[Excerpt]:
    """Less and less of the findings; `always` is in each. The first holds everything."""
    tables: dict[Table, list[Finding]] = {}
    for f in found:
        if not hidden(f):
            tables.setdefault(table(f), []).append(f)
    fixed = {f.id for f in always}
    for rows, most in STEPS:
        kept, left = set(fixed), Counter[Table]()
        for i, (key, mine) in enumerate(tables.items()):
            whole = key[0] != "joint" or len(mine) <= 8 * rows
            part = ends(mine, rows if key[0] != "joint" else ALL) if whole and i < most else []
            kept |= {f.id for f in part}
            if gone := sum(f.id not in kept for f in mine):
                left[key] = gone
        all_shown = [f for f in found if f.id in kept or hidden(f)]
        yield Excerpt(found, all_shown, left)


def embedded(excerpt: Excerpt, room: int) -> tuple[str, int]:
    """Findings as JSON for a script element, and how many; no text in it can end the element.

    Defaults, and what is printed from the key but the id, are left out; `audit.records.from_json`
    reads it back. What the page shows goes first
    where `room`, in bytes, is not enough for all.
    """
    usual = {f.name: _usual(f) for f in fields(Finding) if f.init or f.name == "id"}
    everything = list(excerpt.everything)
    shown = {f.id for f in excerpt.findings if not hidden(f)}
    order = sorted(
        range(len(everything)),
        key=lambda i: (_long(everything[i]), everything[i].id not in shown, i),
    )
    kept: dict[int, str] = {}
    for i in order:
        (row,) = json.loads(to_json([everything[i]]))
        text = _element({k: row[k] for k, v in usual.items() if v is MISSING or row[k] != v})
        size = len(text.encode()) + 2
        if size <= room:
            kept[i], room = text, room - size
        elif room < ROW:
            break
    return "[" + ",\n".join(kept[i] for i in sorted(kept)) + "]", len(kept)


def _long(f: Finding) -> bool:
    return len(f.id) + len(f.where) + len(f.sentence) > LONG


def _element(row: Mapping[str, Any]) -> str:
    text = json.dumps(row, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    for raw in "<>&\u2028\u2029":
        text = text.replace(raw, f"\\u{ord(raw):04x}")
    # A lone surrogate cannot be written as UTF-8.
    return text.encode("utf-8", "replace").decode()


def _usual(field: Any) -> Any:
    """A field's default as JSON gives it back; MISSING where it has none."""
    if field.default_factory is not MISSING:
        return field.default_factory()
    nan = isinstance(field.default, float) and math.isnan(field.default)
    return None if nan else field.default
