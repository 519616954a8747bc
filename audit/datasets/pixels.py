"""Reading and writing images: untrusted files are checked and limited in size."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

MAX_BYTES = 200_000_000
"""Members of archives and cells of tables above this size are not read as images."""
MAX_PIXELS = 64_000_000
"""Larger images are refused before they are decompressed."""
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")


BLANK = 2
"""Grey levels by which the pixels of a blank image may differ, in each channel."""


class Unreadable(Exception):
    """A file that is not an image, is cut short, or is too large; the message says which."""


def decode(data: bytes) -> np.ndarray:
    """File content to uint8[h, w, 3], sRGB on white; Unreadable for anything else."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.width * image.height > MAX_PIXELS:
                raise Unreadable(f"{image.width} by {image.height} pixels is too large")
            return _flat(image)
    except Unreadable:
        raise
    except UnidentifiedImageError:
        raise Unreadable("not an image in a known format") from None
    except Exception as error:  # Pillow's decoders raise many kinds for damaged files
        raise Unreadable(f"damaged or cut short ({error})") from None


def _flat(image: Image.Image) -> np.ndarray:
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return np.asarray(Image.alpha_composite(white, rgba).convert("RGB"))
    return np.asarray(image.convert("RGB"))


def blank(pixels: np.ndarray) -> bool:
    """Whether an image, uint8[h, w, 3], has one colour: it depicts nothing.

    That is what safety checkers and decoders that overflow leave behind. Compression may move
    each channel by BLANK grey levels; an image without pixels is blank.
    """
    if not pixels.size:
        return True
    channels = pixels.reshape(-1, pixels.shape[-1])
    return bool((channels.max(0).astype(int) - channels.min(0) <= BLANK).all())


def content(path: Path) -> bytes:
    """The bytes of a file; Unreadable if it cannot be opened."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise Unreadable(f"cannot be opened ({error.strerror})") from None


def read(path: Path) -> np.ndarray:
    """An image file as uint8[h, w, 3]; Unreadable if it is missing or damaged."""
    return decode(content(path))


def png(pixels: np.ndarray) -> bytes:
    """uint8[h, w, 3] as a lossless PNG without metadata: equal pixels are equal bytes."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=4)
    return buffer.getvalue()


def list_images(folder: Path) -> list[Path]:
    """Image files below a folder, sorted by name; links that leave the folder are left out."""
    return sorted(_images(folder))


def has_images(folder: Path) -> bool:
    """Whether `list_images` would find any, without listing all."""
    return any(True for _ in _images(folder))


def _images(folder: Path) -> Iterator[Path]:
    root = folder.resolve()
    for path in folder.rglob("*"):
        inside = path.suffix.lower() in SUFFIXES and path.is_file()
        if inside and path.resolve().is_relative_to(root):
            yield path
