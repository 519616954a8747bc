"""Showing that a share is near enough: not to have seen a difference is not to have seen none."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.stats import binom, norm

from audit.stats.interval import UNKNOWN, Interval
from audit.stats.paired import paired_difference
from audit.stats.proportions import clopper_pearson


@dataclass(frozen=True)
class Equivalence:
    """Two one-sided tests against the bounds of what is near enough (Schuirmann 1987).

    p is the larger of `p_low`, of lying at or below the lower bound, and `p_high`, of lying at or
    above the upper one; NaN where nothing is known.
    """

    interval: Interval
    bounds: tuple[float, float]
    p_low: float
    p_high: float
    p_outside: float
    """Two-sided p of lying within the bounds: small where the share is shown to lie outside."""
    alpha: float

    @property
    def p(self) -> float:
        """p of not being near enough."""
        return math.nan if math.isnan(self.p_low) else max(self.p_low, self.p_high)

    @property
    def verdict(self) -> str:
        """`equivalent` inside the bounds, `different` outside, `undecided` where neither is shown.

        Each of the two claims errs with probability alpha at most where its test is exact.
        """
        if self.p <= self.alpha:
            return "equivalent"
        return "different" if self.p_outside <= self.alpha else "undecided"


def _margin(margin: float, level: float) -> None:
    if not (0 < margin < 1 and 0 < level < 1):
        raise ValueError(f"Margin and level must lie inside 0..1, not {margin} and {level}.")


def equivalent_share(
    k: int, n: int, reference: float, margin: float, level: float = 0.95
) -> Equivalence:
    """Whether a share k / n lies within `margin` of a reference, by exact binomial tests.

    A bound outside 0..1 cannot be crossed and has p = 0 where it is. The interval is Clopper and
    Pearson's. Unknown for no images or an unknown reference. Raises ValueError for a margin or
    level outside 0..1, a reference outside it, or k outside 0..n.
    """
    _margin(margin, level)
    if reference < 0 or reference > 1:
        raise ValueError(f"The reference must lie in 0..1, not {reference}.")
    interval = clopper_pearson(k, n, level)
    low, high = reference - margin, reference + margin
    if n == 0 or not math.isfinite(reference):
        return Equivalence(UNKNOWN, (low, high), math.nan, math.nan, math.nan, 1 - level)
    p_low = float(binom.sf(k - 1, n, low)) if low >= 0 else 0.0
    p_high = float(binom.cdf(k, n, high)) if high <= 1 else 0.0
    under = float(binom.cdf(k, n, low)) if low >= 0 else 1.0
    over = float(binom.sf(k - 1, n, high)) if high <= 1 else 1.0
    outside = min(1.0, 2 * min(under, over))
    return Equivalence(interval, (low, high), p_low, p_high, outside, 1 - level)


def paired_score(n10: int, n01: int, n: int, difference: float) -> float:
    """Tango's score statistic of a paired difference of shares against a hypothesised one.

    Standard normal where the difference of shares, (n10 - n01) / n in the sample, is `difference`
    (Tango 1998, Statistics in Medicine 17:891, eqs. 5 and 6); McNemar's for 0. Infinite where the
    hypothesis allows no variation and is contradicted, 0 where it is exactly met.
    """
    d = difference
    b = (2 * n + n01 - n10) * d - n10 - n01
    c = -n01 * d * (1 - d)
    # The likelihood's root: share of pairs of the second kind, at this difference.
    share = (math.sqrt(max(b**2 - 8 * n * c, 0.0)) - b) / (4 * n)
    variance, distance = n * (2 * share + d * (1 - d)), n10 - n01 - n * d
    if variance <= 1e-12 * n:
        return 0.0 if abs(distance) <= 1e-9 * n else math.copysign(math.inf, distance)
    return distance / math.sqrt(variance)


def equivalent_pairs(
    n11: int, n10: int, n01: int, n00: int, margin: float, level: float = 0.95
) -> Equivalence:
    """Whether two shares of the same pairs lie within `margin` of each other, by Tango's test.

    Counts and interval as in `paired.paired_difference`. Unknown for no pairs. Raises ValueError
    for a margin or level outside 0..1.
    """
    _margin(margin, level)
    n = n11 + n10 + n01 + n00
    interval, bounds = paired_difference(n11, n10, n01, n00, level), (-margin, margin)
    if n == 0:
        return Equivalence(interval, bounds, math.nan, math.nan, math.nan, 1 - level)
    low, high = (paired_score(n10, n01, n, b) for b in bounds)
    outside = min(1.0, 2 * float(min(norm.cdf(low), norm.sf(high))))
    return Equivalence(
        interval, bounds, float(norm.sf(low)), float(norm.cdf(high)), outside, 1 - level
    )
