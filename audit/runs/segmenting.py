"""Segments of images by words: masks, overlays and a table, for given images and for drawn ones."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageFont

from audit.datasets import cells
from audit.errors import UserError
from audit.files import write_atomic
from audit.records import Settings
from audit.runs.context import Progress, silent
from audit.runs.options import Options
from audit.runs.planning import model_of
from audit.runs.searching import Question

if TYPE_CHECKING:
    from audit.engine.segments import Maps

MOST = 20
"""Words at once."""
COLOURS = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178),
           (213, 94, 0), (204, 121, 167))  # fmt: skip
"""Okabe and Ito's colours, which colour-blind readers can tell apart; used in turn."""
TINT, SMALLEST_SIDE, LINE = 0.5, 320, 20
"""Share of a segment's colour, least longest side of an overlay, and height of a legend's line."""
TABLE = "segments.csv"
COLUMNS = ("image", "word", "share", "left", "top", "right", "bottom", "contrast", "mask")


@dataclass(frozen=True)
class Segmented:
    """One image with its segments."""

    name: str
    image: np.ndarray
    """uint8[h, w, 3]."""
    labels: np.ndarray
    """int16[h, w]: place of the pixel's word, -1 for none."""
    contrast: tuple[float, ...]
    """How unequally the image's places attend to each word, in nats."""
    drawn: bool = False
    """Whether it was drawn for this, and not given."""
    missing: str = ""
    """Why there is no image: "blocked" by the model's own checker, or "failed"."""


def words_of(texts: Sequence[str]) -> tuple[str, ...]:
    """The words of lists with commas between them, each once; UserError for none or too many."""
    found = tuple(dict.fromkeys(" ".join(w.split()) for t in texts for w in t.split(",")))
    if not found or "" in found:
        raise UserError("--words has an empty word. Give words as in --words 'person,laptop'.")
    if len(found) > MOST:
        raise UserError(f"--words has {len(found)} words. Give at most {MOST} at once.")
    return found


@dataclass(frozen=True)
class Asked:
    """The images to segment: given ones, and prompts to draw."""

    given: Question | None
    caption: str = ""
    """What the given ones show; empty where it is not known."""
    texts: Sequence[str] = ()
    seeds: int = 1
    """Images of each text."""

    @property
    def images(self) -> int:
        """How many there are in all."""
        return (len(self.given.names) if self.given else 0) + len(self.texts) * self.seeds


class Segmenter:
    """A model that finds `words` in images by its layers whose names begin with `part`.

    It is that of the options, or one that is `loaded`, with its settings. Raises UserError where
    it has no such layers.
    """

    def __init__(
        self, options: Options, words: Sequence[str], part: str,
        loaded: tuple[Any, Settings] | None = None,
    ) -> None:  # fmt: skip
        from audit.engine.segments import Where, watched

        self.words, self.where = tuple(words), Where(part)
        self.model, self.settings = loaded or _loaded(options)
        watched(self.model, part)

    def given(self, images: Sequence[np.ndarray], text: str = "") -> Iterator[Segmented]:
        """Segments of images, uint8[h, w, 3], without names; `text` says what they show."""
        from audit.engine.segments import of_given

        for picks in self._batches(len(images)):
            some = [images[i] for i in picks]
            with _enough_memory(len(some)):
                maps = of_given(self.model, some, self.words, self.settings, text, self.where)
            yield from _cut(some, maps)

    def drawn(self, text: str, seeds: Sequence[int]) -> Iterator[Segmented]:
        """Images of a prompt, one for each seed, with their segments, without names."""
        from audit.engine.segments import of_drawn

        for picks in self._batches(len(seeds)):
            asked = [text] * len(picks), [seeds[i] for i in picks]
            with _enough_memory(len(picks)):
                images, missing, maps = of_drawn(
                    self.model, *asked, self.words, self.settings, self.where
                )
            for found, reason in zip(_cut(list(images), maps), missing, strict=True):
                yield replace(found, drawn=True, missing=reason)

    def _batches(self, n: int) -> Iterator[range]:
        size = self.settings.batch
        return (range(start, min(start + size, n)) for start in range(0, n, size))


def _loaded(options: Options) -> tuple[Any, Settings]:
    from audit.engine.model import load

    source, settings, _ = model_of(options)
    return load(source, options.loading), settings


@contextmanager
def _enough_memory(n: int) -> Iterator[None]:
    """UserError where memory does not suffice for `n` images at once."""
    from audit.engine.sampler import out_of_memory

    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        raise UserError(
            f"Memory ran out at {n} images at once. Use --batch 1, --dtype bfloat16, fewer words, "
            "a smaller --size, or another device."
        ) from error


