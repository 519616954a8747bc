"""Assemble the page: one HTML file, no requests, the same bytes for the same evidence."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from audit import pixels
from audit.records import BASELINE, OUTCOMES, Attribute, Evidence, Finding, Sample, to_json
from audit.report import charts, wording
from audit.report.thumbnails import data_uri

TEMPLATES = Path(__file__).parent / "templates"
WALL = 12
"""Thumbnails per subject."""
WALL_SUBJECTS = 24
PAIRS = 24
"""Copies shown side by side; the rest is counted."""
BEFORE_AFTER = 8


def page(evidence: Evidence) -> str:
    """The whole report as HTML text."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {
        "percent": wording.percent,
        "points": wording.points,
        "number": wording.number,
        "p": wording.p_value,
        "clip": wording.clip,
        "known": lambda x: isinstance(x, int | float) and math.isfinite(x),
    }
    style = (TEMPLATES / "style.css").read_text("utf-8")
    return environment.get_template("page.html.j2").render(
        style=style,
        suite=evidence.suite,
        settings=evidence.settings,
        facts=evidence.facts,
        wording=wording,
        answers=answers(evidence),
        asked=asked(evidence),
        representation=representation(evidence),
        walls=walls(evidence),
        replication=replication(evidence),
        mitigations=mitigations(evidence),
        missing=missing(evidence),
        quality=[f for f in evidence.findings if f.section == "quality"],
        findings_json=_inert(to_json(evidence.findings)),
    )


def _inert(text: str) -> str:
    """JSON that cannot end its script element, whatever the captions hold."""
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _section(evidence: Evidence, name: str) -> list[Finding]:
    return [f for f in evidence.findings if f.section == name]


def answers(evidence: Evidence) -> list[Finding]:
    """Three to seven findings that answer the suite's question, one of each kind first."""
    chosen: list[Finding] = []
    base = [f for f in _section(evidence, "representation") if f.arm == BASELINE]
    overall = [f for f in base if "/all/" in f.id]
    single = [f for f in base if "/all/" not in f.id and f.n]
    chosen += single[:1]
    chosen += overall[:2]
    copies = [
        f for f in _section(evidence, "replication") if f.arm == BASELINE and "/count-" not in f.id
    ]
    repeated = [f for f in copies if "repeats=" in f.id]
    chosen += repeated[-1:] + [f for f in copies if f.id.endswith("/ordinary")]
    effects = _section(evidence, "mitigation")
    chosen += [f for f in effects if f.id.endswith("/all/distance")][:1]
    chosen += [f for f in effects if "/cost-" in f.id][:1]
    return [f for f in chosen if f.sentence][:7]


def asked(evidence: Evidence) -> dict[str, int]:
    """How much was asked: prompts, planned images, distinct images, arms."""
    samples = evidence.samples
    return {
        "prompts": len(evidence.suite.prompts),
        "images": len(samples),
        "arms": 1 + len(evidence.suite.mitigations),
    }


def _attribute_of(f: Finding, attributes: Sequence[Attribute]) -> str:
    return next((a.name for a in attributes if f"/{a.name}=" in f.id), "")


def representation(evidence: Evidence) -> list[dict[str, Any]]:
    """Per attribute and quantity: a chart and its table, baseline only; arms are in mitigations."""
    rows = [
        f for f in _section(evidence, "representation") if f.arm == BASELINE and "/all/" not in f.id
    ]
    overall = [f for f in _section(evidence, "representation") if "/all/" in f.id]
    groups = []
    for attribute in evidence.suite.attributes:
        mine = [f for f in rows if _attribute_of(f, evidence.suite.attributes) == attribute.name]
        parts: list[dict[str, Any]] = []
        for quantity in dict.fromkeys(f.quantity for f in mine):
            part = sorted(
                (f for f in mine if f.quantity == quantity),
                key=lambda f: (not math.isfinite(f.estimate), f.estimate, f.where),
            )
            name = f"chart-{attribute.name}-{len(parts)}".replace("_", "-")
            lines = [
                charts.Row(
                    wording.clip(f.where, 28), f.estimate, f.low, f.high, f.naive, f.references
                )
                for f in part
            ]
            family = next((f.family for f in part if f.family), "")
            parts.append(
                {
                    "quantity": quantity,
                    "findings": part,
                    "chart": charts.dots(name, quantity, lines),
                    "references": list(dict.fromkeys(n for f in part for n in f.references)),
                    "family": family,
                    "comparisons": sum(f.family == family for f in rows) if family else 0,
                }
            )
        if parts:
            label = attribute.name.replace("_", " ")
            head = [f for f in overall if f"/{attribute.name}-gap" in f.id]
            groups.append({"attribute": label, "overall": head, "parts": parts})
    return groups


def _thumbnail(load: Any, id: str) -> str | None:
    try:
        return data_uri(load(id))
    except (pixels.Unreadable, KeyError):
        return None


def _labels(table: pd.DataFrame, hidden: str | None) -> dict[tuple[str, str], str]:
    """(sample, prompt) to the words under its thumbnail."""
    words: dict[tuple[str, str], list[str]] = {}
    for row in table.itertuples(index=False):
        if row.attribute != hidden:
            text = row.value if row.outcome == "label" else row.outcome
            words.setdefault((row.sample, row.prompt), []).append(str(text))
    return {k: ", ".join(dict.fromkeys(v)) for k, v in words.items()}


