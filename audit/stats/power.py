"""How many images a question needs, before any is made."""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import binom

from audit.stats.proportions import wilson


def half_width(n: int, share: float, level: float = 0.95) -> float:
    """Half the width of Wilson's interval of n images at a share; NaN for n = 0."""
    if n == 0:
        return math.nan
    ci = wilson(share * n, n, level)
    return (ci.high - ci.low) / 2


def images_for_width(half: float, share: float = 0.5, level: float = 0.95) -> int:
    """The fewest images whose Wilson interval is at most `half` either way at that share.

    The worst share is 0.5. ValueError unless 0 < half < 0.5.
    """
    if not 0 < half < 0.5:
        raise ValueError(f"A half-width lies between 0 and 0.5, not at {half}.")
    high = 1
    while half_width(high, share, level) > half:
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if half_width(middle, share, level) <= half else (middle, high)
    return high


def rejected(n: int, reference: float, alpha: float = 0.05) -> np.ndarray:
    """Which counts 0..n the exact two-sided binomial test rejects at alpha, bool[n + 1]."""
    if not 0 < reference < 1:
        return np.arange(n + 1) != round(n * reference)
    ps = binom.pmf(np.arange(n + 1), n, reference)
    order = np.argsort(ps, kind="stable")
    tail = np.cumsum(ps[order])
    # Counts as likely as the one that was seen belong to its tail, as in scipy's binomtest.
    place = np.searchsorted(ps[order], ps[order] * (1 + 1e-7), side="right") - 1
    out = np.empty(n + 1, bool)
    out[order] = tail[place] <= alpha
    return out


def power(n: int, reference: float, share: float, alpha: float = 0.05) -> float:
    """Exact chance that n images of a share are told from a reference at alpha; NaN for n = 0."""
    if n == 0:
        return math.nan
    return float(binom.pmf(np.arange(n + 1), n, share)[rejected(n, reference, alpha)].sum())


def images_for_power(
    reference: float, share: float, wanted: float = 0.8, alpha: float = 0.05, most: int = 20_000
) -> int | None:
    """Images from which on the exact test keeps the wanted power; None if `most` do not suffice.

    Power saws up and down with n, so the answer is the last n below it plus one, sought among
    twice the first n that reaches it.
    """
    if reference == share:
        return None
    first = 1
    while first <= most and power(first, reference, share, alpha) < wanted:
        first = max(first + 1, int(first * 1.2))
    if first > most:
        return None
    below = [n for n in range(1, 2 * first + 10) if power(n, reference, share, alpha) < wanted]
    return max(below) + 1


def least_difference(
    n: int, reference: float, wanted: float = 0.8, alpha: float = 0.05
) -> tuple[float, float]:
    """The nearest shares below and above a reference that n images tell from it, each or NaN."""

    def seek(towards: float) -> float:
        if n == 0 or power(n, reference, towards, alpha) < wanted:
            return math.nan
        near, far = reference, towards
        for _ in range(30):
            middle = (near + far) / 2
            enough = power(n, reference, middle, alpha) >= wanted
            near, far = (near, middle) if enough else (middle, far)
        return far

    return seek(0.0), seek(1.0)
