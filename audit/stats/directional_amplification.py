"""Bias amplification from the requested task to the perceived attribute."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from audit.stats.interval import UNKNOWN, Interval


@dataclass(frozen=True)
class Resampling:
    """How both tables are resampled."""

    rng: np.random.Generator
    training_is_sample: bool = True
    """Whether the training table counts a sample of the training set; else all of it."""
    draws: int = 2000
    level: float = 0.95


@dataclass(frozen=True)
class Directional:
    """Directional bias amplification: above 0 where the model goes further than training."""

    interval: Interval
    pairs: np.ndarray
    """float[A, T]: contribution of each attribute and task, NaN where unknown."""
    unknown: int
    """Pairs left out: a task, or an attribute, without images in either table."""
    reason: str = ""
    """Why something was left out; else empty."""


def _counts(table: np.ndarray, dimensions: tuple[int, ...]) -> np.ndarray:
    table = np.asarray(table)
    if table.ndim not in dimensions or table.dtype.kind not in "iu" or (table < 0).any():
        raise ValueError(f"Counts must be integers, at least 0, with {dimensions} dimensions.")
    return table


def _shares(counts: np.ndarray) -> np.ndarray:
    """Shares float[..., A, T] within each task; NaN for a task without images."""
    totals = counts.sum(-2, keepdims=True)
    shares = np.full(np.broadcast_shapes(counts.shape, totals.shape), math.nan)
    return np.divide(counts, totals, out=shares, where=totals > 0)


def _signs(training: np.ndarray) -> np.ndarray:
    """1 where attribute and task go together in training, -1 where apart, 0 if independent."""
    total = training.sum((-2, -1), keepdims=True)
    margins = training.sum(-1, keepdims=True) * training.sum(-2, keepdims=True)
    return np.sign(training * total - margins)


def _score(training: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Contributions float[..., A, T] of pairs: the sign times the model's share less training's."""
    return _signs(training) * (shares - _shares(training))


def _redrawn(predicted: np.ndarray, how: Resampling) -> tuple[np.ndarray, np.ndarray]:
    """Shares float[draws, A, T] with whole clusters reweighted, and the shares they vary around.

    Bayesian bootstrap (Rubin 1981, Ann Stat 9:130) with half a cluster of each class added: for
    single images this is drawing from Jeffreys' Dirichlet posterior, and where all clusters agree
    the interval still has some width. A sum of n exponential weights is a gamma variable of shape
    n.
    """
    if predicted.ndim == 2:
        size = np.ones(predicted.shape[1])
        drawn = how.rng.standard_gamma(predicted, (how.draws, *predicted.shape))
    else:
        of_task = (predicted.sum(1) > 0).sum(0)  # clusters of each task
        size = predicted.sum((0, 1)) / np.maximum(of_task, 1)
        weights = how.rng.standard_gamma(1.0, (how.draws, len(predicted)))
        drawn = np.tensordot(weights, predicted.astype(float), 1)
    drawn = drawn + size * how.rng.standard_gamma(0.5, drawn.shape)
    return _shares(drawn), _shares(_whole(predicted) + size / 2)


def _whole(predicted: np.ndarray) -> np.ndarray:
    """Counts int[A, T] of all clusters together."""
    return predicted if predicted.ndim == 2 else predicted.sum(0)


def _limits(
    training: np.ndarray, predicted: np.ndarray, known: np.ndarray, how: Resampling
) -> Interval:
    """Mean over the known pairs with percentile limits, less the bias of the half clusters."""
    estimate = float(_score(training, _shares(_whole(predicted)))[known].mean())
    shares, middle = _redrawn(predicted, how)
    again = np.broadcast_to(training.astype(float), shares.shape)
    if how.training_is_sample:
        again = how.rng.standard_gamma(again)
    found = _score(again, shares)[:, known].mean(1)
    found += estimate - float(_score(training, middle)[known].mean())
    low, high = np.clip(np.quantile(found, ((1 - how.level) / 2, (1 + how.level) / 2)), -1, 1)
    return Interval(estimate, min(float(low), estimate), max(float(high), estimate))


def task_to_attribute(training: np.ndarray, predicted: np.ndarray, how: Resampling) -> Directional:
    """BiasAmp T -> A: does the task asked for amplify who is shown? -1..1, 0 for no change.

    `training` int[A, T] counts the training set's images by attribute and task; `predicted` int[A,
    T] the model's images by attribute perceived and task asked for, or int[C, A, T] the same for
    each prompt, a cluster of one task. The mean over attributes and tasks of sign(P(a, t) -
    P(a)P(t)) times the model's P(a | t) less training's (Wang & Russakovsky 2021, ICML, eqs. 2 to
    4), with 0 where the two are exactly independent in training, as in the authors' code; the
    training set takes the place of their test labels, because nothing else says what a prompt
    should give. Classes are mutually exclusive.

    Limits: percentiles of a Bayesian bootstrap over prompts, or images where no prompts are given,
    and over the training sample. Signs that training leaves open are drawn too, which pulls the
    limits towards 0. Pairs of a task without images in either table are left out. Raises ValueError
    for anything but counts, or tables of different shapes.
    """
    training, predicted = _counts(training, (2,)), _counts(predicted, (2, 3))
    if predicted.shape[-2:] != training.shape:
        raise ValueError(f"Shapes differ: {predicted.shape[-2:]} and {training.shape}.")
    pairs = _score(training, _shares(_whole(predicted)))
    known = np.isfinite(pairs)
    unknown = int((~known).sum())
    if not known.any():
        return Directional(UNKNOWN, pairs, unknown, "no task has images in both tables")
    interval = _limits(training, predicted, known, how)
    reason = "some tasks have no images in one of the tables" if unknown else ""
    return Directional(interval, pairs, unknown, reason)
