"""Edges, shapes and distances against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import binary_dilation

from audit.evidence.conditions import apart, edge_iou, edges, inside


def square(left: int, top: int, side: int = 24, level: int = 255) -> np.ndarray:
    """A grey square on black, uint8[64, 64, 3]."""
    out = np.zeros((64, 64, 3), np.uint8)
    out[top : top + side, left : left + side] = level
    return out


def test_edges_are_where_a_square_ends() -> None:
    """Two pixels wide, along its border and nowhere else, for bright and for dark squares."""
    full = square(20, 20)[..., 0] > 0
    border = binary_dilation(full, np.ones((3, 3))) & binary_dilation(~full, np.ones((3, 3)))
    for level in (255, 60):
        found = edges(square(20, 20, level=level))
        assert not (found & ~border).any()
        assert (found & border).sum() >= 0.9 * border.sum()
    assert not edges(np.full((64, 64, 3), 90, np.uint8)).any()


def test_the_overlap_is_one_for_the_same_edges_and_falls_with_distance() -> None:
    """Colours do not matter; far edges, outside of the band, are not there."""
    asked = square(20, 20)
    assert edge_iou(255 - asked, asked) == 1
    values = [edge_iou(square(20 + k, 20), asked) for k in range(4)]
    assert values == sorted(values, reverse=True)
    assert values[3] < 0.75
    both = np.maximum(asked, square(50, 50, side=10))
    assert edge_iou(both, asked) == pytest.approx(1, abs=0.05)
    assert edge_iou(np.zeros((64, 64, 3), np.uint8), asked) == 0
    assert np.isnan(edge_iou(asked, np.zeros((64, 64, 3), np.uint8)))


def test_a_shape_is_what_is_bright_or_enclosed() -> None:
    """A silhouette, and the same from its outline; nothing in a picture without one."""
    full = square(20, 20)
    outline = full.copy()
    outline[22:42, 22:42] = 0
    for picture in (full, outline):
        found = inside(picture)
        assert found is not None
        assert np.array_equal(found, full[..., 0] > 0)
    assert inside(np.zeros((64, 64, 3), np.uint8)) is None
    assert inside(np.full((64, 64, 3), 255, np.uint8)) is None


def test_a_distance_is_of_the_chosen_places_alone() -> None:
    """Root mean square of colours in 0..1."""
    one, two = square(0, 0, level=51), square(0, 0, level=255)
    where = one[..., 0] > 0
    assert apart(one, two, where) == pytest.approx(0.8)
    assert apart(one, two, ~where) == 0
    assert np.isnan(apart(one, two, np.zeros_like(where)))
