"""Comparison of two runs: what changes from A to B, in pairs wherever they share their noise.

Changes are always B minus A. Not seeing a change does not show that there is none: the verdict is
`equivalent` only where the 90 % interval is within a margin of 0.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from audit.errors import figure, say
from audit.findings.changes import shares
from audit.findings.claim import Claim, Counts, adjusted, finding
from audit.findings.common import LEVELS, Common, Context, arms, mean, moved
from audit.findings.pairs import judged
from audit.findings.wording import cap, cosine_change, percent, unseen
from audit.findings.wording import change as words
from audit.keys import ALL, Counted, Key, Unit
from audit.records import Finding
from audit.stats.decisions import compared, least_seen

__all__ = ["Common", "Context", "findings"]


def findings(
    attributes: Common, alignment: Common, copies: Common, context: Context
) -> list[Finding]:
    """All changes from A to B; the tables may be empty.

    `attributes` has ATTRIBUTE_COLUMNS, `alignment` prompt, arm, seed, score and subject_read,
    `copies` MATCH_COLUMNS, `copy` decided at the same threshold for both runs, and `group`.
    """
    found = shares(attributes, context)
    for arm in arms(alignment):
        found += _alignment(alignment.where(arm=arm), arm, context)
    for arm in arms(copies):
        found += _copies(copies.where(arm=arm), arm, context)
    return adjusted(found)


READ: tuple[tuple[str, str, Unit, str], ...] = (
    ("score", "alignment", "cosine", "change in the cosine to the original prompt"),
    ("subject_read", "subject", "points",
     "change in the share of images that show the subject"),
)  # fmt: skip
"""Alignment quantities to compare: column, kind, unit and words."""


def _cosine(x: float) -> str:
    return figure(f"{x:.3f}")


def _alignment(common: Common, arm: str, context: Context) -> list[Finding]:
    """Change of the cosine to the original prompt, and of how often the subject is recognised."""
    out = []
    for column, kind, unit, quantity in READ:
        a, b, prompts, missing, counted, method = _values(common, column)
        if not len(a):
            continue
        share = unit == "points"
        means = moved(b - a, prompts, share, context.seed)
        wide, narrow = (means.change(level) for level in LEVELS)
        size = Counts(len(a), float(means.clusters), missing)
        said = compared(wide, narrow, 0.0, context.margin if share else 0.0)
        said = judged(wide, size, counted, said)
        missed = unseen(said, least_seen(wide)) if share else ""
        spoken = words if share else cosine_change
        shown = percent if share else _cosine
        claim = Claim(
            Key("comparison", arm, ALL, "", kind), quantity, "all prompts", unit, counted,
            say("{method}; {method2}", method=method, method2=means.method),
        )  # fmt: skip
        out.append(
            finding(
                claim, wide, size, p=means.p, family=f"alignment, {context.against}, {arm}",
                references={"before": mean(a), "after": mean(b)},
                verdict=said,
                sentence=say(
                    "All prompts: {quantity} of {spoken} (from {shown} in {names} to {shown2} in "
                    "{names2}), n = {n} {counted}{missed}.",
                    quantity=quantity, spoken=spoken(wide.estimate, wide.low, wide.high),
                    shown=shown(mean(a)), names=context.names[0], shown2=shown(mean(b)),
                    names2=context.names[1], n=len(a), counted=counted, missed=missed
                ),
            )
        )  # fmt: skip
    return out


def _values(
    common: Common, column: str
) -> tuple[np.ndarray, np.ndarray, pd.Series, int, Counted, str]:
    """Numbers of A and B side by side, their prompts, number missing, unit, method.

    Pair by pair, or without common seeds prompt by prompt, each with its mean over images.
    """
    if not common.unpaired:
        both = common.pairs
        a, b = (both[f"{column}{end}"].astype(float).to_numpy() for end in ("_a", "_b"))
        known = np.isfinite(a) & np.isfinite(b)
        missing = int((~known).sum())
        how = "paired by prompt and seed"
        return a[known], b[known], both.prompt[known], missing, "pairs", how
    sides = [t.assign(x=t[column].astype(float)) for t in (common.a, common.b)]
    by_prompt = [t.groupby("prompt").x.mean() for t in sides]
    table = pd.concat(by_prompt, axis=1, keys=["a", "b"], join="inner").dropna()
    missing = sum(int(t[column].isna().sum()) for t in (common.a, common.b))
    method = say("prompt by prompt ({unpaired})", unpaired=common.unpaired)
    a, b = table.a.to_numpy(), table.b.to_numpy()
    return a, b, pd.Series(table.index), missing, "prompts", method


def _copies(common: Common, arm: str, context: Context) -> list[Finding]:
    """Change of the rate of copying, for ordinary prompts and for captions of training images."""
    out = []
    for group in dict.fromkeys(common.a.group):
        part = common.where(group=group)
        if part.a.empty or part.b.empty:
            continue
        a, b, prompts, missing, counted, method = _values(part, "copy")
        means = moved(b - a, prompts, True, context.seed)
        wide, narrow = (means.change(level) for level in LEVELS)
        size = Counts(len(a), float(means.clusters), missing)
        said = judged(wide, size, counted, compared(wide, narrow, 0.0, context.margin))
        first, second = mean(a), mean(b)
        claim = Claim(
            Key("comparison", arm, "", "", "copies", str(group)),
            "change in the share of images that copy a training image", str(group), "points",
            counted, say(
                "{method}; {method2}; one line between copy and none for both runs",
                method=method, method2=means.method
            ),
        )  # fmt: skip
        out.append(
            finding(
                claim, wide, size, p=means.p, references={"before": first, "after": second},
                family=f"copies, {context.against}, {arm}", verdict=said,
                sentence=say(
                    "{group}: the share of images that copy a training image changes by {size} "
                    "(from {first} in {names} to {second} in {names2}), n = {n} "
                    "{counted}{unseen}.",
                    group=cap(str(group)), size=words(wide.estimate, wide.low, wide.high),
                    first=percent(first), names=context.names[0], second=percent(second),
                    names2=context.names[1], n=len(a), counted=counted,
                    unseen=unseen(said, least_seen(wide))
                ),
            )
        )  # fmt: skip
    return out
