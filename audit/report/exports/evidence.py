"""Findings by clause of NIST's AI RMF and the EU's AI Act, with what they leave open."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from audit.files import toml
from audit.records import Finding
from audit.report import wording
from audit.report.exports.markdown import code, escape, span, table
from audit.report.exports.tables import writable

CITED = 8
"""Most findings of a clause listed in the Markdown table; the rest are counted."""


@dataclass(frozen=True)
class Pattern:
    """Which findings bear on a clause, by their subject matter."""

    section: str
    kinds: tuple[str, ...] = ()
    """Kinds of claims; empty for any."""
    arm: str = ""
    """The only arm; empty for any."""
    everyone: bool = False
    """Whether only claims about all subjects together count."""

    def fits(self, f: Finding) -> bool:
        """Whether a finding matches."""
        return (
            f.section == self.section
            and (not self.kinds or f.key.kind in self.kinds)
            and (not self.arm or f.arm == self.arm)
            and (not self.everyone or f.key.everyone)
        )


@dataclass(frozen=True)
class Clause:
    """One clause, a paraphrase of what it asks, and what a run can and cannot say about it."""

    framework: str
    clause: str
    asks: str
    patterns: tuple[Pattern, ...]
    files: str
    missing: str

    def cited(self, findings: Sequence[Finding]) -> list[Finding]:
        """Findings that bear on it, the whole run first; only those with known estimates."""
        mine = [
            f
            for f in findings
            if math.isfinite(f.estimate) and any(p.fits(f) for p in self.patterns)
        ]
        return sorted(mine, key=lambda f: not (f.key.everyone or f.key.kind == "classifier"))


@cache
def _file() -> Mapping[str, Any]:
    return toml(Path(__file__).with_name("frameworks.toml").read_text("utf-8"))


def clauses() -> list[Clause]:
    """Every clause of `frameworks.toml`, in its order."""
    names = _file()["frameworks"]
    return [
        Clause(names[r["framework"]], r["clause"], r["asks"], _patterns(r["findings"]),
               r.get("files", ""), r["missing"])
        for r in _file()["rows"]
    ]  # fmt: skip


def _patterns(raw: Sequence[Mapping[str, Any]]) -> tuple[Pattern, ...]:
    return tuple(Pattern(**{**r, "kinds": tuple(r.get("kinds", ()))}) for r in raw)


def rows(findings: Sequence[Finding]) -> pd.DataFrame:
    """One row per clause and finding; a clause without findings has one row, with empty cells."""
    out = []
    for c in clauses():
        head = {"framework": c.framework, "clause": c.clause, "asks": c.asks}
        tail = {"files": c.files, "not_covered": c.missing}
        cited: list[Finding | None] = [*c.cited(findings)]
        out += [{**head, **_numbers(f), **tail} for f in cited or [None]]
    return pd.DataFrame(out)


def _numbers(f: Finding | None) -> dict[str, Any]:
    keys = ("where", "quantity", "arm", "estimate", "low", "high", "n", "missing", "method")
    if f is None:
        return {"finding": None, **dict.fromkeys(keys)}
    return {"finding": writable(f.id), **{k: writable(getattr(f, k)) for k in keys}}


def markdown(findings: Sequence[Finding], run: str) -> str:
    """The table as Markdown, a part for each framework, with the limitations first."""
    parts = [f"# Evidence from the audit {escape(run, 120)}", escape(_file()["note"], 1000)]
    every = clauses()
    for framework in dict.fromkeys(c.framework for c in every):
        cells = [
            [escape(c.clause), escape(c.asks), _evidence(c, findings), escape(c.missing)]
            for c in every
            if c.framework == framework
        ]
        heads = ("Clause", "What it asks, in other words", "Evidence in this run", "Not covered")
        parts += [f"## {escape(framework)}", table(heads, cells)]
    return "\n\n".join(parts) + "\n"


def _evidence(c: Clause, findings: Sequence[Finding]) -> str:
    cited = c.cited(findings)
    lines = [_line(f) for f in cited[:CITED]]
    if len(cited) > CITED:
        lines.append(f"and {len(cited) - CITED} more, in the CSV form of this table")
    if c.files:
        lines.append(f"Files: {escape(c.files)}")
    if not lines:
        return "None in this run."
    return "<br>".join(lines)


def _line(f: Finding) -> str:
    """A finding as `id`: its quantity, the estimate with interval, and n."""
    said = f"{f.quantity}, {f.where}: {wording.estimate(f)} {span(f)}, n = {f.n}"
    return f"{code(f.id)} {escape(said)}"
