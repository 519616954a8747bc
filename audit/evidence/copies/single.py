"""Claims on single images: this image is that training image.

A rate of copies is controlled over a set, so it needs many. One image that has the pixels of a
training image needs no others: extraction is a claim on single images (Carlini et al. 2023,
Extracting Training Data from Diffusion Models, sec. 4.1 and 4.2).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from audit.datasets import pixels

PIXELS, NEAR, VECTOR = "identical pixels", "nearly identical pixels", "identical vector"
"""What is claimed of a single image; empty for nothing."""
GRID = 4
"""Tiles along each side (Carlini et al. 2023, sec. 4.2)."""
MOST = 0.15
"""Tiled l2 above which nothing is claimed: the distance of Carlini et al. 2023, sec. 4.1, there of
whole images."""
TRIED = 40
"""Training images whose nearest other image shows how near different images come."""
FROM = 0.9
"""Cosine from which pixels are compared."""
FAR = math.log(2)
"""W from which the held-out side is far below: twice as far."""
EXACT = 1 - 1e-5
"""Cosine of equal vectors, one of which may be stored as float16."""

Load = Callable[[str], np.ndarray]


def tiled_l2(a: np.ndarray, b: np.ndarray) -> float:
    """Largest root-mean-square difference of two tiles at the same place, 0 to 1.

    `a`, `b` uint8[h, w, 3]; the larger image is resized to the smaller's size. The distance of
    Carlini et al. 2023, sec. 4.2, each tile normalised by its own size.
    """
    height, width = (min(x.shape[i] for x in (a, b)) for i in (0, 1))
    one, two = (_sized(x, height, width) for x in (a, b))

    def square(tile: tuple[slice, slice]) -> float:  # whole images as floats take a gigabyte
        return float((((one[tile].astype(float) - two[tile]) / 255) ** 2).mean())

    rows, columns = (np.unique(np.linspace(0, n, GRID + 1).astype(int)) for n in (height, width))
    return max(
        math.sqrt(square((slice(top, bottom), slice(left, right))))
        for top, bottom in pairwise(rows)
        for left, right in pairwise(columns)
    )


def _sized(x: np.ndarray, height: int, width: int) -> np.ndarray:
    if x.shape[:2] != (height, width):
        x = np.asarray(Image.fromarray(x).resize((width, height), Image.Resampling.BICUBIC))
    return x


def line(index: Any, distinct: np.ndarray, image: Load, seed: int) -> float:
    """Tiled l2 up to which two images are nearer than any pair of different ones.

    Half the smallest distance of a training image to its nearest other one, over TRIED of them
    that are `distinct`, bool[n], and at most MOST. NaN where fewer than two can be read.
    """
    side = index.train.without(~distinct)
    there = np.random.default_rng(seed).permutation(np.flatnonzero(distinct))[:TRIED]
    if len(there) < 2:
        return math.nan
    near = side.nearest(side.rows(there), 2)[1]
    found = []
    for own, both in zip(there, near, strict=True):
        other = next((int(p) for p in both if p not in (own, -1)), None)
        try:
            if other is not None:
                found.append(tiled_l2(*(image(side.entry(int(p)).id) for p in (own, other))))
        except pixels.Unreadable:
            continue
    return min(MOST, min(found) / 2) if len(found) > 1 else math.nan


def single(a: np.ndarray | None, b: np.ndarray | None, most: float) -> str:
    """What is claimed of a generated and a training image: PIXELS, NEAR or nothing.

    `most` is the `line`; NaN claims equal pixels alone. Of a plain image nothing is claimed: every
    white image is every other.
    """
    if a is None or b is None or np.ptp(a.reshape(-1, a.shape[-1]), axis=0).max() == 0:
        return ""
    if a.shape == b.shape and np.array_equal(a, b):
        return PIXELS
    return NEAR if tiled_l2(a, b) <= most else ""


def claims(
    pairs: Sequence[tuple[str, str | None, float, float]], load: tuple[Load, Load], most: float
) -> pd.Series:
    """What is claimed of each image: an object series of PIXELS, NEAR, VECTOR or "".

    `pairs` are an image, its nearest training image, the cosine of both, and W (NaN without
    held-out images). `load` returns the pixels of either; where these are not available, an equal
    vector is said to be one. Near pixels count only where the held-out side is far below.
    """
    return pd.Series(list(_claims(pairs, load, most)), dtype=object)


def _claims(
    pairs: Sequence[tuple[str, str | None, float, float]], load: tuple[Load, Load], most: float
) -> Iterator[str]:
    for made, train, cosine, w in pairs:
        if train is None or not cosine >= FROM:
            yield ""
            continue
        far = math.isnan(w) or w >= FAR
        own, other = (_read(f, name) for f, name in zip(load, (made, train), strict=True))
        if own is None or other is None:
            yield VECTOR if cosine >= EXACT and far else ""
        else:
            yield single(own, other, most if far else math.nan)


def _read(load: Load, name: str) -> np.ndarray | None:
    try:
        return load(name)
    except (pixels.Unreadable, KeyError):
        return None
