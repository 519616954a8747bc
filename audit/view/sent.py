"""Images that are sent in a conversation, and those that are shown there."""

from __future__ import annotations

import base64
from collections.abc import Callable

import numpy as np
from PIL import Image

from audit.datasets import pixels
from audit.errors import UserError
from audit.report import wording
from audit.view.pictures import webp

MOST_BYTES = 3_000_000
"""Of an image: its base64 form fits into a request over HTTP."""
MOST_PIXELS = 16_000_000
SIDE = 256
"""Longest side of a thumbnail."""
GRAIN = 12
"""Longest side to which a thumbnail is shrunk before it is shown blurred."""


def decoded(picture: str) -> np.ndarray:
    """Base64 to uint8[h, w, 3]; UserError where it is not an image, or is too large."""
    try:
        data = base64.b64decode(picture, validate=True)
    except ValueError:
        raise UserError("The picture is not base64. Send the bytes of the file so.") from None
    if len(data) > MOST_BYTES:
        raise UserError(f"Send an image of at most {MOST_BYTES:,} bytes.")
    try:
        with pixels.opened(data) as header:
            size = header.width * header.height
        image = pixels.decode(data) if 0 < size <= MOST_PIXELS else None
    except pixels.Unreadable as reason:
        raise UserError(f"The picture cannot be read: {wording.clip(reason)}.") from None
    if image is None:
        raise UserError(f"Send an image of 1 to {MOST_PIXELS:,} pixels.")
    return image


def thumbnail(read: Callable[[str], np.ndarray], id: str, clear: bool) -> bytes:
    """An image as WebP, blurred unless `clear`; UserError where `read` cannot read it."""
    try:
        image = read(id)
    except pixels.Unreadable:
        raise UserError("This image is not in the folder of the run.") from None
    return webp(image if clear else blurred(image), SIDE)


def blurred(image: np.ndarray) -> np.ndarray:
    """uint8[h, w, 3] with no detail finer than a twelfth of its longer side."""
    small = Image.fromarray(image)
    size = small.size
    small.thumbnail((GRAIN, GRAIN), Image.Resampling.BOX)
    scale = min(1.0, SIDE / max(size))
    shown = (max(1, round(size[0] * scale)), max(1, round(size[1] * scale)))
    return np.asarray(small.resize(shown, Image.Resampling.BICUBIC))
