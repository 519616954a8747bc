"""What a rewrite bought and what it broke: effects on the same seeds, never two separate groups."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from audit.findings.wording import cap, cosine_change, percent
from audit.findings.wording import change as words
from audit.records import BASELINE, Attribute, Finding
from audit.stats.decisions import compared, noninferior, verdict
from audit.stats.interval import UNKNOWN
from audit.stats.multiplicity import benjamini_hochberg
from audit.stats.paired import mcnemar, paired_bootstrap, paired_difference
from audit.stats.proportions import wilson

KEYS = ["prompt", "seed"]
SAME = 0.1
"""Change of the mean distance from the target that is as good as none."""
MARGIN = 0.1
"""Alignment that an arm may cost, as a share of what sets a prompt's own images apart: their mean
cosine to it less their mean cosine to all prompts. Cosines of two encoders have no common scale."""


def _pairs(table: pd.DataFrame, arm: str) -> pd.DataFrame:
    """Rows of an arm beside the baseline's row of the same prompt and seed."""
    base, other = table[table.arm == BASELINE], table[table.arm == arm]
    return base.merge(other, on=KEYS, suffixes=("_base", "_arm"), validate="one_to_one")


def effect(
    pairs: pd.DataFrame, attribute: Attribute, subject: str, arm: str, target: float
) -> Finding:
    """Change in the share of an attribute's first class, on pairs with both labels."""
    both = pairs[(pairs.outcome_base == "label") & (pairs.outcome_arm == "label")]
    first = attribute.classes[0]
    before, after = (both[f"value_{side}"] == first for side in ("base", "arm"))
    n11, n10 = int((before & after).sum()), int((before & ~after).sum())
    n01, n00 = int((~before & after).sum()), int((~before & ~after).sum())
    change = (
        paired_difference(n01 + n11, 0, 0, 0)
        if not len(both)
        else paired_difference(n11, n01, n10, n00)
    )
    share = float(after.mean()) if len(both) else math.nan
    was = float(before.mean()) if len(both) else math.nan
    return Finding(
        id=f"mitigation/{arm}/{subject}/{attribute.name}",
        section="mitigation",
        where=subject,
        quantity=f"change in the share of {first}",
        estimate=change.estimate,
        low=change.low,
        high=change.high,
        n=len(both),
        n_effective=float(len(both)),
        missing=len(pairs) - len(both),
        method="paired by seed; Newcombe's interval; exact McNemar",
        arm=arm,
        references={"before": was, "after": share, "target": target},
        p=mcnemar(n10, n01) if len(both) else math.nan,
        family=f"{attribute.name} under {arm}",
    )


def findings(
    attributes: pd.DataFrame, alignment: pd.DataFrame, arm: str,
    aims: Sequence[tuple[Attribute, Mapping[str, float]]], seed: int,
) -> list[Finding]:  # fmt: skip
    """All effects and costs of one arm.

    `attributes` has ATTRIBUTE_COLUMNS, `alignment` ALIGNMENT_COLUMNS. `aims` gives each attribute
    that the arm is about with the declared share of its first class by subject.
    """
    out = []
    for place, (attribute, targets) in enumerate(aims):
        pairs = _pairs(attributes[attributes.attribute == attribute.name], arm)
        effects = [
            effect(pairs[pairs.subject_base == s], attribute, s, arm, t)
            for s, t in targets.items()
            if (pairs.subject_base == s).any()
        ]
        qs = benjamini_hochberg(np.array([f.p for f in effects])) if effects else np.empty(0)
        effects = [_worded(f, float(q)) for f, q in zip(effects, qs, strict=True)]
        out += _distance(effects, arm, seed, attribute.name if place else "") + effects
    return out + _costs(_pairs(alignment, arm), arm, seed)


def _worded(f: Finding, q: float) -> Finding:
    before, after, target = f.references["before"], f.references["after"], f.references["target"]
    reached = wilson(round(after * f.n), f.n) if f.n else UNKNOWN
    near = reached.low <= target <= reached.high
    return replace(
        f,
        q=q,
        verdict="undecided" if not f.n else ("met" if near else "not met"),
        sentence=(
            f"{cap(f.where)}: {f.quantity} {words(f.estimate, f.low, f.high)}, "
            f"from {percent(before)} to {percent(after)} "
            f"(target {percent(target)}), n = {f.n} pairs."
        ),
    )


