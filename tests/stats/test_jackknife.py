"""Limits by leaving groups out: Student's where they must be, and unknown for one cluster."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t

from audit.stats.jackknife import BLOCKS, jackknife


@settings(max_examples=25, deadline=None)
@given(st.integers(3, 30), st.integers(0, 999))
def test_jackknife_of_a_mean_is_the_t_interval(n: int, seed: int) -> None:
    """One value per cluster and at most 20 of them: Student's, to the digit."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    got = jackknife(lambda keep: float(x[keep].mean()), np.arange(n), rng)
    if n <= BLOCKS:
        reach = t.ppf(0.975, n - 1) * x.std(ddof=1) / math.sqrt(n)
        assert got.high - got.estimate == pytest.approx(reach)
    assert got.low < x.mean() == got.estimate < got.high


def test_one_cluster_has_no_limits() -> None:
    """The estimate remains; nothing is known of its spread."""
    got = jackknife(lambda keep: float(len(keep)), np.zeros(4, int), np.random.default_rng(0))
    assert got.estimate == 4
    assert math.isnan(got.low)
    assert math.isnan(got.high)
