"""Two runs beside each other: what changes from A to B, in pairs wherever they share their noise.

Changes are always B minus A. A change that is not seen is not yet none: `equivalent` is said only
where the 90 % interval lies within a margin of 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from audit.findings.changes import shares
from audit.findings.common import LEVELS, Common, Context, arms, mean, moved
from audit.findings.wording import cap, cosine_change, percent
from audit.findings.wording import change as words
from audit.records import Finding
from audit.stats.decisions import compared
from audit.stats.multiplicity import benjamini_hochberg

__all__ = ["Common", "Context", "findings", "with_q"]


def findings(
    attributes: Common, alignment: Common, copies: Common, context: Context
) -> list[Finding]:
    """All changes from A to B; the tables may be empty.

    `attributes` has ATTRIBUTE_COLUMNS, `alignment` prompt, arm, seed, score and subject_read,
    `copies` MATCH_COLUMNS with `copy` decided at one line for both runs, and `group`.
    """
    found = shares(attributes, context)
    for arm in arms(alignment):
        found += _alignment(alignment.where(arm=arm), arm, context)
    for arm in arms(copies):
        found += _copies(copies.where(arm=arm), arm, context)
    return with_q(found)


def with_q(found: Sequence[Finding]) -> list[Finding]:
    """Benjamini-Hochberg inside each family; a finding without one is no test of its own."""
    out = list(found)
    for family in sorted({f.family for f in found if f.family}):
        at = [i for i, f in enumerate(found) if f.family == family]
        for i, q in zip(at, benjamini_hochberg(np.array([found[i].p for i in at])), strict=True):
            out[i] = replace(out[i], q=float(q))
    return out


def _alignment(common: Common, arm: str, context: Context) -> list[Finding]:
    """Change of the cosine to the original prompt, and of how often the subject is read."""
    out = []
    for column, key, quantity in (
        ("score", "alignment", "change in the cosine to the original prompt"),
        ("subject_read", "subject", "change in the share of images that show the subject"),
    ):
        a, b, prompts, missing, method = _values(common, column)
        if not len(a):
            continue
        hits = None if column == "score" else (a > 0.5, b > 0.5)
        means = moved(b - a, prompts, hits, context.seed)
        wide, narrow = (means.change(level) for level in LEVELS)
        share = column != "score"
        said = words if share else cosine_change
        shown = percent if share else "{:.3f}".format
        margin = context.margin if share else 0.0
        out.append(
            Finding(
                id=f"comparison/{arm}/all/{key}", section="comparison", where="all prompts",
                quantity=quantity, estimate=wide.estimate, low=wide.low, high=wide.high, n=len(a),
                n_effective=float(means.clusters), missing=missing, arm=arm, p=means.p,
                method=f"{method}; {means.method}", family=f"alignment, B against A, {arm}",
                references={"before": mean(a), "after": mean(b)},
                verdict=compared(wide, narrow, 0.0, margin),
                sentence=f"All prompts: {quantity} of "
                f"{said(wide.estimate, wide.low, wide.high)} (from {shown(mean(a))} in A to "
                f"{shown(mean(b))} in B), n = {len(a)} "
                f"{'pairs' if method.startswith('paired') else 'prompts'}.",
            )
        )  # fmt: skip
    return out


def _values(common: Common, column: str) -> tuple[np.ndarray, np.ndarray, pd.Series, int, str]:
    """Numbers of A and B side by side, with their prompts, how many are missing, and how.

    Pair by pair, or where seeds differ prompt by prompt, each with its mean over images.
    """
    if not common.unpaired:
        both = common.pairs
        a, b = (both[f"{column}{end}"].to_numpy(float) for end in ("_a", "_b"))
        known = np.isfinite(a) & np.isfinite(b)
        missing = int((~known).sum())
        return a[known], b[known], both.prompt[known], missing, "paired by prompt and seed"
    sides = [t.assign(x=t[column].astype(float)) for t in (common.a, common.b)]
    by_prompt = [t.groupby("prompt").x.mean() for t in sides]
    table = pd.concat(by_prompt, axis=1, keys=["a", "b"], join="inner").dropna()
    missing = sum(int(t[column].isna().sum()) for t in (common.a, common.b))
    method = f"prompt by prompt ({common.unpaired})"
    return table.a.to_numpy(), table.b.to_numpy(), pd.Series(table.index), missing, method


def _copies(common: Common, arm: str, context: Context) -> list[Finding]:
    """Change of the rate of copying, for ordinary prompts and for captions of training images."""
    out = []
    for group in dict.fromkeys(common.a.group):
        part = common.where(group=group)
        if part.a.empty or part.b.empty:
            continue
        a, b, prompts, missing, method = _values(part, "copy")
        means = moved(b - a, prompts, (a > 0.5, b > 0.5), context.seed)
        wide, narrow = (means.change(level) for level in LEVELS)
        first, second = mean(a), mean(b)
        out.append(
            Finding(
                id=f"comparison/{arm}/copies/{group}", section="comparison", where=str(group),
                quantity="change in the share of images that copy a training image",
                estimate=wide.estimate, low=wide.low, high=wide.high, n=len(a),
                n_effective=float(means.clusters), missing=missing, arm=arm, p=means.p,
                method=f"{method}; {means.method}; one line between copy and none for both runs",
                references={"before": first, "after": second},
                family=f"copies, B against A, {arm}",
                verdict=compared(wide, narrow, 0.0, context.margin),
                sentence=f"{cap(str(group))}: the share of images that copy a training image "
                f"changes by {words(wide.estimate, wide.low, wide.high)} (from {percent(first)} in "
                f"A to {percent(second)} in B), n = {len(a)} "
                f"{'pairs' if method.startswith('paired') else 'prompts'}.",
            )
        )  # fmt: skip
    return out
