"""Results of detectors that need no training set: captions compared with ordinary prompts.

The input is a table with one row per prompt and detector: prompt, detector, side ("caption" or
"ordinary"), score, reason. How well a score separates the two depends on both: captions also differ
from ordinary prompts in form, so captions of images that occur once in the training set show better
what form alone does.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from audit.errors import figure, ours, say
from audit.findings.claim import Claim, Counts, finding
from audit.findings.wording import cap
from audit.findings.wording import estimate as worded
from audit.keys import BASELINE, Key, Unit
from audit.records import Finding, Prompt
from audit.stats.detection import Point, auc, halves, needed, tpr_at_fpr
from audit.stats.interval import UNKNOWN, Interval
from audit.stats.multiplicity import benjamini_hochberg
from audit.stats.proportions import clopper_pearson
from audit.stats.selection import conformal_p

RATES = (0.01, 0.1)
"""False positive rates for the share found: the first that the number of ordinary prompts
allows."""
LEVEL = 0.05
"""False discovery rate at which single captions are flagged."""
WORDS: Mapping[str, tuple[str, str]] = {
    "magnitude": (
        "how far the text moves the model's first outputs",
        "magnitude of the output's change by the text, 5 steps, 4 noises (Wen et al. 2024)",
    ),
    "bright-ending": (
        "how far the text moves the predicted noise where its end token looks",
        "magnitude weighed by the end token's attention, all steps (Chen et al. 2025)",
    ),
    "cliques": (
        "how near most of its images are to one another",
        "smallest largest distance among the images of a clique (Carlini et al. 2023)",
    ),
    "edges": (
        "how seldom as many images of its subject share as many edges",
        "edges in most images (Webster 2023), 1 - p",
    ),
}
"""The quantity that a detector measures, and its method."""
OUTSIDE = ("cliques", "edges")
"""Detectors that use a prompt's images only; the others look inside the model."""


@dataclass(frozen=True)
class _Part:
    """Captions of one kind compared with all ordinary prompts, by one detector."""

    detector: str
    key: str
    where: str
    captions: pd.DataFrame
    ordinary: np.ndarray

    @property
    def scores(self) -> np.ndarray:
        """float64[n] of the captions that have one."""
        values = self.captions.score.to_numpy(float)
        return values[np.isfinite(values)]

    @property
    def reasons(self) -> dict[str, int]:
        """Captions without a score, by reason."""
        gone = self.captions[~np.isfinite(self.captions.score.to_numpy(float))]
        return {str(r or "no score"): int(n) for r, n in gone.reason.value_counts().items()}


