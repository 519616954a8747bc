"""Pictures as small WebP data URIs, so that the page is one file that asks for nothing."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

SIDE = 160
QUALITY = 70


def data_uri(pixels: np.ndarray, side: int = SIDE) -> str:
    """uint8[h, w, 3] to a `data:image/webp` URI; larger pictures are scaled down to `side`."""
    image = Image.fromarray(pixels)
    if max(image.size) > side:
        image.thumbnail((side, side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=QUALITY, method=4)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
