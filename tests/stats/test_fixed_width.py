"""Stopping by rule costs few images, and covers at the stop."""

from __future__ import annotations

import numpy as np
import pytest

from audit.stats.fixed_width import FixedWidth, coverage, fixed_width
from audit.stats.proportions import wilson


@pytest.mark.parametrize("half", [0.05, 0.1])
@pytest.mark.parametrize("step", [1, 15])
def test_stopping_when_narrow_covers_at_every_share(half: float, step: int) -> None:
    """Exact coverage at the stop is 95 %, between the shares of the design's own grid too."""
    rule = fixed_width(half, step)
    shares = np.random.default_rng(step).uniform(0.002, 0.998, 60)
    held, images = coverage(rule, shares)
    assert held.min() >= 0.945
    assert images.max() <= rule.most


def test_exact_coverage_is_what_a_simulation_finds() -> None:
    """Walking the paths gives the same coverage and size as drawing them."""
    rule = fixed_width(0.1, 5)
    rng = np.random.default_rng(3)
    sizes, held = [], []
    for _ in range(1500):
        k = n = 0
        while not rule.narrow(k, n):
            k, n = k + int(rng.binomial(5, 0.2)), n + 5
        ci = wilson(k, n, rule.level)
        sizes.append(n)
        held.append(ci.low <= 0.2 <= ci.high)
    exact, images = coverage(rule, np.array([0.2]))
    assert np.mean(held) == pytest.approx(exact[0], abs=0.02)
    assert np.mean(sizes) == pytest.approx(images[0], rel=0.03)


def test_an_uncorrected_level_would_cover_too_little() -> None:
    """The rule with 95 % and continuous looks falls below 95 %: the reason for a higher level."""
    shares = np.linspace(0.01, 0.5, 40)
    assert coverage(FixedWidth(0.05, 1, 0.95), shares)[0].min() < 0.945
    assert fixed_width(0.05).level > 0.95


def test_skewed_shares_stop_early() -> None:
    """A share of 0 takes a tenth of a fixed plan's images, one in ten less than half."""
    _, images = coverage(fixed_width(0.05, 15), np.array([0.001, 0.1, 0.5]))
    assert images[0] < 0.15 * 381
    assert images[1] < 0.5 * 381
    assert images[2] < 1.25 * 381
    with pytest.raises(ValueError, match="between 0 and"):
        fixed_width(0.5)
