"""Whether training and held-out images look alike, judged before any generated image is seen.

Every rule that flags copies against held-out images assumes that a generator that copies nothing
cannot tell the two sides apart. Images of another source, or of other subjects, break this.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import numpy as np

from audit.stats.discrepancy import gaussian_kernel, median_distance, mmd_p
from audit.stats.neighbours import Lists
from audit.stats.proportions import clopper_pearson
from audit.stats.whole_set import z_of_u

DRAWS = 99
"""Permutations of the sides."""
ALPHA = 0.05
"""Level of both tests together: each is at half of it (Bonferroni)."""
FAIR = 0.55
"""Largest share of images nearer to the training set that still lets q = 0.1 stay below 0.13."""


@dataclass(frozen=True)
class Likeness:
    """Two tests of whether two sets of images come from one source."""

    nearest: float
    """p of the distances to the nearest training image, held-out images against training images
    with themselves left out; NaN if unknown."""
    kernel: float
    """p of the kernel two-sample test; NaN if unknown."""

    @property
    def alike(self) -> bool:
        """Whether neither test finds a difference; False where one is unknown."""
        return self.nearest >= ALPHA / 2 and self.kernel >= ALPHA / 2


def likeness(
    train: np.ndarray, held: np.ndarray, rng: np.random.Generator, draws: int = DRAWS
) -> Likeness:
    """Both tests on float[n, d] and float[m, d], of images each of which is there once.

    Sides are permuted, which makes both p-values exact whatever the sizes (Phipson & Smyth 2010,
    eq. 2). The first test is Mann-Whitney's U of nearest distances (Meehan et al. 2020 compare the
    same distances of generated images), two-sided; the second is Gretton et al. 2012's. Unknown for
    fewer than three images on a side.
    """
    if min(len(train), len(held)) < 3:
        return Likeness(math.nan, math.nan)
    rows = np.concatenate([train, held]).astype(float)
    first = np.arange(len(rows)) < len(train)
    lists = Lists.of(rows, rows, itself=True)

    def shift(side: np.ndarray) -> float:
        near = lists.among(side)[0]
        return abs(z_of_u(near[~side], near[side]))

    seen = shift(first)
    null = np.array([shift(rng.permutation(first)) for _ in range(draws)])
    nearest = (1 + int((null >= seen - 1e-9).sum())) / (1 + draws)
    kernel = partial(gaussian_kernel, sigma=median_distance(rows))
    return Likeness(nearest, mmd_p(kernel(rows, rows), first, rng, draws))


@dataclass(frozen=True)
class Lean:
    """How often images that were not flagged are nearer to the training set."""

    toward: int
    n: int
    low: float
    """Lower one-sided 95 % limit of the share; 0 for n = 0."""

    @property
    def share(self) -> float:
        """NaN for n = 0."""
        return self.toward / self.n if self.n else math.nan

    @property
    def fair(self) -> bool:
        """Whether the share may be one half, or so little more that it does not matter.

        Where each sign is + with odds of at most s / (1 - s), whatever the others are, the false
        discovery rate is at most q s / (1 - s) (Barber, Candes & Samworth 2020, Annals of
        Statistics 48:1409, theorem 1): 1.22 q at s = FAIR.
        """
        return self.low <= FAIR


def lean(toward: np.ndarray) -> Lean:
    """From bool[n], one independent image each: is it nearer to the training set?"""
    k, n = int(toward.sum()), len(toward)
    return Lean(k, n, clopper_pearson(k, n, 0.9).low if n else 0.0)
