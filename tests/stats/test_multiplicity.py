"""Adjusted p-values against statsmodels and a planted family."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm
from statsmodels.stats.multitest import multipletests

from audit.stats.multiplicity import (
    benjamini_hochberg,
    benjamini_yekutieli,
    holm,
    simultaneous_level,
)


@given(st.lists(st.floats(0, 1) | st.just(float("nan")), max_size=30))
def test_benjamini_hochberg_equals_statsmodels_on_what_is_known(p: list[float]) -> None:
    """The same adjusted values as statsmodels; a NaN stays NaN and does not count."""
    values = np.array(p, float)
    known = ~np.isnan(values)
    got = benjamini_hochberg(values)
    assert np.array_equal(np.isnan(got), ~known)
    if known.any():
        theirs = multipletests(values[known], method="fdr_bh")[1]
        np.testing.assert_allclose(got[known], theirs, atol=1e-12)


def test_benjamini_hochberg_equals_the_papers_example() -> None:
    """The fifteen p-values of Benjamini & Hochberg 1995, section 3.2: four rejections at 5 %."""
    p = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262,
         0.5719, 0.6528, 0.7590, 1.0]  # fmt: skip
    assert (benjamini_hochberg(np.array(p)) <= 0.05).sum() == 4


def test_the_false_discovery_rate_is_kept() -> None:
    """Of 100 comparisons with 20 planted effects, the mean false share stays near .8 times q."""
    rng = np.random.default_rng(1)
    shares = []
    for _ in range(400):
        z = rng.normal(size=100)
        z[:20] += 3
        chosen = benjamini_hochberg(norm.sf(z)) <= 0.1
        shares.append(chosen[20:].sum() / max(chosen.sum(), 1))
    assert np.mean(shares) == pytest.approx(0.08, abs=0.015)


def test_an_empty_or_unknown_family_stays_so() -> None:
    """No p-values, or only missing ones."""
    assert benjamini_hochberg(np.empty(0)).shape == (0,)
    assert np.isnan(benjamini_hochberg(np.full(3, np.nan))).all()
    assert benjamini_hochberg(np.array([0.03])) == pytest.approx([0.03])


P_VALUES = st.lists(st.floats(0, 1) | st.just(float("nan")), max_size=30)


@given(P_VALUES)
def test_benjamini_yekutieli_equals_statsmodels_and_the_formula(p: list[float]) -> None:
    """statsmodels' values on what is known: those of Benjamini-Hochberg times 1 + 1/2 + ... 1/m."""
    values = np.array(p, float)
    known = ~np.isnan(values)
    got = benjamini_yekutieli(values)
    assert np.array_equal(np.isnan(got), ~known)
    if known.any():
        theirs = multipletests(values[known], method="fdr_by")[1]
        np.testing.assert_allclose(got[known], theirs, atol=1e-12)
        ordered = np.sort(values[known])
        m = len(ordered)
        ranks = np.arange(1, m + 1)
        steps = np.minimum.accumulate((ordered * m / ranks)[::-1])[::-1] * (1 / ranks).sum()
        np.testing.assert_allclose(np.sort(got[known]), np.minimum(steps, 1), atol=1e-12)


@given(st.lists(st.floats(0, 1) | st.just(float("nan")), max_size=7))
def test_holm_is_the_closed_test(p: list[float]) -> None:
    """The largest Bonferroni p among all sets of hypotheses that a hypothesis belongs to."""
    values = np.array(p, float)
    known = np.flatnonzero(~np.isnan(values))
    got = holm(values)
    assert np.array_equal(np.flatnonzero(~np.isnan(got)), known)
    sets = [
        c for size in range(1, len(known) + 1) for c in itertools.combinations(known, size)
    ]  # fmt: skip
    for i in known:
        closed = max(min(1.0, len(c) * values[list(c)].min()) for c in sets if i in c)
        assert got[i] == pytest.approx(closed, abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_holm_equals_statsmodels_and_is_stricter(seed: int) -> None:
    """statsmodels' values on what is known; never below Benjamini-Hochberg's."""
    rng = np.random.default_rng(seed)
    values = rng.beta(0.3, 1, 40).round(3)  # with ties
    values[rng.choice(40, 5, replace=False)] = np.nan
    got, known = holm(values), ~np.isnan(values)
    theirs = multipletests(values[known], method="holm")[1]
    np.testing.assert_allclose(got[known], theirs, atol=1e-12)
    assert (got[known] >= benjamini_hochberg(values)[known] - 1e-12).all()


@pytest.mark.parametrize("adjust", [holm, benjamini_yekutieli])
def test_a_family_without_effects_rarely_errs(adjust: Callable[[np.ndarray], np.ndarray]) -> None:
    """At 5 % at most 5 % of families of 50 strongly dependent nulls have any rejection."""
    rng, wrong = np.random.default_rng(7), 0
    for _ in range(600):
        z = np.sqrt(0.5) * rng.normal() + np.sqrt(0.5) * rng.normal(size=50)
        wrong += bool((adjust(norm.sf(z)) <= 0.05).any())
    assert wrong / 600 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 600)


@pytest.mark.parametrize("m", [1, 3, 150])
def test_simultaneous_levels_add_up(m: int) -> None:
    """Errors of Bonferroni's level sum to 5 %; independent ones at Sidak's all hold in 95 %."""
    assert m * (1 - simultaneous_level(m)) == pytest.approx(0.05)
    assert simultaneous_level(m, independent=True) ** m == pytest.approx(0.95)
    assert simultaneous_level(m) >= simultaneous_level(m, independent=True) - 1e-12
    p = np.full(m, 1 - simultaneous_level(m, 0.9, independent=True))
    assert multipletests(p, method="sidak")[1][0] == pytest.approx(0.1)


def test_new_adjustments_leave_an_empty_or_unknown_family_alone() -> None:
    """No p-values, only missing ones, or no comparison at all."""
    for adjust in (holm, benjamini_yekutieli):
        assert adjust(np.empty(0)).shape == (0,)
        assert np.isnan(adjust(np.full(3, np.nan))).all()
        assert adjust(np.array([0.03])) == pytest.approx([0.03])
    with pytest.raises(ValueError, match="at least one comparison"):
        simultaneous_level(0)
