"""Dear tests in two sizes: a small one in every run, the full one in the nightly run.

Seeds are fixed, so a simulation does not fail from one run to the next; its bounds are those that
a new seed would break once in a thousand if the claimed rate held exactly.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import product
from typing import Any

import pytest
from hypothesis import settings
from scipy.stats import binom

FALSE_ALARM = 1e-3
"""Chance that a bound is broken although the claim holds."""


def sized(name: str, small: object, full: object) -> pytest.MarkDecorator:
    """An argument of a test with one value in every run, and another in the nightly run."""
    return pytest.mark.parametrize(name, [small, pytest.param(full, marks=pytest.mark.nightly)])


def draws(few: int, many: int) -> pytest.MarkDecorator:
    """The argument `runs` of a simulation: few in every run, many in the nightly one."""
    return sized("runs", few, many)


def leading(few: int, values: Collection[Any]) -> list[Any]:
    """Values of an argument: the first few in every run, the others in the nightly run.

    A tuple has a value for each of several arguments.
    """
    rows = [v if isinstance(v, tuple) else (v,) for v in values]
    nightly = [pytest.param(*row, marks=pytest.mark.nightly) for row in rows[few:]]
    return [*(pytest.param(*row) for row in rows[:few]), *nightly]


def crossed(names: str, *values: Collection[Any]) -> pytest.MarkDecorator:
    """Arguments of a test: each value of each in every run, all combinations in the nightly run."""
    lists: list[Sequence[Any]] = [list(v) for v in values]
    often = {tuple(i % len(v) for v in lists) for i in range(max(map(len, lists)))}
    rows = [
        pytest.param(
            *(v[i] for v, i in zip(lists, at, strict=True)),
            marks=() if at in often else pytest.mark.nightly,
        )
        for at in product(*(range(len(v)) for v in lists))
    ]
    return pytest.mark.parametrize(names, rows)


def examples(few: int) -> settings:
    """So many of hypothesis' usual hundred examples; ten times as many under `search`."""
    return settings(max_examples=settings().max_examples * few // 100)


def at_most(count: float, of: int, level: float) -> bool:
    """Whether so many events of n are compatible with a chance of at most the level.

    The small form is a coarse net, the nightly one a fine one. At a level of 5 %, events with a
    chance of 46 % break the bound of 20 draws in 19 of 20 cases, as do those of 25 % with 60, of
    15 % with 200, and of 11 % with 400. `at_least` mirrors it: coverage below 54, 75, 85 and 89 %
    is noticed where 95 % are claimed. Draws that depend on each other count as fewer.

    Args:
        count: Events seen.
        of: Independent draws.
        level: Claimed chance of an event, in [0, 1].
    """
    return bool(count <= binom.isf(FALSE_ALARM, of, level))


def at_least(count: float, of: int, level: float) -> bool:
    """Whether so many events of n are compatible with a chance of at least the level."""
    return at_most(of - count, of, 1 - level)
