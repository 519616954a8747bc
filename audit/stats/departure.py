"""Distance of counts from a declared distribution, with the score of a faithful model."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import rel_entr, xlogy


def _tv(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    return np.asarray(np.abs(p - q).sum(-1) / 2)


def _js(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    middle = (p + q) / 2
    return np.asarray((rel_entr(p, middle) + rel_entr(q, middle)).sum(-1) / 2 / math.log(2))


def _kl(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    return np.asarray(rel_entr(p, q).sum(-1) / math.log(2))


def _unevenness(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    return np.asarray(1 + xlogy(p, p).sum(-1) / math.log(p.shape[-1]))


def _mad(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    return np.asarray(np.abs(p - q).mean(-1))


def _gap(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    return np.asarray(np.abs(p - q).max(-1))


DISTANCES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "total variation": _tv,
    "Jensen-Shannon": _js,
    "Kullback-Leibler": _kl,
    "unevenness": _unevenness,
    "mean absolute difference": _mad,
    "largest gap": _gap,
}
"""float[..., K] shares and float[K] reference to float[...]: half the L1 norm, 0..1; divergences in
bits; 1 - H / log K whatever the reference, 0 even and 1 all of one class (as OpenBias' intensity);
mean |p - q| (DALL-Eval's MAD where q is even); max |p - q|."""


@dataclass(frozen=True)
class Departure:
    """A distance from a reference, and its value under noise alone at this n."""

    estimate: float
    """Distance of the counts as they are."""
    corrected: float
    """The same less the bias estimated by resampling, not below 0."""
    low: float
    high: float
    """95 % limits of the true distance, from the corrected side."""
    floor: float
    """Mean score of a model that draws exactly from the reference, at this n."""
    floor_high: float
    """The value that such a model exceeds in 5 % of runs."""
    p: float
    """Chance that such a model scores at least the estimate; never 0."""


LIKELY = 3.841458820694124
"""95 % point of chi-square with one degree of freedom: the distance is one number."""
NOTHING = Departure(*[math.nan] * 7)


def departure(  # noqa: PLR0913 - two distributions, their distance, and what is uncertain in it
    counts: np.ndarray, reference: np.ndarray, name: str, rng: np.random.Generator,
    draws: int = 4000, faithful: np.ndarray | None = None, unsure: float = 0.0,
) -> Departure:  # fmt: skip
    """Distance of counts float[K] from shares float[K] by a name of DISTANCES.

    `faithful` float[m, K] are shares that are read of models which draw the reference; by default
    they are multinomial draws of it. `unsure`, at least 0, is how far the reference itself may lie
    from where it is said to be (95 %), in the unit of the distance: it moves the limits outwards.

    The class list is fixed: classes that do not occur count as 0. Floor and p come from the
    faithful models (p by Phipson & Smyth 2010, eq. 2), the bias from draws of the counts' own
    shares. Limits are the smallest and the largest distance of all shares that the counts do
    not rule out, 2 sum c log(p_seen / p) <= 3.84 (profile likelihood, Venzon & Moolgavkar 1988,
    Appl Stat 37:87), and 0 below where p >= 0.025; not percentiles of resampled distances, which a
    distance's own bias shifts away from the truth. Fractional (thinned) counts are allowed.
    Everything is NaN for no counts or an unknown reference. Raises ValueError for shapes that
    differ and shares that do not sum to 1.
    """
    n = round(float(counts.sum()))
    if counts.shape != reference.shape:
        raise ValueError(f"Shapes differ: counts {counts.shape}, shares {reference.shape}.")
    if n == 0 or not np.isfinite(reference).all():
        return NOTHING
    if abs(reference.sum() - 1) > 1e-6:
        raise ValueError(f"Shares sum to {reference.sum():.6f}, not 1.")
    measure = DISTANCES[name]
    seen = counts / counts.sum()
    estimate = float(measure(seen, reference))
    if faithful is None:
        faithful = rng.multinomial(n, reference, draws) / n
    fair = measure(faithful, reference)
    again = measure(rng.multinomial(n, seen, draws) / n, reference)
    corrected = estimate - (float(again.mean()) - estimate)
    low, high = _range(counts, reference, measure)
    low = max(estimate - math.hypot(estimate - low, unsure), 0.0)
    high = estimate + math.hypot(high - estimate, unsure)
    hits = int((fair >= estimate - 1e-12).sum())
    p = (1 + hits) / (len(fair) + 1)
    return Departure(
        estimate, max(corrected, 0.0), 0.0 if p >= 0.025 else low, high, float(fair.mean()),
        float(np.quantile(fair, 0.95)), p,
    )  # fmt: skip


def _range(
    counts: np.ndarray, reference: np.ndarray,
    measure: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> tuple[float, float]:  # fmt: skip
    """Smallest and largest distance over the shares inside the likelihood region.

    Sought along the directions in which likelihood is cheapest for a change: p (a - mean of a) for
    a linear functional a (the efficient influence direction), with a every set of classes and the
    distance's own gradient, both ways, and straight towards the reference.
    """
    seen, k = counts / counts.sum(), len(counts)
    open_ = (counts + 0.5) / (counts + 0.5).sum()
    open_ = np.where((reference == 0) & (counts == 0), 0, open_)  # such a class has infinite cost
    sets = (np.arange(1, 2 ** min(k, 12) - 1)[:, None] >> np.arange(k)) & 1
    step = 1e-5
    bumped = seen + step * (np.eye(k) - seen)
    gradient = (measure(bumped, reference) - measure(seen, reference)) / step
    wanted = np.vstack([sets, gradient[None]]).astype(float)
    wanted = wanted[np.isfinite(wanted).all(1)]
    ways = open_ * (wanted - (wanted * open_).sum(1, keepdims=True))
    ways = np.vstack([ways, -ways, reference - seen])
    ways = ways[np.abs(ways).max(1) > 1e-9]
    ways = ways / np.abs(ways).sum(1, keepdims=True)
    reach = _reach(counts, seen, ways)
    points = seen + reach[:, None, None] * np.linspace(0, 1, 25)[None, :, None] * ways[:, None]
    found = measure(np.clip(points, 0, 1), reference)
    found = found[np.isfinite(found)]
    return float(found.min(initial=np.inf)), float(found.max(initial=-np.inf))


def _reach(counts: np.ndarray, seen: np.ndarray, ways: np.ndarray) -> np.ndarray:
    """How far to go each way before the deviance passes 3.84 or a share falls below 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        limit = np.where(ways < 0, -seen / ways, np.inf).min(1)
    near, far = np.zeros(len(ways)), np.minimum(limit, 2.0)
    for _ in range(30):
        middle = (near + far) / 2
        p = np.clip(seen + middle[:, None] * ways, 0, None)
        deviance = 2 * rel_entr(counts, p * counts.sum()).sum(1)
        inside = deviance <= LIKELY
        near, far = np.where(inside, middle, near), np.where(inside, far, middle)
    return near
