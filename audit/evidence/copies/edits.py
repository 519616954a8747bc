"""Edited copies under a descriptor: the standard edits, and its cosines under each.

A threshold on a cosine means nothing without this curve: under a centred crop of half of each side
SSCD gives a true copy a median of about 0.57, so its authors' 0.75 misses nearly all of them.
The edits are those of copy detection benchmarks (Douze et al. 2021, DISC21; Pizzi et al. 2022), one
at a time and at fixed strengths.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from functools import partial

import numpy as np
import pandas as pd
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from audit.datasets import pixels
from audit.evidence.copies.facts import EditCosines
from audit.evidence.copies.local import similarities
from audit.evidence.copies.making import Encoder

Edit = Callable[[np.ndarray, np.random.Generator], np.ndarray]
"""uint8[h, w, 3] to uint8[h', w', 3]; all randomness comes from the generator."""

CURVE_COLUMNS = tuple(f.name for f in fields(EditCosines) if f.name != "power")
"""One row per edit: the fields of `EditCosines` that do not depend on a run's decision."""

JPEG_SIDE = 65_500
"""Pixels of a side that libjpeg writes."""


def crop(picture: np.ndarray, rng: np.random.Generator, keep: float) -> np.ndarray:
    """The centre, `keep` of each side."""
    height, width = picture.shape[:2]
    rows, columns = max(round(height * keep), 1), max(round(width * keep), 1)
    top, left = (height - rows) // 2, (width - columns) // 2
    return picture[top : top + rows, left : left + columns].copy()


def jpeg(picture: np.ndarray, rng: np.random.Generator, quality: int) -> np.ndarray:
    """Compressed at `quality`, 1 to 95, and read back; in parts where a side is too long for it."""
    for axis in (0, 1):
        if (side := picture.shape[axis]) > JPEG_SIDE:
            parts = np.split(picture, range(JPEG_SIDE, side, JPEG_SIDE), axis)
            return np.concatenate([jpeg(part, rng, quality) for part in parts], axis)
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=quality)
    with Image.open(buffer, formats=["JPEG"]) as image:
        return np.asarray(image.convert("RGB"))


