"""Pairs of images of the same prompt and noise, and claims on changes between them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from audit.errors import figure, ours, say, stem
from audit.findings.claim import Claim, Counts, finding, interval
from audit.findings.representation import Context, estimates
from audit.findings.wording import change as points
from audit.findings.wording import cosine_change
from audit.keys import TOO_FEW, Counted, Key, Margins, Unit
from audit.records import Attribute, Finding, Prompt
from audit.stats.change import through_errors, youden
from audit.stats.decisions import verdict
from audit.stats.interval import UNKNOWN, Interval
from audit.stats.noninferiority import FEWEST, NonInferiority, mean_change, share_change
from audit.stats.paired import mcnemar, no_change

FLIPS = 4999
BY_PROMPT = "paired by seed; Newcombe's limits with the design effect of prompts"
"""How the limits of a change in a share are computed."""


@dataclass(frozen=True)
class Tables:
    """Measurements on the images of all arms; an empty one was not made."""

    attributes: pd.DataFrame
    """ATTRIBUTE_COLUMNS, including prompts that state an attribute or ask for no person."""
    alignment: pd.DataFrame = field(default_factory=pd.DataFrame)
    """ALIGNMENT_COLUMNS."""
    matches: pd.DataFrame = field(default_factory=pd.DataFrame)
    """MATCH_COLUMNS."""
    vectors: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Sample to its unit vector float[d]."""


@dataclass(frozen=True)
class Question:
    """One arm, its aims, and what is known in addition to the tables."""

    arm: str
    aims: Mapping[str, Mapping[str, float]]
    """Attributes that the arm is meant to change, the main one first, with the declared share of
    their first class by subject; other attributes should stay the same."""
    context: Context
    prompts: Mapping[str, Prompt]
    margins: Margins = field(default_factory=Margins)

    def rng(self, *salt: int) -> np.random.Generator:
        """A generator that depends only on the seed and the claim, not on what came before."""
        return np.random.default_rng([self.context.seed, *salt])

    def key(self, kind: str, attribute: str = "", detail: str = "") -> Key:
        """The key of a claim about this arm."""
        return Key("mitigation", self.arm, "", attribute, kind, detail)


def clusters(rows: pd.DataFrame) -> np.ndarray:
    """The prompt of each row as int[n]."""
    return np.asarray(pd.factorize(rows.prompt)[0])


def counts(kept: pd.DataFrame, everything: pd.DataFrame) -> Counts:
    """Counts of the pairs that were kept; reasons are the outcomes of the others, where known."""
    lost = everything.loc[everything.index.difference(kept.index)]
    reasons: dict[str, int] = {}
    if "outcome_arm" in lost:
        worse = lost.outcome_arm.where(lost.outcome_arm != "label", lost.outcome_base)
        reasons = {str(k): int(v) for k, v in worse.value_counts().items() if k != "label"}
    prompts = kept.prompt.nunique() if len(kept) else 0
    return Counts(len(kept), float(prompts), len(lost), reasons)


def judged(change: Interval, size: Counts, counted: Counted, verdict: str) -> str:
    """The verdict, or `not enough prompts` (or subjects) for fewer than FEWEST of them.

    `size.effective` is their number. Fewer may still have an interval, which describes them alone.
    """
    of = "subjects" if counted == "subjects" else "prompts"
    return TOO_FEW[of] if math.isfinite(change.estimate) and size.effective < FEWEST else verdict


def paired(claim: Claim, change: Interval, size: Counts) -> Finding:
    """A paired claim with its verdict against 0 and its sentence."""
    words, arm = _words(claim.unit, change), claim.key.arm
    known = math.isfinite(change.estimate)
    size = replace(size, effective=size.effective if known else math.nan)
    said = judged(change, size, claim.counted, verdict(change, 0))
    made = finding(claim, change, size, verdict=said)
    says = (
        say("{words}, n = {n}{too_few}.", words=words, n=size.n, too_few=too_few(made))
        if known
        else say("not known: {reason}.", reason=ours(claim.reason))
    )
    return replace(
        made,
        sentence=say(
            "{arm}, {where}: {quantity} {says}",
            arm=arm,
            where=claim.where,
            quantity=claim.quantity,
            says=says,
        ),
    )


def too_few(f: Finding) -> str:
    """Why a known change has no limits, as the end of its sentence; empty if it has."""
    if not math.isfinite(f.estimate) or math.isfinite(f.low) or not math.isfinite(f.n_effective):
        return ""
    of = ("subject" if f.counted == "subjects" else "prompt") + "s" * (f.n_effective != 1)
    return say(
        ", of {n} subjects: too few for limits"
        if of == "subjects"
        else ", of {n} subject: too few for limits"
        if of == "subject"
        else ", of {n} prompts: too few for limits"
        if of == "prompts"
        else ", of {n} prompt: too few for limits",
        n=round(f.n_effective),
    )


