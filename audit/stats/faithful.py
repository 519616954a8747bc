"""What a model that draws exactly the reference would seem to be, seen as this run is seen.

Few images, prompts whose images are alike and a classifier that errs all move estimates away from a
reference that holds. One simulation has all three, so floors, p-values and verdicts agree.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.stats import betabinom, norm

from audit.stats.correction import behind, redrawn
from audit.stats.decisions import binomial_p
from audit.stats.interval import Interval


@dataclass(frozen=True)
class Sight:
    """How S subjects were seen: numbers of labelled images, and the errors of one classifier."""

    n: np.ndarray
    """Labelled images, float[S], at least 1."""
    effective: np.ndarray
    """Independent images with the same information, float[S], above 0 and at most n."""
    free: int = 0
    """Degrees of freedom of the similarity of a prompt's images; below FEWEST it is taken as known,
    and results are about these prompts only."""
    table: np.ndarray | None = None
    """Validation counts float[K, K], rows true; None where labels are taken as right."""


FEWEST = 4
"""Degrees of freedom below which the spread of a design effect has no use: it may be anything."""


def prior(k: int) -> float:
    """Weight added to each of k cells of a row of errors, 1 in all (Perks 1947, J Inst Act 73)."""
    return 1 / k


def faithful_readings(
    shares: np.ndarray, sight: Sight, rng: np.random.Generator, draws: int
) -> np.ndarray:
    """Shares that are read of a model with these shares float[S, K]: float[draws, S, K].

    In each draw the classifier's errors, which are common to all subjects, come from their
    posterior, and the design effect, common too, is scaled by free / chi-square(free), the spread
    of its estimate. Counts are then multinomial of the effective number of images.
    """
    s, k = shares.shape
    read = np.broadcast_to(shares, (draws, s, k))
    if sight.table is not None:
        read = shares @ redrawn(sight.table, rng, draws, prior(k))
    deff = np.broadcast_to(sight.n / sight.effective, (draws, s))
    if sight.free >= FEWEST:
        scale = sight.free / rng.chisquare(sight.free, (draws, 1))
        deff = np.where(deff > 1, np.maximum(deff * scale, 1), deff)
    size = np.maximum(np.round(sight.n / deff), 1).astype(int)
    read = np.clip(read, 0, None)
    counts = rng.multinomial(size, read / read.sum(-1, keepdims=True))
    return np.asarray(counts / size[..., None])


def faithful_estimates(
    shares: np.ndarray, sight: Sight, rng: np.random.Generator, draws: int
) -> np.ndarray:
    """Estimates of a model with these shares float[S, K], corrected as this run's: [draws, S, K].

    NaN where the classifier tells nothing.
    """
    read = faithful_readings(shares, sight, rng, draws)
    if sight.table is None:
        return read
    return behind(sight.table, read.reshape(-1, shares.shape[1])).reshape(read.shape)


def faithful_around(
    shares: np.ndarray, limits: Sequence[Interval], rng: np.random.Generator, draws: int
) -> np.ndarray:
    """Estimates float[draws, K] of a model with shares float[K], as wide as these 95 % limits.

    For estimates that are not from counts alone: normal, clipped to 0..1.
    """
    spread = np.array([(i.high - i.low) / 2 for i in limits]) / norm.ppf(0.975)
    return np.clip(shares + spread * rng.standard_normal((draws, len(shares))), 0, 1)


def draws_for(subjects: int, table: np.ndarray | None) -> int:
    """Simulated models: fewer where each estimate of several classes has to be solved for."""
    if table is None or len(table) == 2:
        return 4000
    return int(np.clip(10_000 // subjects, 300, 1000))


def read_share(shares: np.ndarray, table: np.ndarray, i: int) -> tuple[float, float]:
    """Share that is read as class `i` of true shares float[K]: its mean and variance.

    Over the posterior of the errors, independent Dirichlet rows of validation counts float[K, K].
    """
    size = table.sum(1) + prior(len(table)) * len(table)
    mean = (table[:, i] + prior(len(table))) / size
    return float(shares @ mean), float(shares**2 @ (mean * (1 - mean) / (size + 1)))


def mixed_binomial_p(k: int, n: int, share: float, variance: float) -> float:
    """Two-sided p of k of n against a share that is itself known with this variance.

    Sum of the chances of all counts that are at most as likely, beta-binomial with that mean and
    variance (the binomial integrated over a beta); `binomial_p` where the variance is 0.
    """
    if n == 0 or not math.isfinite(share):
        return math.nan
    spare = share * (1 - share)
    if variance <= 1e-12 or spare <= 1e-12:
        return binomial_p(k, n, share)
    size = max(spare / variance - 1, 1e-3)
    chances = betabinom.pmf(np.arange(n + 1), n, share * size, (1 - share) * size)
    return float(min(1.0, chances[chances <= chances[k] * (1 + 1e-7)].sum()))


def inverted_p(limits: Callable[[float], Interval], share: float) -> float:
    """p of a share: 1 - the level of the interval that it bounds.

    `limits` gives the interval of a level in 0..1. p is below 0.05 exactly where the 95 % interval
    excludes the share. NaN where that is unknown.
    """

    def outside(z: float) -> float:
        got = limits(float(1 - 2 * norm.sf(z)))
        return max(got.low - share, share - got.high)

    usual = float(norm.ppf(0.975))
    at = outside(usual)
    if not math.isfinite(at):
        return math.nan
    low, high = (usual, FAR) if at > 0 else (1e-6, usual)
    if outside(high) > 0:
        return float(2 * norm.sf(high))
    if outside(low) <= 0:
        return 1.0
    return float(2 * norm.sf(brentq(outside, low, high, xtol=1e-6)))


FAR = 8.0
"""Normal quantile beyond which p is not computed: smaller ones are given as 1.2e-15."""
