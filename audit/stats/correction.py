"""Shares corrected for a classifier's errors, with the uncertainty of these propagated."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls
from scipy.stats import norm

from audit.stats.interval import UNKNOWN, Interval


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


def _on_simplex(rates: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Shares p >= 0 that sum to 1 with rates.T @ p nearest to the observed shares, float[K]."""
    weight = 1e3  # keeps the sum at 1 despite rounding
    a = np.vstack([rates.T, weight * np.ones(len(observed))])
    p, _ = nnls(a, np.append(observed, weight))
    return np.asarray(p / p.sum())


def _solve(rates: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Shares p float[m, K] for rates float[m, K, K] and observed shares float[m, K].

    Where the inverse gives valid shares it is used; the rest are projected on the simplex one by
    one.
    """
    shares = np.linalg.solve(rates.transpose(0, 2, 1), observed[..., None])[..., 0]
    for i in np.flatnonzero((shares < 0).any(1)):
        shares[i] = _on_simplex(rates[i], observed[i])
    return shares


def corrected_shares(
    counts: np.ndarray, confusion: Confusion, rng: np.random.Generator,
    draws: int = 4000, level: float = 0.95,
) -> list[Interval]:  # fmt: skip
    """K-class shares p from C^T p = q (Forman 2008, DMKD 17:164), each with an interval.

    `counts` int[K] of predicted classes; C are the confusion's row rates, q the observed shares.
    Estimate: C^-1 q at the plain rates, projected on the simplex (least squares of C^T p - q over
    non-negative p that sum to 1) where it leaves it. Limits: quantiles over joint draws of the rows
    of C and of q from Dirichlet posteriors with 1/2 added to every count, solved and projected in
    the same way; the interval always contains the estimate. Unknown for no images or a class
    without validation images. Raises ValueError where counts and confusion differ in K.
    """
    if len(counts) != len(confusion.counts):
        raise ValueError(f"{len(counts)} counts do not fit {len(confusion.counts)} classes.")
    rows, n = confusion.counts.sum(1), counts.sum()
    if n == 0 or (rows == 0).any():
        return [UNKNOWN] * len(counts)
    estimate = _on_simplex(confusion.counts / rows[:, None], counts / n)
    observed = rng.dirichlet(counts + 0.5, draws)
    rates = np.stack([rng.dirichlet(row + 0.5, draws) for row in confusion.counts], axis=1)
    low, high = np.quantile(_solve(rates, observed), ((1 - level) / 2, (1 + level) / 2), axis=0)
    return [
        Interval(float(e), float(min(a, e)), float(max(b, e)))
        for e, a, b in zip(estimate, low, high, strict=True)
    ]
