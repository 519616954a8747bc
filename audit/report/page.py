"""Assemble the page: one HTML file, no requests, the same bytes for the same evidence."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from audit.records import BASELINE, OUTCOMES, Evidence, Finding, to_json
from audit.report import shares, wording
from audit.report.arms import overview
from audit.report.copies import replication
from audit.report.effects import mitigations, strips
from audit.report.shares import of_section
from audit.report.thumbnails import Album

TEMPLATES = Path(__file__).parent / "templates"
LIMIT = 1_900_000
"""Characters that the page aims to stay under; pictures give way to numbers."""
PICTURES = 300_000
"""Characters that pictures always have."""
ROW = 450
"""Characters that a finding's table row needs, markup included."""
MISSING_ROWS = 20


def page(evidence: Evidence) -> str:
    """The whole report as HTML text; any fact may be absent, any section empty."""
    parts, arms = shares.parts(evidence), mitigations(evidence)
    data = embedded(evidence.findings)
    drawn = sum(len(p.chart) for p in parts) + sum(
        len(t["chart"]) for a in arms for t in a["tables"]
    )
    room = LIMIT - drawn - len(data) - ROW * len(evidence.findings)
    album = Album(max(PICTURES, room))
    # Evidence of copying takes its pictures first; walls are the last to be served.
    copies = replication(evidence, album)
    same_noise = strips(evidence, album)
    style = (TEMPLATES / "style.css").read_text("utf-8").strip()
    return environment().get_template("page.html.j2").render(
        style=style, style_hash=style_hash(style), data=data, suite=evidence.suite,
        settings=evidence.settings, facts=_Facts(evidence.facts), w=wording, t=wording.text,
        sections=SECTIONS, answers=answers(evidence), audited=audited(evidence),
        overall=shares.overall(evidence), parts=parts,
        distances=shares.distances(evidence), joints=shares.joints(evidence),
        amplified=shares.amplified(evidence), templates=shares.templates(evidence),
        walls=shares.walls(evidence, album), wall=shares,
        copies=copies, arms=overview(evidence), mitigations=arms, strips=same_noise,
        missing=missing(evidence), quality=of_section(evidence, "quality"), left=album,
    )  # fmt: skip


SECTIONS = (
    "answers", "audited", "representation", "replication", "mitigation", "missing", "method",
    "repeat",
)  # fmt: skip


class _Facts(dict[str, Any]):
    """Facts of which each may be absent: a missing one is None, not an error."""

    def __init__(self, facts: Mapping[str, Any]) -> None:
        super().__init__({k: v for k, v in facts.items() if v is not None})

    def __missing__(self, key: str) -> None:
        return None


def environment() -> Environment:
    """Templates with their filters: escaped, and strict about what is not there."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {
        "percent": wording.percent,
        "distance": wording.distance,
        "count": wording.count,
        "number": wording.number,
        "q": wording.p_value,
        "clip": wording.clip,
        "cap": lambda words: str(words)[:1].upper() + str(words)[1:],
        "known": lambda x: math.isfinite(wording.as_number(x)),
    }
    return environment


def style_hash(style: str) -> str:
    """The Content-Security-Policy source that allows exactly this `<style>`."""
    return base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()


def embedded(findings: Sequence[Finding]) -> str:
    """Findings as JSON for a script element, defaults left out; no text in it can end the element.

    `audit.records.from_json` reads it back.
    """
    usual = {f.name: _usual(f) for f in fields(Finding)}
    rows = [
        {k: v for k, v in row.items() if usual[k] is MISSING or v != usual[k]}
        for row in json.loads(to_json(list(findings)))
    ]
    text = json.dumps(rows, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    for raw in "<>&\u2028\u2029":
        text = text.replace(raw, f"\\u{ord(raw):04x}")
    # A lone surrogate cannot be written as UTF-8.
    return text.encode("utf-8", "replace").decode().replace("},{", "},\n{")


def _usual(field: Any) -> Any:
    """A field's default as JSON gives it back; MISSING where it has none."""
    if field.default_factory is not MISSING:
        return field.default_factory()
    nan = isinstance(field.default, float) and math.isnan(field.default)
    return None if nan else field.default


