"""The common part of two runs or of two arms, and its mean change, always B minus A."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from audit.errors import say
from audit.findings import claim
from audit.findings.claim import joined, seeded
from audit.keys import BASELINE
from audit.stats.interval import Interval
from audit.stats.noninferiority import mean_change
from audit.stats.paired import no_change

LEVELS = (0.95, 0.90)
"""Level of the printed interval, and of the one for two one-sided tests at 5 %."""
NO_SEEDS = "no seeds are given"
"""Why images from elsewhere are not paired."""


@dataclass(frozen=True)
class Common:
    """Rows of two sides, runs or arms, from their common part, and the pairs among them."""

    a: pd.DataFrame
    b: pd.DataFrame
    pairs: pd.DataFrame
    """Rows that share prompt, arm and a seed that is known; other columns end in `_a` and `_b`, or
    for arms in `_base` and `_arm`."""

    def where(self, **equal: object) -> Common:
        """The rows in which these columns, which must be shared by pairs, have these values."""

        def part(table: pd.DataFrame) -> pd.DataFrame:
            for column, value in equal.items():
                table = table[table[column] == value]
            return table

        return Common(part(self.a), part(self.b), part(self.pairs))

    @property
    def unpaired(self) -> str:
        """Why the groups are compared as a whole; empty where pairs are compared."""
        fewer = min(len(self.a), len(self.b))
        if not fewer:
            return "one side has no images of it"
        if 2 * len(self.pairs) >= fewer:
            return ""
        if not (len(seeded(self.a)) and len(seeded(self.b))):
            return NO_SEEDS
        if not set(self.a.prompt) & set(self.b.prompt):
            return "the prompts differ"
        return say(
            "the seeds differ: {n} of {fewer} images have a partner", n=len(self.pairs), fewer=fewer
        )


@dataclass(frozen=True)
class Context:
    """Context of the estimates, other than the tables."""

    classes: Mapping[str, Sequence[str]]
    """Attribute to its fixed class list; other attributes are not compared."""
    youden: Mapping[str, Interval] = field(default_factory=dict)
    """Two-class attribute to Youden's index of its classifier, the same in both runs."""
    margin: float = 0.1
    """Margin within which changes are called equivalent to 0, where this can be shown."""
    seed: int = 0
    names: tuple[str, str] = ("A", "B")
    """What sentences call the two runs."""

    @property
    def against(self) -> str:
        """`B against A`, for names of families."""
        return f"{self.names[1]} against {self.names[0]}"


def of_arm(table: pd.DataFrame, arm: str) -> Common:
    """The rows of the baseline and of an arm on their common prompts, with the pairs among them."""
    if "arm" not in table:
        return Common(table, table, pd.DataFrame())
    base, own = (table[table.arm == a] for a in (BASELINE, arm))
    shared = set(base.prompt) & set(own.prompt)
    base, own = (t[t.prompt.isin(shared)] for t in (base, own))
    also = [c for c in ("subject", "attribute") if c in table]
    return Common(base, own, joined(table, arm, *also))


def arms(common: Common) -> list[str]:
    """Names of the arms that both runs have, the baseline first."""
    if common.a.empty or common.b.empty:
        return []
    shared = set(common.a.arm) & set(common.b.arm)
    return claim.arms(shared)


def mean(values: np.ndarray) -> float:
    """The mean of float[n]; NaN if empty."""
    return float(values.mean()) if len(values) else math.nan


@dataclass(frozen=True)
class Moved:
    """A mean change over prompts, with its intervals and p."""

    change: Callable[[float], Interval]
    p: float
    clusters: int
    method: str


def moved(change: np.ndarray, prompts: pd.Series, shares: bool, seed: int) -> Moved:
    """Mean of changes float[n], with limits over prompts, and p of no change in whole prompts.

    `shares` says that changes are differences of shares, which are never certain (`mean_change`).
    There are no limits for fewer than FEWEST prompts.
    """
    place = pd.factorize(prompts)[0]
    sums = np.bincount(place, weights=change) if len(change) else np.empty(0)
    m = len(sums)
    p = no_change(sums, np.random.default_rng(seed)) if m > 1 else math.nan
    return Moved(
        lambda level: mean_change(change, place, level, shares), p, m,
        "Student's t over prompts; sign-flip test",
    )  # fmt: skip
