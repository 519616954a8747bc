"""Agreement of repeated measurements, against the published example and known variances."""

from __future__ import annotations

import numpy as np
import pytest

from audit.stats.reliability import icc, ranges

RATINGS = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], float
)
"""Shrout & Fleiss 1979, table 2: six targets, four judges; ICC(1, 1) is .17."""


def test_the_published_example() -> None:
    """.17, with limits -.13 and .72 as R's psych prints them."""
    found = icc(RATINGS.ravel(), np.repeat(np.arange(6), 4))
    assert found.estimate == pytest.approx(0.166, abs=5e-4)
    assert (found.low, found.high) == pytest.approx((-0.133, 0.723), abs=1e-3)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9])
def test_limits_cover_a_known_share(share: float) -> None:
    """Of 400 sets of ten people with four images each, about 95 % of intervals hold the truth."""
    rng, people, held = np.random.default_rng(3), np.repeat(np.arange(10), 4), []
    for _ in range(400):
        own = rng.normal(0, np.sqrt(share), 10)[people]
        found = icc(own + rng.normal(0, np.sqrt(1 - share), 40), people)
        held.append(found.low <= share <= found.high)
    assert 0.92 <= np.mean(held) <= 0.98


@pytest.mark.parametrize(
    ("values", "people"),
    [([], []), ([1.0, 2.0], [0, 0]), ([1.0, 2.0, 3.0], [0, 1, 2]), ([1.0] * 4, [0, 0, 1, 1]),
     ([1.0, np.nan, 2.0, 3.0], [0, 0, 1, 1])],
)  # fmt: skip
def test_what_cannot_be_known_is_unknown(values: list[float], people: list[int]) -> None:
    """No images, one person, one image of each, equal or missing values."""
    assert np.isnan(icc(np.array(values), np.array(people, int)).estimate)


def test_ranges_are_within_a_person() -> None:
    """Those with one image have none."""
    found = ranges(np.array([1.0, 4.0, 2.0, 9.0]), np.array([0, 0, 1, 2]))
    assert found.tolist() == [3.0]
