"""Shares corrected for a classifier's errors, whose uncertainty is carried through."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls
from scipy.stats import norm

from audit.stats.interval import UNKNOWN, Interval


@dataclass(frozen=True)
class Confusion:
    """Validation counts int[K, K]: rows true class, columns predicted, class list fixed before."""

    counts: np.ndarray


def rogan_gladen(q: float, sensitivity: float, specificity: float) -> float:
    """True share behind an observed share q, clipped to 0..1 (Rogan & Gladen 1978).

    NaN where sensitivity + specificity is 1: such a classifier says nothing.
    """
    youden = sensitivity + specificity - 1
    if youden <= 0:
        return math.nan
    return float(np.clip((q + specificity - 1) / youden, 0, 1))


def lang_reiczigel(
    k: int, n: int, sens_k: int, sens_n: int, spec_k: int, spec_n: int, level: float = 0.95
) -> Interval:
    """Two-class share with estimated sensitivity and specificity (Lang & Reiczigel 2014, sec. 2.3).

    `k` of `n` images are read as the class; of `sens_n` validation images of it `sens_k` are read
    rightly, of `spec_n` others `spec_k`. The estimate is Rogan and Gladen's, the limits are theirs:
    adjusted counts, delta-method variance and a shift. Unknown for no data or a useless classifier.
    """
    if 0 in (n, sens_n, spec_n) or sens_k / sens_n + spec_k / spec_n <= 1:
        return UNKNOWN
    z = float(norm.ppf((1 + level) / 2))
    q, q_n = (k + z**2 / 2) / (n + z**2), n + z**2
    se, se_n = (sens_k + 1) / (sens_n + 2), sens_n + 2
    sp, sp_n = (spec_k + 1) / (spec_n + 2), spec_n + 2
    p = (q + sp - 1) / (se + sp - 1)
    se_var, sp_var = se * (1 - se) / se_n, sp * (1 - sp) / sp_n
    error = math.sqrt(q * (1 - q) / q_n + p**2 * se_var + (1 - p) ** 2 * sp_var) / (se + sp - 1)
    shift = 2 * z**2 * (p * se_var - (1 - p) * sp_var)
    low, high = (float(np.clip(p + shift + s * z * error, 0, 1)) for s in (-1, 1))
    estimate = rogan_gladen(k / n, sens_k / sens_n, spec_k / spec_n)
    return Interval(estimate, min(low, estimate), max(high, estimate))


def _solve(rates: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Shares p >= 0 that sum to 1 with rates.T @ p nearest to the observed shares."""
    weight = 1e3  # holds the sum at 1 against rounding
    a = np.vstack([rates.T, weight * np.ones(len(observed))])
    p, _ = nnls(a, np.append(observed, weight))
    return np.asarray(p / p.sum()) if p.sum() > 0 else np.full(len(observed), math.nan)


def corrected_shares(
    counts: np.ndarray, confusion: Confusion, rng: np.random.Generator,
    draws: int = 1000, level: float = 0.95,
) -> list[Interval]:  # fmt: skip
    """K-class shares p with C^T p = q (Forman 2008), each with an interval.

    Estimate: least squares on the simplex at the observed rates. Limits: quantiles over joint
    draws of the rows of C and of q from Dirichlet posteriors with 1/2 added to every count, each
    solved in the same way; the interval always contains the estimate. Unknown for no images or a
    class without validation images.
    """
    rows = confusion.counts.sum(1)
    n = counts.sum()
    if n == 0 or (rows == 0).any():
        return [UNKNOWN] * len(counts)
    estimate = _solve(confusion.counts / rows[:, None], counts / n)
    observed = rng.dirichlet(counts + 0.5, draws)
    rates = np.stack([rng.dirichlet(row + 0.5, draws) for row in confusion.counts], axis=1)
    shares = np.stack([_solve(c, q) for c, q in zip(rates, observed, strict=True)])
    low, high = np.quantile(shares, ((1 - level) / 2, (1 + level) / 2), axis=0)
    return [
        Interval(float(e), float(min(a, e)), float(max(b, e)))
        for e, a, b in zip(estimate, low, high, strict=True)
    ]
