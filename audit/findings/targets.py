"""Whether an arm brings each subject to its own target, and all of them together nearer to it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from audit.errors import figure, say
from audit.findings.claim import Claim, Counts, adjusted, finding
from audit.findings.common import LEVELS, Common, of_arm
from audit.findings.groups import ENDS, changed, labelled, widened, worth
from audit.findings.pairs import Question, behind_errors, judged, too_few, true_share
from audit.findings.representation import estimates, observed
from audit.findings.wording import cap, percent, unseen
from audit.findings.wording import change as words
from audit.keys import ALL, Key
from audit.records import Attribute, Finding
from audit.stats.decisions import compared, least_seen
from audit.stats.folded import Bounds, bounds
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
        asked = {s: t for s, t in targets.items() if s in here}
        if asked:
            seen = _distances(both, known[name], asked, q)
            out += _distance(shares, seen, known[name], q, name if place else "")
        out += shares
    return out


def _share(
    whole: Common, attribute: Attribute, asked: tuple[str, float], q: Question
) -> Finding:  # fmt: skip
    """Change in the share of an attribute's first class for one subject, with its target."""
    (subject, target), first = asked, attribute.classes[0]
    part = whole.where(subject=subject)
    c = changed(part, whole, first, ENDS)
    change, seen, how = behind_errors(c.change(0.95), attribute, q)
    claim = Claim(
        Key("mitigation", q.arm, subject, attribute.name, "change", first),
        say("change in the share of {first}", first=first), subject, "points", c.of, c.method + how,
    )  # fmt: skip
    before, after = (true_share(s, attribute, q) for s in c.shares)
    kept = labelled(part.pairs, ENDS) if c.of == "pairs" else part.a[part.a.outcome == "label"]
    prompts = float(kept.prompt.nunique())
    return finding(
        claim, change, Counts(c.n, prompts if c.n else math.nan, c.missing, c.reasons),
        naive=seen.estimate, naive_low=seen.low, naive_high=seen.high,
        references={"before": before, "after": after, "target": target}, p=c.p,
        family=f"{attribute.name} under {q.arm}", verdict=_met(part, whole, attribute, target, q),
    )  # fmt: skip


def _met(part: Common, whole: Common, attribute: Attribute, target: float, q: Question) -> str:
    """Whether the arm's share is shown to be within the margin of the target, or not to be it.

    By the limits of the share with prompts as clusters, corrected where the reader's errors are
    known: `met` where the 90 % interval is within the margin of the target (two one-sided tests),
    `not met` where the 95 % interval excludes it.
    """
    first, errors = attribute.classes[0], q.context.confusion.get(attribute.name)
    known, every = (t[t.outcome == "label"] for t in (part.b, whole.b))
    hits, all_hits = ((t.value == first).to_numpy(float) for t in (known, every))
    if not len(hits):
        return "undecided"
    size, wider = worth(hits, known, all_hits, every)
    n = size if math.isfinite(size) else float(len(hits))
    read = known.value.value_counts(normalize=True).reindex(attribute.classes, fill_value=0.0)

    def share(level: float) -> Interval:
        if errors is None:
            return wilson(hits.mean() * n, n, level)
        return estimates(read.to_numpy(float) * n, errors, q.context.seed, level)[0]

    wide, narrow = (widened(share(x), wider(x)) for x in LEVELS)
    said = compared(wide, narrow, target, q.context.margin)
    return {"equivalent": "met", "above": "not met", "below": "not met"}.get(said, "undecided")


def _worded(f: Finding) -> Finding:
    before, after, target = f.references["before"], f.references["after"], f.references["target"]
    return replace(
        f,
        sentence=(
            say(
                "{where}: {quantity} {size}, from {before} to {after} (target {target}), n = {n} "
                "{counted}{asked}.",
                where=cap(f.where),
                quantity=f.quantity,
                size=words(f.estimate, f.low, f.high),
                before=percent(before),
                after=percent(after),
                target=percent(target),
                n=f.n,
                counted=f.counted,
                asked=_asked(f),
            )
        ),
    )


def _asked(f: Finding) -> str:
    """That limits are about a subject's own prompts where there are too few to say more."""
    if not f.n or f.n_effective >= FEWEST:
        return ""
    if f.n_effective == 1:
        return " of one prompt, which says nothing about others"
    return say(
        " of {n_effective} prompts, too few to say much about others",
        n_effective=figure(f"{f.n_effective:.0f}"),
    )


