"""Selecting copies at a chosen false discovery rate."""

from __future__ import annotations

import math

import numpy as np


def barber_candes(w: np.ndarray, q: float) -> float:
    """Smallest t > 0 with (1 + #{w <= -t}) / max(1, #{w >= t}) <= q.

    The knockoff+ threshold (Barber & Candes 2015, Annals of Statistics 43:2055, eq. 1.9). `w`
    float[m], finite, or NaN where it is missing, which is never selected; symmetric about 0 where
    there is nothing to find. Selecting w >= t then has a false discovery rate of at most q.
    Infinite where no t qualifies: at least 1 / q selections are needed for any. Raises ValueError
    for an infinite w, which an infinite threshold would select.
    """
    if np.isinf(w).any():
        raise ValueError("W must be finite or NaN: floor the distances before taking their ratio.")
    known = np.sort(w[~np.isnan(w)])
    t = np.unique(np.abs(known[known != 0]))
    below = np.searchsorted(known, -t, side="right")
    above = len(known) - np.searchsorted(known, t, side="left")
    enough = (1 + below) / np.maximum(1, above) <= q
    return float(t[enough][0]) if enough.any() else math.inf


def conformal_p(scores: np.ndarray, null: np.ndarray) -> np.ndarray:
    """p = (1 + #{null >= s}) / (n + 1) per score float[m] (Bates et al. 2023, eq. 2).

    `null` float[n]: scores of images that copy nothing. Missing scores stay NaN; missing null
    scores do not count.
    """
    known = np.sort(null[~np.isnan(null)])
    above = len(known) - np.searchsorted(known, scores, side="left")
    return np.where(np.isnan(scores), np.nan, (1 + above) / (len(known) + 1))


def collapse(w: np.ndarray, references: np.ndarray) -> np.ndarray:
    """bool[m] that keeps, of the images with the same matched reference, the one with largest |w|.

    `w` float[m], `references` int[m]: one number per reference image of either side, the nearest
    training image where w > 0 and the nearest held-out one where w < 0, so both sides are thinned
    alike and signs stay symmetric. Images that share their match are one piece of evidence, not
    many. Of ties the first is kept; a NaN only where its reference has nothing else.
    """
    keep = np.zeros(len(w), bool)
    order = np.lexsort((np.arange(len(w)), -np.abs(w)))
    _, first = np.unique(references[order], return_index=True)
    keep[order[first]] = True
    return keep
