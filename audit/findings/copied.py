"""What an arm does to copying on the same prompts and seeds: rates, cosines, copies removed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.stats import norm
from scipy.stats import t as student

from audit.errors import say
from audit.evidence.copies import flags
from audit.findings.claim import Claim, finding
from audit.findings.common import Common, of_arm
from audit.findings.groups import prompt_by_prompt, share_apart
from audit.findings.pairs import (
    BY_PROMPT,
    Question,
    clusters,
    counts,
    mean_finding,
    share_finding,
    too_few,
)
from audit.findings.wording import change as words
from audit.findings.wording import cosine_change, estimate, percent
from audit.keys import TOO_FEW
from audit.records import Finding
from audit.stats.decisions import verdict
from audit.stats.interval import UNKNOWN, Interval
from audit.stats.noninferiority import FEWEST
from audit.stats.proportions import clopper_pearson

GROUPS: Mapping[str, tuple[str, str]] = {
    "replication": ("captions", "captions of training images"),
    "representation": ("ordinary", "ordinary prompts"),
}
"""What prompts of a purpose are called in keys, and in words."""
FEW = 5
"""Copies without the arm below which nothing is said of the share that it removes."""
DRAWS = 2000


def findings(matches: pd.DataFrame, q: Question) -> Iterator[Finding]:
    """Effects of the arm on captions of training images, and on ordinary prompts.

    `matches` has MATCH_COLUMNS, `copy` decided at one line for all arms. Pairs in which both
    sides are the same image, because the arm leaves the prompt alone, count as no change; where it
    leaves all prompts of a group alone, or none was searched, nothing is claimed.
    """
    both = of_arm(matches, q.arm)
    for purpose, (group, where) in GROUPS.items():
        named, part = (group, where), _of(both, {p for p in q.prompts if
                                                 q.prompts[p].purpose == purpose
                                                 and q.prompts[p].repeats != 0})  # fmt: skip
        if part.unpaired:
            yield from _apart(part, q, named)
            continue
        pairs = part.pairs
        if (pairs.sample_base != pairs.sample_arm).any():
            known = pairs[_decided(pairs, "base") & _decided(pairs, "arm")]
            yield _copies(known, pairs, q, named)
            yield _nearness(known, pairs, q, named)
            yield from _removed(known, pairs, q, named)


def _of(both: Common, prompts: set[str]) -> Common:
    """The rows of some prompts."""
    a, b, pairs = (t[t.prompt.isin(prompts)] if len(t) else t for t in (both.a, both.b, both.pairs))
    return Common(a, b, pairs)


def _apart(part: Common, q: Question, prompts: tuple[str, str]) -> Iterator[Finding]:
    """The rate of copies and the nearness of images without a partner on the other side."""
    if not (len(part.a) and len(part.b)):
        return
    a, b = (
        t.assign(
            subject="", value=np.where(flags.flagged(t["copy"]), "copy", ""),
            outcome=t.outcome.where((t.outcome != "label") | flags.decided(t["copy"]),
                                    flags.UNDECIDED),
        )
        for t in (part.a, part.b)
    )  # fmt: skip
    f = share_apart(_rate(q, prompts), Common(a, b, part.pairs.iloc[:0]), "copy")
    yield _rated(f, q) if f.n else f
    rows = prompt_by_prompt(Common(a, b, part.pairs), ("score",)).dropna()
    claim = replace(_near(q, prompts), counted="prompts", method=say(
        "prompt by prompt, because {unpaired}; Student's t over prompts",
        unpaired=part.unpaired
    ))  # fmt: skip
    near = mean_finding(claim, rows, "score")
    yield _moved(near, q) if near.n else near


def _decided(pairs: pd.DataFrame, side: str) -> pd.Series:
    """Whether a side's images, `base` or `arm`, were searched and have a decision: bool[n]."""
    return (pairs[f"outcome_{side}"] == "label") & flags.decided(pairs[f"copy_{side}"])


def _copies(
    known: pd.DataFrame, pairs: pd.DataFrame, q: Question, prompts: tuple[str, str]
) -> Finding:
    hits = flags.flagged(known["copy_base"]), flags.flagged(known["copy_arm"])
    f = share_finding(_rate(q, prompts), known, hits, counts(known, pairs))
    return _rated(f, q) if f.n else f


def _rate(q: Question, prompts: tuple[str, str]) -> Claim:
    return Claim(
        q.key("copies", detail=prompts[0]), "change in the rate of copies", prompts[1], "points",
        "pairs", BY_PROMPT + "; McNemar's exact p, by whole prompts where they have several pairs",
        "no pair was searched on both sides",
    )  # fmt: skip


