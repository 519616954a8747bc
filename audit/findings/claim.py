"""Building findings from numbers, and helpers for all sections: pairs, families, arms."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypedDict, Unpack

import numpy as np
import pandas as pd

from audit.errors import say, stem
from audit.findings.wording import p_value
from audit.keys import BASELINE, Counted, Key, Unit
from audit.records import Finding
from audit.stats.interval import Interval
from audit.stats.multiplicity import benjamini_hochberg, holm

PAIRED = ("prompt", "seed")
"""Columns that the two images of a pair share."""


@dataclass(frozen=True)
class Claim:
    """The claim without its numbers."""

    key: Key
    quantity: str
    where: str
    unit: Unit
    counted: Counted
    method: str
    reason: str = "there are no such pairs"
    """Why nothing is known; else empty."""


@dataclass(frozen=True)
class Counts:
    """The numbers of images or other units behind a claim."""

    n: int = 0
    effective: float = math.nan
    """Effective n; NaN where unknown."""
    missing: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)


class More(TypedDict, total=False):
    """The fields of `Finding` that not every claim has; `records.Finding` says what they are."""

    naive: float
    naive_low: float
    naive_high: float
    worst_low: float
    worst_high: float
    references: Mapping[str, float]
    against: str
    truth: float
    p: float
    q: float
    family: str
    floor: float
    floor_high: float
    verdict: str
    sentence: str


def finding(claim: Claim, interval: Interval, counts: Counts, **more: Unpack[More]) -> Finding:
    """A claim with its numbers; `more` are the other fields of `Finding`, by name."""
    return Finding(
        claim.key, claim.where, claim.quantity, claim.unit, claim.counted, interval.estimate,
        interval.low, interval.high, counts.n, counts.effective, counts.missing, claim.method,
        reasons=counts.reasons, **more,
    )  # fmt: skip


def interval(f: Finding) -> Interval:
    """The estimate of a finding with its limits."""
    return Interval(f.estimate, f.low, f.high)


def adjusted(found: Sequence[Finding]) -> list[Finding]:
    """Benjamini-Hochberg's q inside each family; a finding without one is not a test."""
    out, families = list(found), dict[str, list[int]]()
    for i, f in enumerate(found):
        families.setdefault(f.family, []).append(i)
    for at in (at for family, at in families.items() if family):
        for i, q in zip(at, benjamini_hochberg(np.array([found[i].p for i in at])), strict=True):
            out[i] = replace(out[i], q=float(q))
    return out


def controlled(found: Sequence[Finding], level: float = 0.05) -> list[Finding]:
    """Verdicts that hold for a whole family: an error among them in at most 5 % of families.

    A difference stays `above` or `below` where Holm's p inside its family is below the level, too;
    otherwise it is `undecided`. The sentence says so, and limits remain those of each one alone.
    """
    out, families = list(found), dict[str, list[int]]()
    for i, f in enumerate(found):
        families.setdefault(f.family, []).append(i)
    for at in (at for family, at in families.items() if family):
        ps = holm(np.array([found[i].p for i in at]))
        for i, p in zip(at, ps, strict=True):
            out[i] = _held(found[i], float(p), int(np.isfinite(ps).sum()), level)
    return out


def _held(f: Finding, p: float, tests: int, level: float) -> Finding:
    """A finding with its verdict under Holm's p among so many tests."""
    if not math.isfinite(p):
        return f
    said = "undecided" if f.verdict in ("above", "below") and p >= level else f.verdict
    after = say("; {p} after Holm's correction for {tests} comparisons", p=p_value(p), tests=tests)
    text = say("{sentence}{after}.", sentence=stem(f.sentence), after=after if tests > 1 else "")
    return replace(f, verdict=said, sentence=text)


def arms(names: Iterable[object]) -> list[str]:
    """Names of arms, each once, the baseline first and the others by name."""
    return sorted({str(n) for n in names}, key=lambda a: (a != BASELINE, a))


def seeded(table: pd.DataFrame) -> pd.DataFrame:
    """The rows with a seed: without one nothing says which images share their noise."""
    return table[table.seed.notna()] if "seed" in table else table


def joined(table: pd.DataFrame, arm: str, *more: str) -> pd.DataFrame:
    """Rows of an arm joined to the baseline's row of the same prompt and seed (and `more`).

    Rows without a seed have no partner.
    Other columns end in `_base` and `_arm`; a table without columns gives another one.
    """
    return side_by_side(table, (BASELINE, arm), *more)


def side_by_side(table: pd.DataFrame, arms: tuple[str, str], *more: str) -> pd.DataFrame:
    """Rows of the second arm joined to those of the first, as in `joined`."""
    if "arm" not in table:
        return pd.DataFrame()
    table = seeded(table)
    first, second = (table[table.arm == a] for a in arms)
    return first.merge(second, on=[*PAIRED, *more], suffixes=("_base", "_arm"),
                       validate="one_to_one")  # fmt: skip
