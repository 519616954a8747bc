"""Amplification has the sign and size of its definition, and its limits cover."""

from __future__ import annotations

import math

import numpy as np
import pytest
from statsmodels.stats.proportion import confint_proportions_2indep

from audit.stats.amplification import difference, towards_majority
from audit.stats.interval import UNKNOWN, Interval
from audit.stats.proportions import wilson


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_differences_of_wilson_shares_are_newcombe_s(seed: int) -> None:
    """For two plain shares MOVER is Newcombe's interval, as statsmodels computes it."""
    rng = np.random.default_rng(seed)
    n1, n2 = (int(n) for n in rng.integers(20, 200, 2))
    k1, k2 = int(rng.integers(0, n1 + 1)), int(rng.integers(0, n2 + 1))
    ours = difference(wilson(k1, n1), wilson(k2, n2))
    theirs = confint_proportions_2indep(k1, n1, k2, n2, method="newcomb", compare="diff")
    assert (ours.low, ours.high) == pytest.approx(theirs, abs=1e-9)


@pytest.mark.parametrize(
    ("model", "training", "amplified"),
    [(0.02, 0.1, 0.08), (0.2, 0.1, -0.1), (0.99, 0.9, 0.09), (0.7, 0.9, -0.2), (0.9, 0.1, -0.8)],
)
def test_the_sign_is_the_majority_s(model: float, training: float, amplified: float) -> None:
    """Further towards the training majority is positive, whichever class that is."""
    found = towards_majority(
        Interval(model, model - 0.01, model + 0.01), Interval(training, training, training)
    )
    assert found.estimate == pytest.approx(amplified)
    assert found.low < found.estimate < found.high


def test_limits_cover_the_planted_amplification() -> None:
    """A model at 4 % that learned from 12 %: about 95 % of intervals hold the 8 points."""
    rng = np.random.default_rng(7)
    held = []
    for _ in range(1500):
        model, training = (
            wilson(int(rng.binomial(120, 0.04)), 120),
            wilson(int(rng.binomial(200, 0.12)), 200),
        )
        found = towards_majority(model, training)
        held.append(found.low <= 0.08 <= found.high)
    assert np.mean(held) >= 0.93


def test_without_information_it_is_unknown() -> None:
    """No images on either side, or a training share of exactly one half."""
    half = Interval(0.5, 0.4, 0.6)
    assert math.isnan(difference(UNKNOWN, half).estimate)
    assert math.isnan(towards_majority(half, UNKNOWN).low)
    assert math.isnan(towards_majority(Interval(0.2, 0.1, 0.3), half).estimate)
