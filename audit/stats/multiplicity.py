"""Many comparisons inside one declared family."""

from __future__ import annotations

import numpy as np
from scipy.stats import false_discovery_control
from statsmodels.stats.multitest import multipletests


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
        out[known] = multipletests(p[known], method="holm")[1]
    return out
