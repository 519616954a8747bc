"""Whether an arm brings subjects nearer to each declared target, all targets and not its own alone.

An arm that draws every subject half women and half men serves one target and may fail the others:
labour statistics, what the model was taught.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from audit.errors import figure, say, stem
from audit.findings.claim import Claim, Counts
from audit.findings.common import Common, of_arm
from audit.findings.following import open_questions
from audit.findings.groups import ENDS
from audit.findings.groups import labelled as both_labelled
from audit.findings.pairs import Question, counts, paired, unknown
from audit.findings.representation import observed
from audit.findings.wording import percent
from audit.keys import Counted
from audit.records import Attribute, Finding, Reference
from audit.stats.floors import distance_floor, total_variation
from audit.stats.folded import Bounds, bounds
from audit.stats.interval import UNKNOWN, Interval
from audit.stats.jackknife import jackknife
from audit.stats.noninferiority import share_change
from audit.stats.proportions import effective_n, intraclass, wilson

FLOOR_DRAWS = 400


@dataclass(frozen=True)
class Side:
    """Labels of an attribute on one side, one row per image that has one."""

    subject: np.ndarray
    """int[n], a place in `Sides.subjects`."""
    prompt: np.ndarray
    """int[n], the same number for a prompt on both sides."""
    value: np.ndarray
    """int[n], a place in the class list."""


@dataclass(frozen=True)
class Sides:
    """Labels before and after, by subject: of pairs that have both, or of groups of images."""

    subjects: list[str]
    before: Side
    after: Side
    targets: np.ndarray
    """float[S, K] as the classifier would read them."""
    counted: Counted
    """`pairs`, whose rows are in the same order on both sides, or `images`."""
    method: str

    def shares(self, side: Side, keep: np.ndarray | None = None) -> np.ndarray:
        """float[S, K] of the rows to keep, bool[n], by default all; NaN for a subject without."""
        s, k = self.targets.shape
        at = side.subject * k + side.value
        table = np.bincount(at if keep is None else at[keep], minlength=s * k)
        table = table.reshape(s, k).astype(float)
        with np.errstate(invalid="ignore"):
            return np.asarray(table / table.sum(1, keepdims=True))

    def distances(self, side: Side, keep: np.ndarray | None = None) -> np.ndarray:
        """Half the L1 distance of each subject's shares from its target, float[S]."""
        return np.asarray(np.abs(self.shares(side, keep) - self.targets).sum(1) / 2)

    def change(self, keep: np.ndarray) -> float:
        """Change of the mean distance on the rows of both sides, those before first, int[m]."""
        was, now = self._bounds(keep)
        return _mean(now.above - was.above)

    def least(self, keep: np.ndarray) -> float:
        """The same from the bound above to the one below: at most the true change on average."""
        was, now = self._bounds(keep)
        return _mean(now.below - was.above)

    def most(self, keep: np.ndarray) -> float:
        """The same from the bound below to the one above: at least the true change on average."""
        was, now = self._bounds(keep)
        return _mean(now.above - was.below)

    def _bounds(self, keep: np.ndarray) -> tuple[Bounds, Bounds]:
        """Distances of subjects on these rows, before and after."""
        n = len(self.before.subject)
        chosen = np.zeros(n + len(self.after.subject), bool)
        chosen[keep] = True
        was, now = (
            bounds(side.value[at], side.subject[at], side.prompt[at], self.targets)
            for side, at in ((self.before, chosen[:n]), (self.after, chosen[n:]))
        )
        return was, now


def _mean(moved: np.ndarray) -> float:
    """Mean of the known ones of float[S]; NaN where there are none."""
    return float(np.nanmean(moved)) if np.isfinite(moved).any() else math.nan


