"""Local similarity: crops of one image against crops of another, by any descriptor.

A copied object in another scene, or a scene with one part replaced, is not near to its source as a
whole; many published prompts that are known to give copies are of this kind. Comparing crops
finds them, as the split products in the code of Somepalli et al. 2023a do. A largest value of c x c
cosines is higher by chance than one cosine is: the threshold for copies must be calibrated on local
similarities of images that do not match, never on global ones.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import product
from typing import Protocol

import numpy as np

from audit.datasets import pixels


class Encoder(Protocol):
    """The wrapped encoder: images to unit vectors, under a key."""

    @property
    def key(self) -> str:
        """Hash of weights and preprocessing."""

    def images(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """uint8 images to float32[n, d] of unit length."""


class Tiled:
    """An encoder of crops: for each scale k, k x k crops of 2 / (k + 1) of each side.

    Neighbours overlap by half: an object of 1 / (k + 1) of each side is whole in one of them.
    Scale 1 is the whole image, 2 is four crops of two thirds, 3 is nine of a half. The whole
    image comes first where scale 1 does. Raises ValueError for no or impossible scales.
    """

    def __init__(self, encoder: Encoder, scales: Sequence[int] = (1, 2, 3)) -> None:
        if not scales or min(scales) < 1 or len(set(scales)) < len(scales):
            raise ValueError(f"scales must be different whole numbers from 1, not {scales}")
        whole = getattr(encoder, "whole", None)  # crops are cut from images that are not reduced
        self.encoder: Encoder = whole() if whole else encoder
        self.scales = tuple(scales)
        self.semantic = bool(getattr(encoder, "semantic", False))

    @property
    def key(self) -> str:
        """Hash of the wrapped encoder's key and the scales."""
        text = f"{self.encoder.key} {self.scales}"
        return f"tiled-{hashlib.sha256(text.encode()).hexdigest()[:12]}"

    @property
    def count(self) -> int:
        """Crops of each image."""
        return sum(k * k for k in self.scales)

    def crops(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """uint8[h, w, 3] images to float32[n, count, d], each row of unit length."""
        cuts = (cut(p, self.scales) for p in pictures)
        some = pixels.parts(cuts, lambda crops: sum(c.nbytes for c in crops))
        parts = [self.encoder.images([c for crops in part for c in crops]) for part in some]
        rows = np.concatenate(parts or [self.encoder.images([])])
        return np.asarray(rows.reshape(len(pictures), self.count, rows.shape[1]))

    def images(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """uint8[h, w, 3] images to float32[n, count * d]: all crops, of unit length together.

        The cosine of two such rows is the mean cosine of the crops at the same place; a
        local index compares the crops themselves (`audit.evidence.copies.local`).
        """
        rows = self.crops(pictures)
        return rows.reshape(len(rows), -1) / np.float32(np.sqrt(self.count))

    def box(self, crop: int) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of a crop by its number, as shares of the sides."""
        for k in self.scales:
            if crop < k * k:
                left, top = (
                    n / (k - 1) * (1 - 2 / (k + 1)) if k > 1 else 0 for n in (crop % k, crop // k)
                )
                size = 2 / (k + 1)
                return left, top, left + size, top + size
            crop -= k * k
        raise ValueError(f"There are {self.count} crops.")


def cut(picture: np.ndarray, scales: Sequence[int]) -> list[np.ndarray]:
    """The crops of a uint8[h, w, 3] image, scale by scale, row by row."""
    height, width = picture.shape[:2]
    return [
        picture[top:bottom, left:right]
        for k in scales
        for (top, bottom), (left, right) in product(_spans(height, k), _spans(width, k))
    ]


def _spans(side: int, k: int) -> list[tuple[int, int]]:
    """Start and end of k spans of 2 / (k + 1) of a side, rounded, at least one pixel each."""
    size = max(round(2 * side / (k + 1)), 1)
    starts = [round(i * (side - size) / max(k - 1, 1)) for i in range(k)]
    return [(s, s + size) for s in starts]
