"""How much of a large run the report shows: tables keep their ends, omissions are stated.

A report is read, printed and sent, so it stays under two megabytes whatever the run. Rows are
dropped in steps that depend on their number, never on their content; findings.json contains all of
them.
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
"""Maximum size of a report, in bytes."""
WORDS = 1_100_000
"""Bytes of text and charts beyond which rows are left out."""
PICTURES = 250_000
"""Bytes reserved for images."""
ROW, MARK = 500, 850
"""Bytes per finding in a table or as a claim, and in a chart."""
CHART = wording.CHART
LONG = 6_000
"""Characters of a finding's texts; longer ones come last in the JSON."""
ALL = 10**9
STEPS = (
    *((rows, ALL) for rows in (ALL, 200, 100, 60, 40, 24, 16, 10, 6, 4, 2)),
    *((2, tables) for tables in (800, 400, 200, 80, 20)),
)
"""Rows of a table and number of tables, tried in this order until a report is small enough."""

Table = tuple[str, ...]
BY_SUBJECT = {
    "representation": {"share", "stated", "person-leak", "distance", "amplification", "resembles"},
    "mitigation": {"change"},
    "comparison": {"share"},
}
"""Kinds of claims, by section, with one claim per subject."""


def table(f: Finding) -> Table:
    """The table or list of a finding: the same claim about another subject is another row."""
    if f.key.kind in ("joint", "together"):
        return ("joint", f.key.attribute)
    if f.key.kind in BY_SUBJECT.get(f.section, ()) and not f.key.everyone:
        return tuple(f.key._replace(subject=""))
    return (f.section, f.arm, f.quantity)


def ends(found: Sequence[Finding], most: int) -> list[Finding]:
    """At most `most` findings in their order: those with the highest and lowest estimates.

    Unknown estimates are included only if there is room.
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
    """Whether a report omits a finding: shares under a rewrite, covered by its effects."""
    return f.section == "representation" and f.arm != BASELINE


@dataclass(frozen=True)
class Excerpt:
    """The findings that a report shows, out of all."""

    everything: Sequence[Finding]
    findings: list[Finding]
    left: Mapping[Table, int] = field(default_factory=dict)
    """Number of rows left out of each table."""
    answers: Sequence[Finding] = ()
    """Findings that every excerpt has, and that the report shows first."""

    def words(self, found: Sequence[Finding]) -> str:
        """The note on rows left out of the table with these rows, or nothing."""
        gone = sum(self.left.get(key, 0) for key in {table(f) for f in found})
        if not gone:
            return ""
        return wording.text("rows.left", shown=wording.count(len(found)),
                            all=wording.count(len(found) + gone))  # fmt: skip

    @cached_property
    def families(self) -> Mapping[str, int]:
        """Number of comparisons in each declared family, shown or not."""
        tested = Counter(f.family for f in self.everything if f.family and math.isfinite(f.p))
        return dict(tested)

    @cached_property
    def gone(self) -> int:
        """Number of findings that a report without bounds would show and this one does not."""
        return sum(self.left.values())

    @property
    def cost(self) -> int:
        """Approximate bytes of its rows and charts; a mark is counted for every row."""
        charted = Counter(table(f) for f in self.findings if _charted(f))
        marks = sum(min(n, CHART) for n in charted.values())
        return ROW * sum(not hidden(f) for f in self.findings) + MARK * marks


def _charted(f: Finding) -> bool:
    share = f.section == "representation" and f.unit == "share" and not f.key.everyone
    return (share and not hidden(f)) or f.key.kind == "change"


def excerpts(found: Sequence[Finding], answers: Sequence[Finding] = ()) -> Iterator[Excerpt]:
    """Shorter and shorter excerpts of the findings, from all on; `answers` are in each."""
    tables: dict[Table, list[Finding]] = {}
    for f in found:
        if not hidden(f):
            tables.setdefault(table(f), []).append(f)
    fixed = {f.id for f in answers}
    for rows, most in STEPS:
        kept, left = set(fixed), Counter[Table]()
        for i, (key, mine) in enumerate(tables.items()):
            whole = key[0] != "joint" or len(mine) <= 8 * rows
            part = ends(mine, rows if key[0] != "joint" else ALL) if whole and i < most else []
            kept |= {f.id for f in part}
            if gone := sum(f.id not in kept for f in mine):
                left[key] = gone
        all_shown = [f for f in found if f.id in kept or hidden(f)]
        yield Excerpt(found, all_shown, left, answers)


def embedded(excerpt: Excerpt, room: int) -> tuple[str, int]:
    """Findings as JSON for a script element, and their number; no text in it can end the element.

    Defaults, and everything printed from the key except the id, are left out;
    `audit.records.from_json` reads it back. Findings that the report shows go first where `room`,
    in bytes, is too small for all.
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
        (row,) = json.loads(to_json([everything[i]]))["findings"]
        text = element({k: row[k] for k, v in usual.items() if v is MISSING or row[k] != v})
        size = len(text.encode()) + 2
        if size <= room:
            kept[i], room = text, room - size
        elif room < ROW:
            break
    return "[" + ",\n".join(kept[i] for i in sorted(kept)) + "]", len(kept)


def _long(f: Finding) -> bool:
    return len(f.id) + len(f.where) + len(f.sentence) > LONG


def element(row: Mapping[str, Any]) -> str:
    """JSON for a script element: no text in it can end the element."""
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