def findings(table: pd.DataFrame, prompts: Mapping[str, Prompt], seed: int) -> list[Finding]:
    """Per detector and level of repetition: the area, the share found, and the share flagged.

    Each against the ordinary prompts in the table. The area is DeLong's; the share found at a false
    positive rate takes its threshold from one half of the ordinary prompts, drawn by `seed`, and
    judges it on the other. Captions are flagged by conformal p and Benjamini-Hochberg at .05.
    """
    out = []
    for part in _parts(table, prompts):
        rate = next((r for r in RATES if len(part.ordinary) // 2 >= needed(r)), RATES[-1])
        out += [_area(part), _found(part, rate, seed), _called(part)]
    return out


def _parts(table: pd.DataFrame, prompts: Mapping[str, Prompt]) -> Iterator[_Part]:
    for name in dict.fromkeys(table.detector) if len(table) else ():
        rows = table[table.detector == name]
        ordinary = rows[rows.side == "ordinary"].score.to_numpy(float)
        captions = rows[rows.side == "caption"]
        for key, where, some in levels(captions, prompts):
            yield _Part(str(name), key, where, some, ordinary[np.isfinite(ordinary)])


def levels(
    rows: pd.DataFrame, prompts: Mapping[str, Prompt]
) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Captions by how often the training set contains their image; all together where unknown."""
    level = rows.prompt.map(lambda p: prompts[p].repeats)
    for repeats in sorted({int(r) for r in level.dropna()}):
        times = "once" if repeats == 1 else say("{repeats} times", repeats=repeats)
        words = say("captions of images that the training set holds {times}", times=times)
        words = words if repeats else say("captions of held-out images")
        yield f"repeats={repeats}", words, rows[level == repeats]
    if level.isna().any():
        yield "captions", "captions", rows[level.isna()]


def _claim(part: _Part, detail: str, quantity: str, method: str, unit: Unit = "share") -> Claim:
    kind = "extraction-score" if part.detector in OUTSIDE else "detectors"
    return Claim(
        Key("replication", BASELINE, part.key, part.detector, kind, detail), quantity, part.where,
        unit, "prompts", say("{value}; {method}", value=WORDS[part.detector][1], method=method),
    )  # fmt: skip


def _finding(part: _Part, claim: Claim, ci: Interval) -> Finding:
    n = len(part.scores)
    size = Counts(n, float(n), len(part.captions) - n, part.reasons)
    return finding(claim, ci, size, verdict="described")


def _area(part: _Part) -> Finding:
    ci = auc(part.scores, part.ordinary)
    what = WORDS[part.detector][0]
    method = say("against {n} ordinary prompts; interval by DeLong", n=len(part.ordinary))
    quantity = "area under the ROC curve against ordinary prompts"
    f = _finding(part, _claim(part, "auc", quantity, method, "coefficient"), ci)
    if not math.isfinite(ci.estimate):
        text = say(
            "{where} by {what}: not known, because {why}.",
            where=cap(part.where),
            what=what,
            why=_why(part),
        )
        return replace(f, verdict="undecided", sentence=text)
    limits = (
        say(" [{low}, {high}]", low=figure(f"{ci.low:.2f}"), high=figure(f"{ci.high:.2f}"))
        if math.isfinite(ci.low)
        else ""
    )
    text = say(
        "{where} (n = {n}) against {n2} ordinary prompts, by {what}: area under the ROC "
        "curve {estimate}{limits}, .5 being chance.",
        where=cap(part.where),
        n=f.n,
        n2=len(part.ordinary),
        what=what,
        estimate=figure(f"{ci.estimate:.2f}"),
        limits=limits,
    )
    apart = ci.low > 0.5
    return replace(f, verdict="found" if apart else "not found", sentence=text)


def _why(part: _Part) -> str:
    if not len(part.scores):
        return next(iter(part.reasons), "there are no such captions")
    return "there are no ordinary prompts to set them against"


def _found(part: _Part, rate: float, seed: int) -> Finding:
    first, second = halves(len(part.ordinary), np.random.default_rng(seed))
    point = tpr_at_fpr(part.scores, part.ordinary[second], part.ordinary[first], rate)
    quantity = say(
        "share of captions found at a false positive rate of {rate} %",
        rate=figure(f"{100 * rate:g}"),
    )
    method = say("threshold from {n} ordinary prompts; Clopper-Pearson", n=len(first))
    f = _finding(part, _claim(part, f"found-at-{100 * rate:g}", quantity, method), point.tpr)
    verdict = "described" if math.isfinite(point.tpr.estimate) else "undecided"
    return replace(f, sentence=_at(part, point, rate), verdict=verdict)


def _at(part: _Part, point: Point, rate: float) -> str:
    where = say(
        "{where}, found at a false positive rate of {rate} %",
        where=cap(part.where),
        rate=figure(f"{100 * rate:g}"),
    )
    if not math.isfinite(point.tpr.estimate):
        return say(
            "{where}: not known, because {value}.",
            where=where,
            value=ours(point.reason or "there are no scores"),
        )
    tpr, fpr = point.tpr, point.fpr
    return say(
        "{where}: {size} of {positives}; on the {negatives} ordinary prompts that judge it "
        "the rate came out as {size2}.",
        where=where,
        size=worded(tpr.estimate, tpr.low, tpr.high),
        positives=point.positives,
        negatives=point.negatives,
        size2=worded(fpr.estimate, fpr.low, fpr.high),
    )


def _called(part: _Part) -> Finding:
    """Single captions flagged at an error rate, with scores beyond those of ordinary prompts."""
    quantity = "share of captions that score higher than ordinary prompts do"
    method = say(
        "conformal p and Benjamini-Hochberg at {level}; Clopper-Pearson", level=figure(f"{LEVEL:g}")
    )
    claim, n, m = _claim(part, "called", quantity, method), len(part.scores), len(part.ordinary)
    if not n or not m or benjamini_hochberg(np.full(n, 1 / (m + 1))).min() > LEVEL:
        few = say(
            "{m} ordinary prompts cannot single out a caption at {level}",
            m=m,
            level=figure(f"{LEVEL:g}"),
        )
        f = _finding(part, claim, UNKNOWN)
        return replace(f, verdict="undecided",
                       sentence=say(
                           "{where}: not known which stand out, because {how}.",
                           where=cap(part.where), how=few if n else _why(part)
                       ))  # fmt: skip
    q = benjamini_hochberg(conformal_p(part.scores, part.ordinary))
    k = int((q <= LEVEL).sum())
    ci = clopper_pearson(k, n)
    text = say(
        "{where}: {size} of {n} score higher than ordinary prompts do, {value} being the "
        "score. A caption can do so by its form alone.",
        where=cap(part.where),
        size=worded(ci.estimate, ci.low, ci.high),
        n=n,
        value=WORDS[part.detector][0],
    )
    f = _finding(part, claim, ci)
    return replace(f, verdict="found" if k else "not found", sentence=text)
