"""Shares corrected for a classifier's errors, with the uncertainty of these propagated."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from audit.stats.interval import UNKNOWN, Interval
from audit.stats.proportions import plain_shares
from audit.stats.simplex import nearest_shares


@dataclass(frozen=True)
class Confusion:
    """Validation counts int[K, K]: rows true class, columns predicted, class list fixed beforehand.

    Raises ValueError where the counts are not square or one is negative.
    """

    counts: np.ndarray

    def __post_init__(self) -> None:
        shape = self.counts.shape
        if len(shape) != 2 or shape[0] != shape[1] or (self.counts < 0).any():
            raise ValueError(f"Confusion counts must be square and at least 0, not {shape}.")


def rogan_gladen(q: float, sensitivity: float, specificity: float) -> float:
    """True share behind an observed share q, clipped to 0..1 (Rogan & Gladen 1978, AJE 107:71).

    NaN where sensitivity + specificity is at most 1: such a classifier is uninformative.
    """
    youden = sensitivity + specificity - 1
    if youden <= 0:
        return math.nan
    return float(np.clip((q + specificity - 1) / youden, 0, 1))


def lang_reiczigel(  # noqa: PLR0913 - three counts with their totals, and a level
    k: float, n: float, sens_k: float, sens_n: float, spec_k: float, spec_n: float,
    level: float = 0.95,
) -> Interval:  # fmt: skip
    """Two-class share with estimated error rates (Lang & Reiczigel 2014, PVM 113:13).

    `k` of `n` images are read as the class; of `sens_n` validation images of it `sens_k` are read
    correctly, of `spec_n` others `spec_k`. Estimate: Rogan and Gladen's, clipped. Limits (their
    equations 4, 6, 7, 16 and 17): adjusted counts, delta-method variance and a shift, clipped to
    0..1 and widened to contain the estimate. Unknown for no data, or where sensitivity +
    specificity, raw or adjusted, is at most 1: such a classifier may be uninformative. Counts may
    be fractional, where images are weighted or thinned to an effective sample size.
    """
    if 0 in (n, sens_n, spec_n) or sens_k / sens_n + spec_k / spec_n <= 1:
        return UNKNOWN
    z = float(norm.ppf((1 + level) / 2))
    q, q_n = (k + z**2 / 2) / (n + z**2), n + z**2
    se, se_n = (sens_k + 1) / (sens_n + 2), sens_n + 2
    sp, sp_n = (spec_k + 1) / (spec_n + 2), spec_n + 2
    if se + sp <= 1:
        return UNKNOWN
    p = (q + sp - 1) / (se + sp - 1)
    se_var, sp_var = se * (1 - se) / se_n, sp * (1 - sp) / sp_n
    error = math.sqrt(q * (1 - q) / q_n + p**2 * se_var + (1 - p) ** 2 * sp_var) / (se + sp - 1)
    shift = 2 * z**2 * (p * se_var - (1 - p) * sp_var)
    low, high = (float(np.clip(p + shift + s * z * error, 0, 1)) for s in (-1, 1))
    estimate = rogan_gladen(k / n, sens_k / sens_n, spec_k / spec_n)
    return Interval(estimate, min(low, estimate), max(high, estimate))


def _solve(rates: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Shares p float[m, K] for rates float[m, K, K] and observed shares float[m, K].

    Where the inverse exists and gives valid shares it is used; the rest are projected on the
    simplex.
    """
    firm = np.abs(np.linalg.det(rates)) > SINGULAR
    invertible = np.where(firm[:, None, None], rates, np.eye(rates.shape[1]))
    shares = np.linalg.solve(invertible.transpose(0, 2, 1), observed[..., None])[..., 0]
    outside = ~firm | (shares < 0).any(1)
    shares[outside] = nearest_shares(rates[outside], observed[outside])
    return shares


