"""Copying seen in the set as a whole: published scores, as published, with known faults.

Features float[n, d] in any units; distances are Euclidean. None of these has a fixed null: a
generator that draws nearer to the middle than real images are looks like one that copies. Calibrate
them with `permutation_copying`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from audit.stats.neighbours import blocks, check, nearest

CELL = 20
"""A cell is compared only with more generated images than this (Meehan et al. 2020, sec. 5)."""


def z_of_u(made: np.ndarray, held: np.ndarray) -> float:
    """Z-scored Mann-Whitney U of distances float[m] and float[n] (Meehan et al. 2020, sec. 3.1).

    Far below 0 where the distances of generated images are smaller. (U - (nm / 2 - 1 / 2)) over
    sqrt(nm (n + m + 1) / 12), ties counted half, as in the authors' code. NaN for an empty side.
    """
    m, n = len(made), len(held)
    if not m or not n:
        return math.nan
    u = rankdata(np.concatenate([made, held]))[:m].sum() - m * (m + 1) / 2
    return float((u - (n * m / 2 - 0.5)) / math.sqrt(n * m * (n + m + 1) / 12))


@dataclass(frozen=True)
class Cells:
    """The cell of each image, from 0: int[l] of training, int[n] held-out, int[m] generated."""

    train: np.ndarray
    held: np.ndarray
    made: np.ndarray


@dataclass(frozen=True)
class Distances:
    """Distances to the nearest training image of the same cell; NaN in a cell without one.

    Generated images float[m] in cells int[m], held-out images float[n] in cells int[n].
    """

    made: np.ndarray
    made_cells: np.ndarray
    held: np.ndarray
    held_cells: np.ndarray

    def c_t(
        self, made: np.ndarray | None = None, held: np.ndarray | None = None, least: int = CELL
    ) -> float:
        """C_T of the images at these indices, by default of all (Meehan et al. 2020, eq. 4).

        The mean over cells of `z_of_u`, weighted by held-out images. A cell counts if it holds more
        generated images than `least`, a held-out one and a training one. With a single cell and
        `least` 0 it is Zu (sec. 3.1). The null of more cells has a standard deviation below 1, so
        it is not a z-score. NaN where no cell counts.
        """
        made = np.arange(len(self.made)) if made is None else made
        held = np.arange(len(self.held)) if held is None else held
        cells, held_cells = self.made_cells[made], self.held_cells[held]
        total = weights = 0.0
        for cell in np.unique(self.made_cells):
            here, real = made[cells == cell], held[held_cells == cell]
            if len(here) > least and len(real) and np.isfinite(self.held[real[0]]):
                total += len(real) * z_of_u(self.made[here], self.held[real])
                weights += len(real)
        return total / weights if weights else math.nan


def distances(
    train: np.ndarray, held: np.ndarray, made: np.ndarray, cells: Cells | None = None
) -> Distances:
    """Nearest training distances of float[n, d] held-out and float[m, d] generated images.

    `train` is float[l, d]. Without `cells` all images are in one. Raises ValueError for features
    that are not finite, or not of one width.
    """
    train, held, made = check(train, held, made)
    cells = cells or Cells(*(np.zeros(len(s), int) for s in (train, held, made)))

    def near(images: np.ndarray, at: np.ndarray) -> np.ndarray:
        out = np.full(len(images), math.nan)
        for cell in np.unique(at):
            if (cells.train == cell).any():
                out[at == cell] = nearest(images[at == cell], train[cells.train == cell])[0][:, 0]
        return out

    return Distances(near(made, cells.made), cells.made, near(held, cells.held), cells.held)


def authentic(train: np.ndarray, gen: np.ndarray) -> np.ndarray:
    """bool[m]: is the image farther from its nearest training image than that one from its own?

    Alaa et al. 2022 (ICML), sec. 4.3, with the nearest other training image as the radius. `train`
    float[l, d], `gen` float[m, d]. Raises ValueError for fewer than two training images.
    """
    train, gen = check(train, gen)
    if len(train) < 2:
        raise ValueError("Authenticity needs at least two training images.")
    near, where = nearest(gen, train)
    used, place = np.unique(where[:, 0], return_inverse=True)
    return near[:, 0] > nearest(train[used], train, 1, used)[0][place, 0]


def authenticity(train: np.ndarray, gen: np.ndarray) -> float:
    """Percent of `authentic` images, 0 to 100; NaN for no images.

    A model that copies nothing has no fixed score: compare with held-out images.
    """
    return float(100 * authentic(train, gen).mean()) if len(gen) else math.nan


@dataclass(frozen=True)
class PRDC:
    """Precision, recall and coverage, in [0, 1], and density, 0 or more."""

    precision: float
    recall: float
    density: float
    coverage: float


@dataclass(frozen=True)
class Spread:
    """Each image's contribution to PRDC: the means of these are its four numbers."""

    precise: np.ndarray
    """bool[m]: inside the ball of some real image."""
    density: np.ndarray
    """float[m]: number of real balls that contain it, over k."""
    recalled: np.ndarray
    """bool[n] of real images: inside the ball of some generated one."""
    covered: np.ndarray
    """bool[n] of real images: some generated image in its ball."""


def spread(real: np.ndarray, gen: np.ndarray, k: int = 5) -> Spread:
    """Per-image parts of `prdc`, float[n, d] real against float[m, d] generated.

    A ball reaches to an image's k-th nearest of its own set, itself not counted, and excludes
    points on its boundary. Raises ValueError for a set of k images or fewer.
    """
    real, gen = check(real, gen)
    balls, made = (nearest(s, s, k, np.arange(len(s)))[0][:, -1] for s in (real, gen))
    # Rounding must not move the boundary inside: a copy is at exactly the radius of its k-th
    # neighbour.
    slack = 1e-12 * float(max((real**2).sum(1).max(), (gen**2).sum(1).max()))
    rim, far = balls**2 - slack, made**2 - slack
    inside, recalled = np.zeros(len(gen)), np.zeros(len(real), bool)
    covered = np.zeros(len(real), bool)
    for rows, squares in blocks(real, gen):
        within = squares < rim[rows, None]
        inside += within.sum(0)
        covered[rows] = within.any(1)
        recalled[rows] = (squares < far).any(1)
    return Spread(inside > 0, inside / k, recalled, covered)


def prdc(real: np.ndarray, gen: np.ndarray, k: int = 5) -> PRDC:
    """Precision, recall, density and coverage (Naeem et al. 2020, ICML, eqs. 1-4).

    Arguments and errors as in `spread`.
    """
    parts = spread(real, gen, k)
    return PRDC(*(float(np.mean(x)) for x in (
        parts.precise, parts.recalled, parts.density, parts.covered)))  # fmt: skip
