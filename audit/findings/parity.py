"""Whether an arm brings subjects nearer to each declared target, all targets and not its own alone.

An arm that draws every subject half women and half men serves one target and may fail the others:
labour statistics, what the model was taught.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from audit.findings.claim import Claim, Counts, joined
from audit.findings.following import open_questions
from audit.findings.pairs import Question, clusters, counts, paired, unknown
from audit.findings.representation import observed
from audit.findings.wording import percent
from audit.records import Attribute, Finding, Reference
from audit.stats.floors import distance_floor, total_variation
from audit.stats.interval import UNKNOWN, Interval
from audit.stats.jackknife import jackknife
from audit.stats.noninferiority import share_change
from audit.stats.proportions import effective_n, intraclass, wilson

FLOOR_DRAWS = 400


@dataclass(frozen=True)
class Sides:
    """Labels of an attribute before and after, on pairs that have both, by subject."""

    subjects: list[str]
    subject: np.ndarray
    """int[n], a place in `subjects`."""
    prompt: np.ndarray
    before: np.ndarray
    """int[n], a place in the class list."""
    after: np.ndarray
    targets: np.ndarray
    """float[S, K] as the classifier would read them."""

    def shares(self, values: np.ndarray, keep: np.ndarray) -> np.ndarray:
        """float[S, K] of the kept rows; NaN for a subject without one."""
        s, k = self.targets.shape
        table = np.bincount(self.subject[keep] * k + values[keep], minlength=s * k)
        table = table.reshape(s, k).astype(float)
        with np.errstate(invalid="ignore"):
            return np.asarray(table / table.sum(1, keepdims=True))

    def distances(self, values: np.ndarray, keep: np.ndarray) -> np.ndarray:
        """Half the L1 distance of each subject's shares from its target, float[S]."""
        return np.asarray(np.abs(self.shares(values, keep) - self.targets).sum(1) / 2)


