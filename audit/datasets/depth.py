"""Grey images of more than 8 bits, whose values Pillow would clip to 255."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

MODES = ("I;16", "I;16B", "I;16L", "I;16N", "I", "F")
BITS, PHOTOMETRIC, SIGNED = 258, 262, 339
"""Tags of TIFF: BitsPerSample, PhotometricInterpretation and SampleFormat."""
FAINT = 16
"""Floats up to here and above 1 may be overexposed 0..1 or nearly black 0..255."""


class Ambiguous(Exception):
    """Values whose range cannot be told; the message says which."""


def grey(image: Image.Image) -> np.ndarray:
    """A loaded image in one of MODES as uint8[h, w, 3], a transparent value as white.

    Integers of 16 bits are in 0..65535, or in what TIFF says of fewer bits. Wider integers and
    floats do not say their range: integers up to 255 are of 8 bits, up to 65535 of 16; floats are
    in 0..1 or 0..255. Raises Ambiguous for anything else.
    """
    values = np.asarray(image)
    low, high = (float(f(values)) if values.size else 0.0 for f in (np.min, np.max))
    bottom, top = _range(image, low, high)
    out = np.empty((*values.shape, 3), np.uint8)
    hidden = image.info.get("transparency")
    inverted = _tag(image, PHOTOMETRIC) == 0 and image.format == "TIFF"
    for row, line in zip(out, values, strict=True):
        shown = np.clip((line.astype(np.float64) - bottom) / (top - bottom), 0, 1)
        level = np.rint((1 - shown if inverted else shown) * 255).astype(np.uint8)
        if isinstance(hidden, int):
            level[line == hidden] = 255
        row[:] = level[:, None]
    return out


def _range(image: Image.Image, low: float, high: float) -> tuple[float, float]:
    """The values of black and white."""
    if not (np.isfinite(low) and np.isfinite(high)):
        raise Ambiguous("values that are not finite")
    if image.mode.startswith("I;16"):
        bits = _tag(image, BITS)
        return 0, 2.0**bits - 1 if bits in range(9, 16) else 65535
    said = f"{'floats' if image.mode == 'F' else 'integers'} from {low:.6g} to {high:.6g}"
    if image.mode == "F":
        half = 1 / 510  # of a grey level: what rounding and resampling add
        if low >= -half and high <= 1 + half:
            return 0, 1
        if low >= -255 * half and FAINT < high <= 255 * (1 + half):
            return 0, 255
        raise Ambiguous(said)
    if image.format == "PNG":  # always of 16 bits; older versions of Pillow say no more
        return 0, 65535
    if low < 0 or high > 65535:
        raise Ambiguous(said)
    if high > 255 and _tag(image, SIGNED) == 2 and _tag(image, BITS) == 16:
        raise Ambiguous(f"signed {said}")
    return 0, 65535 if high > 255 else 255


def _tag(image: Image.Image, number: int) -> int:
    """A whole number of a TIFF's header; -1 where there is none."""
    value: Any = getattr(image, "tag_v2", {}).get(number, -1)
    first = value[0] if isinstance(value, tuple) and value else value
    return first if isinstance(first, int) else -1
