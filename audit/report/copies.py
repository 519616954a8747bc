"""The replication section: similarity against chance, rates, and pairs to look at."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from audit.evidence.copies import flags
from audit.evidence.copies.facts import CorpusFacts
from audit.keys import BASELINE
from audit.records import Finding
from audit.report import charts, doses, wording
from audit.report.bounds import CHART, ends
from audit.report.evidence import Evidence
from audit.report.shares import of_section
from audit.report.thumbnails import SIDE, Album, difference

PAIRS = 13
"""Number of pairs shown side by side; the rest are counted."""
LARGE, GLANCE = 320, 80
"""Sides of the largest pair and of the one on the first screen, in pixels."""
NEAR = 4
"""Number of nearest images shown that were not flagged as copies."""
BESIDE = {
    "extraction": ("extraction", "extraction-score", "extraction-prompt"),
    "detectors": ("detectors",), "whole_set": ("whole_set",), "why": ("why",),
}  # fmt: skip
"""Kinds of claims shown folded next to the rates, by heading."""
TABLES = frozenset({"rate", "count", "doses", "segments"}.union(*BESIDE.values()))
"""Kinds of claims with a table or a list of their own."""
LEVELS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)


def replication(evidence: Evidence) -> dict[str, Any] | None:
    """Charts and rates, or None where no training set was searched."""
    everything = of_section(evidence, "replication")
    beside = {
        heading: [f for f in everything if f.key.kind in kinds] for heading, kinds in BESIDE.items()
    }
    by_guidance = doses.copies_by_guidance(evidence)
    table = evidence.matches
    if table.empty and not everything:
        return None
    rates = [f for f in everything if f.key.kind == "rate"]
    known = table[table.outcome == "label"] if len(table) else table
    return {
        "notes": [*_searched(evidence.facts.corpus)],
        "rates": rates,
        "segments": [f for f in everything if f.key.kind == "segments"],
        "counts": [f for f in everything if f.key.kind == "count"],
        "rates_chart": _rates_chart(rates),
        "doses": by_guidance,
        "beside": [(k, rows) for k, rows in beside.items() if rows],
        "rest": [f for f in everything if f.key.kind not in TABLES],
        **_likeness(evidence, known),
        **_edited(evidence),
    }


def _searched(corpus: CorpusFacts | None) -> Iterator[str]:
    """How much of the training data was searched, what the search finds, and what is alike."""
    corpus = corpus or CorpusFacts()
    if not math.isfinite(corpus.coverage):
        yield wording.text("replication.coverage.unknown")
    else:
        key = "replication.coverage.lower" if corpus.coverage < 1 else "replication.coverage"
        yield wording.text(key, share=wording.percent(corpus.coverage))
    if corpus.recall:
        share, low, high = map(wording.percent, corpus.recall)
        reason = wording.clip(corpus.search_reason, 300)
        yield wording.text("replication.recall", reason=reason, share=share, low=low, high=high)
    if corpus.recall_line:
        line, *there = corpus.recall_line
        share, low, high = map(wording.percent, there)
        at = wording.number(line)
        yield wording.text("replication.recall.line", cosine=at, share=share, low=low, high=high)
    if corpus.sides:
        yield wording.text("replication.sides", sides=corpus.sides)
    if corpus.semantic:
        yield wording.text("replication.semantic")
    if corpus.crops == 1:
        yield wording.text("replication.whole")
    if corpus.shared:
        n = wording.count(corpus.shared)
        yield wording.text("replication.shared", n=n, x=wording.number(corpus.same))
    if corpus.groups:
        sizes = (corpus.groups, corpus.grouped, corpus.distinct, corpus.largest)
        groups, n, every, largest = (wording.count(wording.as_number(x)) for x in sizes)
        yield wording.text("replication.groups", groups=groups, n=n, all=every, largest=largest)


def _rates_chart(rates: list[Finding]) -> str:
    rows = [charts.Row(_label(f), f.estimate, f.low, f.high) for f in ends(rates, CHART)]
    return charts.dots("rates", rates[0].quantity, rows) if rows else ""


def _label(f: Finding) -> str:
    level = f.key.attribute == "repeats"
    words = wording.repeats(int(f.key.detail)) if level else f.where
    return words if f.arm == BASELINE else f"{words}, {wording.arm(f.arm)}"


def _likeness(evidence: Evidence, known: pd.DataFrame) -> dict[str, Any]:
    """The baseline's two distributions as a chart and as counts above fixed levels."""
    base = known[known.arm == BASELINE] if len(known) else known
    if base.empty:
        return {"chart": "", "levels": [], "images": 0}
    score, held = (base[c].to_numpy(float) for c in ("score", "held_score"))
    threshold = wording.as_number(evidence.facts.threshold)
    label = _threshold_label(evidence, threshold)
    marks = sorted({*LEVELS, *([threshold] if math.isfinite(threshold) else [])})
    levels = [
        {
            "level": x,
            "score": int((score >= x).sum()),
            "held": int((held >= x).sum()),
            "label": label if x == threshold else "",
        }
        for x in marks
    ]
    chart = charts.distribution("likeness", score, held, threshold, label)
    return {"chart": chart, "levels": levels, "images": int(np.isfinite(score).sum())}


