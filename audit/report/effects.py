"""The mitigation section: paired effects, their costs, and the same noise in every arm."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from audit.design.mitigations.methods import method
from audit.errors import say
from audit.keys import BASELINE
from audit.records import Finding, Mitigation, Sample
from audit.report import charts, language, wording
from audit.report.bounds import CHART, ends
from audit.report.evidence import Evidence
from audit.report.facts import LeftAlone
from audit.report.shares import labels, of_section
from audit.report.thumbnails import Album

PERSONAL = frozenset({"personal", "prior", "rise", "extrapolation"})
"""Kinds of claims about personalised models, which have a part of their own."""
BESIDE = frozenset(
    {
        "outcome",
        "stated",
        "leak",
        "entangled",
        "entangled-distance",
        "diversity",
        "drift",
        "distance",
        "parity",
        "overshoot",
        "adherence",
    }
)
"""Kinds of claims shown folded under an arm: costs beyond alignment, subjects and copies."""
MOST_REASONS = 8
STRIPS = 6
"""Number of prompts, with their noise, shown under every arm."""


def mitigations(evidence: Evidence, sizes: Mapping[str, int]) -> list[dict[str, Any]]:
    """Per arm: its definition, effects by subject with a chart, and its costs.

    `sizes` is the number of comparisons in each family.
    """
    found = [f for f in of_section(evidence, "mitigation") if f.key.kind != "dose"]
    declared = {m.name: m for m in evidence.suite.mitigations}
    names = list(dict.fromkeys([*declared, *(f.arm for f in found)]))
    out = []
    for i, name in enumerate(names):
        mine = [f for f in found if f.arm == name]
        effects = sorted(
            (f for f in mine if f.key.kind == "change"), key=lambda f: (_before(f), f.where)
        )
        more = [f for f in mine if f.key.kind in BESIDE]
        out.append(
            {
                "name": name,
                "verdict": next((f for f in mine if f.key.kind == "verdict"), None),
                "more": more,
                "apart": any(f.n and f.counted == "images" for f in mine),
                "does": _does(declared.get(name)),
                "made": _made(declared.get(name)),
                "example": _example(evidence, name),
                "left": _left(evidence.facts.left_alone.get(name)),
                "tables": _tables(i, effects, sizes),
                "rest": [
                    f for f in mine if f.key.kind not in {"change", "verdict", *BESIDE, *PERSONAL}
                ],
            }
        )
    return out


def _tables(arm: int, effects: list[Finding], sizes: Mapping[str, int]) -> list[dict[str, Any]]:
    """Effects with their chart, one table for each share that the arm addresses."""
    out = []
    for k, attribute in enumerate(dict.fromkeys(f.key.attribute for f in effects)):
        mine = [f for f in effects if f.key.attribute == attribute]
        name = f"effects-{arm}" + (f"-{k}" if k else "")
        out.append(
            {
                "effects": mine,
                "paired": all(f.counted == "pairs" for f in mine),
                "chart": _chart(name, mine),
                "comparisons": sum(sizes.get(f, 0) for f in {f.family for f in mine}),
            }
        )
    return out


def _before(f: Finding) -> float:
    """Sort key: the share before the rewrite, highest first, unknown last."""
    share = f.references.get("before", math.nan)
    return -round(share, 6) if math.isfinite(share) else 1.0


def _made(arm: Mitigation | None) -> str:
    if arm is None:
        return ""
    if arm.parts:
        parts = ", ".join(part.name for part in arm.parts)
        return wording.text("mitigation.stack", parts=parts)
    hidden = method(arm.method).transport
    shown = sorted((k, v) for k, v in arm.options.items() if k not in hidden)
    options = "".join(f", {k} {v}" for k, v in shown)
    return wording.text("mitigation.method", method=arm.method, options=options)


def _does(arm: Mitigation | None) -> str:
    """What a mitigation does, in a sentence; empty for those from outside."""
    if arm is None:
        return ""
    return language.now().methods.get("stack" if arm.parts else arm.method, "")


def _example(evidence: Evidence, arm: str) -> tuple[str, str] | None:
    """A prompt without and with the arm: the first that it changes; None where it changes none."""
    before = {(s.prompt, s.seed): s.text for s in evidence.samples.values() if s.arm == BASELINE}
    changed = (
        (before[key], s.text)
        for s in evidence.samples.values()
        if s.arm == arm and (key := (s.prompt, s.seed)) in before and before[key] != s.text
    )
    return next(changed, None)


def _left(found: LeftAlone | None) -> str:
    """How many images keep their prompt, and why, if the arm records it; else empty."""
    if not found:
        return ""
    reasons = found.reasons
    said = "; ".join(f"{wording.clip(r, 90)}: {n}" for r, n in list(reasons.items())[:MOST_REASONS])
    more = "; …" if len(reasons) > MOST_REASONS else ""
    return wording.text(
        "mitigation.left", left=sum(reasons.values()), images=found.images, reasons=said + more
    )


def _chart(name: str, effects: list[Finding]) -> str:
    rows = [
        charts.Row(f.where, f.estimate, f.low, f.high, references=f.references)
        for f in ends([f for f in effects if math.isfinite(f.estimate)], CHART)
    ]
    if not rows:
        return ""
    title = language.name(say("share of {value}", value=effects[0].key.detail))
    return charts.changes(name, title, rows)


def strips(evidence: Evidence, album: Album) -> dict[str, Any]:
    """The same prompt and noise under every arm, for a random draw determined by the seed."""
    seed = evidence.facts.wall_seed
    if album.off or all(s.arm == BASELINE for s in evidence.samples.values()):
        return {"seed": seed, "strips": []}
    by_key: dict[tuple[str, int], dict[str, Sample]] = {}
    for s in evidence.samples.values():
        if s.seed is not None:
            by_key.setdefault((s.prompt, s.seed), {})[s.arm] = s
    whole = sorted(k for k, arms in by_key.items() if BASELINE in arms and len(arms) > 1)
    # Only prompts with the full number of arms: strips must be comparable.
    most = max((len(by_key[k]) for k in whole), default=0)
    whole = [k for k in whole if len(by_key[k]) == most]
    picks = np.random.default_rng(seed).permutation(len(whole))[:STRIPS]
    table = evidence.attributes
    shown = {s.id for i in picks for s in by_key[whole[i]].values()}
    some = table[table["sample"].isin(shown)] if len(table) else table
    words = labels(some, evidence.suite.subject_attribute)
    order = [BASELINE, *(m.name for m in evidence.suite.mitigations)]
    cells = [
        [
            {
                "src": album.small(evidence.image, s.id, 128),
                "arm": s.arm,
                "text": s.text,
                "label": words.get((s.id, s.prompt), ""),
            }
            for s in sorted(by_key[whole[i]].values(), key=lambda s: _place(order, s.arm))
        ]
        for i in sorted(picks)
    ]
    return {"seed": seed, "strips": cells}


def _place(order: list[str], arm: str) -> tuple[int, str]:
    return (order.index(arm) if arm in order else len(order), arm)
