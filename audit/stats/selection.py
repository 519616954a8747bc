"""Selecting copies at a chosen false discovery rate."""

from __future__ import annotations

import math

import numpy as np


def barber_candes(w: np.ndarray, q: float) -> float:
    """Smallest t > 0 with (1 + #{w <= -t}) / #{w >= t} <= q (Barber & Candes 2015, eq. 1.9).

    `w` float[m], symmetric about 0 where there is nothing to find; selecting w >= t then has a
    false discovery rate of at most q. Infinite where no t will do: at least 1 / q selections are
    needed for any.
    """
    for t in np.unique(np.abs(w[np.isfinite(w) & (w != 0)])):
        if (1 + (w <= -t).sum()) <= q * (w >= t).sum():
            return float(t)
    return math.inf


def conformal_p(scores: np.ndarray, null: np.ndarray) -> np.ndarray:
    """p = (1 + #{null >= s}) / (n + 1) per score float[m] (Bates et al. 2023, eq. 2)."""
    above = len(null) - np.searchsorted(np.sort(null), scores, side="left")
    return np.asarray((1 + above) / (len(null) + 1))


def collapse(w: np.ndarray, references: np.ndarray) -> np.ndarray:
    """bool[m] that keeps, of the images with the same matched reference, the one of largest |w|.

    Images that share their nearest reference are one piece of evidence, not many.
    """
    keep = np.zeros(len(w), bool)
    order = np.lexsort((np.arange(len(w)), -np.abs(w)))
    _, first = np.unique(references[order], return_index=True)
    keep[order[first]] = True
    return keep
