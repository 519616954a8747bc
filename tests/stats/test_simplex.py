"""Least squares on the simplex against a library's, problem by problem."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize, nnls

from audit.stats.simplex import nearest_shares


def problems(k: int, m: int, sharp: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rates and observed shares, most of which no shares explain exactly."""
    rng = np.random.default_rng(seed)
    rates = np.stack(
        [rng.dirichlet(np.full(k, 0.3) + sharp * np.eye(k)[i], m) for i in range(k)], axis=1
    )
    return rates, rng.dirichlet(np.full(k, 0.3), m)


def by_library(rates: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Non-negative least squares with the sum as a heavy equation."""
    a = np.vstack([rates.T, 1e4 * np.ones(len(observed))])
    p = nnls(a, np.append(observed, 1e4))[0]
    return np.asarray(p / p.sum())


@pytest.mark.parametrize("k", [2, 3, 5, 9])
@pytest.mark.parametrize("sharp", [0.5, 3.0, 30.0])
def test_all_at_once_is_what_a_library_finds_one_by_one(k: int, sharp: float) -> None:
    """Shares are valid, and no farther from the observed ones than non-negative least squares'."""
    rates, observed = problems(k, 300, sharp, 7 * k)
    found = nearest_shares(rates, observed)
    assert (found >= 0).all()
    assert found.sum(1) == pytest.approx(1)
    wanted = np.stack([by_library(r, o) for r, o in zip(rates, observed, strict=True)])

    def far(p: np.ndarray) -> np.ndarray:
        return ((np.einsum("mij,mi->mj", rates, p) - observed) ** 2).sum(1)

    assert (far(found) <= far(wanted) + 1e-7).all()
    known = np.abs(np.linalg.det(rates)) > 1e-3
    assert np.abs(found - wanted)[known].max(initial=0) < 2e-3


def test_it_is_the_minimum_on_the_simplex() -> None:
    """Against a general optimiser with the constraints spelled out."""
    rates, observed = problems(4, 12, 2.0, 3)
    found = nearest_shares(rates, observed)
    for r, o, p in zip(rates, observed, found, strict=True):
        best = minimize(
            lambda x, r=r, o=o: ((r.T @ x - o) ** 2).sum(), np.full(4, 0.25), bounds=[(0, 1)] * 4,
            constraints={"type": "eq", "fun": lambda x: x.sum() - 1},
            options={"ftol": 1e-14, "maxiter": 500},
        )  # fmt: skip
        assert ((r.T @ p - o) ** 2).sum() <= best.fun + 1e-9


def test_rates_that_tell_nothing_apart_still_give_shares() -> None:
    """Two classes that are read alike: any split of them fits, and one is given."""
    rates = np.array([[[0.8, 0.2, 0.0], [0.8, 0.2, 0.0], [0.0, 0.0, 1.0]]])
    (p,) = nearest_shares(rates, np.array([[0.4, 0.1, 0.5]]))
    assert p[2] == pytest.approx(0.5, abs=1e-6)
    assert p.sum() == pytest.approx(1)


def test_no_problems_no_shares() -> None:
    """An empty batch comes back empty."""
    assert nearest_shares(np.zeros((0, 3, 3)), np.zeros((0, 3))).shape == (0, 3)
