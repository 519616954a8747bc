"""How alike the structure of two images is: SSIM."""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

SIDE = 256
"""Pixels of the longer side at which images are compared; smaller images keep their size."""
SIGMA, REACH = 1.5, 5
"""Deviation of the Gaussian window in pixels, and how far it reaches: 11 x 11 pixels."""
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def similarity(first: np.ndarray, second: np.ndarray) -> float:
    """SSIM of the luminance of two images uint8[h, w, 3], in -1..1; 1 for equal ones.

    Wang, Bovik, Sheikh & Simoncelli 2004, IEEE Trans Image Process 13:600, equation 13, with their
    window and constants, averaged where the window is inside the image. Images are compared at
    SIDE pixels, the second at the size of the first. NaN where the window does not fit.
    """
    x = _luminance(first, None)
    y = _luminance(second, x.shape)
    if min(x.shape) <= 2 * REACH:
        return float("nan")
    mx, my = _mean(x), _mean(y)
    vx, vy, cov = _mean(x * x) - mx**2, _mean(y * y) - my**2, _mean(x * y) - mx * my
    alike = (2 * mx * my + C1) * (2 * cov + C2) / ((mx**2 + my**2 + C1) * (vx + vy + C2))
    return float(alike[REACH:-REACH, REACH:-REACH].mean())


def _mean(x: np.ndarray) -> np.ndarray:
    return np.asarray(gaussian_filter(x, SIGMA, radius=REACH))


def _luminance(picture: np.ndarray, shape: tuple[int, ...] | None) -> np.ndarray:
    """float64[h, w] in 0..255 at a shape, or at SIDE pixels at most."""
    image = Image.fromarray(picture).convert("L")
    if shape is None:
        scale = min(1.0, SIDE / max(image.size))
        shape = tuple(max(1, round(n * scale)) for n in image.size[::-1])
    if image.size != shape[::-1]:
        image = image.resize((shape[1], shape[0]), Image.Resampling.BILINEAR)
    return np.asarray(image, np.float64)
