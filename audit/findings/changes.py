"""Change of every attribute share between two runs: subject by subject, and overall.

The same as under an arm of one run (`groups`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from audit.errors import say
from audit.findings.claim import Claim, Counts, finding
from audit.findings.common import LEVELS, Common, Context, arms, mean, moved
from audit.findings.groups import Changed, changed, labelled, lacking
from audit.findings.pairs import judged
from audit.findings.wording import cap, percent, share_phrase, unseen
from audit.findings.wording import change as words
from audit.keys import ALL, Key
from audit.records import Finding
from audit.stats.change import through_errors
from audit.stats.decisions import compared, least_seen
from audit.stats.interval import Interval

ENDS = ("_a", "_b")
"""Suffixes of the two sides of a pair."""


def shares(table: Common, context: Context) -> list[Finding]:
    """Per attribute, arm and class: the overall change first, then every subject."""
    out = []
    for arm in arms(table):
        for name, classes in context.classes.items():
            here = table.where(arm=arm, attribute=name)
            subjects = [s for s in dict.fromkeys(here.a.subject) if s in set(here.b.subject)]
            for value in classes[:1] if len(classes) == 2 else classes:
                read = _Read(here, name, value, arm, context)
                single = [read.subject(str(s)) for s in subjects]
                out += [*read.total(single), *single]
    return out


@dataclass(frozen=True)
class _Read:
    """One class of one attribute in one arm of the two runs."""

    table: Common
    attribute: str
    value: str
    arm: str
    context: Context

    def subject(self, subject: str) -> Finding:
        """The change of one subject's share, in pairs or between groups."""
        part = self.table.where(subject=subject)
        return self._finding(subject, subject, changed(part, self.table, self.value, ENDS))

    @property
    def phrase(self) -> str:
        """`share of women`."""
        return share_phrase(self.value)

    def _finding(self, subject: str, where: str, c: Changed) -> Finding:
        naive = c.change(LEVELS[0])
        index = self.context.youden.get(self.attribute)
        wide, narrow = (self._true(c.change(level)) for level in LEVELS)
        counted = "pairs" if c.of == "pairs" else "images"  # subjects: number of images
        (first, second), (a, b) = map(percent, c.shares), self.context.names
        read = "from" if index is None else "read from"
        claim = Claim(
            Key("comparison", self.arm, subject, self.attribute, "share", self.value),
            say("change in the {phrase}", phrase=self.phrase), where, "points", c.of,
            c.method + ("; corrected for classifier error" if index else ""),
        )  # fmt: skip
        size = Counts(c.n, c.n_effective, c.missing, c.reasons)
        said = compared(wide, narrow, 0.0, self.context.margin)
        said = judged(wide, size, c.of, said) if subject == ALL else said
        return finding(
            claim, wide, size, verdict=said,
            naive=naive.estimate if index else math.nan, naive_low=naive.low if index else math.nan,
            naive_high=naive.high if index else math.nan, p=c.p,
            references={"before": c.shares[0], "after": c.shares[1]},
            family=f"{self.attribute}, {self.context.against}, {self.arm}",
            sentence=say(
                "{where}: the {phrase} changes by {size} ({read} {first} in {a} to {second} in "
                "{b}), n = {n} {counted}{unseen}.",
                where=cap(where), phrase=self.phrase,
                size=words(wide.estimate, wide.low, wide.high), read=read, first=first, a=a,
                second=second, b=b, n=c.n, counted=counted, unseen=unseen(said, least_seen(wide))
            ),
        )  # fmt: skip

    def _true(self, seen: Interval) -> Interval:
        """The change corrected for the classifier's errors, where both runs have the same ones."""
        index = self.context.youden.get(self.attribute)
        return seen if index is None else through_errors(seen, index)

    def total(self, single: Sequence[Finding]) -> list[Finding]:
        """The change over all subjects: over prompts in pairs, else over subjects."""
        if len(single) < 2:
            return []
        pairs = self.table.pairs
        both = labelled(pairs, ENDS)
        where = say("all {n} subjects", n=len(single))
        if all(f.counted == "pairs" for f in single) and len(both):
            a, b = ((both[f"value{end}"] == self.value).to_numpy(bool) for end in ENDS)
            means = moved(b.astype(float) - a, both.prompt, True, self.context.seed)
            gone = pairs.drop(both.index)
            counted = Changed(
                means.change, means.p, len(both), float(means.clusters), len(gone),
                lacking(gone, ("outcome_a", "outcome_b")), (mean(a), mean(b)), "pairs",
                say("paired by prompt and seed; {method}", method=means.method),
            )  # fmt: skip
        else:
            counted = self._over_subjects(single)
        f = self._finding(ALL, where, counted)
        return [replace(f, family=f"all subjects, {self.context.against}, {self.arm}")]

    def _over_subjects(self, single: Sequence[Finding]) -> Changed:
        shares = [f.references for f in single if f.n and len(f.references) == 2]
        rows = np.array([(r["before"], r["after"]) for r in shares]).reshape(-1, 2)
        rows = rows[np.isfinite(rows).all(1)]
        means = moved(rows[:, 1] - rows[:, 0], pd.Series(range(len(rows))), True, self.context.seed)
        both = (mean(rows[:, 0]), mean(rows[:, 1]))
        return Changed(
            means.change, means.p, sum(f.n for f in single), float(len(rows)),
            sum(f.missing for f in single), {}, both, "subjects",
            "mean over subjects; Student's t over subjects; sign-flip test",
        )  # fmt: skip
