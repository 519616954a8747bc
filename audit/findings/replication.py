"""How many images copy the training set: rates per unit, from a decision on each image.

Three units are always counted, because they differ: images, prompts and training images.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd
from scipy.stats import binomtest

from audit.evidence.copies import flags
from audit.findings.claim import Claim, Counts, arms, finding
from audit.findings.why import share
from audit.findings.wording import estimate as worded
from audit.keys import BASELINE, Key
from audit.records import Finding, Prompt
from audit.stats.interval import Interval
from audit.stats.proportions import effective_n, wilson

ALPHA = 0.05
"""Level of the sign test on whether a group contains copies at all."""


def findings(table: pd.DataFrame, prompts: Mapping[str, Prompt], seed: int) -> list[Finding]:
    """Copy rates by level of repetition, for prompts without a known image, and the counts.

    `table` has MATCH_COLUMNS and, after a twin's selection, `chance`: images that are as much
    nearer to the held-out set. The rate of false flags is controlled over all flagged images; among
    few copies it is higher, and `chance` estimates how many flags of a group are false (Barber &
    Candes 2015, eq. 1.8).
    """
    out = []
    purpose = table.prompt.map(lambda p: prompts[p].purpose)
    level = table.prompt.map(lambda p: prompts[p].repeats)
    for arm in arms(table.arm.unique()):
        here = table.arm == arm
        for repeats in sorted({int(r) for r in level[here].dropna()}):
            rows = table[here & (level == repeats)]
            times = "once" if repeats == 1 else f"{repeats} times"
            where = f"captions of images that the training set holds {times}"
            key = Key("replication", arm, "", "repeats", "rate", str(repeats))
            out.append(_rate(rows, key, where, seed))
        plain = table[here & (purpose == "representation")]
        if len(plain):
            key = Key("replication", arm, "", "", "rate", "ordinary")
            out.append(_rate(plain, key, "ordinary prompts", seed))
    return out + _units(table[table.arm == BASELINE])


def _rate(rows: pd.DataFrame, key: Key, where: str, seed: int) -> Finding:
    known = _decided(rows)
    hits = flags.flagged(known["copy"])
    clusters = pd.factorize(known.prompt)[0]
    n = len(known)
    ci, method = share(hits, clusters, seed)
    false = int(known.chance.sum()) if "chance" in known else None
    doubt = "" if false is None or not hits.any() else (
        f" Images that chance puts as near to held-out ones: {false}."
    )  # fmt: skip
    reasons = {str(o): int(c) for o, c in rows.outcome.value_counts().items() if o != "label"}
    if gone := len(rows) - n - sum(reasons.values()):
        reasons[flags.UNDECIDED] = gone
    quantity = "share of images that copy a training image"
    effective = effective_n(hits.astype(float), clusters) if n else math.nan
    return finding(
        Claim(key, quantity, where, "share", "images", method),
        ci,
        Counts(n, effective, len(rows) - n, reasons),
        references={} if false is None else {"false": float(false)},
        verdict="undecided" if not n else _found(known),
        sentence=(
            f"{where[0].upper()}{where[1:]}: {worded(ci.estimate, ci.low, ci.high)} of {n} "
            f"images copy a training image.{doubt}"
        ),
    )


def _decided(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of images that were searched, with a decision."""
    return rows[(rows.outcome == "label") & flags.decided(rows["copy"])]


def _found(known: pd.DataFrame) -> str:
    """Whether copies are shown: more prompts with flags than expected by chance (sign test)."""
    calls = pd.Series(flags.flagged(known["copy"]), known.index).groupby(known.prompt).sum()
    if not calls.any():
        return "not found"
    if "chance" not in known:
        return "found"
    beyond = calls - known.chance.astype(bool).groupby(known.prompt).sum()
    more, less = int((beyond > 0).sum()), int((beyond < 0).sum())
    p = binomtest(more, more + less, alternative="greater").pvalue if more + less else 1.0
    return "found" if p <= ALPHA else "undecided"


def _units(table: pd.DataFrame) -> list[Finding]:
    """Distinct prompts and distinct training images among the copies, as plain counts."""
    known = _decided(table)
    copies = known[flags.flagged(known["copy"])]
    out = []
    for key, what, k, n in (
        ("images", "generated images that copy", len(copies), len(known)),
        (
            "prompts",
            "prompts with at least one copy",
            copies.prompt.nunique(),
            known.prompt.nunique(),
        ),
        ("training-images", "distinct training images copied", copies.train.nunique(), len(known)),
    ):
        ci = wilson(k, n) if key != "training-images" else None
        limits = (n * ci.low, n * ci.high) if ci else (math.nan, math.nan)
        claim = Claim(
            Key("replication", BASELINE, "", "", "count", key), what, "whole run", "count",
            "images", "count; interval by Wilson, scaled to n" if ci else "count",
        )  # fmt: skip
        out.append(
            finding(
                claim,
                Interval(float(k), *limits),
                Counts(n, missing=len(table) - len(known)),
                verdict="undecided" if not n else ("found" if k else "not found"),
                sentence=f"{what[0].upper()}{what[1:]}: {k} of {n}."
                if ci
                else f"{what[0].upper()}{what[1:]}: {k}.",
            )
        )
    return out