def _words(unit: Unit, change: Interval) -> str:
    numbers = change.estimate, change.low, change.high
    if unit in ("coefficient", "lightness", "degrees"):
        digits = 2 if unit == "coefficient" else 1
        low, high = (f"{x:+.{digits}f}" for x in (change.low, change.high))
        span = f" [{low}, {high}]" if math.isfinite(change.low) else ""
        return figure(f"{change.estimate:+.{digits}f}{span}")
    return cosine_change(*numbers) if unit == "cosine" else points(*numbers)


def behind_errors(
    seen: Interval, attribute: Attribute, q: Question
) -> tuple[Interval, Interval, str]:
    """The true change of a share behind the one seen, the latter if they differ, and the method.

    Errors of a reader shrink every change of a share, or of its distance from a target, by Youden's
    index. Unchanged where the errors are not known, and for three classes or more, whose changes no
    single factor shrinks.
    """
    table = q.context.confusion.get(attribute.name)
    if table is None or len(table) != 2:
        return seen, UNKNOWN, ""
    (a, b), (c, d) = table.astype(float)
    index = youden(a, a + b, d, c + d)
    return through_errors(seen, index), seen, "; corrected for classifier error"


def true_share(seen: float, attribute: Attribute, q: Question) -> float:
    """The share of the first of two classes behind the one seen; other shares as they are."""
    table = q.context.confusion.get(attribute.name)
    if table is None or len(table) != 2 or not math.isfinite(seen):
        return seen
    return estimates(np.array([seen, 1 - seen]), table, 0)[0].estimate


def unknown(claim: Claim, missing: int = 0) -> Finding:
    """An unknown claim, with the reason in words."""
    return paired(claim, UNKNOWN, Counts(missing=missing))


def share_finding(
    claim: Claim, rows: pd.DataFrame, hits: tuple[np.ndarray, np.ndarray], size: Counts,
    true: Callable[[Interval], tuple[Interval, Interval, str]] = lambda x: (x, UNKNOWN, ""),
) -> Finding:  # fmt: skip
    """Change of a share on pairs bool[n] before and after, with both shares and an exact p.

    Limits are NaN for fewer than FEWEST prompts, which say too little about other prompts. `true`
    turns the change that was seen into the one behind it, as `behind_errors` does.
    """
    before, after = (np.asarray(h, bool) for h in hits)
    if not len(before):
        return paired(claim, UNKNOWN, size)
    groups = clusters(rows)
    change = share_change(before, after, groups)
    if len(np.unique(groups)) < FEWEST:
        change = Interval(change.estimate, math.nan, math.nan)
    change, seen, how = true(change)
    out = paired(replace(claim, method=claim.method + how), change, size)
    return replace(
        out,
        naive=seen.estimate,
        naive_low=seen.low,
        naive_high=seen.high,
        references={"before": float(before.mean()), "after": float(after.mean())},
        p=paired_p(after.astype(float) - before, groups),
        family=f"changes under {claim.key.arm}",
    )


def paired_p(differences: np.ndarray, groups: np.ndarray) -> float:
    """Two-sided p of no change in a share: McNemar's, or that of whole prompts with several pairs.

    Pairs of one prompt depend on each other, so an exact test of single pairs would give too small
    a p.
    """
    if len(np.unique(groups)) == len(groups):
        return mcnemar(int((differences < 0).sum()), int((differences > 0).sum()))
    sums = np.bincount(groups, weights=differences)
    return no_change(sums, np.random.default_rng(0), FLIPS)


def mean_finding(claim: Claim, rows: pd.DataFrame, column: str) -> Finding:
    """Change in the mean of a column, on pairs that have both numbers; limits over prompts."""
    if not len(rows):
        return unknown(claim)
    change = (rows[f"{column}_arm"] - rows[f"{column}_base"]).astype(float)
    kept = rows[np.isfinite(change)]
    found = mean_change(change[kept.index].to_numpy(), clusters(kept))
    return paired(claim, found, counts(kept, rows))


def kept_within(f: Finding, margin: float, words: str) -> Finding:
    """A change for which more is better, judged by whether it is above minus the margin."""
    if f.verdict in TOO_FEW.values():
        return f
    said = NonInferiority(interval(f), margin).verdict
    tail = {
        "not worse": say("a loss of {words} or more is ruled out", words=words),
        "worse": say("a loss of more than {words} is shown", words=words),
        "undecided": say("whether it loses less than {words} is undecided", words=words),
    }[said]
    known = math.isfinite(f.estimate)
    sentence = (
        say("{sentence}: {tail}.", sentence=stem(f.sentence), tail=tail) if known else f.sentence
    )
    return replace(f, verdict=said, sentence=sentence, references={**f.references})
