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
