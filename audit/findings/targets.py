"""Whether an arm brings each subject to its own target, and all of them together nearer to it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from audit.findings.claim import Claim, Counts, adjusted, finding
from audit.findings.common import LEVELS, Common, of_arm
from audit.findings.groups import ENDS, changed, labelled, widened, worth
from audit.findings.pairs import Question, judged, too_few
from audit.findings.wording import cap, percent, unseen
from audit.findings.wording import change as words
from audit.keys import ALL, Key
from audit.records import Attribute, Finding
from audit.stats.decisions import compared, least_seen
from audit.stats.interval import Interval
from audit.stats.noninferiority import FEWEST, mean_change
from audit.stats.proportions import wilson


def findings(table: pd.DataFrame, q: Question) -> list[Finding]:
    """Per aim of the arm: the change of the mean distance over subjects, then each subject's share.

    `table` has ATTRIBUTE_COLUMNS of prompts that leave the attributes open. q is within the
    subjects of one attribute.
    """
    known = {a.name: a for a in q.context.attributes}
    out: list[Finding] = []
    for place, (name, targets) in enumerate(q.aims.items()):
        both = of_arm(table[table.attribute == name], q.arm)
        here = set(both.a.subject) if len(both.b) else set()
        shares = [_share(both, known[name], (s, t), q) for s, t in targets.items() if s in here]
        shares = [_worded(f) for f in adjusted(shares)]
        out += _distance(shares, q, name if place else "") + shares
    return out


def _share(
    whole: Common, attribute: Attribute, asked: tuple[str, float], q: Question
) -> Finding:  # fmt: skip
    """Change in the share of an attribute's first class for one subject, with its target."""
    (subject, target), first = asked, attribute.classes[0]
    part = whole.where(subject=subject)
    c = changed(part, whole, first, ENDS)
    claim = Claim(
        Key("mitigation", q.arm, subject, attribute.name, "change", first),
        f"change in the share of {first}", subject, "points", c.of, c.method,
    )  # fmt: skip
    kept = labelled(part.pairs, ENDS) if c.of == "pairs" else part.a[part.a.outcome == "label"]
    prompts = float(kept.prompt.nunique())
    return finding(
        claim, c.change(0.95), Counts(c.n, prompts if c.n else math.nan, c.missing, c.reasons),
        references={"before": c.shares[0], "after": c.shares[1], "target": target}, p=c.p,
        family=f"{attribute.name} under {q.arm}",
        verdict=_met(part, whole, first, target, q.context.margin),
    )  # fmt: skip


def _met(part: Common, whole: Common, first: str, target: float, margin: float) -> str:
    """Whether the arm's share is shown to be within the margin of the target, or not to be it.

    By the limits of the share with prompts as clusters: `met` where the 90 % interval is within the
    margin of the target (two one-sided tests), `not met` where the 95 % interval excludes it.
    """
    known, every = (t[t.outcome == "label"] for t in (part.b, whole.b))
    hits, all_hits = ((t.value == first).to_numpy(float) for t in (known, every))
    if not len(hits):
        return "undecided"
    size, wider = worth(hits, known, all_hits, every)
    n = size if math.isfinite(size) else float(len(hits))
    wide, narrow = (widened(wilson(hits.mean() * n, n, x), wider(x)) for x in LEVELS)
    said = compared(wide, narrow, target, margin)
    return {"equivalent": "met", "above": "not met", "below": "not met"}.get(said, "undecided")


def _worded(f: Finding) -> Finding:
    before, after, target = f.references["before"], f.references["after"], f.references["target"]
    return replace(
        f,
        sentence=(
            f"{cap(f.where)}: {f.quantity} {words(f.estimate, f.low, f.high)}, "
            f"from {percent(before)} to {percent(after)} "
            f"(target {percent(target)}), n = {f.n} {f.counted}{_asked(f)}."
        ),
    )


def _asked(f: Finding) -> str:
    """That limits are about a subject's own prompts where there are too few to say more."""
    if not f.n or f.n_effective >= FEWEST:
        return ""
    if f.n_effective == 1:
        return " of one prompt, which says nothing about others"
    return f" of {f.n_effective:.0f} prompts, too few to say much about others"


def _distance(shares: Sequence[Finding], q: Question, second: str) -> list[Finding]:
    """Change of the mean distance from the target, over subjects; `second` names a further aim."""
    rows = [f.references for f in shares if f.n]
    if not rows:
        return []
    before, after = _distances(rows, "before"), _distances(rows, "after")
    of = f" of {second.replace('_', ' ')}" if second else ""
    change, narrow = (over_subjects(after - before, level) for level in (0.95, 0.9))
    how = "paired by seed" if all(f.counted == "pairs" for f in shares) else "before and after"
    claim = Claim(
        Key("mitigation", q.arm, ALL, second, "target-distance"),
        f"change in the mean distance{of} from the target", f"all {len(rows)} subjects", "points",
        "subjects", f"{how}; Student's t over subjects",
    )  # fmt: skip
    size = Counts(sum(f.n for f in shares), float(len(rows)), sum(f.missing for f in shares))
    said = judged(change, size, "subjects", compared(change, narrow, 0, q.margins.distance))
    made = finding(
        claim, change, size, verdict=said,
        references={"before": float(before.mean()), "after": float(after.mean())},
    )  # fmt: skip
    sentence = (
        f"{q.arm}: the mean distance{of} from the target goes from "
        f"{100 * before.mean():.0f} to {100 * after.mean():.0f} points "
        f"(change {words(change.estimate, change.low, change.high)}){too_few(made)}"
        f"{unseen(said, least_seen(change))}."
    )
    return [replace(made, sentence=sentence)]


def _distances(rows: Sequence[Mapping[str, float]], side: str) -> np.ndarray:
    return np.array([abs(r[side] - r["target"]) for r in rows])


def over_subjects(moved: np.ndarray, level: float = 0.95) -> Interval:
    """Mean change float[S] of a distance of shares over subjects, with Student's t limits.

    Limits are NaN for fewer than FEWEST subjects, and have width where all moved alike.
    """
    return mean_change(moved, np.arange(len(moved)), level, shares=True)
