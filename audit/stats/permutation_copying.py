"""Whole-set scores against their own null, by permuting the labels of the reference images.

Where nothing is copied, training and held-out images are exchangeable, whatever the generator draws
and however many of its images share a neighbour. Which reference image has which label is then
random, and the observed score is one of those that other assignments would give.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from audit.stats.neighbours import Lists, check
from audit.stats.whole_set import CELL, z_of_u

SHRINKAGE = (
    "A generator whose images are closer to the average than real ones scores like one that "
    "copies; only its score with the labels permuted or swapped tells them apart."
)
"""Caveat to print with every whole-set score."""

Statistic = Callable[[np.ndarray], float]
"""From bool[N], which reference images are labelled as training images, to a score."""


@dataclass(frozen=True)
class Calibrated:
    """A score and its values under permuted labels."""

    observed: float
    null: np.ndarray
    """float[draws]; NaN where the labels leave nothing to compare."""

    @property
    def p(self) -> float:
        """One-sided p of a score this low, never 0 (Phipson & Smyth 2010, eq. 2); NaN if unknown.

        A permutation without a score counts against a finding.
        """
        if not np.isfinite(self.observed) or not len(self.null):
            return float("nan")
        slack = 1e-9 * max(1.0, abs(self.observed))  # ties count, and rank sums are rounded
        hits = int((~(self.null > self.observed + slack)).sum())
        return (1 + hits) / (len(self.null) + 1)

    @property
    def middle(self) -> float:
        """Median score under permuted labels: the score of this generator if it copies nothing."""
        known = self.null[np.isfinite(self.null)]
        return float(np.median(known)) if len(known) else float("nan")


def calibrate(
    statistic: Statistic, train: np.ndarray, rng: np.random.Generator, draws: int = 999,
    groups: np.ndarray | None = None,
) -> Calibrated:  # fmt: skip
    """The statistic of the labels bool[N] and of `draws` permutations of them.

    `groups` int[N]: images that change sides together, such as near-duplicates; each must be on one
    side, or ValueError is raised. Exchangeable groups make p exact, whatever their sizes.
    """
    names = np.arange(len(train)) if groups is None else groups
    _, first, place = np.unique(names, return_index=True, return_inverse=True)
    sides = train[first]
    if (sides[place] != train).any():
        raise ValueError("A group of images must be on one side: leave out groups on both.")
    null = np.array([statistic(rng.permutation(sides)[place]) for _ in range(draws)], float)
    return Calibrated(statistic(train), null)


@dataclass(frozen=True)
class Pool:
    """Neighbours of generated and of reference images among all reference images."""

    made: Lists
    real: Lists

    @classmethod
    def of(cls, references: np.ndarray, gen: np.ndarray) -> Pool:
        """From float[N, d] of training and held-out images together, and float[m, d] generated.

        Raises ValueError for fewer than three reference images.
        """
        references, gen = check(references, gen)
        if len(references) < 3:
            raise ValueError("Labels of fewer than three reference images cannot be permuted.")
        return cls(Lists.of(gen, references), Lists.of(references, references, itself=True))


def zu_statistic(pool: Pool) -> Statistic:
    """Zu of the generated images, with the rest of the reference images held out."""

    def score(train: np.ndarray) -> float:
        held = np.flatnonzero(~train)
        return z_of_u(pool.made.among(train)[0], pool.real.among(train, held)[0])

    return score


def c_t_statistic(
    references: np.ndarray, gen: np.ndarray, real_cells: np.ndarray, gen_cells: np.ndarray
) -> Statistic:
    """C_T (`whole_set.Distances`) with fixed cells, which must not depend on the labels.

    `references` float[N, d], `gen` float[m, d], `real_cells` int[N], `gen_cells` int[m]: find the
    cells from all reference images, not from the training images alone. A cell left without
    training images does not count.
    """
    references, gen = check(references, gen)
    inside, scores = [], []
    for cell in np.unique(gen_cells):
        here, real = gen_cells == cell, np.flatnonzero(real_cells == cell)
        if here.sum() > CELL and len(real) >= 3:
            inside.append(real)
            scores.append(zu_statistic(Pool.of(references[real], gen[here])))

    def score(train: np.ndarray) -> float:
        weights = np.array([float((~train[real]).sum()) for real in inside])
        values = np.array([s(train[real]) for s, real in zip(scores, inside, strict=True)])
        known = np.isfinite(values) & (weights > 0)
        if not known.any():
            return float("nan")
        return float(np.average(values[known], weights=weights[known]))

    return score


def authenticity_statistic(pool: Pool) -> Statistic:
    """Authentic images by the training set less those by the held-out set, in percentage points.

    Below 0 where generated images are in neighbourhoods of training images more than of held-out
    ones. NaN where a side has fewer than two images.
    """

    def share(side: np.ndarray) -> float:
        near, where = pool.made.among(side)
        used, place = np.unique(where, return_inverse=True)
        own = pool.real.among(side, used)[0]
        return float(100 * (near > own[place]).mean())

    def score(train: np.ndarray) -> float:
        if min(train.sum(), (~train).sum()) < 2 or not len(pool.made.queries):
            return float("nan")
        return share(train) - share(~train)

    return score
