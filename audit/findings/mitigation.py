"""What a rewrite bought and what it broke: effects on the same seeds, never two separate groups."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from audit.findings.claim import Claim, Counts, adjusted, finding, joined
from audit.findings.wording import cap, cosine_change, percent
from audit.findings.wording import change as words
from audit.keys import ALL, Key, Unit
from audit.records import Attribute, Finding
from audit.stats.decisions import compared, noninferior, verdict
from audit.stats.interval import UNKNOWN
from audit.stats.paired import mcnemar, paired_bootstrap, paired_difference
from audit.stats.proportions import wilson

SAME = 0.1
"""Change of the mean distance from the target that is as good as none."""
MARGIN = 0.1
"""Alignment that an arm may cost, as a share of what sets a prompt's own images apart: their mean
cosine to it less their mean cosine to all prompts. Cosines of two encoders have no common scale."""


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
    claim = Claim(
        Key("mitigation", arm, subject, attribute.name, "change", first),
        f"change in the share of {first}", subject, "points", "pairs",
        "paired by seed; Newcombe's interval; exact McNemar",
    )  # fmt: skip
    return finding(
        claim, change, Counts(len(both), float(len(both)), len(pairs) - len(both)),
        references={"before": was, "after": share, "target": target},
        p=mcnemar(n10, n01) if len(both) else math.nan, family=f"{attribute.name} under {arm}",
    )  # fmt: skip


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
        pairs = joined(attributes[attributes.attribute == attribute.name], arm)
        effects = [
            effect(pairs[pairs.subject_base == s], attribute, s, arm, t)
            for s, t in targets.items()
            if (pairs.subject_base == s).any()
        ]
        effects = [_worded(f) for f in adjusted(effects)]
        out += _distance(effects, arm, seed, attribute.name if place else "") + effects
    return out + _costs(joined(alignment, arm), arm, seed)


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
    claim = Claim(
        Key("mitigation", arm, ALL, second, "target-distance"),
        f"change in the mean distance{of} from the target", f"all {len(rows)} subjects", "points",
        "subjects", "paired by seed; bootstrap over subjects",
    )  # fmt: skip
    n, missing = sum(f.n for f in effects), sum(f.missing for f in effects)
    return [
        finding(
            claim,
            change,
            Counts(n, float(len(rows)), missing),
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
        claim = _cost(arm, "alignment", "change in the cosine to the original prompt", "cosine")
        size = Counts(int(known.sum()), float(len(set(clusters[known]))), int((~known).sum()))
        out.append(finding(
            claim, change, size, verdict=noninferior(change, margin), references={"margin": margin},
            sentence=f"{arm}: similarity to the original prompt changes by "
            f"{cosine_change(change.estimate, change.low, change.high)} (cosine; a tenth of what "
            f"sets a prompt's own images apart is {margin:.3f}), n = {size.n} pairs.",
        ))  # fmt: skip
    read = pairs.dropna(subset=["subject_read_base", "subject_read_arm"])
    if len(read):
        before, after = (read[f"subject_read_{s}"].to_numpy(float) for s in ("base", "arm"))
        groups = pd.factorize(read.prompt)[0]
        change = paired_bootstrap(after - before, groups, np.random.default_rng(seed))
        shown = "change in the share of images that show the subject"
        out.append(
            finding(
                _cost(arm, "subject", shown, "points"), change,
                Counts(len(read), float(len(set(groups))), len(pairs) - len(read)),
                verdict=verdict(change, 0),
                sentence=f"{arm}: the subject is recognised in {percent(float(after.mean()))} of "
                f"images, before in {percent(float(before.mean()))} (change "
                f"{words(change.estimate, change.low, change.high)}), n = {len(read)} pairs.",
            )
        )  # fmt: skip
    return out


def _cost(arm: str, detail: str, quantity: str, unit: Unit) -> Claim:
    return Claim(
        Key("mitigation", arm, "", "", "cost", detail), quantity, "all prompts", unit, "pairs",
        "paired by seed; cluster bootstrap by prompt",
    )  # fmt: skip