def _cut(images: Sequence[np.ndarray], maps: Maps) -> Iterator[Segmented]:
    from audit.engine.edges import labelled

    for image, values, contrast in zip(images, maps.values, maps.contrast, strict=True):
        yield Segmented("", image, labelled(image, values), tuple(map(float, contrast)))


def segment(
    segmenter: Segmenter, asked: Asked, out: Path, progress: Progress = silent
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Segment images and write what was found below `out`; the table, and reasons of missing ones.

    For each image a mask (a PNG whose values are the words' places from 1, 0 for none), an overlay
    (WebP) and, of a drawn one, the image; and the table of COLUMNS.
    """
    rows: list[dict[str, Any]] = []
    missing: dict[str, str] = {}
    for i, found in enumerate(_found(segmenter, asked)):
        progress("segments", i + 1, asked.images)
        if found.missing:
            missing[found.name] = found.missing
            continue
        stem = f"{i:04d}-{_plain(found.name)}"
        if found.drawn:
            write_atomic(out / f"{stem}.png", _png(Image.fromarray(found.image)))
        _write(out, stem, found, segmenter.words)
        rows += described(found, segmenter.words, f"{stem}-mask.png")
    table = pd.DataFrame(rows, columns=list(COLUMNS)).round({"share": 4, "contrast": 3})
    corners = ["left", "top", "right", "bottom"]
    table[corners] = table[corners].astype("Int64")  # whole numbers also where some are missing
    write_atomic(out / TABLE, cells.of_frame(table))
    return table, missing


def _found(segmenter: Segmenter, asked: Asked) -> Iterator[Segmented]:
    """All images with their segments and names, the given ones first."""
    if asked.given:
        found = segmenter.given(asked.given.pictures, asked.caption)
        yield from map(_named, found, asked.given.names)
    for text in asked.texts:
        drawn = segmenter.drawn(text, range(asked.seeds))
        yield from (_named(found, f"{text} {i}") for i, found in enumerate(drawn))


def _named(found: Segmented, name: str) -> Segmented:
    return replace(found, name=name)


def described(found: Segmented, words: Sequence[str], mask: str) -> list[dict[str, Any]]:
    """A row of COLUMNS for each word; boxes in pixels, right and bottom exclusive, empty of none.

    `share` is of the image's area.
    """
    rows = []
    for i, word in enumerate(words):
        inside = found.labels == i
        down, across = (np.flatnonzero(inside.any(axis)) for axis in (1, 0))
        box = (across[0], down[0], across[-1] + 1, down[-1] + 1) if len(down) else (None,) * 4
        corners = [None if v is None else int(v) for v in box]
        rows.append(dict(zip(COLUMNS, (
            found.name, word, float(inside.mean()), *corners, found.contrast[i], mask,
        ), strict=True)))  # fmt: skip
    return rows


def overlay(found: Segmented, words: Sequence[str]) -> Image.Image:
    """The image with its segments tinted and a legend of their words below it."""
    image = Image.fromarray(found.image)
    scale = max(1, -(-SMALLEST_SIDE // max(image.size)))
    pixels = np.asarray(image, float)
    for i in range(len(words)):
        colour = np.array(COLOURS[i % len(COLOURS)], float)
        inside = (found.labels == i)[..., None]
        pixels = np.where(inside, (1 - TINT) * pixels + TINT * colour, pixels)
    shown = Image.fromarray(np.rint(pixels).astype(np.uint8))
    shown = shown.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST)
    sheet = Image.new("RGB", (shown.width, shown.height + LINE * len(words)), "white")
    sheet.paste(shown)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(LINE - 7)
    for i, word in enumerate(words):
        top = shown.height + LINE * i
        pen.rectangle((4, top + 4, LINE - 4, top + LINE - 4), fill=COLOURS[i % len(COLOURS)])
        share = float((found.labels == i).mean())
        pen.text((LINE + 2, top + 2), f"{word}  {share:.0%}", fill="black", font=font)
    return sheet


def _write(out: Path, stem: str, found: Segmented, words: Sequence[str]) -> None:
    mask = Image.fromarray((found.labels + 1).astype(np.uint8))
    mask.putpalette([0, 0, 0, *(v for i in range(MOST) for v in COLOURS[i % len(COLOURS)])])
    write_atomic(out / f"{stem}-mask.png", _png(mask))
    buffer = io.BytesIO()
    overlay(found, words).save(buffer, "WEBP", quality=85)
    write_atomic(out / f"{stem}-overlay.webp", buffer.getvalue())


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _plain(name: str) -> str:
    """A name as part of a file's: letters, digits and hyphens of its last part."""
    return re.sub(r"[^A-Za-z0-9]+", "-", Path(name).stem).strip("-")[:40] or "image"
