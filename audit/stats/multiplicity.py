"""Many comparisons inside one declared family."""

from __future__ import annotations

import numpy as np
from scipy.stats import false_discovery_control


def benjamini_hochberg(p: np.ndarray) -> np.ndarray:
    """Adjusted p-values float[m] (Benjamini & Hochberg 1995); NaN stays NaN and does not count."""
    out = np.full(len(p), np.nan)
    known = np.isfinite(p)
    if known.any():
        out[known] = false_discovery_control(p[known], method="bh")
    return out


def benjamini_yekutieli(p: np.ndarray) -> np.ndarray:
    """Adjusted p-values float[m] under any dependence (Benjamini & Yekutieli 2001, theorem 1.3).

    NaN stays NaN and does not count.
    """
    out = np.full(len(p), np.nan)
    known = np.isfinite(p)
    if known.any():
        out[known] = false_discovery_control(p[known], method="by")
    return out


def holm(p: np.ndarray) -> np.ndarray:
    """Adjusted p-values float[m], familywise error rate (Holm 1979, Scand J Stat 6:65).

    For the few headline claims; NaN stays NaN and does not count.
    """
    out = np.full(len(p), np.nan)
    known = np.isfinite(p)
    if known.any():
        # Own code: that of statsmodels runs the garbage collector each time, 0.05 s in a full
        # process.
        order = np.argsort(p[known])
        steps = np.maximum.accumulate(p[known][order] * np.arange(len(order), 0, -1))
        out[np.flatnonzero(known)[order]] = np.minimum(steps, 1)
    return out


def simultaneous_level(comparisons: int, level: float = 0.95, independent: bool = False) -> float:
    """Level that each of several intervals needs for all to cover at once with `level`.

    Bonferroni's 1 - (1 - level) / m, or where the intervals are `independent` Sidak's level^(1 / m)
    (1967, JASA 62:626). Raises ValueError for less than one comparison.
    """
    if comparisons < 1:
        raise ValueError(f"There must be at least one comparison, not {comparisons}.")
    return level ** (1 / comparisons) if independent else 1 - (1 - level) / comparisons
