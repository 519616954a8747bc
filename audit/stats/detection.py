"""How well a score separates copies from the rest, with intervals and no choice after the fact.

Higher scores always indicate a copy: a detector that is the wrong way round has an AUC below one
half, and keeps it. Scores must be independent: give one per prompt, not one per image.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm, rankdata

from audit.stats.interval import UNKNOWN, Interval
from audit.stats.proportions import clopper_pearson, wilson

FEWEST = 10
"""Smallest expected number of false alarms among the negatives for which a rate is given."""


def _known(scores: np.ndarray) -> np.ndarray:
    scores = np.asarray(scores, float)
    return scores[~np.isnan(scores)]


def delong_variance(positive: np.ndarray, negative: np.ndarray) -> tuple[float, float]:
    """AUC of float[n] over float[m] and its variance (DeLong et al. 1988, Biometrics 44:837).

    Ties count half. By ranks (Sun & Xu 2014, IEEE Signal Processing Letters 21:1389). NaN scores do
    not count. The variance is NaN for fewer than two of either kind, the AUC where one kind is
    empty.
    """
    positive, negative = _known(positive), _known(negative)
    n, m = len(positive), len(negative)
    if not n or not m:
        return math.nan, math.nan
    both = rankdata(np.concatenate([positive, negative]))
    over = (both[:n] - rankdata(positive)) / m
    under = 1 - (both[n:] - rankdata(negative)) / n
    if n < 2 or m < 2:
        return float(over.mean()), math.nan
    return float(over.mean()), float(over.var(ddof=1) / n + under.var(ddof=1) / m)


def auc(positive: np.ndarray, negative: np.ndarray, level: float = 0.95) -> Interval:
    """Area under the ROC curve with DeLong's interval on the logit scale (Pepe 2003, sec. 5.2.4).

    `positive` float[n] scores of copies, `negative` float[m] of the rest; NaN does not count. Never
    inverted. Where its variance is 0, as at 0 and 1, DeLong's interval has no width, which does not
    mean certainty: Wilson's is used, with the smaller side as sample size. Limits are NaN for fewer
    than two of a kind; everything is unknown where one kind is empty.
    """
    area, variance = delong_variance(positive, negative)
    if math.isnan(area):
        return UNKNOWN
    if math.isnan(variance):
        return Interval(area, math.nan, math.nan)
    if variance < 1e-15:  # equal values, whose mean may round
        n = min(len(_known(positive)), len(_known(negative)))
        return wilson(area * n, n, level)
    half = norm.ppf((1 + level) / 2) * math.sqrt(variance) / (area * (1 - area))
    centre = math.log(area / (1 - area))
    return Interval(area, *(1 / (1 + math.exp(-x)) for x in (centre - half, centre + half)))


@dataclass(frozen=True)
class Point:
    """Performance of a detector at one threshold, on images not used to choose it."""

    threshold: float
    """Scores of at least this are flagged as copies; NaN where there is no threshold."""
    tpr: Interval
    """Share of copies that are flagged, with Clopper and Pearson's limits, as the next."""
    fpr: Interval
    """Share of the rest that is flagged: the achieved counterpart of the requested rate."""
    positives: int
    negatives: int
    reason: str = ""
    """Why nothing is known; else empty."""


def threshold_at(negative: np.ndarray, fpr: float) -> float:
    """The lowest threshold that flags at most a share `fpr` of scores float[m] as copies.

    NaN scores do not count; with fewer than 10 / `fpr` others there is no threshold (NaN). Raises
    ValueError for a rate outside (0, 1).
    """
    if not 0 < fpr < 1:
        raise ValueError(f"A false positive rate must be between 0 and 1, not {fpr}.")
    known = np.sort(_known(negative))[::-1]
    if len(known) < needed(fpr):
        return math.nan
    first_over = known[math.floor(fpr * len(known) + 1e-9)]
    return float(np.nextafter(first_over, math.inf))


def needed(fpr: float) -> int:
    """Negatives needed for a false positive rate: 10 / `fpr`, for ten expected alarms."""
    return math.ceil(FEWEST / fpr - 1e-9)


def at_threshold(
    positive: np.ndarray, negative: np.ndarray, threshold: float, level: float = 0.95
) -> Point:
    """True and false positive rates float[n], float[m] at a threshold set beforehand.

    Exact intervals (Clopper & Pearson 1934); NaN scores do not count.
    """
    positive, negative = _known(positive), _known(negative)
    tpr, fpr = (clopper_pearson(int((s >= threshold).sum()), len(s), level)
                for s in (positive, negative))  # fmt: skip
    return Point(threshold, tpr, fpr, len(positive), len(negative))


def tpr_at_fpr(
    positive: np.ndarray, negative: np.ndarray, calibration: np.ndarray, fpr: float,
    level: float = 0.95,
) -> Point:  # fmt: skip
    """True positive rate at a false positive rate, the threshold from `calibration` scores alone.

    `calibration` float[c] are further negatives, not among `negative` float[m]: a threshold judged
    on the data that chose it looks better than it is. Nothing is known, with the reason, where
    either has fewer than 10 / `fpr`. Raises ValueError for a rate outside (0, 1).
    """
    threshold = threshold_at(calibration, fpr)
    sizes = len(_known(calibration)), len(_known(negative))
    if min(sizes) < needed(fpr):
        reason = (
            f"a false positive rate of {100 * fpr:g} % needs {needed(fpr)} negatives to set the "
            f"threshold and as many to judge it, and there are {sizes[0]} and {sizes[1]}"
        )
        return Point(math.nan, UNKNOWN, UNKNOWN, len(_known(positive)), sizes[1], reason)
    if not len(_known(positive)):
        found = at_threshold(positive, negative, threshold, level)
        return Point(threshold, UNKNOWN, found.fpr, 0, sizes[1], "there are no copies to find")
    return at_threshold(positive, negative, threshold, level)


def halves(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Indices int of a random half to calibrate on, and of the rest, ascending."""
    order = rng.permutation(n)
    return np.sort(order[: n // 2]), np.sort(order[n // 2 :])