def walls(evidence: Evidence) -> list[dict[str, Any]]:
    """Per subject a random draw of its baseline images, each with what was read from it."""
    table = evidence.attributes
    if table.empty:
        return []
    rng = np.random.default_rng(int(evidence.facts.get("wall_seed", 0)))
    words = _labels(table, evidence.suite.subject_attribute)
    base = table[table.arm == BASELINE].drop_duplicates(["sample", "prompt"])
    out = []
    for subject in list(dict.fromkeys(base.subject))[:WALL_SUBJECTS]:
        rows = base[base.subject == subject]
        picks = rng.permutation(len(rows))[:WALL]
        cells = [
            {
                "src": _thumbnail(evidence.image, r.sample),
                "label": words.get((r.sample, r.prompt), ""),
            }
            for r in rows.iloc[picks].itertuples()
        ]
        out.append({"subject": subject, "shown": len(cells), "all": len(rows), "cells": cells})
    return out


def replication(evidence: Evidence) -> dict[str, Any] | None:
    """Distribution, rates by repetition and the pairs, or None where no corpus was searched."""
    table = evidence.matches
    if table.empty:
        return None
    known = table[table.outcome == "label"]
    base = known[known.arm == BASELINE]
    threshold = float(evidence.facts.get("threshold", math.nan))
    held = base.held_score.to_numpy(float)
    flagged = known[known["copy"].to_numpy(bool)].sort_values(
        ["score", "sample"], ascending=[False, True]
    )
    best = flagged.drop_duplicates("train")
    shown = best if len(best) >= min(PAIRS, len(flagged)) else flagged
    rates = [f for f in _section(evidence, "replication") if "/count-" not in f.id]
    return {
        "chart": charts.distribution(
            "chart-similarity", base.score.to_numpy(float), held, threshold
        ),
        "rates": rates,
        "counts": [f for f in _section(evidence, "replication") if "/count-" in f.id],
        "pairs": [_pair(evidence, row) for row in shown.head(PAIRS).itertuples()],
        "left_out": max(0, len(flagged) - min(PAIRS, len(shown))),
        "flagged": len(flagged),
        "near": [_pair(evidence, row) for row in _nearest_misses(base).itertuples()],
    }


def _nearest_misses(base: pd.DataFrame) -> pd.DataFrame:
    rest = base[~base["copy"].to_numpy(bool)]
    return rest.sort_values(["score", "sample"], ascending=[False, True]).head(4)


def _pair(evidence: Evidence, row: Any) -> dict[str, Any]:
    sample = evidence.samples.get(row.sample)
    return {
        "made": _thumbnail(evidence.image, row.sample),
        "train": _thumbnail(evidence.train_image, row.train),
        "prompt": sample.text if sample else row.prompt,
        "caption": row.train_caption,
        "id": row.train,
        "repeats": row.repeats,
        "score": row.score,
        "held": row.held_score,
        "arm": row.arm,
    }


def mitigations(evidence: Evidence) -> list[dict[str, Any]]:
    """Per arm: effects by subject, costs, and the same seeds before and after."""
    out = []
    for arm in evidence.suite.mitigations:
        mine = [f for f in _section(evidence, "mitigation") if f.arm == arm.name]
        effects = [f for f in mine if "target" in f.references]
        rows = [
            charts.Row(
                wording.clip(f.where, 28), f.estimate, f.low, f.high, references=f.references
            )
            for f in effects
            if f.n
        ]
        title = effects[0].quantity.removeprefix("change in the ") if effects else ""
        out.append(
            {
                "arm": arm,
                "effects": effects,
                "rest": [f for f in mine if "target" not in f.references],
                "chart": charts.changes(f"chart-{arm.name}", title, rows) if rows else "",
                "pairs": _before_after(evidence, arm.name),
            }
        )
    return out


def _before_after(evidence: Evidence, arm: str) -> list[dict[str, Any]]:
    """Pairs of the same noise, the first that differ, spread over prompts."""
    by_key: dict[tuple[str, int], dict[str, Sample]] = {}
    for s in _rows(evidence):
        by_key.setdefault((s.prompt, s.seed), {})[s.arm] = s
    pairs = [
        (pair[BASELINE], pair[arm])
        for pair in by_key.values()
        if BASELINE in pair and arm in pair and pair[BASELINE].id != pair[arm].id
    ]
    step = max(1, len(pairs) // BEFORE_AFTER)
    words = _labels(evidence.attributes, evidence.suite.subject_attribute)
    return [
        {
            side: {
                "src": _thumbnail(evidence.image, s.id),
                "text": s.text,
                "label": words.get((s.id, s.prompt), ""),
            }
            for side, s in (("before", a), ("after", b))
        }
        for a, b in pairs[::step][:BEFORE_AFTER]
    ]


def _rows(evidence: Evidence) -> Iterable[Sample]:
    return evidence.samples.values()


def missing(evidence: Evidence) -> list[dict[str, Any]]:
    """Images without a label by prompt and reason; prompts without any are left out."""
    table = evidence.attributes
    if table.empty:
        return []
    gone = table[(table.outcome != "label") & (table.attribute != evidence.suite.subject_attribute)]
    texts = {p.id: p.text for p in evidence.suite.prompts}
    out = []
    for (prompt, arm), rows in gone.groupby(["prompt", "arm"], sort=True):
        counts = rows.drop_duplicates(["sample", "outcome"]).outcome.value_counts()
        reasons = {o: int(counts[o]) for o in OUTCOMES if o in counts}
        out.append({"prompt": texts.get(str(prompt), prompt), "arm": arm, "reasons": reasons})
    return sorted(out, key=lambda r: -sum(r["reasons"].values()))[:40]
