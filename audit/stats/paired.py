"""Before and after on the same seeds."""

from __future__ import annotations

import itertools
import math

import numpy as np
from scipy.stats import t as student
from statsmodels.stats.contingency_tables import mcnemar as _mcnemar

from audit.stats.interval import UNKNOWN, Interval
from audit.stats.proportions import wilson


def mcnemar(b: int, c: int) -> float:
    """Exact two-sided p of b against c discordant pairs (McNemar 1947); 1 where there are none."""
    return 1.0 if b + c == 0 else float(_mcnemar([[0, b], [c, 0]], exact=True).pvalue)


def paired_difference(n11: int, n10: int, n01: int, n00: int, level: float = 0.95) -> Interval:
    """Difference of two paired shares, (n11 + n10) / n - (n11 + n01) / n.

    Square-and-add limits from Wilson's with the correlation of the pairs (Newcombe 1998, Statistics
    in Medicine 17:2635, method 10). `n10` counts pairs where only the first is true.
    """
    n = n11 + n10 + n01 + n00
    if n == 0:
        return UNKNOWN
    first, second = wilson(n11 + n10, n, level), wilson(n11 + n01, n, level)
    difference = (n10 - n01) / n
    margins = (n11 + n10) * (n01 + n00) * (n11 + n01) * (n10 + n00)
    cross: float = n11 * n00 - n10 * n01
    cross = max(cross - n / 2, 0) if cross > 0 else cross
    phi = cross / math.sqrt(margins) if margins else 0.0
    d1, e1 = first.estimate - first.low, first.high - first.estimate
    d2, e2 = second.estimate - second.low, second.high - second.estimate
    low = difference - math.sqrt(max(d1**2 - 2 * phi * d1 * e2 + e2**2, 0))
    high = difference + math.sqrt(max(e1**2 - 2 * phi * e1 * d2 + d2**2, 0))
    return Interval(difference, max(low, -1.0), min(high, 1.0))


LEVEL, FEWEST = 0.05, 5
"""The level that flips of signs must reach, and clusters below which nothing is shown."""


def no_change(sums: np.ndarray, rng: np.random.Generator, draws: int = 9999) -> float:
    """Two-sided p of no change, from the summed differences float[m] of m clusters.

    Flips of signs (`sign_flip`). No flips of five can reach 5 %: there it is Student's t, as for
    the limits, which errs in at most 5.2 % of null cases with 3 to 15 pairs of any share. Flips
    again where all five are equal, because Student's p would be 0.
    """
    m = len(sums)
    spread = float(np.std(sums, ddof=1)) if m > 1 else 0.0
    if m < FEWEST or 2.0 ** (1 - m) <= LEVEL or not spread > 0:
        return sign_flip(sums, rng, draws)
    return float(2 * student.sf(abs(sums.mean()) / (spread / math.sqrt(m)), m - 1))


def sign_flip(differences: np.ndarray, rng: np.random.Generator, draws: int = 9999) -> float:
    """Two-sided permutation p of mean 0 by flipping signs; never 0 (Phipson & Smyth 2010, eq. 2).

    `differences` float[n]. Exact over all 2^n flips for n <= 14, else (1 + hits) / (draws + 1). NaN
    where there are no differences or one is missing.
    """
    n = len(differences)
    if n == 0 or not np.isfinite(differences).all():
        return math.nan
    # Ties count as hits; the slack must follow the scale, or the observed flip can be missed.
    seen = abs(differences.sum()) - 1e-10 * np.abs(differences).sum()
    if n <= 14:
        flips = np.array(list(itertools.product((1.0, -1.0), repeat=n)))
        return float((np.abs(flips @ differences) >= seen).mean())
    hits, block = 0, max(1, 2**22 // n)  # at most 32 MiB of signs at a time
    for start in range(0, draws, block):
        flips = rng.choice((1.0, -1.0), (min(block, draws - start), n))
        hits += int((np.abs(flips @ differences) >= seen).sum())
    return (1 + hits) / (draws + 1)


def exchanged_columns(values: np.ndarray, rng: np.random.Generator, draws: int = 1999) -> float:
    """p of the spread of column means, float[n, k], where columns are exchangeable within rows.

    The permutation test of a design in blocks (Edgington & Onghena 2007, Randomization Tests, ch.
    6), its statistic the variance of the means; (1 + as large) / (draws + 1). It detects any
    dependence on the column, monotone or not. NaN for no rows or fewer than two columns.
    """
    if not len(values) or values.shape[1] < 2:
        return math.nan
    found, hits = float(values.mean(0).var()), 0
    for _ in range(draws):
        hits += float(rng.permuted(values, axis=1).mean(0).var()) >= found - 1e-12
    return (1 + hits) / (draws + 1)