def mirror(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Left and right exchanged."""
    return picture[:, ::-1].copy()


def rotate(picture: np.ndarray, rng: np.random.Generator, degrees: float) -> np.ndarray:
    """Turned about the centre, counter-clockwise; corners take the image's mean colour."""
    mean = tuple(int(v) for v in picture.reshape(-1, 3).mean(axis=0).round())
    turned = Image.fromarray(picture).rotate(degrees, Image.Resampling.BICUBIC, fillcolor=mean)
    return np.asarray(turned)


def overlay(picture: np.ndarray, rng: np.random.Generator, area: float) -> np.ndarray:
    """A patch of other content, `area` of the image, at a random place.

    The patch is 4 x 4 random colours, smoothly blended: it has structure, but from no image.
    """
    height, width = picture.shape[:2]
    rows, columns = (max(round(side * np.sqrt(area)), 1) for side in (height, width))
    colours = Image.fromarray(rng.integers(0, 256, (4, 4, 3), np.uint8))
    top, left = int(rng.integers(height - rows + 1)), int(rng.integers(width - columns + 1))
    out = picture.copy()
    patch = colours.resize((columns, rows), Image.Resampling.BICUBIC)
    out[top : top + rows, left : left + columns] = np.asarray(patch)
    return out


def brightness(picture: np.ndarray, rng: np.random.Generator, factor: float) -> np.ndarray:
    """Every value times `factor`, clipped at white."""
    return np.asarray(ImageEnhance.Brightness(Image.fromarray(picture)).enhance(factor))


def contrast(picture: np.ndarray, rng: np.random.Generator, factor: float) -> np.ndarray:
    """Distances from the mean luma times `factor`, clipped."""
    return np.asarray(ImageEnhance.Contrast(Image.fromarray(picture)).enhance(factor))


def greyscale(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Luma in all three channels."""
    return np.asarray(ImageOps.grayscale(Image.fromarray(picture)).convert("RGB"))


def blur(picture: np.ndarray, rng: np.random.Generator, sigma: float) -> np.ndarray:
    """Gaussian blur; `sigma` is a fraction of the short side: size does not matter."""
    radius = sigma * min(picture.shape[:2])
    return np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(radius)))


def noise(picture: np.ndarray, rng: np.random.Generator, sd: float) -> np.ndarray:
    """Independent Gaussian noise of `sd` grey levels on each value, rounded and clipped."""
    noisy = picture + rng.normal(0, sd, picture.shape)
    return np.asarray(np.clip(np.round(noisy), 0, 255).astype(np.uint8))


def downscale(picture: np.ndarray, rng: np.random.Generator, factor: int) -> np.ndarray:
    """An image of 1 / `factor` of each side."""
    height, width = picture.shape[:2]
    size = max(width // factor, 1), max(height // factor, 1)
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS))


EDITS: Mapping[str, Edit] = {
    **{f"crop {p} %": partial(crop, keep=p / 100) for p in (90, 70, 50)},
    **{f"jpeg {q}": partial(jpeg, quality=q) for q in (90, 50, 30, 10)},
    "mirror": mirror,
    **{f"rotation {d}": partial(rotate, degrees=d) for d in (5, 15)},
    "overlay quarter": partial(overlay, area=0.25),
    "overlay half": partial(overlay, area=0.5),
    "brighter": partial(brightness, factor=1.4),
    "darker": partial(brightness, factor=0.6),
    "contrast up": partial(contrast, factor=1.6),
    "contrast down": partial(contrast, factor=0.5),
    "greyscale": greyscale,
    **{f"blur {p} %": partial(blur, sigma=p / 100) for p in (1, 2)},
    **{f"noise {s}": partial(noise, sd=s) for s in (10, 25)},
    **{f"downscale {f}": partial(downscale, factor=f) for f in (2, 4)},
}
"""The standard set. A crop's percentage is of each side: 50 % keeps a quarter of the area."""


def apply(
    edit: str, picture: np.ndarray, seed: int, edits: Mapping[str, Edit] = EDITS
) -> np.ndarray:
    """One named edit of a uint8[h, w, 3] image: same name, image and seed, same pixels.

    Raises KeyError for an unknown name. The image itself is never changed.
    """
    return edits[edit](picture, np.random.default_rng([zlib.crc32(edit.encode()), seed]))


def encoded(
    encoder: Encoder,
    pictures: Iterable[np.ndarray],
    edits: Mapping[str, Edit],
    rng: np.random.Generator,
) -> dict[str, np.ndarray]:
    """Vectors float32[n, d] of the images under each edit; those of the images are "none".

    Each edit is seeded by its name and the image's position, so another set of edits changes none.
    """
    seed, count = int(rng.integers(2**31)), 0
    parts: dict[str, list[np.ndarray]] = {name: [] for name in ("none", *edits)}
    for some in pixels.parts(pictures, lambda p: p.nbytes):
        parts["none"].append(encoder.images(some))
        for name in edits:
            edited = [apply(name, p, seed + i, edits) for i, p in enumerate(some, count)]
            parts[name].append(encoder.images(edited))
            del edited  # before the next ones are made
        count += len(some)
    return {name: np.concatenate(rows) for name, rows in parts.items() if rows}


def curve(vectors: Mapping[str, np.ndarray], crops: int = 1) -> pd.DataFrame:
    """Cosines of copies and of unrelated images under each edit (CURVE_COLUMNS), "none" first.

    `vectors` are those of `encoded`, by an encoder of that many crops.

    `low`, `median` and `high` are the 5th, 50th and 95th percentile over the n images of the
    cosine of an edited image with its source; `null_*` are median, 95th percentile and maximum
    over the n (n - 1) pairs of an edited image with another's source. The images should be drawn
    from the training set in question, with no two alike. Raises ValueError for fewer than two
    images, which have no unrelated pairs.
    """
    sources = vectors["none"]
    if len(sources) < 2:
        raise ValueError("a curve needs two images or more, for unrelated pairs")
    rows = [_row(name, similarities(v, sources, crops)) for name, v in vectors.items()]
    return pd.DataFrame(rows, columns=list(CURVE_COLUMNS))


def _row(name: str, cosine: np.ndarray) -> tuple[str | int | float, ...]:
    """One line of the curve from cosines [n edited, n sources]."""
    own = np.eye(len(cosine), dtype=bool)
    low, median, high = np.quantile(cosine[own], (0.05, 0.5, 0.95))
    null = cosine[~own]
    null_median, null_high = np.quantile(null, (0.5, 0.95))
    figures = (null_median, null_high, null.max())
    return (name, len(cosine), float(low), float(median), float(high), len(null),
            *map(float, figures))  # fmt: skip
