"""Change of a share between two sides: in pairs, or between groups without common noise.

Images of one prompt are alike, so both count as many images as they are worth, by the correlation
within prompts. It is pooled over subjects, because the few prompts of one say little about it, and
limits allow for how few they are in all.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.stats import norm
from scipy.stats import t as student

from audit.errors import say
from audit.findings.claim import Claim, Counts
from audit.findings.common import Common, mean
from audit.findings.pairs import paired, paired_p
from audit.keys import Counted
from audit.records import Finding
from audit.stats.change import fisher, unpaired_change
from audit.stats.interval import Interval
from audit.stats.noninferiority import FEWEST
from audit.stats.paired import paired_difference
from audit.stats.proportions import effective_n, intraclass

PAIRED = "paired by prompt and seed; Newcombe's limits with the design effect of prompts; " \
    "McNemar's exact p, by whole prompts where they have several pairs"  # fmt: skip
ENDS = ("_base", "_arm")
"""Suffixes of the baseline and of an arm in a pair."""


@dataclass(frozen=True)
class Changed:
    """The change of a share with everything that it rests on."""

    change: Callable[[float], Interval]
    """Level to interval of the observed change."""
    p: float
    n: int
    n_effective: float
    missing: int
    reasons: Mapping[str, int]
    shares: tuple[float, float]
    """Before and after."""
    of: Counted
    """Unit of `n`."""
    method: str


def changed(
    part: Common, whole: Common, value: str, ends: tuple[str, str], pair: str = PAIRED
) -> Changed:
    """The change of the share of a value in a part of the images, in pairs wherever it has them.

    Both sides have prompt, subject, outcome and value; `ends` are the suffixes of the two sides of
    a pair, and `whole` the images of all subjects. `pair` says how pairs are counted.
    """
    why = part.unpaired
    return _groups(part, whole, value, why) if why else _pairs(part, whole, value, ends, pair)


def labelled(pairs: pd.DataFrame, ends: tuple[str, str]) -> pd.DataFrame:
    """The pairs with a label on both sides."""
    a, b = ends
    return pairs[(pairs[f"outcome{a}"] == "label") & (pairs[f"outcome{b}"] == "label")]


def _pairs(
    part: Common, whole: Common, value: str, ends: tuple[str, str], method: str
) -> Changed:  # fmt: skip
    every, both = (labelled(c.pairs, ends) for c in (whole, part))
    sides = [(both[f"value{end}"] == value).to_numpy(bool) for end in ends]
    gains, all_gains = (
        (t[f"value{ends[1]}"] == value).to_numpy(float) - (t[f"value{ends[0]}"] == value)
        for t in (both, every)
    )
    n, prompts = len(both), both.prompt.nunique()
    size, wider = worth(np.asarray(gains), both, np.asarray(all_gains), every)
    scale = size / n if n and math.isfinite(size) else 1.0
    a, b = sides
    cells = [float((x & y).sum()) * scale for x in (b, ~b) for y in (a, ~a)]
    gone = part.pairs.drop(both.index)
    # One prompt says nothing about how prompts differ: its pairs describe only this prompt.
    place = pd.factorize(both.prompt)[0] if prompts > 1 else np.arange(n)
    return Changed(
        lambda level: widened(newcombe(cells, level), wider(level)),
        paired_p(np.asarray(gains), place) if n else math.nan,
        n, size if n else math.nan, len(gone),
        lacking(gone, tuple(f"outcome{end}" for end in ends)), (mean(a), mean(b)), "pairs",
        method,
    )  # fmt: skip


def _groups(part: Common, whole: Common, value: str, why: str) -> Changed:
    k, n, sizes, missing = list[float](), list[float](), list[int](), 0
    reasons, wide = Counter[str](), list[Callable[[float], float]]()
    # Both sides together say how alike images of one prompt are.
    every = pd.concat([_labels(t, str(i)) for i, t in enumerate((whole.a, whole.b))])
    all_hits = (every.value == value).to_numpy(float)
    for rows in (part.a, part.b):
        known = _labels(rows)
        hits = (known.value == value).to_numpy(float)
        size, wider = worth(hits, known, all_hits, every)
        scale = size / len(known) if len(known) and math.isfinite(size) else 1.0
        k.append(float(hits.sum()) * scale)
        n.append(len(known) * scale)
        sizes.append(len(known))
        wide.append(wider)
        missing += len(rows) - len(known)
        reasons.update(lacking(rows[rows.outcome != "label"], ("outcome",)))
    shares = tuple(x / y if y else math.nan for x, y in zip(k, n, strict=True))
    return Changed(
        lambda level: widened(
            unpaired_change(k[0], n[0], k[1], n[1], level), max(w(level) for w in wide)
        ),
        fisher(round(k[0]), round(n[0]), round(k[1]), round(n[1])) if all(n) else math.nan,
        sum(sizes), float(sum(n)), missing, dict(reasons), (shares[0], shares[1]), "images",
        say("two groups, because {why}; Newcombe's limits with the design effect of prompts; "
            "Fisher's p", why=why),
    )  # fmt: skip


def _labels(rows: pd.DataFrame, side: str = "") -> pd.DataFrame:
    """Rows with a label; prompts and subjects of a side are its own."""
    known = rows[rows.outcome == "label"]
    return known.assign(prompt=side + known.prompt, subject=side + known.subject)


def newcombe(cells: Sequence[float], level: float) -> Interval:
    """`paired_difference` of four counts, which may be effective ones and then not whole."""
    n11, n10, n01, n00 = cells
    return paired_difference(n11, n10, n01, n00, level)  # type: ignore[arg-type]


def lacking(rows: pd.DataFrame, columns: Sequence[str]) -> dict[str, int]:
    """Rows without a label by reason: the first side's reason, else the second's."""
    if rows.empty:
        return {}
    found = rows[columns[0]]
    for other in columns[1:]:
        found = found.where(found != "label", rows[other])
    return {str(k): int(v) for k, v in found.value_counts().sort_index().items()}


def worth(
    values: np.ndarray, rows: pd.DataFrame, every: np.ndarray, whole: pd.DataFrame
) -> tuple[float, Callable[[float], float]]:
    """Effective number of values float[n], and by level how much wider t makes their limits.

    The correlation within prompts is pooled over subjects. It rests on as many degrees of freedom
    as there are prompts beyond one of each subject, so Student's t replaces the normal where
    prompts have several images. A single prompt for each subject says nothing about others.
    """
    clusters, strata = (pd.factorize(whole[c])[0] for c in ("prompt", "subject"))
    alike = intraclass(every, clusters, strata)
    place = pd.factorize(rows.prompt)[0]
    size = effective_n(values, place, alike) if len(values) else 0.0
    free = len(whole[["prompt", "subject"]].drop_duplicates()) - whole.subject.nunique()
    spread = len(values) > len(np.unique(place)) and len(np.unique(place)) > 1

    def wider(level: float) -> float:
        if not spread or free < 1:
            return 1.0
        tail = (1 + level) / 2
        return float(student.ppf(tail, free) / norm.ppf(tail))

    return size, wider


def widened(x: Interval, factor: float) -> Interval:
    """Both arms of an interval of a difference of shares longer by a factor, within -1..1."""
    low = x.estimate - factor * (x.estimate - x.low)
    high = x.estimate + factor * (x.high - x.estimate)
    return Interval(x.estimate, max(low, -1.0), min(high, 1.0))


def share_apart(claim: Claim, sides: Common, value: str) -> Finding:
    """Change of the share of a value between groups of images under an arm, with both shares.

    `claim` is about pairs, of which there are none. Limits are NaN for fewer than FEWEST prompts,
    as in `share_finding`.
    """
    c = changed(sides, sides, value, ENDS)
    change, prompts = c.change(0.95), sides.a.prompt.nunique()
    if prompts < FEWEST:
        change = Interval(change.estimate, math.nan, math.nan)
    claim = replace(claim, counted=c.of, method=c.method)
    size = Counts(c.n, float(prompts), c.missing, c.reasons)
    references = {"before": c.shares[0], "after": c.shares[1]}
    made = paired(claim, change, size)
    return replace(made, references=references, p=c.p, family=f"changes under {claim.key.arm}")


def prompt_by_prompt(sides: Common, columns: Sequence[str]) -> pd.DataFrame:
    """One row per prompt in place of pairs: means of columns over its images on each side."""
    means = [t.groupby("prompt")[list(columns)].mean() for t in (sides.a, sides.b)]
    ends = [m.rename(columns={c: f"{c}{end}" for c in columns}) for m, end in
            zip(means, ENDS, strict=True)]  # fmt: skip
    return ends[0].join(ends[1], how="inner").reset_index()
