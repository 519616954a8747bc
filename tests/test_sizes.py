"""Bounds of simulations break as seldom and as often as they say; every value is in every run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.sizes import at_least, at_most, crossed, draws, leading


@pytest.mark.parametrize(("of", "noticed"), [(20, 0.46), (60, 0.25), (200, 0.15), (400, 0.115)])
def test_bounds_hold_where_the_claim_does_and_break_where_it_does_not(
    of: int, noticed: float
) -> None:
    """About one in a thousand false alarms at the level, 95 % alarms at the documented rate."""
    rng = np.random.default_rng(of)
    breaks = np.array([not at_most(k, of, 0.05) for k in range(of + 1)])
    assert breaks.tolist() == [not at_least(of - k, of, 0.95) for k in range(of + 1)]
    assert at_most(breaks[rng.binomial(of, 0.05, 100_000)].sum(), 100_000, 0.001)
    assert breaks[rng.binomial(of, noticed, 10_000)].mean() > 0.94


def usual(marked: Any) -> list[tuple[Any, ...]]:
    """The values of a parametrisation that are in every run."""
    return [getattr(v, "values", (v,)) for v in marked if not getattr(v, "marks", ())]


def test_the_full_form_is_nightly_and_each_value_is_in_every_run() -> None:
    """Combinations are left to the night, and no value is."""
    assert usual(draws(3, 300).args[1]) == [(3,)]
    assert usual(leading(2, "abcd")) == [("a",), ("b",)]
    rows = crossed("name, guidance", ["x", "y", "z"], [1, 4]).args[1]
    assert len(rows) == 6
    assert usual(rows) == [("x", 1), ("y", 4), ("z", 1)]
