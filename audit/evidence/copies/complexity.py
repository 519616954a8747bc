"""Complexity of images: simple images are copied more (Somepalli et al. 2023a, sec. 7).

Entropy and compressed size are those of the authors' code, which uses 224 x 224; sizes must be
equal to be compared, so `table` resizes. A blank image has entropy and variation 0.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
from PIL import Image

LUMA = (0.2125, 0.7154, 0.0721)
"""Rec. 709 weights of red, green and blue, as scikit-image rounds them."""
QUALITY = 90
SIDE = 256

COMPLEXITY_COLUMNS = ("image", "entropy", "jpeg", "variation", "mixed")
"""One row per image: bits of grey levels, bytes as JPEG, grey levels of total variation per pixel,
and entropy x sqrt(kilobytes), which Somepalli et al. found to correlate most with copying."""


def entropy(picture: np.ndarray) -> float:
    """Shannon entropy of the grey levels of uint8[h, w, 3] in bits: 0 (flat) to 8."""
    grey = np.round(picture @ np.array(LUMA)).astype(np.int64)
    shares = np.bincount(grey.ravel()) / grey.size
    shares = shares[shares > 0]
    return float(max(-(shares * np.log2(shares)).sum(), 0.0))


def jpeg_bytes(picture: np.ndarray, quality: int = QUALITY) -> int:
    """Size of uint8[h, w, 3] as a JPEG file, in bytes; colours at half the resolution."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=quality, subsampling="4:2:0")
    return buffer.tell()


def total_variation(picture: np.ndarray) -> float:
    """Mean absolute difference of neighbours, down plus across, of uint8[h, w, 3]: 0 to 510.

    The anisotropic total variation (Rudin, Osher & Fatemi 1992) per pixel and channel in grey
    levels, independent of size. A side of one pixel adds nothing.
    """
    values = picture.astype(np.int16)
    steps = (np.abs(np.diff(values, axis=axis)) for axis in (0, 1))
    return float(sum(s.mean() for s in steps if s.size))


def table(pictures: Mapping[str, np.ndarray], side: int = SIDE) -> pd.DataFrame:
    """COMPLEXITY_COLUMNS of images by id, uint8[h, w, 3], each resized to side x side."""
    rows = []
    for name, picture in pictures.items():
        pixels = sized(picture, side)
        bits, size = entropy(pixels), jpeg_bytes(pixels)
        mixed = bits * math.sqrt(size / 1024)
        rows.append((name, bits, size, total_variation(pixels), mixed))
    return pd.DataFrame(rows, columns=list(COMPLEXITY_COLUMNS))


def sized(picture: np.ndarray, side: int = SIDE) -> np.ndarray:
    """An image as `table` measures it, uint8[side, side, 3]."""
    if picture.shape[:2] == (side, side):
        return picture
    image = Image.fromarray(picture).resize((side, side), Image.Resampling.BICUBIC)
    return np.asarray(image)
