"""Means over training runs: a closed form, and limits that hold for other subjects."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import t as student

from audit.stats.nested import nested_mean
from tests.sizes import at_least, draws

GROUPS = np.repeat(np.arange(4), 3)


def test_runs_of_one_subject_are_a_plain_t_interval() -> None:
    """Nothing is known of other subjects, so nothing is widened."""
    values = np.array([0.1, 0.4, 0.2, 0.3, 0.5])
    found = nested_mean(values, np.zeros(5, int))
    reach = student.ppf(0.975, 4) * values.std(ddof=1) / math.sqrt(5)
    assert (found.low, found.high) == pytest.approx((0.3 - reach, 0.3 + reach))


def test_runs_that_only_repeat_their_subject_count_as_subjects() -> None:
    """At a correlation of 1 the limits are those of one value per subject."""
    means = np.array([0.1, 0.5, 0.2, 0.9])
    found = nested_mean(means[GROUPS], GROUPS)
    reach = student.ppf(0.975, 3) * means.std(ddof=1) / 2
    assert found.estimate == pytest.approx(means.mean())
    assert found.high - found.estimate == pytest.approx(reach)


def test_few_runs_have_no_limits_and_equal_shares_have_some() -> None:
    """Twelve trainings without an event do not exclude it."""
    assert math.isnan(nested_mean(np.ones(4), GROUPS[:4]).low)
    none = nested_mean(np.zeros(12), GROUPS, shares=True)
    assert none.low < 0 < none.high


@pytest.mark.parametrize("alike", [0.0, 0.4, 0.8])
@draws(200, 4000)
def test_limits_hold_for_other_subjects(alike: float, runs: int) -> None:
    """Nine in ten at least of what is called 95 %, with four subjects of three runs each."""
    rng = np.random.default_rng(5)
    hits = 0
    for _ in range(runs):
        subject = rng.normal(size=4)[GROUPS] * math.sqrt(alike)
        found = nested_mean(subject + rng.normal(size=12) * math.sqrt(1 - alike), GROUPS)
        hits += found.low <= 0 <= found.high
    assert at_least(hits, runs, 0.9)
