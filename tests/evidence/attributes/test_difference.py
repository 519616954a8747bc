"""Colour differences: against scikit-image, against the published pairs."""

from __future__ import annotations

import numpy as np
import pytest
from skimage import color

from audit.evidence.attributes.colour import lab, nearest_monk, swatches
from audit.evidence.attributes.difference import difference

SHARMA = """
50.0000 2.6772 -79.7751 50.0000 0.0000 -82.7485 2.0425
50.0000 3.1571 -77.2803 50.0000 0.0000 -82.7485 2.8615
50.0000 2.8361 -74.0200 50.0000 0.0000 -82.7485 3.4412
50.0000 -1.3802 -84.2814 50.0000 0.0000 -82.7485 1.0000
50.0000 -1.1848 -84.8006 50.0000 0.0000 -82.7485 1.0000
50.0000 -0.9009 -85.5211 50.0000 0.0000 -82.7485 1.0000
50.0000 0.0000 0.0000 50.0000 -1.0000 2.0000 2.3669
50.0000 -1.0000 2.0000 50.0000 0.0000 0.0000 2.3669
50.0000 2.4900 -0.0010 50.0000 -2.4900 0.0009 7.1792
50.0000 2.4900 -0.0010 50.0000 -2.4900 0.0010 7.1792
50.0000 2.4900 -0.0010 50.0000 -2.4900 0.0011 7.2195
50.0000 2.4900 -0.0010 50.0000 -2.4900 0.0012 7.2195
50.0000 -0.0010 2.4900 50.0000 0.0009 -2.4900 4.8045
50.0000 -0.0010 2.4900 50.0000 0.0010 -2.4900 4.8045
50.0000 -0.0010 2.4900 50.0000 0.0011 -2.4900 4.7461
50.0000 2.5000 0.0000 50.0000 0.0000 -2.5000 4.3065
50.0000 2.5000 0.0000 73.0000 25.0000 -18.0000 27.1492
50.0000 2.5000 0.0000 61.0000 -5.0000 29.0000 22.8977
50.0000 2.5000 0.0000 56.0000 -27.0000 -3.0000 31.9030
50.0000 2.5000 0.0000 58.0000 24.0000 15.0000 19.4535
50.0000 2.5000 0.0000 50.0000 3.1736 0.5854 1.0000
50.0000 2.5000 0.0000 50.0000 3.2972 0.0000 1.0000
50.0000 2.5000 0.0000 50.0000 1.8634 0.5757 1.0000
50.0000 2.5000 0.0000 50.0000 3.2592 0.3350 1.0000
60.2574 -34.0099 36.2677 60.4626 -34.1751 39.4387 1.2644
63.0109 -31.0961 -5.8663 62.8187 -29.7946 -4.0864 1.2630
61.2901 3.7196 -5.3901 61.4292 2.2480 -4.9620 1.8731
35.0831 -44.1164 3.7933 35.0232 -40.0716 1.5901 1.8645
22.7233 20.0904 -46.6940 23.0331 14.9730 -42.5619 2.0373
36.4612 47.8580 18.3852 36.2715 50.5065 21.2231 1.4146
90.8027 -2.0831 1.4410 91.1528 -1.6435 0.0447 1.4441
90.9257 -0.5406 -0.9208 88.6381 -0.8985 -0.7239 1.5381
6.7747 -0.2908 -2.4247 5.8714 -0.0985 -2.2286 0.6377
2.0776 0.0795 -1.1350 0.9033 -0.0636 -0.5514 0.9082
"""
"""The 34 pairs of Sharma, Wu & Dalal 2005, table 1: two colours and their difference."""


@pytest.mark.parametrize("seed", range(3))
def test_differences_are_scikit_images(seed: int) -> None:
    """Random pairs of Lab colours agree to rounding, near and far."""
    rng = np.random.default_rng(seed)
    a = rng.uniform([0, -90, -90], [100, 90, 90], (5000, 3))
    for b in (rng.uniform([0, -90, -90], [100, 90, 90], (5000, 3)), a + rng.normal(0, 2, a.shape)):
        np.testing.assert_allclose(difference(a, b), color.deltaE_ciede2000(a, b), atol=1e-9)


def test_differences_are_the_published_ones() -> None:
    """The 34 pairs that were chosen to break implementations, in both directions."""
    rows = np.array([line.split() for line in SHARMA.strip().splitlines()], float)
    assert len(rows) == 34
    np.testing.assert_allclose(difference(rows[:, :3], rows[:, 3:6]), rows[:, 6], atol=5e-5)
    np.testing.assert_allclose(difference(rows[:, 3:6], rows[:, :3]), rows[:, 6], atol=5e-5)


def test_differences_broadcast() -> None:
    """One colour against many gives what each pair gives."""
    rng = np.random.default_rng(4)
    one, many = rng.uniform(0, 50, 3), rng.uniform(0, 50, (7, 3))
    pairs = [float(difference(one, m)) for m in many]
    np.testing.assert_array_equal(difference(one, many), pairs)


def test_greys_have_no_hue() -> None:
    """All 256 greys have a* = b* = 0; black is 0, white 100, and lightness rises."""
    grey = lab(np.arange(256, dtype=np.uint8)[:, None].repeat(3, 1))
    assert np.abs(grey[:, 1:]).max() < 1e-10
    assert grey[0, 0] == pytest.approx(0, abs=1e-12)
    assert grey[-1, 0] == pytest.approx(100, abs=1e-12)
    assert (np.diff(grey[:, 0]) > 0).all()


@pytest.mark.parametrize("seed", range(3))
def test_the_nearest_swatch_is_scikit_images(seed: int) -> None:
    """Random colours of skin go to the swatch of the least difference by the other library."""
    rng = np.random.default_rng(seed)
    colours = rng.uniform([10, 0, 0], [95, 30, 35], (400, 3))
    known = lab(swatches())
    theirs = [color.deltaE_ciede2000(np.broadcast_to(c, known.shape), known) for c in colours]
    assert nearest_monk(colours).tolist() == (np.argmin(theirs, 1) + 1).tolist()