def answers(evidence: Evidence) -> list[Finding]:
    """Three to seven findings by a fixed rule that does not look at their estimates."""
    spoken = [f for f in evidence.findings if f.sentence]
    rate = [f for f in spoken if f.id.startswith(f"replication/{BASELINE}/")]
    rate = [f for f in rate if wording.kind(f) == "share"] or rate
    effect = [f for f in spoken if f.section == "mitigation"]
    single = [f for f in spoken if f.section == "representation" and f.arm == BASELINE]
    whole = [f for f in single if wording.kind(f) == "distance" and "/all/" in f.id]
    learned = [f for f in single if wording.kind(f) == "change" and "/all/" in f.id]
    single = [f for f in single if wording.kind(f) == "share" and "/all/" not in f.id]
    chosen = [
        *single[:1],
        *whole[:2],
        *learned[:1],
        *[f for f in rate if "repeats=" in f.id][-1:],
        *[f for f in rate if "repeats=" not in f.id][:1],
        *[f for f in effect if "cost" not in f.id][:1],
        *[f for f in effect if "cost" in f.id][:1],
    ]
    more = (f for f in [*single, *rate, *effect, *spoken] if f not in chosen)
    while len(chosen) < 3 and (extra := next(more, None)) is not None:
        chosen.append(extra)
    return list({f.id: f for f in chosen}.values())[:7]


def audited(evidence: Evidence) -> dict[str, Any]:
    """How much was asked, and how many labels are missing for which reason."""
    suite = evidence.suite
    prompts = {
        purpose: sum(p.purpose == purpose for p in suite.prompts)
        for purpose in dict.fromkeys(p.purpose for p in suite.prompts)
    }
    names = [wording.arm(m.name) for m in suite.mitigations]
    arms = wording.text("audited.arm")
    if names:
        both = ", ".join([wording.arm(BASELINE), *names])
        arms = wording.text("audited.arms", n=1 + len(names), names=both)
    return {"prompts": prompts, "images": len(evidence.samples), "arms": arms,
            "missing": _reasons(_gone(evidence))}  # fmt: skip


def _gone(evidence: Evidence) -> pd.DataFrame:
    """Readings without a label, one row per sample, attribute and prompt."""
    table = evidence.attributes
    asked = table[table.attribute != evidence.suite.subject_attribute] if len(table) else table
    return asked[asked.outcome != "label"] if len(asked) else asked


def _reasons(rows: pd.DataFrame) -> dict[str, int]:
    counts = Counter(map(str, rows.outcome)) if len(rows) else Counter()
    return {o: counts[o] for o in (*OUTCOMES, *sorted(set(counts) - set(OUTCOMES))) if counts[o]}


def missing(evidence: Evidence) -> dict[str, Any]:
    """Readings without a label by prompt, arm and reason, most first; a cap, and what it hides."""
    table = evidence.attributes
    hidden = evidence.suite.subject_attribute
    asked = int((table.attribute != hidden).sum()) if len(table) else 0
    gone = _gone(evidence)
    texts = {p.id: p.text for p in evidence.suite.prompts}
    rows = []
    if len(gone):
        for (prompt, arm), part in gone.groupby(["prompt", "arm"], sort=True):
            reasons = _reasons(part)
            label = texts.get(str(prompt), str(prompt))
            rows.append({"prompt": label, "arm": arm, "reasons": reasons, "all": len(part)})
        rows.sort(key=lambda r: -r["all"])
    rest = rows[MISSING_ROWS:]
    return {
        "asked": asked, "gone": len(gone), "reasons": _reasons(gone), "rows": rows[:MISSING_ROWS],
        "left": len(rest), "most": max((r["all"] for r in rest), default=0),
    }  # fmt: skip