def _distance(effects: Sequence[Finding], arm: str, seed: int, second: str) -> list[Finding]:
    """Change of the mean distance from the target, over subjects; `second` names a further aim."""
    rows = [f.references for f in effects if f.n]
    if not rows:
        return []
    before = np.array([abs(r["before"] - r["target"]) for r in rows])
    after = np.array([abs(r["after"] - r["target"]) for r in rows])
    of = f" of {second.replace('_', ' ')}" if second else ""
    moved, subjects = after - before, np.arange(len(rows))
    change, narrow = (
        paired_bootstrap(moved, subjects, np.random.default_rng(seed), level=level)
        for level in (0.95, 0.9)
    )
    return [
        Finding(
            id=f"mitigation/{arm}/all/distance{f'-{second}' if second else ''}",
            section="mitigation",
            where=f"all {len(rows)} subjects",
            quantity=f"change in the mean distance{of} from the target",
            estimate=change.estimate,
            low=change.low,
            high=change.high,
            n=sum(f.n for f in effects),
            n_effective=float(len(rows)),
            missing=sum(f.missing for f in effects),
            method="paired by seed; bootstrap over subjects",
            arm=arm,
            references={"before": float(before.mean()), "after": float(after.mean())},
            verdict=compared(change, narrow, 0, SAME),
            sentence=(
                f"{arm}: the mean distance{of} from the target goes from "
                f"{100 * before.mean():.0f} to {100 * after.mean():.0f} points "
                f"(change {words(change.estimate, change.low, change.high)})."
            ),
        )
    ]


def _costs(pairs: pd.DataFrame, arm: str, seed: int) -> list[Finding]:
    """Alignment to the original prompt, and whether the subject is still read, seed by seed."""
    out = []
    clusters = pd.factorize(pairs.prompt)[0]
    score = (pairs.score_arm - pairs.score_base).to_numpy(float)
    known = np.isfinite(score)
    if known.any():
        change = paired_bootstrap(
            score[known], clusters[known], np.random.default_rng(seed), measured=True
        )
        margin = MARGIN * float((pairs.score_base - pairs.chance_base)[known].mean())
        cost = _cost(
            arm, "alignment", "change in the cosine to the original prompt", change,
            int(known.sum()), int((~known).sum()), len(set(clusters[known])),
            f"{arm}: similarity to the original prompt changes by "
            f"{cosine_change(change.estimate, change.low, change.high)} (cosine; a tenth of what "
            f"sets a prompt's own images apart is {margin:.3f}), n = {int(known.sum())} pairs.",
        )  # fmt: skip
        out.append(
            replace(cost, verdict=noninferior(change, margin), references={"margin": margin})
        )
    read = pairs.dropna(subset=["subject_read_base", "subject_read_arm"])
    if len(read):
        before, after = (read[f"subject_read_{s}"].to_numpy(float) for s in ("base", "arm"))
        groups = pd.factorize(read.prompt)[0]
        change = paired_bootstrap(after - before, groups, np.random.default_rng(seed))
        out.append(
            _cost(
                arm, "subject", "change in the share of images that show the subject", change,
                len(read), len(pairs) - len(read), len(set(groups)),
                f"{arm}: the subject is recognised in {percent(float(after.mean()))} of images, "
                f"before in {percent(float(before.mean()))} (change "
                f"{words(change.estimate, change.low, change.high)}), n = {len(read)} pairs.",
            )
        )  # fmt: skip
    return out


def _cost(
    arm: str,
    key: str,
    quantity: str,
    change: object,
    n: int,
    missing: int,
    clusters: int,
    text: str,
) -> Finding:
    from audit.stats.interval import Interval

    assert isinstance(change, Interval)
    return Finding(
        id=f"mitigation/{arm}/cost-{key}",
        section="mitigation",
        where="all prompts",
        quantity=quantity,
        estimate=change.estimate,
        low=change.low,
        high=change.high,
        n=n,
        n_effective=float(clusters),
        missing=missing,
        method="paired by seed; cluster bootstrap by prompt",
        arm=arm,
        verdict=verdict(change, 0),
        sentence=text,
    )
