"""Several people in one image: a portrait of each, cut around the faces that are found.

Any reader can then read a person as it reads an image of one. Faces are found by the detector of
`faces`: frontal ones of about 80 pixels and more. People who are turned away, small or hidden
have no portrait.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from audit.evidence.attributes import faces
from audit.keys import digest

BESIDE, ABOVE, BELOW = 1.0, 0.8, 3.0
"""What a portrait shows beyond the face, in widths and heights of the face: head and shoulders."""
_TEXT = re.compile(r"\d+,\d+,\d+,\d+( \d+,\d+,\d+,\d+)*")


@dataclass(frozen=True)
class Box:
    """A part of an image in pixels; `right` and `bottom` are the first ones outside."""

    left: int
    top: int
    right: int
    bottom: int

    def __str__(self) -> str:
        return f"{self.left},{self.top},{self.right},{self.bottom}"

    @property
    def area(self) -> int:
        """Pixels inside."""
        return (self.right - self.left) * (self.bottom - self.top)

    def of(self, picture: np.ndarray) -> np.ndarray:
        """The part of uint8[h, w, 3]."""
        return np.ascontiguousarray(picture[self.top : self.bottom, self.left : self.right])


def key() -> str:
    """Changes with the detector and with how portraits are cut."""
    limits = faces.LEAST_SIDE, faces.MOST_SIDE, faces.LEAST_SCORE
    return digest(["portraits", faces.stamp(), limits, BESIDE, ABOVE, BELOW], 8)


def said(boxes: Sequence[Box]) -> str:
    """Boxes as text, for keeping."""
    return " ".join(map(str, boxes))


def heard(text: str) -> tuple[Box, ...] | None:
    """The boxes of a text; None for anything that `said` did not write."""
    if text and not _TEXT.fullmatch(text):
        return None
    boxes = tuple(Box(*map(int, part.split(","))) for part in text.split())
    return boxes if all(b.left < b.right and b.top < b.bottom for b in boxes) else None


def find(picture: np.ndarray) -> list[Box]:
    """The faces in uint8[h, w, 3], the largest first."""
    image = faces.sized(picture)
    height, width = picture.shape[:2]
    scale = image.shape[0] / height

    def pixel(edge: int, most: int) -> int:
        return min(max(round(edge / scale), 0), most)

    found = [
        Box(pixel(f.left, width), pixel(f.top, height), pixel(f.right + 1, width),
            pixel(f.bottom + 1, height))
        for f in faces.find(image)
    ]  # fmt: skip
    inside = (b for b in found if b.left < b.right and b.top < b.bottom)
    return sorted(inside, key=lambda b: (-b.area, b.left, b.top))


def portraits(found: Sequence[Box], shape: Sequence[int]) -> tuple[Box, ...]:
    """A portrait of each face in an image of (height, width), in the order of the faces.

    Between two faces the portraits end half-way, so none shows another's face.
    """
    return tuple(
        _portrait(face, [o for j, o in enumerate(found) if j != i], shape)
        for i, face in enumerate(found)
    )


def _portrait(face: Box, others: Sequence[Box], shape: Sequence[int]) -> Box:
    wide, high = face.right - face.left, face.bottom - face.top
    left, right = face.left - BESIDE * wide, face.right + BESIDE * wide
    top, bottom = face.top - ABOVE * high, face.bottom + BELOW * high
    for o in others:
        gaps = (o.left - face.right, face.left - o.right, o.top - face.bottom, face.top - o.bottom)
        side = int(np.argmax(gaps))  # the side on which the other one is furthest away
        if side == 0:
            right = min(right, max((face.right + o.left) / 2, face.right))
        elif side == 1:
            left = max(left, min((face.left + o.right) / 2, face.left))
        elif side == 2:
            bottom = min(bottom, max((face.bottom + o.top) / 2, face.bottom))
        else:
            top = max(top, min((face.top + o.bottom) / 2, face.top))
    height, width = shape[:2]
    return Box(max(round(left), 0), max(round(top), 0), min(round(right), width),
               min(round(bottom), height))  # fmt: skip
