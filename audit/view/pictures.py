"""Images for the browser: decoded under limits, encoded again, cached while unchanged."""

from __future__ import annotations

import io
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from audit.datasets import pixels
from audit.keys import digest
from audit.runs.pictures import RunPictures

SMALL, LARGE = 256, 1024
"""Longest side of a thumbnail and of an image on its own page."""
BUDGET = 96 << 20
"""Bytes of encoded images that are kept in memory."""
AT_ONCE = max(2, min(4, os.cpu_count() or 2))
"""Images decoded at the same time: each may have 64 million pixels."""


def webp(picture: np.ndarray, side: int = SMALL) -> bytes:
    """uint8[h, w, 3] as WebP, scaled down to `side`; smaller images keep their size, lossless."""
    image = Image.fromarray(picture)
    small = max(image.size) <= side
    if not small:
        image.thumbnail((side, side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=80, method=2, lossless=small)
    return buffer.getvalue()


def whole(picture: np.ndarray, side: int = LARGE) -> bytes:
    """uint8[h, w, 3] as a lossless PNG, scaled down to `side` where it is larger."""
    if max(picture.shape[:2]) > side:
        image = Image.fromarray(picture)
        image.thumbnail((side, side), Image.Resampling.LANCZOS)
        picture = np.asarray(image)
    return pixels.png(picture)


FORMS: Mapping[str, tuple[Callable[[np.ndarray], bytes], str]] = {
    "small": (webp, "image/webp"),
    "large": (whole, "image/png"),
}


@dataclass
class Shelf:
    """Encoded images by key; the least recently used are dropped first."""

    budget: int = BUDGET
    held: int = 0
    _known: OrderedDict[str, bytes] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _decoding: threading.Semaphore = field(
        default_factory=lambda: threading.BoundedSemaphore(AT_ONCE)
    )

    def get(self, key: str, make: Callable[[], bytes]) -> bytes:
        """The bytes under `key`, made if they are not cached."""
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                return self._known[key]
        with self._decoding:
            data = make()
        with self._lock:
            self.held += len(data) - len(self._known.get(key, b""))
            self._known[key] = data
            self._known.move_to_end(key)
            while self.held > self.budget and self._known:
                self.held -= len(self._known.popitem(last=False)[1])
        return data

    def encoded(self, source: RunPictures, id: str, form: str) -> tuple[str, Callable[[], bytes]]:
        """An image's tag, which changes when it does, and a function that returns its bytes.

        `form` is one of FORMS. Both raise pixels.Unreadable.
        """
        tag = digest([id, form, source.stamp(id)])
        encode = FORMS[form][0]

        def make() -> bytes:
            picture = source.read(id)
            if not picture.size:
                raise pixels.Unreadable("has no pixels")
            return encode(picture)

        return tag, lambda: self.get(tag, make)
