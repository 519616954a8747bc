"""What an arm does to copying on the same prompts and seeds: rates, cosines, copies removed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from audit.findings.claim import Claim, Counts, finding, joined
from audit.findings.wording import change as words
from audit.findings.wording import cosine_change, interval, percent
from audit.keys import Key, Unit
from audit.records import Finding, Prompt
from audit.stats.decisions import verdict
from audit.stats.interval import UNKNOWN, Interval
from audit.stats.paired import mcnemar, paired_bootstrap
from audit.stats.proportions import clopper_pearson

FEW = 5
"""Copies without the arm below which nothing is said of the share that it removes."""
DRAWS = 2000


def findings(
    matches: pd.DataFrame, arm: str, prompts: Mapping[str, Prompt], seed: int
) -> list[Finding]:
    """Effects of one arm on captions of training images, and on ordinary prompts.

    `matches` has MATCH_COLUMNS with `copy` decided, at one line for all arms. Pairs in which both
    sides are the same image, because the arm leaves the prompt alone, count as no change.
    """
    both = joined(matches, arm)
    purpose = both.prompt.map(lambda p: prompts[p].purpose)
    out = []
    for kind, group, where in (
        ("replication", "captions", "captions of training images"),
        ("representation", "ordinary", "ordinary prompts"),
    ):
        pairs = both[purpose == kind]
        if len(pairs) and (pairs.sample_base != pairs.sample_arm).any():
            out += _effects(pairs, arm, (group, where), seed)
    return out


def _effects(pairs: pd.DataFrame, arm: str, prompts: tuple[str, str], seed: int) -> list[Finding]:
    known = pairs[(pairs.outcome_base == "label") & (pairs.outcome_arm == "label")]
    before, after = (known[f"copy_{s}"].to_numpy(float) for s in ("base", "arm"))
    clusters = pd.factorize(known.prompt)[0]
    size = Counts(len(known), float(len(set(clusters))), len(pairs) - len(known))
    facts, where = _Facts(arm, *prompts, size), prompts[1]
    copies = facts.claim("copies", "change in the rate of copies", "points")
    if not len(known):
        return [facts.finding(copies, UNKNOWN, "not known")]
    rng = np.random.default_rng(seed)
    rate = paired_bootstrap(after - before, clusters, rng)
    score = (known.score_arm - known.score_base).to_numpy(float)
    near = paired_bootstrap(score, clusters, np.random.default_rng(seed), measured=True)
    lost, won = int((before > after).sum()), int((after > before).sum())
    out = [
        facts.finding(
            copies, rate,
            f"{arm}, {where}: {percent(after.mean())} of images are copies, without it "
            f"{percent(before.mean())} (change {words(rate.estimate, rate.low, rate.high)}), "
            f"n = {len(known)} pairs.",
            p=mcnemar(lost, won),
            references={"before": float(before.mean()), "after": float(after.mean())},
        ),
        facts.finding(
            facts.claim("nearness", "change in the cosine to the nearest training image",
                        "cosine"), near,
            f"{arm}, {where}: the nearest training image lies at a cosine that changes by "
            f"{cosine_change(near.estimate, near.low, near.high)}.",
        ),
    ]  # fmt: skip
    return [*out, *_removed(before, after, clusters, facts, seed)]


def _removed(
    before: np.ndarray, after: np.ndarray, clusters: np.ndarray, facts: _Facts, seed: int
) -> list[Finding]:
    """The share of copies that the arm removes, net of those that it makes."""
    if before.sum() < FEW:
        return []
    share = removed(before, after, clusters, np.random.default_rng(seed))
    text = (
        f"{facts.arm}, {facts.where}: {percent(share.estimate)} "
        f"{interval(share.low, share.high)} of {int(before.sum())} copies are gone."
    )
    return [facts.finding(facts.claim("removed", "share of copies removed", "share"), share, text)]


def removed(
    before: np.ndarray, after: np.ndarray, clusters: np.ndarray, rng: np.random.Generator
) -> Interval:
    """1 - copies after / copies before, with a 95 % interval; may be negative.

    `before`, `after` are 0 or 1, float[n]; `clusters` int[n]. Percentile bootstrap over clusters,
    and where it has no width, because all or none are gone, Clopper and Pearson's limits with the
    clusters that have copies as sample size.
    """
    if not before.sum():
        return UNKNOWN
    rows = [np.flatnonzero(clusters == c) for c in np.unique(clusters)]
    sums = np.array([[before[r].sum(), after[r].sum()] for r in rows])
    picks = rng.integers(len(rows), size=(DRAWS, len(rows)))
    drawn = sums[picks].sum(axis=1)
    drawn = drawn[drawn[:, 0] > 0]
    values = 1 - drawn[:, 1] / drawn[:, 0]
    low, high = np.quantile(values, [0.025, 0.975])
    share = float(1 - after.sum() / before.sum())
    if low == high:
        n = int((sums[:, 0] > 0).sum())
        exact = clopper_pearson(round(min(max(share, 0.0), 1.0) * n), n)
        low, high = min(exact.low, share), max(exact.high, share)
    return Interval(share, float(low), float(high))


@dataclass(frozen=True)
class _Facts:
    """What all effects of an arm on one kind of prompts share."""

    arm: str
    group: str
    where: str
    size: Counts

    def claim(self, kind: str, quantity: str, unit: Unit) -> Claim:
        """One effect before its numbers."""
        return Claim(
            Key("mitigation", self.arm, "", "", kind, self.group), quantity, self.where, unit,
            "pairs", "paired by seed; cluster bootstrap by prompt",
        )  # fmt: skip

    def finding(self, claim: Claim, change: Interval, text: str, **more: Any) -> Finding:
        """One effect as a claim."""
        return finding(claim, change, self.size, verdict=verdict(change, 0), sentence=text, **more)
