"""Pictures as the browser gets them: decoded under caps, encoded anew, kept while unchanged."""

from __future__ import annotations

import io
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from audit.datasets import pixels
from audit.records import digest
from audit.store import RunFolder

SMALL, LARGE = 256, 1024
"""Longest side of a thumbnail and of a picture on its own page."""
BUDGET = 96 << 20
"""Bytes of encoded pictures that are kept in memory."""
AT_ONCE = max(2, min(4, os.cpu_count() or 2))
"""Pictures decoded at the same time: each may take 64 million pixels."""


@dataclass(frozen=True)
class Source:
    """Where pictures come from: id to uint8[h, w, 3], and to what changes when the picture does.

    Both raise pixels.Unreadable for a picture that cannot be had.
    """

    read: Callable[[str], np.ndarray]
    stamp: Callable[[str], str]


def of_run(folder: RunFolder, results: Mapping[str, Any]) -> Source:
    """The pictures of a run: its own, or those made elsewhere that it was about."""
    if not results.get("images"):
        return Source(folder.read_image, lambda id: _stamp(folder.image_path(id)))
    place, names = Path(results["images"]), results["pictures"]
    return _elsewhere(place, names)


def _elsewhere(place: Path, names: Mapping[str, str]) -> Source:
    from audit.design.imported import readers

    made, lock = readers.read(place), threading.Lock()

    def file(id: str) -> Path:
        if id not in names:
            raise pixels.Unreadable("has no file in this run")
        if not place.is_dir():
            return place
        inside = (place / names[id]).resolve()
        if not inside.is_relative_to(place.resolve()):
            raise pixels.Unreadable("its name leaves the folder of images")
        return inside

    def read(id: str) -> np.ndarray:
        file(id)
        with lock:  # archives keep what they read last
            return made.image(names[id])

    return Source(read, lambda id: _stamp(file(id)))


def _stamp(path: Path) -> str:
    try:
        stat = path.stat()
    except OSError as error:
        raise pixels.Unreadable(f"cannot be opened ({error.strerror})") from None
    return f"{stat.st_mtime_ns}-{stat.st_size}"


def webp(picture: np.ndarray, side: int = SMALL) -> bytes:
    """uint8[h, w, 3] as WebP, scaled down to `side`; smaller pictures keep their size, lossless."""
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
    """Encoded pictures by key, the least recently asked for out first."""

    budget: int = BUDGET
    held: int = 0
    _known: OrderedDict[str, bytes] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _decoding: threading.Semaphore = field(
        default_factory=lambda: threading.BoundedSemaphore(AT_ONCE)
    )

    def get(self, key: str, make: Callable[[], bytes]) -> bytes:
        """The bytes under `key`, made where they are not held."""
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

    def encoded(self, source: Source, id: str, form: str) -> tuple[str, Callable[[], bytes]]:
        """A picture's tag, which changes when it does, and what gives its bytes.

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
