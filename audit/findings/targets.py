"""Whether an arm brings each subject to its own target, and all of them together nearer to it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from audit.findings.claim import Claim, Counts, adjusted, finding, joined
from audit.findings.pairs import Question, clusters, counts, paired_p, too_few
from audit.findings.wording import cap, percent
from audit.findings.wording import change as words
from audit.keys import ALL, Key
from audit.records import Attribute, Finding
from audit.stats.decisions import compared
from audit.stats.interval import UNKNOWN, Interval
from audit.stats.noninferiority import FEWEST, mean_change, share_change
from audit.stats.paired import paired_bootstrap
from audit.stats.proportions import wilson


def findings(table: pd.DataFrame, q: Question) -> list[Finding]:
    """Per aim of the arm: the change of the mean distance over subjects, then each subject's share.

    `table` has ATTRIBUTE_COLUMNS of prompts that leave the attributes open. q is within the
    subjects of one attribute.
    """
    known = {a.name: a for a in q.context.attributes}
    out: list[Finding] = []
    for place, (name, targets) in enumerate(q.aims.items()):
        pairs = joined(table[table.attribute == name], q.arm)
        shares = [
            _share(pairs[pairs.subject_base == s], known[name], (s, t), q)
            for s, t in targets.items()
            if len(pairs) and (pairs.subject_base == s).any()
        ]
        shares = [_worded(f) for f in adjusted(shares)]
        out += _distance(shares, q, name if place else "") + shares
    return out


def _share(
    pairs: pd.DataFrame, attribute: Attribute, asked: tuple[str, float], q: Question
) -> Finding:
    """Change in the share of an attribute's first class for one subject, with its target."""
    both = pairs[(pairs.outcome_base == "label") & (pairs.outcome_arm == "label")]
    (subject, target), first = asked, attribute.classes[0]
    before, after = ((both[f"value_{s}"] == first).to_numpy(bool) for s in ("base", "arm"))
    # One prompt says nothing about how prompts differ: its pairs describe only this prompt.
    groups = clusters(both) if both.prompt.nunique() > 1 else np.arange(len(both))
    claim = Claim(
        Key("mitigation", q.arm, subject, attribute.name, "change", first),
        f"change in the share of {first}", subject, "points", "pairs",
        "paired by seed; Newcombe's limits with the design effect of prompts; McNemar's exact p, "
        "by whole prompts where they have several pairs",
    )  # fmt: skip
    return finding(
        claim, share_change(before, after, groups), counts(both, pairs),
        references={"before": _mean(before), "after": _mean(after), "target": target},
        p=paired_p(after.astype(float) - before, groups) if len(both) else math.nan,
        family=f"{attribute.name} under {q.arm}",
    )  # fmt: skip


def _mean(hits: np.ndarray) -> float:
    return float(hits.mean()) if len(hits) else math.nan


def _worded(f: Finding) -> Finding:
    before, after, target = f.references["before"], f.references["after"], f.references["target"]
    reached = wilson(round(after * f.n), f.n) if f.n else UNKNOWN
    near = reached.low <= target <= reached.high
    return replace(
        f,
        verdict="undecided" if not f.n else ("met" if near else "not met"),
        sentence=(
            f"{cap(f.where)}: {f.quantity} {words(f.estimate, f.low, f.high)}, "
            f"from {percent(before)} to {percent(after)} "
            f"(target {percent(target)}), n = {f.n} pairs{_asked(f)}."
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
    change, narrow = (over_subjects(after - before, q.rng(11), level) for level in (0.95, 0.9))
    claim = Claim(
        Key("mitigation", q.arm, ALL, second, "target-distance"),
        f"change in the mean distance{of} from the target", f"all {len(rows)} subjects", "points",
        "subjects", "paired by seed; Student's t over subjects",
    )  # fmt: skip
    size = Counts(sum(f.n for f in shares), float(len(rows)), sum(f.missing for f in shares))
    made = finding(
        claim, change, size, verdict=compared(change, narrow, 0, q.margins.distance),
        references={"before": float(before.mean()), "after": float(after.mean())},
    )  # fmt: skip
    sentence = (
        f"{q.arm}: the mean distance{of} from the target goes from "
        f"{100 * before.mean():.0f} to {100 * after.mean():.0f} points "
        f"(change {words(change.estimate, change.low, change.high)}){too_few(made)}."
    )
    return [replace(made, sentence=sentence)]


def _distances(rows: Sequence[Mapping[str, float]], side: str) -> np.ndarray:
    return np.array([abs(r[side] - r["target"]) for r in rows])


def over_subjects(moved: np.ndarray, rng: np.random.Generator, level: float = 0.95) -> Interval:
    """Mean change float[S] of a distance of shares over subjects, with Student's t limits.

    Limits are NaN for fewer than FEWEST subjects. Where all moved alike, which t would take for
    certainty, they keep the room that so few subjects leave (`paired_bootstrap`).
    """
    found = mean_change(moved, np.arange(len(moved)), level)
    if found.low != found.high:
        return found
    return paired_bootstrap(moved, np.arange(len(moved)), rng, level=level)
