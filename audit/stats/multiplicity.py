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


def holm(p: np.ndarray) -> np.ndarray:
    """Adjusted p-values float[m] (Holm 1979, Scand J Stat 6:65); NaN stays NaN and does not count.

    Those below 0.05 contain an error in at most 5 % of families, however the tests depend on each
    other.
    """
    out = np.full(len(p), np.nan)
    known = np.isfinite(p)
    if known.any():
        # By hand: the function of statsmodels collects garbage, a second in a large process.
        order = np.argsort(p[known])
        steps = p[known][order] * np.arange(known.sum(), 0, -1)
        adjusted = np.empty(len(order))
        adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
        out[known] = adjusted
    return out
