"""A classifier's errors from labels that were drawn by what the classifier had said."""

from __future__ import annotations

import numpy as np


def weighted_confusion(counts: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Confusion float[K, K] (rows true, columns read) as a random draw would have given it.

    `counts` int[K, K] of labelled images drawn within each class that was read; `weights` float[K]
    says how many images each drawn one of that class stands for. Rows hold weighted shares, scaled
    to their effective number of images, (sum w)^2 / sum w^2 (Kish 1965, sec. 11.7), so that what
    the weights cost in certainty is not hidden. A row without images stays empty. Raises ValueError
    where the shapes differ or a number is negative.
    """
    k = len(weights)
    if counts.shape != (k, k) or (counts < 0).any() or (weights < 0).any():
        raise ValueError(f"Counts {counts.shape} and {k} weights must fit and be 0 or more.")
    mass = counts * weights
    total, square = mass.sum(1), (counts * weights**2).sum(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        scale = np.where(square > 0, total / square, 0.0)  # effective n over the row's total mass
    return np.asarray(mass * scale[:, None], float)
