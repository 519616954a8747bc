"""Shares from a classifier's probabilities rather than its counts, without any human label."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Shifted:
    """Shares float[K] and the probabilities float[n, K] that follow from them; NaN for no images.

    It carries no interval, and its truth hangs on calibrated probabilities: a second opinion beside
    a correction by labels, never instead of one.
    """

    shares: np.ndarray
    posteriors: np.ndarray
    rounds: int
    converged: bool


def saerens_em(
    posteriors: np.ndarray, training_priors: np.ndarray,
    tolerance: float = 1e-8, most: int = 20_000,
) -> Shifted:  # fmt: skip
    """Class shares of images whose classes are mixed otherwise than the training set's.

    Expectation maximisation of Saerens, Latinne & Decaestecker 2002 (Neural Computation 14:21,
    eq. 2.9): the shares of largest likelihood if images of a class look as they did in training.
    `posteriors` float[n, K] are calibrated probabilities under `training_priors` float[K] > 0. Ends
    when no share moves by more than `tolerance`, or after `most` rounds. Raises ValueError where
    rows or priors are no probabilities or differ in K.
    """
    p, prior = np.asarray(posteriors, float), np.asarray(training_priors, float)
    if p.ndim != 2 or p.shape[1:] != prior.shape:
        raise ValueError(f"Probabilities {p.shape} do not fit priors {prior.shape}.")
    sums = np.append(p.sum(1), prior.sum())
    if not ((p >= 0).all() and (prior > 0).all() and (np.abs(sums - 1) < 1e-4).all()):
        raise ValueError("Rows and priors must be probabilities that sum to 1, priors above 0.")
    shares, now, rounds, moved = prior / prior.sum(), p, 0, np.inf
    if not len(p):
        return Shifted(np.full(len(prior), np.nan), p, 0, False)
    while moved > tolerance and rounds < most:
        now = p * (shares / prior)
        now = now / now.sum(1, keepdims=True)
        before, shares = shares, now.mean(0)
        moved, rounds = float(np.abs(shares - before).max()), rounds + 1
    return Shifted(shares, now, rounds, moved <= tolerance)
