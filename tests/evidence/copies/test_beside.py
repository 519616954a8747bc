"""A second look at flagged copies: pixels, and another descriptor, pair by pair."""

from __future__ import annotations

import numpy as np
import pytest

from audit.datasets import pixels
from audit.evidence.copies import beside
from tests.evidence.copies.made import Thumbnail, pictures

MADE = dict(zip("abc", pictures(3, 0), strict=True))


def train(name: str) -> np.ndarray:
    """The same images, the second with a tile in the negative; the fourth is gone."""
    if name == "d":
        raise pixels.Unreadable("gone")
    image = MADE[name].copy()
    if name == "b":
        image[:4, :4] = 255 - image[:4, :4]
    return image


def test_each_pair_is_looked_at_by_pixels_and_by_the_second_descriptor() -> None:
    """The same image, one that differs in a tile, another image, and one that is not there."""
    pairs = [("a", "a"), ("b", "b"), ("c", "a"), ("c", "d"), ("e", "a")]
    seen = beside.looks(pairs, (MADE.__getitem__, train), Thumbnail())
    assert seen["tiled"][0] == 0
    assert seen["sscd"][0] == pytest.approx(1)
    assert seen["tiled"][1] > beside.PIXELS
    assert seen["sscd"][1] > seen["sscd"][2]
    assert np.isnan(seen["tiled"]).tolist() == [False, False, False, True, True]
    assert np.isnan(seen["sscd"]).tolist() == [False, False, False, True, True]


def test_without_a_second_descriptor_there_are_pixels_alone() -> None:
    """SSCD that is not installed is not known, and nothing else is taken for it."""
    seen = beside.looks([("a", "a")], (MADE.__getitem__, train))
    assert seen["tiled"].tolist() == [0]
    assert np.isnan(seen["sscd"]).all()
