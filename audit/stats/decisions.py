"""Verdicts: from an interval or a count to a word."""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import binomtest, norm

from audit.stats.interval import Interval


def binomial_p(k: int, n: int, share: float) -> float:
    """Exact two-sided p of k of n against a share; NaN for n = 0 or an unknown share.

    Never 0: SMALLEST where the share makes k impossible, or p is below what can be represented.
    """
    if n == 0 or not math.isfinite(share):
        return math.nan
    return max(float(binomtest(k, n, min(max(share, 0.0), 1.0)).pvalue), SMALLEST)


SMALLEST = float(np.finfo(float).tiny)
"""p-values below it are given as it: no data have a chance of 0."""


def verdict(interval: Interval, reference: float) -> str:
    """`above`, `below` or `compatible` with a reference; `undecided` where something is unknown."""
    if not all(math.isfinite(x) for x in (interval.low, interval.high, reference)):
        return "undecided"
    if interval.low > reference:
        return "above"
    return "below" if interval.high < reference else "compatible"


def exceeds(p: float) -> str:
    """`above` for a one-sided p below 5 %, else `compatible`; `undecided` for an unknown p."""
    if not math.isfinite(p):
        return "undecided"
    return "above" if p < 0.05 else "compatible"


def compared(wide: Interval, narrow: Interval, reference: float, margin: float) -> str:
    """`verdict` of a 95 % interval, and `equivalent` where equality within a margin is shown.

    Two one-sided tests at 5 % each show equality where the 90 % interval `narrow` is inside
    reference plus or minus margin (Schuirmann 1987, J Pharmacokin Biopharm 15:657). A shown
    difference takes precedence, however small. Where neither is shown, `compatible` says that a
    difference of the margin would probably have been seen (`least_seen`), and `undecided` that it
    would not. With a margin of 0 nothing is equivalent, or undecided for its sake.
    """
    found = verdict(wide, reference)
    if found != "compatible" or not margin:
        return found
    if reference - margin < narrow.low and narrow.high < reference + margin:
        return "equivalent"
    return "compatible" if least_seen(wide) <= margin else "undecided"


POWER = 0.8
"""Power at which a difference counts as one that would have been seen."""


def least_seen(wide: Interval) -> float:
    """The smallest difference that a 95 % interval as wide as this shows with a power of 80 %.

    By the normal approximation, in which limits are 1.96 standard errors from the estimate and the
    difference has to be 1.96 + 0.84 of them (Cohen 1988, sec. 2.2). NaN for unknown limits.
    """
    half = (wide.high - wide.low) / 2
    z = float(norm.isf(0.025))
    return half * (z + float(norm.ppf(POWER))) / z


def noninferior(change: Interval, margin: float) -> str:
    """`kept` where a loss of `margin` is excluded, `lost` where one is shown; else `undecided`.

    `change` is after less before, where more is better; its interval decides (non-inferiority,
    Piaggio et al. 2012, JAMA 308:2594, figure 1). A margin that is not positive decides nothing.
    """
    if not (math.isfinite(change.low) and math.isfinite(change.high) and margin > 0):
        return "undecided"
    if change.low > -margin:
        return "kept"
    return "lost" if change.high < -margin else "undecided"