def labelled(table: pd.DataFrame, q: Question, attribute: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Pairs of prompts that leave the attribute open: those with both labels, and all of them."""
    rows = of_arm(open_questions(table[table.attribute == attribute], q.prompts), q.arm).pairs
    return both_labelled(rows, ENDS) if len(rows) else rows, rows


def findings(table: pd.DataFrame, q: Question) -> list[Finding]:
    """Distance, parity and overshoot for each attribute and reference that speaks of it."""
    out: list[Finding] = []
    for attribute in q.context.attributes:
        rows = of_arm(open_questions(table[table.attribute == attribute.name], q.prompts), q.arm)
        both, how, size = _both(rows)
        for reference in q.context.references:
            if not len(both[0]):
                out.append(unknown(_distance(attribute, reference, q, how), size.missing))
                continue
            sides = _sides(both, attribute, reference, q, how)
            if sides is not None:
                out += _claims(sides, attribute, reference, q, size)
    return out


def _both(rows: Common) -> tuple[tuple[pd.DataFrame, pd.DataFrame], tuple[Counted, str], Counts]:
    """Labels before and after, of the same subjects; how they are counted; and what is missing."""
    why = rows.unpaired
    if not why:
        kept, whole = both_labelled(rows.pairs, ENDS), rows.pairs
        ends = (kept.rename(columns={f"value_{s}": "value"}) for s in ("base", "arm"))
        first, second = ends
        return (first, second), ("pairs", "paired by seed"), counts(kept, whole)
    a, b = (t[t.outcome == "label"] for t in (rows.a, rows.b))
    shared = set(a.subject) & set(b.subject)
    a, b = (t[t.subject.isin(shared)] for t in (a, b))
    missing = len(rows.a) + len(rows.b) - len(a) - len(b)
    reasons = Counter(o for t in (rows.a, rows.b) for o in t.outcome if o != "label")
    return (
        (a, b),
        ("images", say("two groups, because {why}", why=why)),
        Counts(0, 0.0, missing, dict(reasons)),
    )


def _sides(
    both: tuple[pd.DataFrame, pd.DataFrame], attribute: Attribute, reference: Reference,
    q: Question, how: tuple[Counted, str],
) -> Sides | None:  # fmt: skip
    """Labels of the subjects that the reference speaks of; None where it speaks of none."""
    errors = q.context.confusion.get(attribute.name)
    names, targets = [], []
    for subject in dict.fromkeys(both[0].subject):
        share = np.array([reference.share(subject, attribute.name, c) for c in attribute.classes])
        if np.isfinite(share).all() and share.sum() > 0:
            names.append(str(subject))
            targets.append(observed(share / share.sum(), errors))
    if not names:
        return None
    rows = [t[t.subject.isin(names)] for t in both]
    classes = {c: i for i, c in enumerate(attribute.classes)}
    place = {s: i for i, s in enumerate(names)}
    prompts = {p: i for i, p in enumerate(dict.fromkeys(p for t in rows for p in t.prompt))}
    before, after = (
        Side(*(t[c].map(m).to_numpy(int) for c, m in
               (("subject", place), ("prompt", prompts), ("value", classes))))
        for t in rows
    )  # fmt: skip
    return Sides(names, before, after, np.array(targets), *how)


def _claims(
    sides: Sides, attribute: Attribute, reference: Reference, q: Question, size: Counts
) -> Iterator[Finding]:
    n = len(sides.after.subject) + (len(sides.before.subject) if sides.counted == "images" else 0)
    prompts = np.concatenate([sides.before.prompt, sides.after.prompt])
    size = replace(size, n=n, effective=float(len(np.unique(prompts))))
    before, after = sides.distances(sides.before), sides.distances(sides.after)
    found = _limits(sides, prompts, q)
    how = (sides.counted, sides.method)
    nearer = paired(_distance(attribute, reference, q, how), found, size)
    floor = _floor(sides, q.rng(3))
    yield replace(
        nearer,
        references={"before": float(before.mean()), "after": float(after.mean())},
        floor=floor,
        sentence=(
            say(
                "{sentence} {counted} of {n} subjects: from {before} to {after} points; a "
                "faithful model reads {floor} here.",
                sentence=stem(nearer.sentence),
                counted=sides.counted,
                n=len(sides.subjects),
                before=figure(f"{100 * before.mean():.0f}"),
                after=figure(f"{100 * after.mean():.0f}"),
                floor=figure(f"{100 * floor:.0f}"),
            )
        ),
    )
    yield _parity(before, after, q, attribute, reference)
    yield _overshoot(sides, q, attribute, reference)


def _limits(sides: Sides, prompts: np.ndarray, q: Question) -> Interval:
    """The change of the mean distance, with limits that hold however much noise looks like one."""
    low, high = (jackknife(x, prompts, q.rng(2)) for x in (sides.least, sides.most))
    return Interval(sides.change(np.arange(len(prompts))), low.low, high.high)


def _distance(
    attribute: Attribute, reference: Reference, q: Question, how: tuple[Counted, str]
) -> Claim:
    return Claim(
        q.key("distance", attribute.name, reference.name),
        say(
            "change in the mean distance of {name} from {name2}",
            name=attribute.name.replace("_", " "),
            name2=reference.name,
        ),
        "all subjects",
        "points",
        how[0],
        say(
            "{how}; total variation, bounded by cross-fitting over prompts; jackknife over prompts",
            how=how[1],
        ),
        "no pair has both labels" if how[0] == "pairs" else "one side has no labels",
    )


def _floor(sides: Sides, rng: np.random.Generator) -> float:
    """Mean distance of a model that draws exactly the targets, at these numbers of images."""
    sizes = np.bincount(sides.after.subject, minlength=len(sides.subjects))
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
        say(
            "change in the share of subjects whose {name} is within {margin} points of {name2}",
            name=attribute.name.replace("_", " "),
            margin=figure(f"{100 * q.context.margin:.0f}"),
            name2=reference.name,
        ),
        "all subjects",
        "points",
        "subjects",
        "subject by subject; point estimates; Newcombe's interval",
    )
    out = paired(claim, share_change(was_near, is_near, np.arange(n)), Counts(n, float(n)))
    was, now = int(was_near.sum()), int(is_near.sum())
    return replace(
        out,
        references={"before": was / n, "after": now / n},
        sentence=say(
            "{sentence} subjects: {was} before, {now} after.",
            sentence=stem(out.sentence),
            was=was,
            now=now,
        ),
    )


def _overshoot(sides: Sides, q: Question, attribute: Attribute, reference: Reference) -> Finding:
    """Share of subjects whose class that was drawn too often is now shown to be too rare.

    A faithful arm goes past the target by more than its 95 % interval in 2.5 % of subjects.
    """
    excess = sides.shares(sides.before) - sides.targets
    often, side = np.argmax(excess, axis=1), sides.after
    hits = (side.value == often[side.subject]).astype(float)
    # Pooled over subjects: three prompts of one subject say little about how images cluster.
    icc = intraclass(hits, side.prompt, side.subject)
    past = 0
    for s, c in enumerate(often):
        at = side.subject == s
        size = effective_n(hits[at], side.prompt[at], icc)
        size = size if math.isfinite(size) else float(len(np.unique(side.prompt[at])))
        upper = wilson(hits[at].mean() * size, size).high
        past += bool(excess[s, c] > 0 and upper < sides.targets[s, c])
    n = len(sides.subjects)
    ci: Interval = wilson(past, n) if n else UNKNOWN
    claim = Claim(
        q.key("overshoot", attribute.name, reference.name),
        say(
            "share of subjects whose {name} went past {name2} by more than their interval",
            name=attribute.name.replace("_", " "),
            name2=reference.name,
        ),
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
            say(
                "{arm}: the {name} of {past} of {n} subjects went past {name2} by more than "
                "their interval ({estimate} [{low}, {high}]; a faithful arm does so in 2.5 %).",
                arm=q.arm,
                name=attribute.name.replace("_", " "),
                past=past,
                n=n,
                name2=reference.name,
                estimate=percent(ci.estimate),
                low=percent(ci.low),
                high=percent(ci.high),
            )
        ),
    )