@dataclass(frozen=True)
class _Distances:
    """Distances of subjects from their targets as they were read, on both sides."""

    before: Bounds
    after: Bounds

    @property
    def known(self) -> np.ndarray:
        """Subjects that have labels on both sides, bool[S]."""
        return np.isfinite(self.before.above + self.after.above)

    def change(self, level: float) -> Interval:
        """Mean change over subjects with limits that hold however much noise looks like distance.

        The lower limit is that of the change from the bound above to the one below, and the upper
        limit the other way round. Where directions are clear the two changes are the same.
        """
        at, was, now = self.known, self.before, self.after
        least, most = now.below - was.above, now.above - was.below
        low, high = (over_subjects(x[at], level) for x in (least, most))
        return Interval(float((now.above - was.above)[at].mean()), low.low, high.high)


def _distances(
    both: Common, attribute: Attribute, targets: Mapping[str, float], q: Question
) -> _Distances:
    """Distances between shares of the first class and targets, as the reader would see them."""
    first, errors = attribute.classes[0], q.context.confusion.get(attribute.name)
    aims = np.array([(t, 1 - t) for t in targets.values()]).reshape(-1, 2)
    if errors is not None and len(errors) == 2:
        aims = np.array([observed(t, errors) for t in aims]).reshape(-1, 2)
    place = {s: i for i, s in enumerate(targets)}
    parts = [_labels(both.where(subject=s)) for s in targets]
    sides = []
    for rows in (pd.concat([p[i] for p in parts]) for i in range(2)):
        value, prompt = (rows.value != first).to_numpy(int), pd.factorize(rows.prompt)[0]
        sides.append(bounds(value, rows.subject.map(place).to_numpy(int), prompt, aims))
    return _Distances(*sides)


def _labels(part: Common) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Labels before and after: of pairs that have both, or of two groups of images."""
    columns = ["subject", "prompt", "value"]
    if part.unpaired:
        a, b = (t[t.outcome == "label"][columns] for t in (part.a, part.b))
        return a, b
    kept = labelled(part.pairs, ENDS)
    a, b = (kept.rename(columns={f"value{end}": "value"})[columns] for end in ENDS)
    return a, b


def _distance(
    shares: Sequence[Finding], seen: _Distances, attribute: Attribute, q: Question, second: str
) -> list[Finding]:
    """Change of the mean distance from the target, over subjects; `second` names a further aim."""
    many = int(seen.known.sum())
    if not many:
        return []
    of = say(" of {second}", second=second.replace("_", " ")) if second else ""
    (change, _, how), (narrow, *_) = (
        behind_errors(seen.change(level), attribute, q) for level in LEVELS
    )
    pairs = "paired by seed" if all(f.counted == "pairs" for f in shares) else "before and after"
    claim = Claim(
        Key("mitigation", q.arm, ALL, second, "target-distance"),
        say("change in the mean distance{of} from the target", of=of), say(
            "all {many} subjects",
            many=many
        ), "points",
        "subjects", say(
            "{pairs}; distances bounded by cross-fitting over prompts; Student's t over "
            "subjects{how}",
            pairs=pairs, how=how
        ),
    )  # fmt: skip
    size = Counts(sum(f.n for f in shares), float(many), sum(f.missing for f in shares))
    said = judged(change, size, "subjects", compared(change, narrow, 0, q.margins.distance))
    before, after = (
        behind_errors(Interval(float(x.above[seen.known].mean()), math.nan, math.nan),
                      attribute, q)[0].estimate
        for x in (seen.before, seen.after)
    )  # fmt: skip
    made = finding(claim, change, size, verdict=said, references={"before": before, "after": after})
    sentence = say(
        "{arm}: the mean distance{of} from the target goes from {before} to {after} points "
        "(change {size}){too_few}{unseen}.",
        arm=q.arm,
        of=of,
        before=figure(f"{100 * before:.0f}"),
        after=figure(f"{100 * after:.0f}"),
        size=words(change.estimate, change.low, change.high),
        too_few=too_few(made),
        unseen=unseen(said, least_seen(change)),
    )
    return [replace(made, sentence=sentence)]


def over_subjects(moved: np.ndarray, level: float = 0.95) -> Interval:
    """Mean change float[S] of a distance of shares over subjects, with Student's t limits.

    Limits are NaN for fewer than FEWEST subjects, and have width where all moved alike.
    """
    return mean_change(moved, np.arange(len(moved)), level, shares=True)
