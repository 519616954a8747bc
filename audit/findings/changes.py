"""Change of every attribute share between two runs: subject by subject, and overall."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from audit.findings.claim import Claim, Counts, finding
from audit.findings.common import LEVELS, Common, Context, arms, mean, moved, newcombe
from audit.findings.wording import cap, percent, share_phrase
from audit.findings.wording import change as words
from audit.keys import ALL, Counted, Key
from audit.records import Finding
from audit.stats.change import fisher, through_errors, unpaired_change
from audit.stats.decisions import compared
from audit.stats.interval import Interval
from audit.stats.paired import mcnemar
from audit.stats.proportions import effective_n, intraclass


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
class _Counted:
    """Counts of one class in one group of images."""

    change: Callable[[float], Interval]
    """Level to interval of the observed change."""
    p: float
    n: int
    n_effective: float
    missing: int
    reasons: Mapping[str, int]
    shares: tuple[float, float]
    of: Counted
    """Unit of `n`."""
    method: str


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
        why = part.unpaired
        counted = self._groups(part, why) if why else self._pairs(part)
        return self._finding(subject, subject, counted)

    @property
    def phrase(self) -> str:
        """`share of women`."""
        return share_phrase(self.value)

    def _hits(self, rows: pd.DataFrame, end: str = "") -> np.ndarray:
        return (rows[f"value{end}"] == self.value).to_numpy(bool)

    def _both(self) -> pd.DataFrame:
        p = self.table.pairs
        return p[(p.outcome_a == "label") & (p.outcome_b == "label")]

    def _pairs(self, part: Common) -> _Counted:
        everywhere, pairs = self._both(), part.pairs
        both = pairs[(pairs.outcome_a == "label") & (pairs.outcome_b == "label")]
        a, b = self._hits(both, "_a"), self._hits(both, "_b")
        n = len(both)
        size = _size(b.astype(float) - a, both, self._gain(everywhere), everywhere) if n else 0.0
        scale = size / n if n and math.isfinite(size) else 1.0
        cells = [float((x & y).sum()) * scale for x in (b, ~b) for y in (a, ~a)]
        gone = pairs.drop(both.index)
        return _Counted(
            lambda level: newcombe(cells, level),
            mcnemar(round(cells[1]), round(cells[2])) if n else math.nan,
            n, size if n else math.nan, len(gone), lacking(gone, ("outcome_a", "outcome_b")),
            (mean(a), mean(b)), "pairs",
            "paired by prompt and seed; Newcombe's interval; exact McNemar",
        )  # fmt: skip

    def _gain(self, both: pd.DataFrame) -> np.ndarray:
        return self._hits(both, "_b").astype(float) - self._hits(both, "_a")

    def _groups(self, part: Common, why: str) -> _Counted:
        k, n, sizes, missing, reasons = [], [], [], 0, Counter[str]()
        for rows, whole in ((part.a, self.table.a), (part.b, self.table.b)):
            known, every = (t[t.outcome == "label"] for t in (rows, whole))
            hits = self._hits(known).astype(float)
            size = _size(hits, known, self._hits(every).astype(float), every)
            scale = size / len(known) if len(known) and math.isfinite(size) else 1.0
            k.append(hits.sum() * scale)
            n.append(len(known) * scale)
            sizes.append(len(known))
            gone = rows[rows.outcome != "label"]
            missing += len(gone)
            reasons.update(lacking(gone, ("outcome",)))
        shares = tuple(x / y if y else math.nan for x, y in zip(k, n, strict=True))
        return _Counted(
            lambda level: unpaired_change(k[0], n[0], k[1], n[1], level),
            fisher(round(k[0]), round(n[0]), round(k[1]), round(n[1])) if all(n) else math.nan,
            sum(sizes), float(sum(n)), missing, dict(reasons), (shares[0], shares[1]),
            "images",
            f"not paired ({why}); Newcombe's interval; Fisher's exact test",
        )  # fmt: skip

    def _finding(self, subject: str, where: str, c: _Counted) -> Finding:
        naive = c.change(LEVELS[0])
        index = self.context.youden.get(self.attribute)
        wide, narrow = (self._true(c.change(level)) for level in LEVELS)
        counted = "pairs" if c.of == "pairs" else "images"  # subjects: number of images
        first, second = map(percent, c.shares)
        read = "from" if index is None else "read from"
        claim = Claim(
            Key("comparison", self.arm, subject, self.attribute, "share", self.value),
            f"change in the {self.phrase}", where, "points", c.of,
            c.method + ("; corrected for classifier error" if index else ""),
        )  # fmt: skip
        return finding(
            claim, wide, Counts(c.n, c.n_effective, c.missing, c.reasons),
            naive=naive.estimate if index else math.nan, naive_low=naive.low if index else math.nan,
            naive_high=naive.high if index else math.nan, p=c.p,
            references={"before": c.shares[0], "after": c.shares[1]},
            family=f"{self.attribute}, B against A, {self.arm}",
            verdict=compared(wide, narrow, 0.0, self.context.margin),
            sentence=f"{cap(where)}: the {self.phrase} changes by "
            f"{words(wide.estimate, wide.low, wide.high)} ({read} {first} in A to {second} in B), "
            f"n = {c.n} {counted}.",
        )  # fmt: skip

    def _true(self, seen: Interval) -> Interval:
        """The change corrected for the classifier's errors, where both runs have the same ones."""
        index = self.context.youden.get(self.attribute)
        return seen if index is None else through_errors(seen, index)

    def total(self, single: Sequence[Finding]) -> list[Finding]:
        """The change over all subjects: resampling pairs by prompt, else subjects."""
        if len(single) < 2:
            return []
        both, pairs = self._both(), self.table.pairs
        where = f"all {len(single)} subjects"
        if all(f.counted == "pairs" for f in single) and len(both):
            a, b = self._hits(both, "_a"), self._hits(both, "_b")
            means = moved(b.astype(float) - a, both.prompt, (a, b), self.context.seed)
            gone = pairs.drop(both.index)
            counted = _Counted(
                means.change, means.p, len(both), float(means.clusters), len(gone),
                lacking(gone, ("outcome_a", "outcome_b")), (mean(a), mean(b)), "pairs",
                f"paired by prompt and seed; {means.method}",
            )  # fmt: skip
        else:
            counted = self._over_subjects(single)
        f = self._finding(ALL, where, counted)
        return [replace(f, family=f"all subjects, B against A, {self.arm}")]

    def _over_subjects(self, single: Sequence[Finding]) -> _Counted:
        shares = [f.references for f in single if f.n and len(f.references) == 2]
        rows = np.array([(r["before"], r["after"]) for r in shares]).reshape(-1, 2)
        rows = rows[np.isfinite(rows).all(1)]
        means = moved(rows[:, 1] - rows[:, 0], pd.Series(range(len(rows))), None,
                       self.context.seed)  # fmt: skip
        both = (mean(rows[:, 0]), mean(rows[:, 1]))
        return _Counted(
            means.change, means.p, sum(f.n for f in single), float(len(rows)),
            sum(f.missing for f in single), {}, both, "subjects",
            "mean over subjects; percentile bootstrap over subjects; sign-flip test",
        )  # fmt: skip


def lacking(rows: pd.DataFrame, columns: Sequence[str]) -> dict[str, int]:
    """Rows without a label by reason: the first side's reason, else the second's."""
    if rows.empty:
        return {}
    found = rows[columns[0]]
    for other in columns[1:]:
        found = found.where(found != "label", rows[other])
    return {str(k): int(v) for k, v in found.value_counts().sort_index().items()}


def _size(values: np.ndarray, rows: pd.DataFrame, every: np.ndarray, whole: pd.DataFrame) -> float:
    """Effective number of values, with the correlation within prompts pooled over subjects."""
    clusters, strata = (pd.factorize(whole[c])[0] for c in ("prompt", "subject"))
    alike = intraclass(every, clusters, strata)
    return effective_n(values, pd.factorize(rows.prompt)[0], alike)
