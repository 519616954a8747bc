"""Per-image memorization by likelihood: how sharply a generated image explains a training image."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from scipy.special import logsumexp

from audit.stats.neighbours import blocks, check

EPOCHS, RATE = 50, 0.5
"""Most steps of Adam, and its rate, as in the authors' code; its other constants are Adam's own."""
STILL, LOOKS = 5e-4, 5
"""The fit ends where the loss of the last five steps has moved by less than this, as there."""
NEARER = 0.81
"""The common Gaussian at the mean uses squared distances shrunk by (1 - .1)^2, as there."""
LARGEST = 2**25
"""Distances that are kept between steps (256 MiB); more are recomputed each time."""

Rows = Callable[[], Iterator[np.ndarray]]


def fld_memorization(train: np.ndarray, test: np.ndarray, gen: np.ndarray) -> np.ndarray:
    """Memorization score float[m] of each generated image (Jiralerspong et al. 2023, sec. 4.2).

    The largest log-likelihood, per dimension, of any training image under a Gaussian at the
    generated image, whose width is fitted jointly with all others' to the training images by
    maximum likelihood (eq. 3). `train` float[l, d], `test` float[n, d], which only scales the
    features, and `gen` float[m, d]. Scores are comparable within one call, not between calls. One
    full batch per step: the authors' code does the same up to 10,000 training images. Raises
    ValueError for an empty set or a feature that is the same in all of `test`.
    """
    train, test, gen = check(train, test, gen)
    if min(len(train), len(gen)) < 1 or len(test) < 2:
        raise ValueError("Each set needs images, the held-out one at least two.")
    width = test.std(0, ddof=1)
    if not (width > 0).all():
        raise ValueError("A feature is the same in all held-out images: leave it out.")
    train, gen = ((s - test.mean(0)) / width for s in (train, gen))
    rows = _kept(train, gen)
    log_widths = _fit(rows, ((train - train.mean(0)) ** 2).sum(1), train.shape[1])
    best = np.full(len(gen), math.inf)
    for squares in rows():
        np.minimum(best, squares.min(0), out=best)
    return _log_density(best, log_widths, train.shape[1]) / train.shape[1]


def _kept(train: np.ndarray, gen: np.ndarray) -> Rows:
    """A function that iterates over the squared distances, any number of times."""
    if len(train) * len(gen) > LARGEST:
        return lambda: (squares for _, squares in blocks(train, gen))
    once = [squares for _, squares in blocks(train, gen)]
    return lambda: iter(once)


def _log_density(squares: np.ndarray, log_widths: np.ndarray | float, d: int) -> np.ndarray:
    return -0.5 * squares / np.exp(log_widths) - d / 2 * (log_widths + math.log(2 * math.pi))


@dataclass
class _Adam:
    """Kingma & Ba 2015, algorithm 1."""

    size: int
    step: int = 0
    moments: list[np.ndarray] = field(default_factory=list)

    def update(self, gradient: np.ndarray) -> np.ndarray:
        """What to subtract from the parameters float[size]."""
        self.moments = self.moments or [np.zeros(self.size), np.zeros(self.size)]
        self.step += 1
        self.moments[0] = 0.9 * self.moments[0] + 0.1 * gradient
        self.moments[1] = 0.999 * self.moments[1] + 0.001 * gradient**2
        mean = self.moments[0] / (1 - 0.9**self.step)
        power = self.moments[1] / (1 - 0.999**self.step)
        return np.asarray(RATE * mean / (np.sqrt(power) + 1e-8))


def _fit(rows: Rows, middle: np.ndarray, d: int) -> np.ndarray:
    """Log variances float[m] that maximise the mixture's likelihood of the training images.

    The mixture has a Gaussian at each generated image, with weight 1 / m, and one at the mean of
    the training images (`middle` float[l]: squared distances to it), without a weight.
    """
    nearest = np.min([squares.min(0) for squares in rows()], axis=0)
    log_widths = np.append(np.log((nearest + 1e-3) / d), 0.0)
    adam = _Adam(len(log_widths))
    losses: list[float] = []
    for _ in range(EPOCHS):
        loss, gradient = _slope(rows, NEARER * middle, log_widths, d)
        log_widths = log_widths - adam.update(gradient)
        log_widths[:-1] = log_widths[:-1].clip(-40, 40)
        losses.append(loss)
        if len(losses) > LOOKS + 1 and max(abs(loss - x) for x in losses[-LOOKS:]) < STILL:
            break
    return log_widths[:-1]


def _slope(
    rows: Rows, middle: np.ndarray, log_widths: np.ndarray, d: int
) -> tuple[float, np.ndarray]:
    """Mean negative log-likelihood per dimension; its gradient by log variances float[m + 1]."""
    total, loss, start = np.zeros(len(log_widths)), 0.0, 0
    for squares in rows():
        part = np.column_stack([squares, middle[start : start + len(squares)]])
        start += len(squares)
        scores = _log_density(part, log_widths, d)
        scores[:, :-1] -= math.log(len(log_widths) - 1)
        whole = logsumexp(scores, axis=1, keepdims=True)
        shares = np.exp(scores - whole)
        total += (shares * (d / 2 - 0.5 * part / np.exp(log_widths))).sum(0)
        loss -= float(whole.sum())
    return loss / (len(middle) * d), total / (len(middle) * d)
