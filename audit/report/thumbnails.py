"""Images as small WebP data URIs, which makes the report one file without requests."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from audit.datasets import pixels

SIDE = 160
QUALITY = 72
FINER = 2
"""Times the side of a thumbnail that a decoded image has at least: what is shown stays sharp."""
SMALLEST = 100
"""Characters below which no image fits."""


def data_uri(picture: np.ndarray, side: int = SIDE) -> str:
    """uint8[h, w, 3] to a `data:image/webp` URI; larger images are scaled down to `side`."""
    image = Image.fromarray(picture)
    if max(image.size) > side:
        image.thumbnail((side, side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=QUALITY, method=4)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()


def difference(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """Where two images differ, uint8[h, w, 3] of the size of the first: white where they do not."""
    size = (one.shape[1], one.shape[0])
    other = Image.fromarray(two)
    if other.size != size:
        other = other.resize(size, Image.Resampling.LANCZOS)
    apart = np.abs(one.astype(np.int16) - np.asarray(other, np.int16))
    return (255 - apart).astype(np.uint8)


@dataclass
class Album:
    """The images of one report, within a budget of characters; images left out are counted."""

    budget: int
    left_out: int = 0
    off: bool = False
    """Whether to omit all images, at the user's request."""

    def small(self, load: Callable[[str], np.ndarray], id: str, side: int = SIDE) -> str | None:
        """The same for an image that is shown as a whole and compared with no other.

        Large photographs are decoded at a fraction of their size.
        """
        with pixels.shrunk(FINER * side):
            return self.uri(load, id, side)

    def uri(self, load: Callable[[str], np.ndarray], id: str, side: int = SIDE) -> str | None:
        """The image with this id as a data URI, or None where it cannot be read or does not fit."""
        if self.off:
            return None
        if self.budget < SMALLEST:
            self.left_out += 1
            return None
        try:
            picture = load(id)
            made = data_uri(picture, side) if picture.size else None
        except (pixels.Unreadable, KeyError, OSError):
            return None
        if made is None:
            return None
        if len(made) > self.budget:
            self.left_out += 1
            return None
        self.budget -= len(made)
        return made
