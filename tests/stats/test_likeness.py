"""Two sides from one source look alike, sides of two do not."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import beta

from audit.stats.likeness import FAIR, Likeness, lean, likeness


def sides(rng: np.random.Generator, n: int, m: int, shift: float, scale: float = 1.0) -> Likeness:
    """Gaussian sides, the second moved in every dimension or wider."""
    train = rng.standard_normal((n, 16))
    held = scale * rng.standard_normal((m, 16)) + shift
    return likeness(train, held, rng, 39)


@pytest.mark.slow
@pytest.mark.parametrize("m", [60, 25])
def test_both_p_are_uniform_for_one_source(m: int) -> None:
    """Each test rejects at its level, whatever the sizes."""
    rng = np.random.default_rng(m)
    found = [sides(rng, 60, m, 0.0) for _ in range(60)]
    for p in ([f.nearest for f in found], [f.kernel for f in found]):
        assert np.mean(np.array(p) <= 0.2) == pytest.approx(0.2, abs=0.15)
        assert min(p) >= 1 / 40


@pytest.mark.parametrize(("shift", "scale"), [(0.5, 1.0), (1.0, 1.0), (0.0, 0.6)])
def test_another_source_is_seen(shift: float, scale: float) -> None:
    """Another mean is seen by the kernel, another spread by the nearest neighbours too."""
    found = [sides(np.random.default_rng(s), 120, 80, shift, scale) for s in range(4)]
    assert sum(min(f.nearest, f.kernel) <= 0.026 for f in found) >= 3
    if scale < 1:
        assert np.median([f.nearest for f in found]) <= 0.05


def test_nothing_is_known_of_two_images() -> None:
    """Fewer than three images on a side give no p, and sides that are not known are not alike."""
    none = likeness(np.zeros((9, 3)), np.ones((2, 3)), np.random.default_rng(0))
    assert math.isnan(none.nearest)
    assert not none.alike
    assert Likeness(0.03, 0.9).alike
    assert not Likeness(0.02, 0.9).alike


@pytest.mark.parametrize(("k", "n"), [(50, 100), (60, 100), (70, 100), (330, 600), (400, 600)])
def test_a_lean_is_judged_by_its_lower_limit(k: int, n: int) -> None:
    """The one-sided exact limit, from the beta distribution."""
    got = lean(np.arange(n) < k)
    assert got.low == pytest.approx(beta.ppf(0.05, k, n - k + 1))
    assert got.fair == (got.low <= FAIR)
    assert got.share == k / n
    assert lean(np.zeros(0, bool)).fair
