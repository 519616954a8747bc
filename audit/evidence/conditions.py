"""Images against the picture that they were drawn after: edges in common, and what lies outside.

Edges are where the gradient of a colour is large (Sobel). How well an image keeps to a condition is
the intersection over union of their edges, each widened by a tolerance, in a band around those of
the condition: elsewhere an image may have any edges.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import binary_dilation, binary_fill_holes, sobel

LEAST, SHARE, TOP = 0.02, 0.5, 95.0
"""An edge has this gradient per pixel, of colours in 0..1, at least, and this share of the
percentile TOP of the image's gradients."""
TOLERANCE, BAND = 1 / 64, 4
"""Pixels by which edges may miss each other, as a share of the shorter side, and so many times this
the width of the band."""
BRIGHT = 128
"""Level of 255 from which a pixel of a condition is inside of a shape, or on its outline."""
PLACES = (0.01, 0.9)
"""Shares of a picture between which a shape can be where the person is."""


def edges(image: np.ndarray) -> np.ndarray:
    """Where an image has edges: bool[h, w] of uint8[h, w, 3]."""
    values = image.astype(np.float64) / 255
    found = np.max([
        np.hypot(sobel(values[..., c], 0), sobel(values[..., c], 1)) / 8 for c in range(3)
    ], axis=0)  # fmt: skip
    return np.asarray(found >= max(LEAST, SHARE * np.percentile(found, TOP)))


def _wider(mask: np.ndarray, pixels: int) -> np.ndarray:
    return np.asarray(binary_dilation(mask, np.ones((3, 3), bool), iterations=pixels))


def edge_iou(image: np.ndarray, condition: np.ndarray) -> float:
    """Intersection over union of edges, 0 to 1; both are uint8[h, w, 3] of one size.

    NaN for a condition without edges.
    """
    asked = edges(condition)
    if not asked.any():
        return float("nan")
    pixels = max(1, round(TOLERANCE * min(image.shape[:2])))
    band = _wider(asked, BAND * pixels)
    drawn, asked = _wider(edges(image) & band, pixels) & band, _wider(asked, pixels)
    return float((drawn & asked).sum() / (drawn | asked).sum())


def inside(condition: np.ndarray) -> np.ndarray | None:
    """Where a condition's shape is, bool[h, w], outlines filled; None if it shows no such place.

    `condition` is uint8[h, w, 3], bright where it says something: a silhouette, or its outline.
    """
    found = np.asarray(binary_fill_holes(condition.mean(2) >= BRIGHT))
    return found if PLACES[0] <= found.mean() <= PLACES[1] else None


def apart(one: np.ndarray, two: np.ndarray, where: np.ndarray) -> float:
    """Root mean square of the difference of two images uint8[h, w, 3] in some places bool[h, w].

    Of colours in 0..1; NaN without a place.
    """
    if not where.any():
        return float("nan")
    differ = (one[where].astype(np.float64) - two[where]) / 255
    return float(np.sqrt((differ**2).mean()))
