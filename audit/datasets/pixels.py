"""Reading and writing images: untrusted files are checked and limited in size.

Every image file of the package is opened here, in a fixed list of formats: other readers of Pillow
start programs (EPS starts Ghostscript) or are little tested.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar, overload

import numpy as np
from PIL import Image, UnidentifiedImageError

from audit.datasets import depth, kinds

T = TypeVar("T")

MAX_BYTES = 200_000_000
"""Files, members of archives and cells of tables above this size are not read as images."""
MAX_PIXELS = 64_000_000
"""Larger images are refused before they are decompressed."""
BATCH, BATCH_BYTES = 256, 16 * 3 * 1024**2
"""Images that are held in memory together: so many, or so many bytes of pixels. The bytes are
those of 16 images of 1024 by 1024, one batch of an encoder."""
TOGETHER = 64
"""Images whose vectors are made together: full batches of any encoder."""
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "JPEG2000",
           *(["AVIF"] if find_spec("PIL.AvifImagePlugin") else []))  # fmt: skip
"""What Pillow may read; JPEG includes MPO, the form of several JPEGs in a file."""
DECODED = 2
"""Changes when the same file gives other pixels than before, and with it what is made of them."""
BAND = 1 << 20
"""Pixels that are converted at a time: a whole image would be in memory several times."""
ORIENTATION = 0x0112
COLOURS = {"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV"}
"""Modes of Pillow that convert to RGB; greys of more than 8 bits are scaled by `depth`."""

BLANK = 2
"""Grey levels by which the pixels of a blank image may differ, in each channel."""


# Pillow warns of every image with damaged EXIF data, on a terminal that belongs to the command;
# what matters is in an image's reason. A filter for one call would not be safe in threads.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


class Unreadable(Exception):
    """A file that is not an image, is cut short, or is too large; the message says which."""


@contextmanager
def opened(file: bytes | Path) -> Iterator[Image.Image]:
    """An image file of which only the header is read yet.

    Raises Unreadable for a file that is not in one of FORMATS, has more than MAX_PIXELS or, in the
    body of the `with`, turns out to be damaged. MemoryError is let through: it says nothing about
    the file.
    """
    try:
        source = io.BytesIO(file) if isinstance(file, bytes) else file
        with Image.open(source, formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise Unreadable(f"{image.width} by {image.height} pixels is too large")
            yield image
    except (Unreadable, MemoryError):
        raise
    except UnidentifiedImageError:
        raise Unreadable(_unknown(file)) from None
    except depth.Ambiguous as error:
        raise Unreadable(f"depth that is not read ({error})") from None
    except Image.DecompressionBombError:
        raise Unreadable("too many pixels") from None
    except Exception as error:  # Pillow's decoders raise many kinds for damaged files
        raise Unreadable(f"damaged or cut short ({error})") from None


def _unknown(file: bytes | Path) -> str:
    kind = kinds.of_content(file[: kinds.HEAD] if isinstance(file, bytes) else kinds.head(file))
    if kind and kind not in kinds.READ:
        return f"not an image in a known format: {kind} is not read"
    return "not an image in a known format"


def extent(data: bytes, least: int = 0) -> int:
    """Bytes of the pixels that `decode` returns, from the header; 0 where it cannot be read."""
    try:
        with opened(data) as image:
            _reduce(image, least)
            return image.width * image.height * 3
    except Unreadable:
        return 0


def _reduce(image: Image.Image, least: int) -> None:
    """Let a JPEG be decoded at 1/2, 1/4 or 1/8 of its size, with no side below `least`."""
    if least:
        image.draft(None, (least, least))  # other formats have no such decoder, and stay whole


def decode(data: bytes, least: int = 0) -> np.ndarray:
    """File content to uint8[h, w, 3], sRGB on white, the way up that its EXIF data say.

    Greys of other depths are scaled to 8 bits. With `least`, a JPEG is decoded at a reduced size
    whose sides have at least so many pixels. Raises Unreadable as `opened` does, and for a depth or
    colours that cannot be told.
    """
    with opened(data) as image:
        _reduce(image, least)
        image.load()
        if image.mode in depth.MODES:
            found = depth.grey(image)
        elif image.mode in COLOURS:
            found = _flat(image)
        else:
            raise Unreadable(f"colours that are not read ({image.mode})")
        return _upright(found, image)


def _flat(image: Image.Image) -> np.ndarray:
    """uint8[h, w, 3], a band of rows at a time."""
    hidden = image.info.get("transparency")
    if image.mode == "RGB" and isinstance(hidden, tuple) and max(hidden) > 255:
        image.info["transparency"] = tuple(v >> 8 for v in hidden)  # of 16 bits, as its pixels were
    out = np.empty((image.height, image.width, 3), np.uint8)
    rows = max(1, BAND // max(1, image.width))
    for top in range(0, image.height, rows):
        bottom = min(top + rows, image.height)
        whole = rows >= image.height
        out[top:bottom] = _on_white(image if whole else image.crop((0, top, image.width, bottom)))
    return out


def _on_white(image: Image.Image) -> np.ndarray:
    if image.mode in ("RGBA", "LA", "La", "PA", "RGBa") or "transparency" in image.info:
        if image.mode == "La":
            image = image.convert("LA")
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return np.asarray(Image.alpha_composite(white, rgba).convert("RGB"))
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))  # which would copy


def _upright(pixels: np.ndarray, image: Image.Image) -> np.ndarray:
    """The pixels as a viewer shows them (EXIF 2.32, 4.6.4, Orientation)."""
    try:
        turn = int(image.getexif().get(ORIENTATION, 1))
    except MemoryError:
        raise
    except Exception:  # damaged EXIF data leave the image as it is stored
        return pixels
    if turn in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if turn in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if turn in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def blank(pixels: np.ndarray) -> bool:
    """Whether an image, uint8[h, w, 3], has one colour: it depicts nothing.

    That is what safety checkers and decoders that overflow leave behind. Compression may move
    each channel by BLANK grey levels; an image without pixels is blank.
    """
    if not pixels.size:
        return True
    few = pixels[:: max(1, len(pixels) // 16), :: max(1, pixels.shape[1] // 16)]
    return all(  # a few pixels tell most images from blank ones, and large ones have many
        bool((some.max((0, 1)).astype(int) - some.min((0, 1)) <= BLANK).all())
        for some in (few, pixels)
    )


def content(path: Path) -> bytes:
    """The bytes of a file; Unreadable if it cannot be opened, or has more than MAX_BYTES."""
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise Unreadable(f"a file of {size:,} bytes is too large")
        return path.read_bytes()
    except OSError as error:
        raise Unreadable(f"cannot be opened ({error.strerror})") from None


def read(path: Path) -> np.ndarray:
    """An image file as uint8[h, w, 3]; Unreadable if it is missing or damaged."""
    return decode(content(path))


class Lazy(Sequence[np.ndarray]):
    """Images by name that are decoded when they are taken, and not kept.

    An encoder takes one after another and keeps what it made of each, so a full batch of large
    photographs costs the memory of one. What raises Unreadable is grey, with its reason in
    `reasons`, which slices share.
    """

    def __init__(
        self, names: Sequence[str], load: Callable[[str], np.ndarray],
        reasons: dict[str, str] | None = None,
    ) -> None:  # fmt: skip
        self.names, self._load = names, load
        self.reasons: dict[str, str] = {} if reasons is None else reasons

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, place: int) -> np.ndarray: ...

    @overload
    def __getitem__(self, place: slice) -> Lazy: ...

    def __getitem__(self, place: int | slice) -> np.ndarray | Lazy:
        if isinstance(place, slice):
            return Lazy(self.names[place], self._load, self.reasons)
        name = self.names[place]
        try:
            return self._load(name)
        except Unreadable as reason:
            self.reasons[name] = str(reason)
            return np.full((64, 64, 3), 127, np.uint8)


def encoded(
    names: Sequence[str],
    load: Callable[[str], np.ndarray],
    encode: Callable[[Sequence[np.ndarray]], np.ndarray],
) -> Iterator[tuple[list[str], np.ndarray, dict[str, str]]]:
    """The vectors of the named images, of TOGETHER at a time, each decoded when it is encoded.

    Yields the names of those that can be read, their rows of float32[n, d], and the reasons of
    those for which `load` raised Unreadable.
    """
    for start in range(0, len(names), TOGETHER):
        some = Lazy(names[start : start + TOGETHER], load)
        rows = encode(some)
        kept = [i for i, name in enumerate(some.names) if name not in some.reasons]
        yield [some.names[i] for i in kept], rows[kept], some.reasons


def parts(items: Iterable[T], size: Callable[[T], int]) -> Iterator[list[T]]:
    """Images, or what contains them, in turn: as many together as BATCH and BATCH_BYTES allow.

    `size` gives the bytes of one; one more image as large as the largest could be too many.
    """
    some: list[T] = []
    total = largest = 0
    for item in items:
        here = size(item)
        if some and total + here > BATCH_BYTES:
            yield some
            some, total, largest = [], 0, 0
        some.append(item)
        del item  # before the next one is made
        total, largest = total + here, max(largest, here)
        if len(some) >= BATCH or total + largest > BATCH_BYTES:
            yield some
            some, total, largest = [], 0, 0
    if some:
        yield some


def png(pixels: np.ndarray) -> bytes:
    """uint8[h, w, 3] as a lossless PNG without metadata: equal pixels are equal bytes."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=4)
    return buffer.getvalue()