def _rated(f: Finding, q: Question) -> Finding:
    before, after = (percent(f.references[side]) for side in ("before", "after"))
    return replace(f, sentence=(
        say(
            "{arm}, {where}: {after} of images are copies, without it {before} (change {size}), "
            "n = {n} {counted}{too_few}.",
            arm=q.arm, where=f.where, after=after, before=before,
            size=words(f.estimate, f.low, f.high), n=f.n, counted=f.counted, too_few=too_few(f)
        )
    ))  # fmt: skip


def _nearness(
    known: pd.DataFrame, pairs: pd.DataFrame, q: Question, prompts: tuple[str, str]
) -> Finding:
    f = mean_finding(_near(q, prompts), known, "score")
    # What was not searched is missing here as it is from the rate of copies.
    f = replace(f, missing=len(pairs) - f.n)
    return _moved(f, q) if f.n else f


def _near(q: Question, prompts: tuple[str, str]) -> Claim:
    return Claim(
        q.key("nearness", detail=prompts[0]), "change in the cosine to the nearest training image",
        prompts[1], "cosine", "pairs", "paired by seed; Student's t over prompts",
        "no pair was searched on both sides",
    )  # fmt: skip


def _moved(f: Finding, q: Question) -> Finding:
    return replace(f, sentence=(
        say(
            "{arm}, {where}: the cosine to the nearest training image changes by {size}{too_few}.",
            arm=q.arm, where=f.where, size=cosine_change(f.estimate, f.low, f.high),
            too_few=too_few(f)
        )
    ))  # fmt: skip


def _removed(
    known: pd.DataFrame, pairs: pd.DataFrame, q: Question, prompts: tuple[str, str]
) -> Iterator[Finding]:
    """The share of copies that the arm removes, net of those that it makes."""
    before, after = (flags.flagged(known[f"copy_{s}"]).astype(float) for s in ("base", "arm"))
    if before.sum() < FEW:
        return
    share = removed(before, after, clusters(known), q.rng(12))
    claim = Claim(
        q.key("removed", detail=prompts[0]), "share of copies removed", prompts[1], "share",
        "pairs", "paired by seed; expanded cluster bootstrap by prompt",
    )  # fmt: skip
    size = counts(known, pairs)
    few = math.isfinite(share.estimate) and not math.isfinite(share.low)
    said = TOO_FEW["prompts"] if few else verdict(share, 0)
    made = finding(claim, share, size, verdict=said)
    yield replace(made, sentence=(
        say(
            "{arm}, {prompts}: {share} of {before} copies are gone{too_few}.",
            arm=q.arm, prompts=prompts[1], share=estimate(share.estimate, share.low, share.high),
            before=int(before.sum()), too_few=too_few(made)
        )
    ))  # fmt: skip


def removed(
    before: np.ndarray, after: np.ndarray, clusters: np.ndarray, rng: np.random.Generator
) -> Interval:
    """1 - copies after / copies before, with a 95 % interval; may be negative.

    `before`, `after` are 0 or 1, float[n]; `clusters` int[n]. Percentiles of a bootstrap over
    clusters, far enough out for few of them (Hesterberg 2015, Am Stat 69:371, sec. 5.3); limits
    are NaN where fewer than FEWEST clusters have copies. Where they have no width, because all or
    none are gone, Clopper and Pearson's with the clusters that have copies as sample size.
    """
    if not before.sum():
        return UNKNOWN
    place = np.unique(clusters, return_inverse=True)[1]
    sums = np.stack([np.bincount(place, weights=v) for v in (before, after)], axis=1)
    share = float(1 - after.sum() / before.sum())
    copying = int((sums.sum(1) > 0).sum())
    if copying < FEWEST:
        return Interval(share, math.nan, math.nan)
    drawn = sums[rng.integers(len(sums), size=(DRAWS, len(sums)))].sum(axis=1)
    drawn = drawn[drawn[:, 0] > 0]
    reach = float(student.ppf(0.975, copying - 1)) * math.sqrt(copying / (copying - 1))
    tail = float(norm.sf(reach))
    low, high = np.quantile(1 - drawn[:, 1] / drawn[:, 0], [tail, 1 - tail])
    if low == high:
        n = int((sums[:, 0] > 0).sum())
        exact = clopper_pearson(round(min(max(share, 0.0), 1.0) * n), n)
        low, high = min(exact.low, share), max(exact.high, share)
    return Interval(share, float(low), float(high))