def labelled(table: pd.DataFrame, q: Question, attribute: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Pairs of prompts that leave the attribute open: those with both labels, and all of them."""
    part = open_questions(table[table.attribute == attribute], q.prompts)
    rows = joined(part, q.arm)
    if not len(rows):
        return rows, rows
    return rows[(rows.outcome_base == "label") & (rows.outcome_arm == "label")], rows


def findings(table: pd.DataFrame, q: Question) -> list[Finding]:
    """Distance, parity and overshoot for each attribute and reference that speaks of it."""
    out: list[Finding] = []
    for attribute in q.context.attributes:
        both, rows = labelled(table, q, attribute.name)
        for reference in q.context.references:
            if not len(both):
                out.append(unknown(_distance(attribute, reference, q), len(rows)))
                continue
            sides = _sides(both, attribute, reference, q)
            if sides is not None:
                out += _claims(sides, attribute, reference, q, counts(both, rows))
    return out


def _sides(
    both: pd.DataFrame, attribute: Attribute, reference: Reference, q: Question
) -> Sides | None:
    """Labels of the subjects that the reference speaks of; None where it speaks of none."""
    errors = q.context.confusion.get(attribute.name)
    names, targets = [], []
    for subject in dict.fromkeys(both.subject_base):
        share = np.array([reference.share(subject, attribute.name, c) for c in attribute.classes])
        if np.isfinite(share).all() and share.sum() > 0:
            names.append(str(subject))
            targets.append(observed(share / share.sum(), errors))
    if not names:
        return None
    rows = both[both.subject_base.isin(names)]
    place = {c: i for i, c in enumerate(attribute.classes)}
    before, after = (rows[f"value_{s}"].map(place).to_numpy(int) for s in ("base", "arm"))
    at = rows.subject_base.map({s: i for i, s in enumerate(names)}).to_numpy(int)
    return Sides(names, at, clusters(rows), before, after, np.array(targets))


def _claims(
    sides: Sides, attribute: Attribute, reference: Reference, q: Question, size: Counts
) -> Iterator[Finding]:
    size = replace(size, n=len(sides.subject), effective=float(len(np.unique(sides.prompt))))
    everything = np.arange(len(sides.subject))
    before, after = (sides.distances(v, everything) for v in (sides.before, sides.after))

    def change(keep: np.ndarray) -> float:
        moved = sides.distances(sides.after, keep) - sides.distances(sides.before, keep)
        return float(np.nanmean(moved))

    found = jackknife(change, sides.prompt, q.rng(2))
    nearer = paired(_distance(attribute, reference, q), found, size)
    yield replace(
        nearer,
        references={"before": float(before.mean()), "after": float(after.mean())},
        floor=_floor(sides, q.rng(3)),
        sentence=(
            f"{nearer.sentence[:-1]} pairs of {len(sides.subjects)} subjects: from "
            f"{100 * before.mean():.0f} to {100 * after.mean():.0f} points; a faithful model reads "
            f"{100 * _floor(sides, q.rng(3)):.0f} here."
        ),
    )
    yield _parity(before, after, q, attribute, reference)
    yield _overshoot(sides, q, attribute, reference)


def _distance(attribute: Attribute, reference: Reference, q: Question) -> Claim:
    return Claim(
        q.key("distance", attribute.name, reference.name),
        f"change in the mean distance of {attribute.name.replace('_', ' ')} from {reference.name}",
        "all subjects",
        "points",
        "pairs",
        "paired by seed; total variation; jackknife over prompts",
        "no pair has both labels",
    )


def _floor(sides: Sides, rng: np.random.Generator) -> float:
    """Mean distance of a model that draws exactly the targets, at these numbers of images."""
    sizes = np.bincount(sides.subject, minlength=len(sides.subjects))
    return float(
        np.mean(
            [
                distance_floor(int(n), t, total_variation, rng, FLOOR_DRAWS)
                for n, t in zip(sizes, sides.targets, strict=True)
            ]
        )
    )


def _parity(
    before: np.ndarray, after: np.ndarray, q: Question, attribute: Attribute, reference: Reference
) -> Finding:
    """Change in how many subjects are within the context's margin of their target."""
    was_near, is_near = (d <= q.context.margin + 1e-12 for d in (before, after))
    n = len(before)
    claim = Claim(
        q.key("parity", attribute.name, reference.name),
        f"change in the share of subjects within {100 * q.context.margin:.0f} points of "
        f"{reference.name}",
        "all subjects",
        "points",
        "subjects",
        "paired by subject; point estimates; Newcombe's interval",
    )
    out = paired(claim, share_change(was_near, is_near, np.arange(n)), Counts(n, float(n)))
    was, now = int(was_near.sum()), int(is_near.sum())
    return replace(
        out,
        references={"before": was / n, "after": now / n},
        sentence=f"{out.sentence[:-1]} subjects: {was} before, {now} after.",
    )


def _overshoot(sides: Sides, q: Question, attribute: Attribute, reference: Reference) -> Finding:
    """Share of subjects whose class that was drawn too often is now shown to be too rare.

    A faithful arm goes past the target by more than its 95 % interval in 2.5 % of subjects.
    """
    everything = np.arange(len(sides.subject))
    excess = sides.shares(sides.before, everything) - sides.targets
    often = np.argmax(excess, axis=1)
    hits = (sides.after == often[sides.subject]).astype(float)
    # Pooled over subjects: three prompts of one subject say little about how images cluster.
    icc = intraclass(hits, sides.prompt, sides.subject)
    past = 0
    for s, c in enumerate(often):
        at = sides.subject == s
        size = effective_n(hits[at], sides.prompt[at], icc)
        size = size if math.isfinite(size) else float(len(np.unique(sides.prompt[at])))
        upper = wilson(hits[at].mean() * size, size).high
        past += bool(excess[s, c] > 0 and upper < sides.targets[s, c])
    n = len(sides.subjects)
    ci: Interval = wilson(past, n) if n else UNKNOWN
    claim = Claim(
        q.key("overshoot", attribute.name, reference.name),
        f"share of subjects that went past {reference.name} by more than their interval",
        "all subjects",
        "share",
        "subjects",
        "Wilson over subjects; Wilson on effective n inside each",
    )
    return replace(
        paired(claim, ci, Counts(n, float(n))),
        floor=0.025,
        verdict="described",
        sentence=(
            f"{q.arm}: {past} of {n} subjects went past {reference.name} by more than their "
            f"interval ({percent(ci.estimate)} [{percent(ci.low)}, {percent(ci.high)}]; a faithful "
            "arm does so in 2.5 %)."
        ),
    )
