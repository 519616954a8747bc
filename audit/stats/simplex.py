"""Least squares on the simplex: shares that are at least 0, sum to 1, and explain others best."""

from __future__ import annotations

import numpy as np
from scipy.optimize import nnls

AT_ONCE = 8
"""Exchanges of all wrong signs at once, before one at a time."""
LIMIT = 60
TINY = 1e-12
FIRM = 1e-4
"""Determinant of the rates from which normal equations are exact enough."""


def nearest_shares(rates: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Shares p float[m, K], p >= 0 with sum 1, that bring rates.T @ p nearest to observed.

    `rates` is float[m, K, K], `observed` float[m, K]. All problems are solved side by side, by
    block principal pivoting (Kim & Park 2011, SIAM J. Sci. Comput. 33:3261, algorithm 1) on the
    conditions of Karush, Kuhn and Tucker; those that are nearly singular, one by one (`nnls`).
    """
    shares = np.full(observed.shape, np.nan)
    firm = np.abs(np.linalg.det(rates)) > FIRM
    shares[firm] = _pivoted(rates[firm], observed[firm])
    for i in np.flatnonzero(np.isnan(shares).any(1)):
        shares[i] = _one(rates[i], observed[i])
    return shares


def _one(rates: np.ndarray, observed: np.ndarray) -> np.ndarray:
    weight = 1e3  # keeps the sum at 1 despite rounding
    a = np.vstack([rates.T, weight * np.ones(len(observed))])
    p, _ = nnls(a, np.append(observed, weight))
    return np.asarray(p / p.sum())


def _pivoted(rates: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """The same for rates that are well conditioned; NaN where LIMIT exchanges do not end it."""
    gram = rates @ rates.transpose(0, 2, 1)
    aim = (rates @ observed[..., None])[..., 0]
    shares, open_ = np.full(observed.shape, np.nan), np.arange(len(observed))
    inside = np.ones(observed.shape, bool)
    for turn in range(LIMIT):
        p, slack = _equations(gram[open_], aim[open_], inside[open_])
        wrong = np.where(inside[open_], p, slack) < -TINY
        done = ~wrong.any(1)
        shares[open_[done]] = np.maximum(p[done], 0)
        open_, p, wrong = open_[~done], p[~done], wrong[~done]
        if not len(open_):
            break
        if turn >= AT_ONCE:  # the last of them alone: this ends, whatever the problem (Murty 1974)
            last = wrong.shape[1] - 1 - wrong[:, ::-1].argmax(1)
            wrong = np.arange(wrong.shape[1]) == last[:, None]
        after = inside[open_] ^ wrong
        empty = ~after.any(1)
        after[empty, p[empty].argmax(1)] = True
        inside[open_] = after
    return np.asarray(shares / shares.sum(1, keepdims=True))


def _equations(
    gram: np.ndarray, aim: np.ndarray, inside: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Shares with the best fit that are 0 outside of a support bool[m, K], and the slack there."""
    m, k = aim.shape
    system = np.zeros((m, k + 1, k + 1))
    system[:, :k, :k] = gram * (inside[:, :, None] & inside[:, None, :])
    system[:, range(k), range(k)] += ~inside
    system[:, :k, k] = system[:, k, :k] = inside
    right = np.concatenate([aim * inside, np.ones((m, 1))], axis=1)
    found = np.linalg.solve(system, right[..., None])[..., 0]
    p, price = found[:, :k], found[:, k:]
    return p, (gram @ p[..., None])[..., 0] - aim + price
