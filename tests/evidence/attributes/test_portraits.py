"""Portraits: one of each face, none with another's, and their text."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.evidence.attributes import faces, portraits
from audit.evidence.attributes.portraits import Box

SHAPE = (400, 600)
PLACES = [Box(x, y, x + 60, y + 60) for y in (20, 150, 290) for x in (10, 130, 260, 400, 530)]


def overlap(a: Box, b: Box) -> bool:
    """Whether two boxes share a pixel."""
    return a.left < b.right and b.left < a.right and a.top < b.bottom and b.top < a.bottom


@given(st.sets(st.sampled_from(PLACES), min_size=1, max_size=8))
def test_a_portrait_shows_its_face_and_no_other(found: set[Box]) -> None:
    """Whole, inside the image, and not shared with a neighbour's face."""
    ordered = sorted(found, key=str)
    made = portraits.portraits(ordered, SHAPE)
    assert len(made) == len(ordered)
    for face, box in zip(ordered, made, strict=True):
        assert box.left <= face.left
        assert box.right >= face.right
        assert box.top <= face.top
        assert box.bottom >= face.bottom
        assert 0 <= box.left < box.right <= SHAPE[1]
        assert 0 <= box.top < box.bottom <= SHAPE[0]
        assert not [o for o in ordered if o != face and overlap(box, o)]


def test_neighbours_portraits_meet_half_way() -> None:
    """Two faces with 40 pixels between them: each portrait has 20."""
    made = portraits.portraits([Box(100, 100, 160, 160), Box(200, 100, 260, 160)], SHAPE)
    assert made == (Box(40, 52, 180, 340), Box(180, 52, 320, 340))
    assert not overlap(*made)


def test_faces_that_overlap_still_have_portraits() -> None:
    """A portrait is never empty, even where detections lie on each other."""
    near = [Box(100, 100, 160, 160), Box(110, 105, 170, 165), Box(100, 100, 160, 160)]
    for some in combinations(near, 2):
        for box in portraits.portraits(some, SHAPE):
            assert box.area > 0


def test_faces_are_in_the_images_own_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small image is enlarged for the detector; edges outside are cut, the largest is first."""
    seen = [faces.Face(-8, 40, 87, 135, 1.0), faces.Face(160, 0, 351, 191, 0.5)]
    monkeypatch.setattr(faces, "find", lambda image: seen)
    found = portraits.find(np.zeros((128, 128, 3), np.uint8))
    assert found == [Box(40, 0, 88, 48), Box(0, 10, 22, 34)]


def test_boxes_are_kept_as_text() -> None:
    """There and back; anything else is nothing."""
    boxes = (Box(0, 1, 20, 30), Box(5, 5, 6, 7))
    assert portraits.heard(portraits.said(boxes)) == boxes
    assert portraits.heard("") == ()
    for wrong in ("1,2,3", "a", "1,2,3,4,", "4,0,4,9", "0,9,4,9", "-1,0,2,2", "1,1,2,2  3,3,4,4"):
        assert portraits.heard(wrong) is None
