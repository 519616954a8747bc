"""Expectation maximisation against a numerical optimum, planted shares and quapy."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import norm

from audit.stats.correction import Confusion, corrected_shares
from audit.stats.em import saerens_em

MEANS = np.array([-1.5, 0.0, 1.8])


def looks(
    rng: np.random.Generator, shares: np.ndarray, prior: np.ndarray, n: int
) -> tuple[np.ndarray, np.ndarray]:
    """Classes int[n] drawn from `shares`, and exact probabilities float[n, K] under `prior`."""
    truth = rng.choice(len(shares), n, p=shares)
    x = rng.normal(MEANS[truth])
    joint = prior * norm.pdf(x[:, None], MEANS)
    return truth, joint / joint.sum(1, keepdims=True)


@pytest.mark.parametrize("seed", range(5))
def test_it_finds_the_largest_likelihood(seed: int) -> None:
    """The shares that a general optimiser finds, and no likelihood is larger nearby."""
    rng = np.random.default_rng(seed)
    prior, shares = rng.dirichlet(np.full(3, 5.0)), rng.dirichlet(np.full(3, 2.0))
    _, p = looks(rng, shares, prior, 300)

    def loss(q: np.ndarray) -> float:
        return -float(np.log((p * (np.clip(q, 0, 1) / prior)).sum(1)).mean())

    got = saerens_em(p, prior)
    best = minimize(
        loss, np.full(3, 1 / 3), method="SLSQP", bounds=[(0, 1)] * 3, options={"ftol": 1e-14},
        constraints={"type": "eq", "fun": lambda q: q.sum() - 1},
    )  # fmt: skip
    assert got.converged
    np.testing.assert_allclose(got.shares, best.x, atol=2e-3)
    assert loss(got.shares) <= loss(best.x) + 1e-8
    np.testing.assert_allclose(got.posteriors.sum(1), 1)
    np.testing.assert_allclose(got.posteriors.mean(0), got.shares, atol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_it_recovers_planted_shares_that_counting_misses(seed: int) -> None:
    """20,000 images of shares unlike the training set's: EM is near, the counts are not."""
    rng = np.random.default_rng(100 + seed)
    shares = np.array([0.9, 0.07, 0.03])
    truth, p = looks(rng, shares, np.full(3, 1 / 3), 20_000)
    got = saerens_em(p, np.full(3, 1 / 3))
    real = np.bincount(truth, minlength=3) / 20_000
    np.testing.assert_allclose(got.shares, real, atol=0.015)
    assert np.abs(np.bincount(p.argmax(1), minlength=3) / 20_000 - real).max() > 0.08
    known = looks(rng, shares, shares, 20_000)[1]
    assert saerens_em(known, shares).shares == pytest.approx(known.mean(0), abs=0.02)


def test_certain_probabilities_are_counted() -> None:
    """Where every image is certain, shares are counts, whatever the training set was."""
    p = np.eye(3)[[0, 0, 0, 1, 2]]
    got = saerens_em(p, np.array([0.2, 0.3, 0.5]))
    assert got.shares == pytest.approx([0.6, 0.2, 0.2])
    assert got.converged


def test_one_round_is_the_papers_equation() -> None:
    """New probabilities are old ones times new over old priors, made to sum to 1."""
    p, prior = np.array([[0.8, 0.2], [0.3, 0.7]]), np.array([0.5, 0.5])
    got = saerens_em(p, prior, most=2)
    q = p.mean(0)
    by_hand = p * (q / prior) / (p * (q / prior)).sum(1, keepdims=True)
    np.testing.assert_allclose(got.posteriors, by_hand)
    assert (got.rounds, got.converged) == (2, False)


@pytest.mark.parametrize("seed", range(4))
def test_quapy_finds_the_same_shares(seed: int) -> None:
    """quapy's EM stops earlier, but in the same place."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from quapy.method.aggregative import EMQ as theirs
    rng = np.random.default_rng(seed)
    prior, shares = rng.dirichlet(np.full(3, 5.0)), rng.dirichlet(np.full(3, 5.0))
    _, p = looks(rng, shares, prior, 500)
    found, after = theirs.EM(prior, p, epsilon=1e-10)
    got = saerens_em(p, prior)
    np.testing.assert_allclose(got.shares, found, atol=1e-5)
    np.testing.assert_allclose(got.posteriors, after, atol=1e-4)


@pytest.mark.parametrize("seed", range(4))
def test_quapy_adjusts_counts_to_the_same_shares(seed: int) -> None:
    """Its inversion, and its minimiser on the simplex where the inverse leaves it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from quapy.method.aggregative import AdjustedClassifyAndCount as adjust
    rng = np.random.default_rng(seed)
    table = rng.integers(1, 12, (3, 3)) + 40 * np.eye(3, dtype=int)
    rates = table / table.sum(1, keepdims=True)
    for counts in (rng.multinomial(300, rng.dirichlet(np.full(3, 9.0)) @ rates), [290, 9, 1]):
        q = np.array(counts)
        got = np.array([i.estimate for i in corrected_shares(q, Confusion(table), rng, 10)])
        exact = np.linalg.solve(rates.T, q / 300)
        solver = "exact-raise" if (exact >= 0).all() else "minimize"
        theirs = adjust.solve_adjustment(rates.T, q / 300, "inversion", solver)
        np.testing.assert_allclose(got, theirs, atol=1e-8 if solver == "exact-raise" else 2e-3)


def test_nothing_seen_is_unknown_and_nonsense_is_refused() -> None:
    """No images give NaN; rows, priors and shapes must be probabilities that fit."""
    prior = np.array([0.5, 0.5])
    got = saerens_em(np.empty((0, 2)), prior)
    assert np.isnan(got.shares).all()
    assert not got.converged
    with pytest.raises(ValueError, match="do not fit"):
        saerens_em(np.ones((3, 3)) / 3, prior)
    for p, q in (
        ([[0.4, 0.4]], prior), ([[np.nan, 1.0]], prior), ([[1.4, -0.4]], prior),
        ([[0.5, 0.5]], [1.0, 0.0]), ([[0.5, 0.5]], [0.6, 0.6]),
    ):  # fmt: skip
        with pytest.raises(ValueError, match="sum to 1"):
            saerens_em(np.array(p), np.array(q))
