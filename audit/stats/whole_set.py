"""Copying measured on whole sets: C_T, authenticity, precision and coverage, FLD's scores.

None of these names an image but FLD's, and all but FLD's take a generator that draws nearer to the
middle than real images lie for a copier: `permuted` is what to judge them by. Distances are
Euclidean, in float64; pass unit-length descriptors for chords of the sphere.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist
from scipy.special import logsumexp
from scipy.stats import mannwhitneyu

SHRINKAGE = (
    "images that are drawn closer to the middle than real ones look like copies to this test, "
    "unless it is judged against exchanged labels"
)
BLOCK = 2048
"""Rows that are compared at once."""
EPOCHS, RATE, NUDGE = 50, 0.5, 1e-3
"""Fit of FLD's widths: Adam's steps, its rate, and what keeps a copy's width from being zero."""


def nearest(x: np.ndarray, reference: np.ndarray, itself: bool = False) -> np.ndarray:
    """Distance of each row of float[n, d] to the nearest row of float[m, d]: float64[n].

    With `itself` the two are the same rows, and none is its own neighbour. NaN without neighbours.
    """
    if len(reference) < 1 + itself:
        return np.full(len(x), math.nan)
    return np.concatenate([np.empty(0), *(d.min(axis=1) for d in _rows(x, reference, itself))])


def _rows(x: np.ndarray, reference: np.ndarray, itself: bool) -> Iterator[np.ndarray]:
    for start in range(0, len(x), BLOCK):
        d = cdist(x[start : start + BLOCK], reference)
        if itself:
            d[np.arange(len(d)), start + np.arange(len(d))] = np.inf
        yield d


def zu(held: np.ndarray, made: np.ndarray) -> float:
    """Mann-Whitney's U of distances to the nearest training image, standardised: Z_U.

    `held` float[n] are those of held-out images, `made` float[m] those of generated ones; far below
    0 where generated images lie nearer (Meehan, Chaudhuri & Dasgupta 2020, AISTATS, sec. 3.1). NaN
    for an empty side.
    """
    n, m = len(held), len(made)
    if not n or not m:
        return math.nan
    u = mannwhitneyu(np.ravel(made), np.ravel(held), alternative="less").statistic
    return float((u - (n * m / 2 - 0.5)) / math.sqrt(n * m * (n + m + 1) / 12))


@dataclass(frozen=True)
class Cells:
    """The cell of each image, int[n], for the training set, the held-out set and the images."""

    train: np.ndarray
    held: np.ndarray
    made: np.ndarray


def c_t(
    train: np.ndarray, held: np.ndarray, made: np.ndarray, cells: Cells, least: int = 20
) -> float:
    """Z_U in cells of the training set, weighted by the held-out images in each: C_T.

    Cells with at most `least` generated images do not count (Meehan et al. 2020, sec. 3.2; their
    tau is 20 / m). Its spread under no copying is not 1: with three cells it is about 0.56, so that
    it is no z-score. Raises ValueError for a cell that counts without training or held-out images.
    """
    weights, values = [], []
    for cell in np.unique(cells.train):
        sides = [x[c == cell] for x, c in ((train, cells.train), (held, cells.held),
                                           (made, cells.made))]  # fmt: skip
        if len(sides[2]) <= least:
            continue
        if not len(sides[0]) or not len(sides[1]):
            raise ValueError(f"Cell {cell} lacks training or held-out images: use fewer cells.")
        weights.append(len(sides[1]))
        values.append(zu(nearest(sides[1], sides[0]), nearest(sides[2], sides[0])))
    return float(np.average(values, weights=weights)) if weights else math.nan


def authenticity(train: np.ndarray, made: np.ndarray) -> float:
    """Share of images farther from their nearest training image than that is from its own: 0 to 1.

    Alaa et al. 2022, ICML, sec. 3.3. There is no share that a faithful model must have. NaN for
    fewer than two training images or none made.
    """
    if len(train) < 2 or not len(made):
        return math.nan
    own, far = nearest(train, train, itself=True), []
    for d in _rows(made, train, False):
        place = d.argmin(axis=1)
        far.append(d[np.arange(len(d)), place] > own[place])
    return float(np.concatenate(far).mean())


@dataclass(frozen=True)
class Prdc:
    """Precision and recall (Kynkaanniemi et al. 2019), density and coverage (Naeem et al. 2020)."""

    precision: float
    recall: float
    density: float
    coverage: float


