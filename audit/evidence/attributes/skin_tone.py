"""Skin tone from pixels: the nearest Monk class of a person's skin, and its typology angle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from audit.evidence.attributes.colour import lab, nearest_monk, skin_pixels, typology_angle

LEAST_PIXELS = 60
LEAST_SHARE = 0.02
"""With fewer skin pixels, or a smaller share of the pixels examined, there is no reading."""
TRIM = 0.15
"""Share of the darkest and of the lightest skin pixels that count as shadow and highlight."""


@dataclass(frozen=True)
class Tone:
    """One reading; numbers are NaN and the class 0 where the outcome is not "label"."""

    outcome: str
    monk: int
    angle: float
    pixels: int
    colour: tuple[float, float, float]
    """Median CIELAB of the skin."""

    @property
    def hue(self) -> float:
        """Hue angle in degrees, 0..360: red is near 0, yellow near 90."""
        return float(np.degrees(np.arctan2(self.colour[2], self.colour[1])) % 360)


def read(picture: np.ndarray, mask: np.ndarray | None = None) -> Tone:
    """The tone of uint8[h, w, 3]; `mask` bool[h, w] says where skin can be.

    The median of CIELAB over the skin pixels without the darkest and lightest, so neither shadow
    nor shine decides. Lighting changes the reading: compare images with similar lighting, and
    treat the class as perceived. Raises ValueError for a mask of another size.
    """
    if mask is not None and mask.shape != picture.shape[:2]:
        raise ValueError(f"A mask of {mask.shape} does not fit an image of {picture.shape[:2]}.")
    looked = np.ones(picture.shape[:2], bool) if mask is None else mask
    skin = looked & skin_pixels(picture)
    n = int(skin.sum())
    if n < LEAST_PIXELS or n < LEAST_SHARE * looked.sum():
        return Tone("uncertain", 0, np.nan, n, (np.nan, np.nan, np.nan))
    colours = lab(picture[skin])
    low, high = np.quantile(colours[:, 0], (TRIM, 1 - TRIM))
    kept = colours[(colours[:, 0] >= low) & (colours[:, 0] <= high)]
    middle = np.median(kept, axis=0)
    return Tone(
        "label", int(nearest_monk(middle)), float(typology_angle(middle)), n,
        (float(middle[0]), float(middle[1]), float(middle[2])),
    )  # fmt: skip
