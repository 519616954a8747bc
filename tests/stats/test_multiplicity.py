"""Adjusted p-values against statsmodels and a planted family."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm
from statsmodels.stats.multitest import multipletests

from audit.stats.multiplicity import benjamini_hochberg, holm


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


@given(st.lists(st.floats(0, 1) | st.just(float("nan")), max_size=30))
def test_holm_is_the_step_down_of_its_paper(p: list[float]) -> None:
    """The running maximum of (m - i) p_(i), at most 1; a NaN stays NaN and does not count."""
    values = np.array(p, float)
    known = np.flatnonzero(~np.isnan(values))
    expected, worst = np.full(len(values), np.nan), 0.0
    for i, at in enumerate(known[np.argsort(values[known], kind="stable")]):
        worst = max(worst, min((len(known) - i) * values[at], 1.0))
        expected[at] = worst
    np.testing.assert_allclose(holm(values), expected, atol=1e-12)


def test_holm_equals_statsmodels() -> None:
    """On a family of its own."""
    p = np.random.default_rng(4).random(40) ** 3
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])