def behind(table: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """True shares float[m, K] behind observed ones float[m, K], by validation counts float[K, K].

    The estimates of `lang_reiczigel` for two classes, and of `corrected_shares` for more.
    """
    rates = table / table.sum(1, keepdims=True)
    if len(rates) > 2:
        return _solve(np.broadcast_to(rates, (len(observed), *rates.shape)), observed)
    youden = rates[0, 0] + rates[1, 1] - 1
    if youden <= 0:
        return np.full(observed.shape, math.nan)
    first = np.clip((observed[:, 0] - rates[1, 0]) / youden, 0, 1)
    return np.stack([first, 1 - first], axis=1)


SINGULAR = 1e-9
"""Determinant of row rates below which classes cannot be told apart."""
PRIORS = (0.02, 0.5)
"""Weights of an error that validation images did not show: near 0 it does not exist, so all images
that were read as a rare class are of it; at 1/2 it may explain all of them."""


def redrawn(table: np.ndarray, rng: np.random.Generator, draws: int, prior: float) -> np.ndarray:
    """Rates float[draws, K, K] that validation counts float[K, K] do not rule out.

    Each row from its Dirichlet posterior, `prior` above 0 added to every count.
    """
    return np.stack([rng.dirichlet(row + prior, draws) for row in table], axis=1)


def corrected_shares(
    counts: np.ndarray, confusion: Confusion, rng: np.random.Generator,
    draws: int = 4000, level: float = 0.95,
) -> list[Interval]:  # fmt: skip
    """K-class shares p from C^T p = q (Forman 2008, DMKD 17:164), with simultaneous intervals.

    `counts` int[K] of predicted classes; C are the confusion's row rates, q the observed shares.
    Estimate: C^-1 q at the plain rates, projected on the simplex (least squares of C^T p - q over
    non-negative p that sum to 1) where it leaves it. Limits hold for all classes at once, as do
    those of `plain_shares`: quantiles at 1 - (1 - level) / K (Bonferroni) over joint draws of the
    rows of C and of q from Dirichlet posteriors, solved and projected in the same way. Validation
    images hardly tell whether a common class is sometimes read as a rare one, so the interval
    covers two answers, that it never is and that half an image more would have shown it (PRIORS).
    Correction adds uncertainty: an interval that came out narrower than the uncorrected one
    is extended towards it to the same width. It always contains the estimate. Unknown for no images
    or a class without validation images. Raises ValueError where counts and confusion differ in K.
    """
    if len(counts) != len(confusion.counts):
        raise ValueError(f"{len(counts)} counts do not fit {len(confusion.counts)} classes.")
    rows, n, k = confusion.counts.sum(1), counts.sum(), len(counts)
    if n == 0 or (rows == 0).any():
        return [UNKNOWN] * k
    plainly = (confusion.counts / rows[:, None])[None]
    estimate = nearest_shares(plainly, (counts / n)[None])[0]
    tail = (1 - level) / 2 / (k if k > 2 else 1)
    each = max(draws // len(PRIORS), 1)
    limits = [
        np.quantile(
            _solve(redrawn(confusion.counts, rng, each, p), rng.dirichlet(counts + 0.5, each)),
            (tail, 1 - tail), axis=0,
        )
        for p in PRIORS
    ]  # fmt: skip
    low = np.minimum(np.min([low for low, _ in limits], axis=0), estimate)
    high = np.maximum(np.max([high for _, high in limits], axis=0), estimate)
    plain = plain_shares(counts, level)
    return [_as_wide(Interval(*map(float, i)), p)
            for *i, p in zip(estimate, low, high, plain, strict=True)]  # fmt: skip


def _as_wide(corrected: Interval, plain: Interval) -> Interval:
    """A corrected interval extended, towards the uncorrected one first, until it is as wide."""
    width, low, high = plain.high - plain.low, corrected.low, corrected.high
    if high - low >= width:
        return corrected
    if plain.low + plain.high > low + high:
        high = min(low + width, 1.0)
        return Interval(corrected.estimate, min(low, high - width), high)
    low = max(high - width, 0.0)
    return Interval(corrected.estimate, low, max(high, low + width))
