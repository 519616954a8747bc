"""Pixels as a descriptor, and the tiled l2 distance of Carlini et al. 2023 between images.

The distance of Carlini et al. 2023, sec. 4.1 and 4.2, is l2(a, b) = sqrt(sum((a - b)^2) / d) for
images in [0, 1]^d: the root-mean-square difference over pixels and channels, from 0 to 1.
Images with a common plain background are near in it, so the paper cuts both into 16 tiles that do
not overlap, 128 x 128 of 512 x 512, and takes the largest l2 of two tiles; here, of two at the same
place. Each tile is normalised by its own d: two images that differ by delta in only one tile are
at delta, where the l2 of the whole images would be delta / 4.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
from PIL import Image

from audit.evidence.encoders.batches import unit

GRID = 4
"""Tiles along each side: 16 in all."""
FILTERS = {"area": Image.Resampling.BOX, "bicubic": Image.Resampling.BICUBIC}
SLICE = 8192


class Pixels:
    """An image resized to 64 x 64 as a vector: the simplest descriptor, and a floor for others.

    The image's mean is subtracted: a cosine is the correlation of two images, and 2 - 2 cos the
    squared l2 between them, apart from brightness and contrast. One more
    coordinate, of one grey level in each pixel, makes flat images alike instead of undefined.
    float32[n, 3 * side^2 + 1], unit length.
    """

    def __init__(self, side: int = 64, resize: Literal["area", "bicubic"] = "area") -> None:
        self.side, self.resize = side, resize

    @property
    def key(self) -> str:
        """Hash of the size and the filter; there are no weights."""
        text = f"{self.side} {self.resize}, mean off, one grey level"
        return f"pixels-{hashlib.sha256(text.encode()).hexdigest()[:12]}"

    def images(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """uint8[h, w, 3] images to float32[n, 3 * side^2 + 1] of unit length."""
        width = 3 * self.side**2
        rows = np.empty((len(pictures), width + 1), np.float32)
        rows[:, -1] = np.sqrt(width)
        for row, picture in zip(rows, pictures, strict=True):
            image = Image.fromarray(picture).resize((self.side, self.side), FILTERS[self.resize])
            values = np.asarray(image, np.float32).ravel()
            row[:-1] = values - values.mean()
        return unit(rows)


def tiled_l2_pairs(pictures: np.ndarray, grid: int = GRID) -> np.ndarray:
    """Tiled l2 of all pairs of a stack uint8[n, h, w, 3]: float64[n, n], exact, symmetric.

    Squares come from |a|^2 + |b|^2 - 2ab in float64, where these integers are exact below 2^53, so
    nothing cancels. Memory is a few [n, n] and one tile of each image.
    With a `grid` of 1 it is the plain l2 of whole images. Raises ValueError for pictures that are
    not uint8[n, h, w, 3] or whose sides the grid does not divide.
    """
    worst = np.zeros((len(pictures), len(pictures)))
    for tile in _tiles(pictures, grid):
        np.maximum(worst, _squares(tile) / tile.shape[1], out=worst)
    return np.asarray(np.sqrt(worst) / 255)


def _tiles(pictures: np.ndarray, grid: int) -> Iterator[np.ndarray]:
    """uint8[n, h, w, 3] to grid^2 arrays uint8[n, d], one at a time."""
    if pictures.ndim != 4 or pictures.dtype != np.uint8:
        raise ValueError(f"expected uint8[n, h, w, 3], not {pictures.dtype}{pictures.shape}")
    height, width, channels = pictures.shape[1:]
    if height % grid or width % grid:
        raise ValueError(f"{height} by {width} pixels cannot be cut into {grid} by {grid} tiles")
    size = height // grid * (width // grid) * channels
    for band in np.split(pictures, grid, axis=1):
        for tile in np.split(band, grid, axis=2):
            yield tile.reshape(len(tile), size)


def _squares(rows: np.ndarray) -> np.ndarray:
    """Squared distances of all pairs of uint8[n, d] rows, float64[n, n], exact integers."""
    gram = np.zeros((len(rows), len(rows)))
    for start in range(0, rows.shape[1], SLICE):
        part = rows[:, start : start + SLICE].astype(np.float64)
        gram += part @ part.T
    own = np.diag(gram)
    return np.asarray(own[:, None] + own[None, :] - 2 * gram)
