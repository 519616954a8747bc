"""Change between two independent groups, and the true change behind a classifier's errors."""

from __future__ import annotations

import math

from scipy.stats import fisher_exact

from audit.stats.amplification import difference
from audit.stats.interval import UNKNOWN, Interval
from audit.stats.proportions import wilson


def unpaired_change(k1: float, n1: float, k2: float, n2: float, level: float = 0.95) -> Interval:
    """Second share minus the first, k2 / n2 - k1 / n1, of two separate groups.

    Square-and-add limits from Wilson's (Newcombe 1998, Statistics in Medicine 17:873, method 10).
    Unknown where a group is empty.
    """
    return difference(wilson(k2, n2, level), wilson(k1, n1, level))


def fisher(k1: int, n1: int, k2: int, n2: int) -> float:
    """Exact two-sided p of equal shares in two groups (Fisher 1935); NaN where one is empty."""
    if not (n1 and n2):
        return math.nan
    return float(fisher_exact([[k1, n1 - k1], [k2, n2 - k2]]).pvalue)


def youden(k1: float, n1: float, k0: float, n0: float, level: float = 0.95) -> Interval:
    """Youden's index of a two-class classifier, sensitivity + specificity - 1.

    `k1` of `n1` images of the first class and `k0` of `n0` of the second are read correctly; limits
    by square-and-add from Wilson's. Unknown where a class was not tested.
    """
    wrong = wilson(n0 - k0, n0, level)
    return difference(wilson(k1, n1, level), wrong)


def through_errors(change: Interval, index: Interval) -> Interval:
    """The true change of a share behind the change seen by a two-class classifier, -1..1.

    The same errors on both sides shrink every change by Youden's index, whatever the shares (the
    difference of two estimates of Rogan & Gladen 1978, Am J Epidemiol 107:71). Limits of the ratio
    by MOVER-R (Donner & Zou 2012, Stat Methods Med Res 21:347, sec. 2.2), whose denominator must be
    known to be above 0; else unknown. A change without limits has none behind it either.
    """
    values = (change.estimate, index.estimate, index.low, index.high)
    if not all(math.isfinite(v) for v in values) or index.low <= 0:
        return UNKNOWN
    if not (math.isfinite(change.low) and math.isfinite(change.high)):
        return Interval(min(max(change.estimate / index.estimate, -1.0), 1.0), math.nan, math.nan)
    d, low, high = change.estimate, change.low, change.high
    j, below, above = index.estimate, index.low, index.high
    down = (d * j) ** 2 - low * above * (2 * d - low) * (2 * j - above)
    up = (d * j) ** 2 - high * below * (2 * d - high) * (2 * j - below)
    if 2 * j <= above:  # the denominator is too uncertain to mirror its upper limit
        return UNKNOWN
    lower = (d * j - math.sqrt(max(down, 0))) / (above * (2 * j - above))
    upper = (d * j + math.sqrt(max(up, 0))) / (below * (2 * j - below))
    return Interval(min(max(d / j, -1.0), 1.0), max(lower, -1.0), min(upper, 1.0))