def prdc(real: np.ndarray, made: np.ndarray, k: int = 5) -> Prdc:
    """Of float[n, d] and float[m, d], with balls as far as the k-th neighbour.

    Memory is n x m distances. Raises ValueError for k or fewer images on either side.
    """
    if min(len(real), len(made)) <= k:
        raise ValueError(f"{k} neighbours need more than {k} images on either side.")
    near_real, near_made = (_kth(x, k) for x in (real, made))
    d = cdist(real, made)
    inside = d < near_real[:, None]
    return Prdc(
        float(inside.any(axis=0).mean()), float((d < near_made).any(axis=1).mean()),
        float(inside.sum(axis=0).mean() / k), float((d.min(axis=1) < near_real).mean()),
    )  # fmt: skip


def _kth(x: np.ndarray, k: int) -> np.ndarray:
    parts = [np.partition(d, k - 1, axis=1)[:, k - 1] for d in _rows(x, x, True)]
    return np.concatenate(parts)


def memorization(train: np.ndarray, held: np.ndarray, made: np.ndarray) -> np.ndarray:
    """FLD's score of each image: how sharply a Gaussian on it explains a training image.

    The largest log density of a training image under the Gaussian that sits on the image, over the
    dimensions, its width fitted with all others to the training set: float64[m], higher for copies
    (Jiralerspong et al. 2023, NeurIPS, "Feature likelihood divergence", sec. 4). Features are
    scaled by the held-out set's. All images are fitted at once: memory is train x made.
    """
    mean, deviation = held.mean(axis=0), held.std(axis=0, ddof=1)
    x, mu = (train - mean) / deviation, (made - mean) / deviation
    d = x.shape[1]
    squares = cdist(x, mu, "sqeuclidean")
    middle = 0.81 * ((x - x.mean(axis=0)) ** 2).sum(axis=1)
    width = np.log((squares.min(axis=0) + NUDGE) / d)
    every = np.column_stack([squares, middle])
    offset = np.r_[np.full(len(mu), math.log(len(mu))), 0.0]
    s, first, second = np.r_[width, 0.0], np.zeros(len(mu) + 1), np.zeros(len(mu) + 1)
    for step in range(1, EPOCHS + 1):
        slope = _slope(every, s, offset, d)
        first = 0.9 * first + 0.1 * slope
        second = 0.999 * second + 0.001 * slope**2
        s = s - RATE * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
        s[:-1] = np.clip(s[:-1], -40, 20)
    return np.asarray(_densities(squares, s[:-1], d).max(axis=0) / d)


def _densities(squares: np.ndarray, s: np.ndarray, d: int) -> np.ndarray:
    """Log densities float64[n, m] of isotropic Gaussians of log variance `s`."""
    return np.asarray(-0.5 * squares * np.exp(-s) - d / 2 * (s + math.log(2 * math.pi)))


def _slope(every: np.ndarray, s: np.ndarray, offset: np.ndarray, d: int) -> np.ndarray:
    """Gradient of the mean negative log likelihood over the dimensions, by log variance."""
    parts = _densities(every, s, d) - offset
    shares = np.exp(parts - logsumexp(parts, axis=1, keepdims=True))
    pull = 0.5 * every * np.exp(-s) - d / 2
    return np.asarray(-(shares * pull).mean(axis=0) / d)


@dataclass(frozen=True)
class Judged:
    """A statistic beside what it is when training and held-out images exchange their labels."""

    value: float
    middle: float
    """Median under exchanged labels: what no copying gives, whatever the generator's quality."""
    p: float
    """Chance of a value as low under no copying: (1 + lower or equal) / (draws + 1)."""


def permuted(
    train: np.ndarray, held: np.ndarray, made: np.ndarray, rng: np.random.Generator,
    draws: int = 199,
) -> dict[str, Judged]:  # fmt: skip
    """Z_U and authenticity, each judged against exchanged labels (Phipson & Smyth 2010, eq. 2).

    Under no copying the labels of reference images mean nothing, whatever the generator draws and
    however often it draws one thing. Memory is made x (train + held) distances, and all reference
    pairs.
    """
    pool, n = np.concatenate([train, held]), len(train)
    across, within = cdist(made, pool), cdist(pool, pool)
    np.fill_diagonal(within, np.inf)
    seen = _both(across, within, np.arange(len(pool)) < n)
    null = np.array([_both(across, within, rng.permutation(len(pool)) < n) for _ in range(draws)])
    names = ("zu", "authenticity")
    return {
        name: Judged(seen[i], float(np.median(null[:, i])),
                     float((1 + (null[:, i] <= seen[i]).sum()) / (draws + 1)))
        for i, name in enumerate(names)
    }  # fmt: skip


def _both(across: np.ndarray, within: np.ndarray, train: np.ndarray) -> tuple[float, float]:
    made, held = across[:, train], within[np.ix_(~train, train)].min(axis=1)
    own = within[np.ix_(train, train)].min(axis=1)
    place = made.argmin(axis=1)
    near = made[np.arange(len(made)), place]
    return zu(held, near), float((near > own[place]).mean())
