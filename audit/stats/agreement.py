"""Agreement between raters beyond chance: among people, or of a classifier with people.

Ratings are class indices int[units, raters], -1 where a rater gave no label. A single class gives
no answer, never perfect agreement: raters who only ever saw women have not shown that they would
recognise a man.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from audit.stats.interval import UNKNOWN, Interval
from audit.stats.proportions import wilson

UNDEFINED = 0.05
"""Largest share of resamples with a single class; above it the limits are unknown."""


@dataclass(frozen=True)
class Resampling:
    """How units are resampled: `clusters` int[units] are kept whole, e.g. a prompt's images."""

    rng: np.random.Generator
    clusters: np.ndarray | None = None
    draws: int = 2000
    level: float = 0.95


@dataclass(frozen=True)
class Agreement:
    """A coefficient with its interval, and the units that it is based on."""

    interval: Interval
    units: int
    """Units with two ratings or more."""
    left_out: int
    """Units with fewer than two: they carry no information about agreement."""
    reason: str = ""
    """Why the coefficient or its limits are unknown; empty where they are known."""


Parts = tuple[float, float]
"""Observed disagreement and the disagreement expected by chance; NaN where unknown."""
Tables = tuple[np.ndarray, np.ndarray]
"""Ratings int[units, raters] and counts int[units, K] of them by class."""


def _percent(tables: Tables, weights: np.ndarray) -> Parts:
    """Share of disagreeing pairs of ratings of the same unit; all units have equal weight."""
    counts = tables[1]
    m = counts.sum(1)
    same = (counts * (counts - 1)).sum(1) / (m * (m - 1))
    return float(1 - weights @ same / weights.sum()), 1.0


def _cohen(tables: Tables, weights: np.ndarray) -> Parts:
    ratings, counts = tables
    k = counts.shape[1]
    flat = np.bincount(ratings[:, 0] * k + ratings[:, 1], weights, k * k) / weights.sum()
    pairs = flat.reshape(k, k)
    return float(1 - np.trace(pairs)), float(1 - pairs.sum(1) @ pairs.sum(0))


def _krippendorff(tables: Tables, weights: np.ndarray) -> Parts:
    counts = tables[1]
    m = counts.sum(1)
    same = (counts * (counts - 1)).sum(1) / (m - 1)
    of_class = weights @ counts
    n = of_class.sum()
    expected = 1 - (of_class * (of_class - 1)).sum() / (n * (n - 1))
    return float(1 - weights @ same / n), float(expected)


def _coefficient(parts: Parts) -> float:
    seen, expected = parts
    return 1 - seen / expected if expected > 1e-12 else math.nan


def _prepare(ratings: np.ndarray) -> tuple[Tables, np.ndarray]:
    """Tables of the units with two ratings or more, and the mask of these units, bool[units]."""
    ratings = np.asarray(ratings)
    if ratings.ndim != 2 or ratings.dtype.kind not in "iu" or (ratings < -1).any():
        raise ValueError("Ratings must be class indices int[units, raters], -1 for missing.")
    classes = int(ratings.max(initial=0)) + 1
    counts = np.stack([(ratings == c).sum(1) for c in range(classes)], axis=1)
    usable = counts.sum(1) >= 2
    return (ratings[usable], counts[usable]), usable


def _limits(
    measure: Callable[[Tables, np.ndarray], Parts], tables: Tables, place: np.ndarray,
    how: Resampling,
) -> tuple[float, float, str]:  # fmt: skip
    """Percentile limits over resampled clusters, `place` int[units] 0..C-1, or why there are none.

    Where every unit agrees no resample can differ, which does not mean certainty: the limit is then
    Wilson's for the agreement, with clusters as its n, at the disagreement expected by chance.
    """
    size = int(place.max()) + 1
    if size < 2:
        return math.nan, math.nan, "a single cluster says nothing about the spread between them"
    seen, expected = measure(tables, np.ones(len(place)))
    if seen < 1e-12:
        return 1 - (1 - wilson(size, size, how.level).low) / expected, 1.0, ""
    weights = how.rng.multinomial(size, np.full(size, 1 / size), how.draws)[:, place]
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.array([_coefficient(measure(tables, w.astype(float))) for w in weights])
    if np.isnan(found).mean() > UNDEFINED:
        return math.nan, math.nan, "many resamples hold one class only"
    low, high = np.nanquantile(found, ((1 - how.level) / 2, (1 + how.level) / 2))
    return float(low), float(high), ""


def _measured(
    measure: Callable[[Tables, np.ndarray], Parts], ratings: np.ndarray, how: Resampling
) -> Agreement:
    tables, usable = _prepare(ratings)
    units, left_out = int(usable.sum()), int((~usable).sum())
    if not units:
        return Agreement(UNKNOWN, 0, left_out, "no unit has two ratings")
    value = _coefficient(measure(tables, np.ones(units)))
    if math.isnan(value):
        return Agreement(UNKNOWN, units, left_out, "all ratings are of one class")
    names = np.arange(len(usable)) if how.clusters is None else how.clusters
    if len(names) != len(usable):
        raise ValueError(f"{len(names)} clusters do not fit {len(usable)} units.")
    place = np.unique(names[usable], return_inverse=True)[1]
    low, high, reason = _limits(measure, tables, place, how)
    return Agreement(Interval(value, low, high), units, left_out, reason)


def percent_agreement(ratings: np.ndarray, how: Resampling) -> Agreement:
    """Share of agreeing pairs of ratings of the same unit, 0..1; all units have equal weight.

    `ratings` int[units, raters], -1 for missing. Chance is not subtracted, so a single class agrees
    perfectly. Limits: percentiles over resampled clusters, or Wilson's lower limit where all agree.
    Raises ValueError for anything but class indices, as all of this module does.
    """
    return _measured(_percent, ratings, how)


def cohen_kappa(ratings: np.ndarray, how: Resampling) -> Agreement:
    """Cohen's kappa of two raters, int[units, 2] (Cohen 1960, Educ Psychol Meas 20:37, eq. 1).

    Units that either rater skipped are left out. Limits as in `percent_agreement`. Unknown where
    all ratings are of one class. Raises ValueError for another number of raters.
    """
    if np.ndim(ratings) != 2 or np.shape(ratings)[1] != 2:
        raise ValueError("Cohen's kappa is for two raters; Krippendorff's alpha is for more.")
    return _measured(_cohen, ratings, how)


def krippendorff_alpha(ratings: np.ndarray, how: Resampling) -> Agreement:
    """Krippendorff's alpha for nominal classes, any number of raters; ratings may be missing.

    `ratings` int[units, raters], -1 for missing. 1 - Do / De from the coincidences within units
    (Krippendorff 2011, Computing Krippendorff's Alpha-Reliability, sec. C). Limits as in
    `percent_agreement`. Unknown where all ratings are of one class.
    """
    return _measured(_krippendorff, ratings, how)
