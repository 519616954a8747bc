"""Estimates from a few human labels of the audited images themselves.

The images to label must be chosen at random: all with equal probability for `ppi_mean`, or a fixed
number of each predicted class for `stratified_share` and `weighted_confusion`. The second is best
for rare classes, because both kinds of error are then seen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from audit.stats.correction import Confusion
from audit.stats.interval import UNKNOWN, Interval
from audit.stats.proportions import wilson


def _checked(
    labels: np.ndarray, predicted: np.ndarray, classes: int
) -> tuple[np.ndarray, np.ndarray]:
    labels, predicted = np.asarray(labels), np.asarray(predicted)
    known = np.arange(classes)
    if len(labels) != len(predicted) or not (
        np.isin(labels, known).all() and np.isin(predicted, known).all()
    ):
        raise ValueError(f"Labels and predictions must pair up and be in 0..{classes - 1}.")
    return labels.astype(int), predicted.astype(int)


def _weight(labels: np.ndarray, predicted: np.ndarray, unlabelled: np.ndarray) -> float:
    """PPI++'s weight of the predictions, estimated, 0..1; 0 where predictions never vary."""
    n, m = len(labels), len(unlabelled)
    spread = np.concatenate([predicted, unlabelled]).var(ddof=1)
    if spread == 0:
        return 0.0
    together = ((labels - labels.mean()) * (predicted - predicted.mean())).mean()
    return float(np.clip(together / ((1 + n / m) * spread), 0, 1))


def ppi_mean(
    labels: np.ndarray, predicted: np.ndarray, unlabelled: np.ndarray,
    weight: float | None = None, level: float = 0.95,
) -> Interval:  # fmt: skip
    """Prediction-powered mean of a quantity in 0..1 (Angelopoulos et al. 2023, Science 382:669).

    `labels` float[n] and `predicted` float[n] of the labelled images, `unlabelled` float[m] the
    predictions for the others: w mean(unlabelled) + mean(labels - w predicted), with the normal
    interval of its two variances, clipped to 0..1. `weight` 1 is PPI, 0 the labels alone, None the
    estimated weight of smallest variance (PPI++, Angelopoulos, Duchi & Zrnic 2023,
    arXiv:2311.01453). Normal limits are too narrow for rare classes and few labels: below about 100
    labels, or 10 disagreements of a predicted class. Unknown without two labels and an unlabelled
    image, or where something is missing. Raises ValueError where labels and predictions differ in
    length.
    """
    y, f, g = (np.asarray(v, float) for v in (labels, predicted, unlabelled))
    if len(y) != len(f):
        raise ValueError(f"{len(y)} labels do not fit {len(f)} predictions.")
    if len(y) < 2 or not len(g) or not all(np.isfinite(v).all() for v in (y, f, g)):
        return UNKNOWN
    w = _weight(y, f, g) if weight is None else weight
    centre = float(w * g.mean() + (y - w * f).mean())
    error = math.sqrt((w * g).var() / len(g) + (y - w * f).var() / len(y))
    reach = float(norm.ppf((1 + level) / 2)) * error
    low, mid, high = np.clip([centre - reach, centre, centre + reach], 0, 1)
    return Interval(float(mid), float(low), float(high))


@dataclass(frozen=True)
class StratifiedShare:
    """A share with its interval and the variance of the estimate, NaN where nothing is known."""

    interval: Interval
    variance: float
    unseen: tuple[int, ...] = ()
    """Predicted classes with images but no label: they make the share unknown."""


def _strata(
    labels: np.ndarray, predicted: np.ndarray, counts: np.ndarray
) -> tuple[np.ndarray, tuple[int, ...]]:
    """Labels by predicted class int[K], and the classes that have images but no label."""
    labelled = np.bincount(predicted, minlength=len(counts))
    if (labelled > counts).any():
        raise ValueError("A predicted class has more labels than images.")
    return labelled, tuple(int(k) for k in np.flatnonzero((counts > 0) & (labelled == 0)))


def stratified_share(
    labels: np.ndarray, predicted: np.ndarray, counts: np.ndarray, target: int,
    level: float = 0.95, effective: float | None = None,
) -> StratifiedShare:  # fmt: skip
    """Share of class `target` from labels drawn at random within each predicted class.

    `labels` int[n] and `predicted` int[n] of the labelled images, `counts` int[K] of all images,
    the labelled ones included, by predicted class. Estimate: sum of W_h p_h over predicted classes
    h, W_h their share of the images and p_h that of the target among their labels. Variance: double
    sampling for stratification (Cochran 1977, Sampling Techniques, sec. 12.2), from an infinite
    supply of images: sum of W_h^2 p_h (1 - p_h) / (n_h - 1), the same with p_h (1 - p_h) / n_h
    where there is only one label, plus that of the W_h. Limits: square-and-add of the p_h's Wilson
    limits (Zou, Huang & Zhang 2009, CSDA 53:1080, for fixed weights) with the part of the W_h
    added, which do not collapse where no label disagrees. `effective` is the number of independent
    images that determine the W_h, by default all of them. Unknown where a predicted class has
    images but no label. Raises ValueError for labels that do not pair up or outnumber the images.
    """
    counts = np.asarray(counts)
    labels, predicted = _checked(labels, predicted, len(counts))
    labelled, unseen = _strata(labels, predicted, counts)
    total = int(counts.sum())
    if unseen or total == 0:
        return StratifiedShare(UNKNOWN, math.nan, unseen)
    hits = np.bincount(predicted[labels == target], minlength=len(counts))
    used = np.flatnonzero(counts)
    w, n = counts[used] / total, labelled[used]
    parts = [wilson(int(hits[h]), int(labelled[h]), level) for h in used]
    p, low, high = (np.array([getattr(i, a) for i in parts]) for a in ("estimate", "low", "high"))
    share = float(w @ p)
    of_weights = max(float(w @ p**2) - share**2, 0.0) / (effective or total)
    variance = float((w**2 * p * (1 - p) / np.maximum(n - 1, 1)).sum()) + of_weights
    z2 = float(norm.ppf((1 + level) / 2)) ** 2
    down = math.sqrt(float((w**2 * (p - low) ** 2).sum()) + z2 * of_weights)
    up = math.sqrt(float((w**2 * (high - p) ** 2).sum()) + z2 * of_weights)
    return StratifiedShare(Interval(share, max(share - down, 0.0), min(share + up, 1.0)), variance)


def weighted_confusion(labels: np.ndarray, predicted: np.ndarray, counts: np.ndarray) -> Confusion:
    """Confusion from labels drawn within predicted classes, weighted by the images they represent.

    A label of predicted class h weighs counts[h] / labels of h. Rows have the weighted rates, and
    their sums are effective numbers of labels, (sum w)^2 / sum w^2 (Kish 1965, sec. 11.7), so rates
    based on few labels stay uncertain; with equal weights they are the plain counts. Counts need
    not be whole. Raises ValueError as `stratified_share` does.
    """
    counts = np.asarray(counts)
    labels, predicted = _checked(labels, predicted, len(counts))
    labelled, _ = _strata(labels, predicted, counts)
    weights = (counts / np.maximum(labelled, 1))[predicted]
    table, squares = (np.zeros((len(counts), len(counts))) for _ in range(2))
    np.add.at(table, (labels, predicted), weights)
    np.add.at(squares, (labels, predicted), weights**2)
    sums = table.sum(1)
    scale = np.divide(sums, squares.sum(1), out=np.zeros_like(sums), where=sums > 0)
    return Confusion(table * scale[:, None])
