"""What an arm does to copying on the same prompts and seeds: rates, cosines, copies removed."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from audit.findings.wording import change as words
from audit.findings.wording import cosine_change, interval, percent
from audit.records import BASELINE, Finding, Prompt
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
    base, other = matches[matches.arm == BASELINE], matches[matches.arm == arm]
    both = base.merge(other, on=["prompt", "seed"], suffixes=("_base", "_arm"))
    purpose = both.prompt.map(lambda p: prompts[p].purpose)
    out = []
    for kind, where in (
        ("replication", "captions of training images"),
        ("representation", "ordinary prompts"),
    ):
        pairs = both[purpose == kind]
        if len(pairs) and (pairs.sample_base != pairs.sample_arm).any():
            out += _effects(pairs, arm, where, seed)
    return out


def _effects(pairs: pd.DataFrame, arm: str, where: str, seed: int) -> list[Finding]:
    known = pairs[(pairs.outcome_base == "label") & (pairs.outcome_arm == "label")]
    before, after = (known[f"copy_{s}"].to_numpy(float) for s in ("base", "arm"))
    clusters = pd.factorize(known.prompt)[0]
    facts = _Facts(arm, where, len(known), len(pairs) - len(known), len(set(clusters)))
    if not len(known):
        return [facts.finding("copies", "change in the rate of copies", UNKNOWN, "not known")]
    rng = np.random.default_rng(seed)
    rate = paired_bootstrap(after - before, clusters, rng)
    score = (known.score_arm - known.score_base).to_numpy(float)
    near = paired_bootstrap(score, clusters, np.random.default_rng(seed), measured=True)
    lost, won = int((before > after).sum()), int((after > before).sum())
    out = [
        facts.finding(
            "copies", "change in the rate of copies", rate,
            f"{arm}, {where}: {percent(after.mean())} of images are copies, without it "
            f"{percent(before.mean())} (change {words(rate.estimate, rate.low, rate.high)}), "
            f"n = {len(known)} pairs.",
            p=mcnemar(lost, won),
            references={"before": float(before.mean()), "after": float(after.mean())},
        ),
        facts.finding(
            "nearness", "change in the cosine to the nearest training image", near,
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
    made = facts.finding("removed", "share of copies removed", share, text)
    return [made]


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


class _Facts:
    """What all effects of an arm on one kind of prompts share."""

    def __init__(self, arm: str, where: str, n: int, missing: int, clusters: int) -> None:
        self.arm, self.where, self.n = arm, where, n
        self.missing, self.clusters = missing, clusters

    def finding(
        self, key: str, quantity: str, change: Interval, text: str, p: float = math.nan,
        references: Mapping[str, float] | None = None,
    ) -> Finding:  # fmt: skip
        """One effect as a claim."""
        kind = "captions" if self.where.startswith("captions") else "ordinary"
        return Finding(
            id=f"mitigation/{self.arm}/{key}-{kind}", section="mitigation", where=self.where,
            quantity=quantity, estimate=change.estimate, low=change.low, high=change.high,
            n=self.n, n_effective=float(self.clusters), missing=self.missing,
            method="paired by seed; cluster bootstrap by prompt", arm=self.arm, p=p,
            verdict=verdict(change, 0), sentence=text, references=references or {},
        )  # fmt: skip
