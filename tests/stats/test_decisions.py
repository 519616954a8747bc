"""Exact p-values and verdicts."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from audit.keys import VERDICTS
from audit.stats.decisions import (
    binomial_p,
    compared,
    exceeds,
    least_seen,
    noninferior,
    verdict,
)
from audit.stats.interval import UNKNOWN, Interval
from audit.stats.proportions import wilson

NUMBERS = st.floats(0, 1) | st.just(math.nan)


def test_binomial_p_equals_the_published_value() -> None:
    """Five women of 250 against 29.2 % of the labour force: p = 4.4e-30."""
    assert binomial_p(5, 250, 0.292) == pytest.approx(4.4e-30, rel=0.02)


@given(st.integers(1, 60), st.floats(0.01, 0.99), st.data())
def test_binomial_p_sums_all_outcomes_that_are_as_unlikely(
    n: int, share: float, data: st.DataObject
) -> None:
    """The two-sided p is the mass of all outcomes that are at most as likely as the one seen."""
    k = data.draw(st.integers(0, n))
    mass = [binom.pmf(i, n, share) for i in range(n + 1)]
    expected = sum(m for m in mass if m <= mass[k] * (1 + 1e-7))
    assert binomial_p(k, n, share) == pytest.approx(min(expected, 1), rel=1e-6)


def test_binomial_p_at_the_edges() -> None:
    """An impossible outcome has p 0, a certain one 1; no images or no target give NaN."""
    assert 0 < binomial_p(3, 5, 0.0) < 1e-300  # impossible, but a p is never 0
    assert 0 < binomial_p(0, 10**5, 0.5) < 1e-300
    assert binomial_p(0, 5, 0.0) == 1
    assert binomial_p(5, 5, 1.0 + 1e-12) == 1
    assert math.isnan(binomial_p(0, 0, 0.5))
    assert math.isnan(binomial_p(3, 5, math.nan))


def test_verdicts_follow_the_interval() -> None:
    """Outside is above or below, inside and on the limit compatible."""
    seen = Interval(0.3, 0.2, 0.4)
    assert [verdict(seen, r) for r in (0.1, 0.2, 0.3, 0.4, 0.5)] == [
        "above", "compatible", "compatible", "compatible", "below",
    ]  # fmt: skip


def test_compatible_says_that_a_difference_of_the_margin_would_have_been_seen() -> None:
    """Between equality shown and a difference shown, the interval's width decides what is said."""

    def said(estimate: float, half: float, margin: float = 0.1) -> str:
        wide, narrow = (Interval(estimate, estimate - h, estimate + h) for h in (half, 0.84 * half))
        return compared(wide, narrow, 0.5, margin)

    assert said(0.5, 0.05) == "equivalent"
    assert said(0.55, 0.065) == "compatible"
    assert said(0.5, 0.2) == said(0.55, 0.075) == "undecided"
    assert said(0.7, 0.1) == "above"
    assert said(0.5, 0.2, margin=0) == "compatible"


@pytest.mark.parametrize(("share", "n"), [(0.5, 100), (0.3, 400), (0.5, 2000)])
def test_the_least_difference_is_seen_in_four_of_five(share: float, n: int) -> None:
    """Draws from a share that far from the reference are shown to differ with a power of 80 %."""
    far = share + least_seen(wilson(share * n, n))
    rng = np.random.default_rng(n)
    seen = [verdict(wilson(k, n), share) == "above" for k in rng.binomial(n, far, 2000)]
    assert 0.74 < np.mean(seen) < 0.86


def test_what_is_unknown_is_undecided() -> None:
    """A NaN in a limit or in the reference decides nothing."""
    seen = Interval(0.3, 0.2, 0.4)
    assert verdict(UNKNOWN, 0.5) == "undecided"
    assert verdict(seen, math.nan) == "undecided"
    assert verdict(Interval(0.3, math.nan, 0.4), 0.9) == "undecided"


@given(NUMBERS, NUMBERS, NUMBERS)
def test_every_verdict_is_a_word_of_the_report(low: float, high: float, reference: float) -> None:
    """Whatever comes in, one of the declared verdicts comes out."""
    assert verdict(Interval(0.5, low, high), reference) in VERDICTS


@pytest.mark.parametrize(
    ("low", "high", "margin", "wanted"),
    [(-0.01, 0.02, 0.02, "kept"), (-0.02, 0.02, 0.02, "undecided"), (-0.05, -0.03, 0.02, "lost"),
     (-0.05, -0.01, 0.02, "undecided"), (math.nan, 0.1, 0.02, "undecided"),
     (0.1, 0.2, 0.0, "undecided"), (0.1, 0.2, 0.01, "kept"), (-1, 1, math.nan, "undecided")],
)  # fmt: skip
def test_a_loss_is_excluded_or_shown(low: float, high: float, margin: float, wanted: str) -> None:
    """The interval against the margin; a margin of nothing decides nothing."""
    assert noninferior(Interval((low + high) / 2, low, high), margin) == wanted


def test_a_one_sided_p_is_above_below_five_per_cent_alone() -> None:
    """At 5 % nothing is shown yet, and an unknown p decides nothing."""
    assert [exceeds(p) for p in (1e-300, 0.049, 0.05, 1.0)] == ["above"] * 2 + ["compatible"] * 2
    assert exceeds(math.nan) == "undecided"
