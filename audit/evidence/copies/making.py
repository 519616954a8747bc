"""Shards from pieces of a training set: read ahead, encoded, and written when they are full."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from audit.datasets.source import Item, Source, Unit
from audit.errors import UserError
from audit.evidence.copies import reading, shards
from audit.evidence.copies.reading import Failed
from audit.evidence.copies.shards import Row, Shard

BLANK = "its vector is zero or not finite"
"""Why an image has no vector whose pixels can be read."""


class Encoder(Protocol):
    """The part of an encoder that an index uses."""

    @property
    def key(self) -> str:
        """Hash of weights and preprocessing."""

    def images(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """uint8 images to float32[n, d] of unit length."""


@dataclass(frozen=True)
class Making:
    """The maker of one side's shards."""

    folder: Path
    side: str
    encoder: Encoder
    dtype: np.dtype[Any]
    rows: int
    """A shard is closed at the first end of a piece after this many images."""
    damaged: dict[str, str] = field(default_factory=dict)
    """Pieces that could not be read, with the reason."""

    def shards(
        self, source: Source, todo: Sequence[Unit], tick: Callable[[int], None]
    ) -> Iterator[Shard]:
        """Shards of pieces, each written as soon as it is full; `tick` counts pieces read.

        A damaged piece is left out whole and kept in `damaged`. Where the encoder fails, earlier
        pieces are written before the error is raised.
        """
        units: list[Unit] = []
        images: list[Row] = []
        vectors: list[np.ndarray] = []
        whole = (0, 0)  # images and vectors of pieces that have ended
        with reading.Reader(source, getattr(self.encoder, "smallest", 0)) as reader:
            try:
                for part in reader.parts(todo):
                    made = self._encode([s for s in part if isinstance(s, Item)])
                    for step in part:
                        if isinstance(step, Item):
                            row, vector = next(made)
                            images.append(row)
                            vectors += [] if vector is None else [vector]
                            continue
                        if isinstance(step, Failed):
                            self.damaged[step.unit.id] = step.reason
                            images, vectors = images[: whole[0]], vectors[: whole[1]]
                            continue
                        units.append(step)
                        whole = (len(images), len(vectors))
                        if len(images) >= self.rows:
                            yield self._write(units, images, vectors)
                            units, images, vectors, whole = [], [], [], (0, 0)
                    tick(sum(not isinstance(s, Item) for s in part))
            except UserError:
                if units:
                    yield self._write(units, images[: whole[0]], vectors[: whole[1]])
                raise
        if units:
            yield self._write(units, images, vectors)

    def _write(self, units: list[Unit], images: list[Row], vectors: list[np.ndarray]) -> Shard:
        stem = shards.name(self.side, f"{self.encoder.key}-{self.dtype}", units)
        rows = np.stack(vectors) if vectors else np.empty((0, 1), self.dtype)
        return shards.write(self.folder, stem, units, images, rows)

    def _encode(self, items: Sequence[Item]) -> Iterator[tuple[Row, np.ndarray | None]]:
        """The row of each item, with its vector if it has one."""
        vectors = any(i.vector is not None for i in items)
        if getattr(self.encoder, "part", "") and vectors:
            raise UserError(
                "Segments need images to cut, but these are embeddings. Give the images, or leave "
                "out --segments."
            )
        if getattr(self.encoder, "count", 1) > 1 and vectors:
            raise UserError(
                "A local descriptor needs images to cut, but these are embeddings. Give the "
                "images, or the descriptor of the embeddings without `local:`."
            )
        self._fit([i.vector for i in items if i.vector is not None])
        pictures = [i.picture for i in items if i.picture is not None]
        made = iter(self.encoder.images(pictures)) if pictures else iter(())
        for item in items:
            vector, reason = _unit_length(
                item.vector if item.picture is None else next(made), item.reason
            )
            same = "" if reason else item.content or shards.pixels_key(item.picture, item.vector)
            yield (
                Row(item.entry, reason, same),
                vector if vector is None else vector.astype(self.dtype),
            )

    def _fit(self, vectors: Sequence[np.ndarray]) -> None:
        """Raise UserError for embeddings that the descriptor cannot have made."""
        if not vectors:
            return
        probe = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
        own = self.encoder.images([probe]).shape[1]
        if wrong := {len(v) for v in vectors} - {own}:
            raise UserError(
                f"These embeddings have {min(wrong)} numbers each, those of the descriptor {own}. "
                "Give the model that made them with --descriptor, such as clip:NAME."
            )


def _unit_length(vector: np.ndarray | None, reason: str) -> tuple[np.ndarray | None, str]:
    if vector is None:
        return None, reason or "no image"
    wide = np.asarray(vector, np.float32)
    size = float(np.linalg.norm(wide))
    if not np.isfinite(size) or size == 0:
        return None, BLANK
    return (wide if abs(size - 1) < 1e-5 else wide / size), ""