def _edited(evidence: Evidence) -> dict[str, Any]:
    """Similarity of edited copies, as a chart and in rows; empty where not measured."""
    rows = evidence.facts.edits
    if not rows:
        return {"edits": (), "edits_chart": "", "edited": 0, "power": False}
    threshold = wording.as_number(evidence.facts.threshold)
    chart = charts.edited("edits", rows, threshold, _threshold_label(evidence, threshold))
    power = any(math.isfinite(r.power) for r in rows)
    return {"edits": rows, "edits_chart": chart, "edited": rows[0].n, "power": power}


def _threshold_label(evidence: Evidence, threshold: float) -> str:
    """Label of the threshold; with selection on W, the cosine is that of the weakest copy."""
    key = "chart.threshold" if evidence.facts.threshold_w is None else "chart.lowest"
    return wording.text(key, x=wording.number(threshold))


def pairs(evidence: Evidence, album: Album) -> dict[str, Any]:
    """Copies with their training images, the surest first, the nearest others, and numbers.

    Only images with unchanged prompts: those of other arms are counted.
    """
    table = evidence.matches
    known = table[table.outcome == "label"] if len(table) else table
    if known.empty:
        return {"large": None, "ordinary": [], "pairs": [], "near": [], "flagged": 0, "singles": 0,
                "trains": 0, "left_out": 0, "elsewhere": 0}  # fmt: skip
    flagged, rest = _flagged(known)
    base = flagged[flagged.arm == BASELINE]
    plain = {p.id for p in evidence.suite.prompts if p.purpose == "representation"}
    ordinary = base[base.prompt.isin(plain)]
    shown = _ranked(_spread(base[~base.prompt.isin(plain)]).head(PAIRS))
    some = ordinary.head(PAIRS)
    large = shown.head(1) if len(shown) else some.head(1)
    return {
        "large": next((_pair(evidence, r, album, LARGE) for r in large.itertuples()), None),
        "ordinary": [_pair(evidence, r, album) for r in some.itertuples(index=False)],
        "pairs": [_pair(evidence, r, album) for r in shown.iloc[1:].itertuples(index=False)],
        "near": [_pair(evidence, r, album) for r in rest.head(NEAR).itertuples(index=False)],
        "flagged": len(base),
        "singles": int((base.single != "").sum()),
        "trains": int(base.train.nunique()),
        "left_out": len(base) - len(shown) - len(some),
        "elsewhere": len(flagged) - len(base),
    }


def first_pair(evidence: Evidence, album: Album) -> dict[str, Any] | None:
    """The surest copy with its training image, small; None where there is none."""
    table = evidence.matches
    known = table[table.outcome == "label"] if len(table) else table
    if known.empty or album.off:
        return None
    flagged = _flagged(known)[0]
    base = flagged[flagged.arm == BASELINE].head(1)
    return next((_pair(evidence, r, album, GLANCE, apart=False) for r in base.itertuples()), None)


def _flagged(known: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Flagged copies of all arms, and images of the baseline that are not; the nearest first."""
    alone = _single(known)
    called = flags.flagged(known["copy"]) | (alone != "")
    rest = known.assign(single="")[~called & (known.arm == BASELINE)]
    return _ranked(known.assign(single=alone)[called]), _ranked(rest)


def _single(known: pd.DataFrame) -> np.ndarray:
    """What is claimed of each image alone, object[n]; empty for nothing."""
    if "single" not in known:
        return np.full(len(known), "", object)
    return known.single.fillna("").to_numpy(object)


def _ranked(table: pd.DataFrame) -> pd.DataFrame:
    """Single images that are a training image first, then the nearest; unknown scores last.

    Ties by sample, which makes the order unique.
    """
    ranks = table.assign(alone=table.single == "")
    order = ranks.sort_values(["alone", "score", "sample"], ascending=[True, False, True])
    return order.drop(columns="alone")


def _spread(ranked: pd.DataFrame) -> pd.DataFrame:
    """The nearest copy of every training image first, then the second nearest, and so on."""
    return ranked.iloc[np.argsort(ranked.groupby("train").cumcount().to_numpy(), kind="stable")]


def _pair(
    evidence: Evidence, row: Any, album: Album, side: int = SIDE, apart: bool = True
) -> dict[str, Any]:
    sample = evidence.samples.get(row.sample)

    def differs(_: str) -> np.ndarray:
        return difference(evidence.image(row.sample), evidence.train_image(row.train))

    return {
        "made": album.uri(evidence.image, row.sample, side),
        "train": album.uri(evidence.train_image, row.train, side),
        "apart": album.uri(differs, row.sample, side) if apart else None,
        "prompt": sample.text if sample else row.prompt,
        "caption": row.train_caption,
        "repeats": wording.repeats(row.repeats),
        "score": float(row.score),
        "held": float(row.held_score),
        "arm": row.arm,
        "single": row.single,
    }
