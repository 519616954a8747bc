"""The common part of two runs, and its mean change, always B minus A."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from audit.findings import claim
from audit.stats.interval import Interval
from audit.stats.paired import paired_bootstrap, paired_difference, sign_flip

LEVELS = (0.95, 0.90)
"""Level of the printed interval, and of the one for two one-sided tests at 5 %."""


@dataclass(frozen=True)
class Common:
    """Rows of two runs from their common part, and the pairs among them."""

    a: pd.DataFrame
    b: pd.DataFrame
    pairs: pd.DataFrame
    """Rows that share prompt, arm and seed; other columns end in `_a` and `_b`."""

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
            return "one run has no images of it"
        if 2 * len(self.pairs) >= fewer:
            return ""
        if not set(self.a.prompt) & set(self.b.prompt):
            return "the prompts differ"
        return f"the seeds differ: {len(self.pairs)} of {fewer} images have a partner"


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


def arms(common: Common) -> list[str]:
    """Names of the arms that both runs have, the baseline first."""
    if common.a.empty or common.b.empty:
        return []
    shared = set(common.a.arm) & set(common.b.arm)
    return claim.arms(shared)


def mean(values: np.ndarray) -> float:
    """The mean of float[n]; NaN if empty."""
    return float(values.mean()) if len(values) else math.nan


def newcombe(cells: Sequence[float], level: float) -> Interval:
    """`paired_difference` of four counts, which may be effective ones and then not whole."""
    n11, n10, n01, n00 = cells
    return paired_difference(n11, n10, n01, n00, level)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Moved:
    """A mean change over prompts, with its intervals and p."""

    change: Callable[[float], Interval]
    p: float
    clusters: int
    method: str


def moved(
    change: np.ndarray, prompts: pd.Series, hits: tuple[np.ndarray, np.ndarray] | None, seed: int
) -> Moved:
    """Mean of changes float[n], resampling prompts, and its p by flipping whole prompts' signs.

    Where every prompt changes by the same amount a bootstrap has no width: shares then fall back on
    prompts as pairs (Newcombe), with `hits` of both runs; anything else has no interval.
    """
    place = pd.factorize(prompts)[0]
    sums = np.bincount(place, weights=change) if len(change) else np.empty(0)
    m = len(sums)
    p = sign_flip(sums, np.random.default_rng(seed)) if m > 1 else math.nan
    means = sums / np.bincount(place) if m else sums
    if m > 1 and np.ptp(means) > 0:
        return Moved(
            lambda level: paired_bootstrap(
                change, place, np.random.default_rng(seed), 2000, level
            ),
            p, m, "cluster bootstrap by prompt; sign-flip test",
        )  # fmt: skip
    if hits is None or m == 0:
        alone = Interval(mean(change), math.nan, math.nan)
        return Moved(lambda _: alone, p, m, "no interval: every prompt changes alike")
    a, b = (np.bincount(place, weights=h) / np.bincount(place) >= 0.5 for h in hits)
    cells = [int((x & y).sum()) for x in (b, ~b) for y in (a, ~a)]

    def by_prompt(level: float) -> Interval:
        ci, middle = newcombe(cells, level), mean(change)
        return Interval(middle, min(ci.low, middle), max(ci.high, middle))

    return Moved(by_prompt, p, m, "Newcombe with prompts as sample size; sign-flip test")
