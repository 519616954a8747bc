"""An index of a training set: descriptors in shards, whole or absent, built piece by piece.

Building resumes where it stopped and adds what is new; changed pieces are made again, missing ones
left out. Readers see only the last finished build.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from audit.datasets import pixels
from audit.datasets.source import Entry, Item, Source, Unit
from audit.errors import UserError
from audit.evidence.copies import shards
from audit.evidence.copies.shards import Shard
from audit.evidence.copies.side import Side
from audit.files import write_atomic
from audit.keys import digest

CHUNK = 256
"""Images that are read ahead and encoded together, or fewer by `pixels.BATCH_BYTES`."""
SHARD_ROWS = 4096
"""A shard is closed at the first end of a piece after this many images."""
VERSION = 1
AGAIN = "Run the same `index` command again: only damaged parts are made again."


class Encoder(Protocol):
    """The part of an encoder that an index uses."""

    @property
    def key(self) -> str:
        """Hash of weights and preprocessing."""

    def images(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """uint8 images to float32[n, d] of unit length."""


@dataclass(frozen=True)
class Descriptor:
    """The encoder of the vectors: its name for loading, and its hash."""

    name: str
    key: str


@dataclass(frozen=True)
class Index:
    """Descriptors of a training set and of its held-out twin, which may be empty."""

    folder: Path
    key: str
    """Hash of content and descriptor."""
    name: str
    descriptor: Descriptor
    dimensions: int
    train: Side
    held: Side
    coverage: float
    """Share of the model's training set that is here; NaN if unknown."""
    places: Mapping[str, Sequence[str]]
    """Kind and path of the source of each side."""

    @property
    def crops(self) -> int:
        """Crops of an image, all pairs of which are compared; 1 where whole images are compared."""
        return self.train.crops

    def nearest(self, vectors: np.ndarray, held_out: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Exact top-1 similarity float32[n] and position int64[n]; NaN and -1 for an empty side."""
        scores, where = (self.held if held_out else self.train).nearest(vectors)
        return scores[:, 0], where[:, 0]

    @property
    def skipped(self) -> dict[str, str]:
        """Images of the training set that have no vector, with the reason."""
        return self.train.skipped

    def verify(self) -> None:
        """Read every vector; UserError for a shard that differs from what was written."""
        for part in (*self.train.parts, *self.held.parts):
            if not part.whole():
                raise shards.damaged(part.path, AGAIN)

    def check(self, encoder: Encoder) -> None:
        """Raise UserError for queries of another descriptor."""
        if encoder.key != self.descriptor.key:
            raise UserError(
                f"The index {self.folder} was made by {self.descriptor.name} "
                f"({self.descriptor.key}), the query by {encoder.key}. Use the same descriptor; "
                "scores of two descriptors cannot be compared."
            )


def build(
    sides: Mapping[str, Source],
    encoder: Encoder,
    folder: Path,
    advance: Callable[[int, int], None] = lambda done, total: None,
    how: Mapping[str, Any] | None = None,
) -> Index:
    """The index of a training set (`train`) and of its twin (`held`, if there is one).

    Existing pieces are kept. `advance(done, total)` counts
    pieces. `how` may name the `descriptor`, the storage `dtype` (float32 or float16, which moves a
    cosine by less than 0.001) and the `coverage`. An encoder with a `count` of crops makes a local
    index. Raises UserError where every image is unreadable, a piece is damaged, the folder
    contains an index of another descriptor, or cannot be written.
    """
    how = how or {}
    descriptor = Descriptor(str(how.get("descriptor", encoder.key)), encoder.key)
    _same(folder, descriptor)
    dtype = np.dtype(how.get("dtype", "float32"))
    listed = {side: list(source.units()) for side, source in sides.items()}
    total, kept = sum(map(len, listed.values())), {}
    done = 0
    for side, source in sides.items():
        parts = _standing(folder, side, listed[side], f"{encoder.key}-{dtype}")
        have = {u for p in parts for u in p.units}
        done += len(have)
        todo = [u for u in listed[side] if u not in have]

        def tick(count: int) -> None:
            nonlocal done
            done += count
            advance(done, total)

        parts += _Making(folder, side, encoder, dtype).shards(source, todo, tick)
        kept[side] = _ordered(parts, listed[side])
    _refuse_nothing(sides["train"].name, kept["train"])
    _manifest(folder, sides, kept, descriptor, {**how, "crops": getattr(encoder, "count", 1)})
    for path in folder.glob("*.npy"):  # of changed or missing pieces
        if path.stem not in {p.name for parts in kept.values() for p in parts}:
            shards.remove(path)
    return load(folder)


def _same(folder: Path, descriptor: Descriptor) -> None:
    """Refuse to build on an index of another descriptor; damaged parts will be mended."""
    try:
        was = Descriptor(**json.loads((folder / "index.json").read_text("utf-8"))["descriptor"])
    except (OSError, ValueError, KeyError, TypeError):
        return
    if was.key != descriptor.key:
        raise UserError(
            f"{folder} is an index of {was.name}, not of {descriptor.name}. Choose another "
            "folder with --out."
        )


def _standing(folder: Path, side: str, units: Sequence[Unit], made: str) -> list[Shard]:
    """Shards of this descriptor all of whose pieces are still in the training set, unchanged."""
    wanted, found = set(units), []
    for path in sorted(folder.glob(f"{side}-*.npy")):
        shard = shards.read(path)
        if shard is None or not wanted.issuperset(shard.units):
            continue
        if shard.name == shards.name(side, made, shard.units) and shard.whole():
            found.append(shard)
            wanted -= set(shard.units)
    return found


def _ordered(parts: Sequence[Shard], units: Sequence[Unit]) -> list[Shard]:
    """In the order of the training set, not of their making."""
    place = {u: i for i, u in enumerate(units)}
    return sorted(parts, key=lambda p: place[p.units[0]])


def _refuse_nothing(name: str, parts: Sequence[Shard]) -> None:
    if sum(p.rows for p in parts):
        return
    reasons = Side(parts, 1).skipped
    if not reasons:
        raise UserError(f"{name} contains no images. Give a training set that does.")
    raise UserError(
        f"None of the {len(reasons)} images of {name} can be read "
        f"({next(iter(reasons.values()))}). Check the files."
    )


@dataclass(frozen=True)
class _Making:
    """The maker of one side's shards."""

    folder: Path
    side: str
    encoder: Encoder
    dtype: np.dtype[Any]

    def shards(
        self, source: Source, todo: Sequence[Unit], tick: Callable[[int], None]
    ) -> Iterator[Shard]:
        """Shards of pieces, each written as soon as it is full; `tick` counts pieces read.

        Where a piece is damaged, earlier pieces are written before the error is raised.
        """
        units: list[Unit] = []
        entries: list[tuple[Entry, str]] = []
        vectors: list[np.ndarray] = []
        whole = (0, 0)  # entries and blocks of vectors of pieces that have ended
        with ThreadPoolExecutor(1, "corpus") as reader:
            try:
                for ended, items in _ahead(source, todo, reader):
                    some, rows = self._encode(items)
                    entries += some
                    vectors += [rows] if len(rows) else []
                    units += ended
                    tick(len(ended))
                    whole = (len(entries), len(vectors)) if ended else whole
                    if ended and len(entries) >= SHARD_ROWS:
                        yield self._write(units, entries, vectors)
                        units, entries, vectors, whole = [], [], [], (0, 0)
            except UserError:
                if units:
                    yield self._write(units, entries[: whole[0]], vectors[: whole[1]])
                raise
        if units:
            yield self._write(units, entries, vectors)

    def _write(
        self, units: list[Unit], entries: list[tuple[Entry, str]], vectors: list[np.ndarray]
    ) -> Shard:
        empty = np.empty((0, vectors[0].shape[1] if vectors else 1), self.dtype)
        stem = shards.name(self.side, f"{self.encoder.key}-{self.dtype}", units)
        return shards.write(self.folder, stem, units, entries, np.concatenate([empty, *vectors]))

    def _encode(self, items: Sequence[Item]) -> tuple[list[tuple[Entry, str]], np.ndarray]:
        if getattr(self.encoder, "count", 1) > 1 and any(i.vector is not None for i in items):
            raise UserError(
                "A local descriptor needs images to cut, but these are embeddings. Give the "
                "images, or the descriptor of the embeddings without `local:`."
            )
        pictures = [i.picture for i in items if i.picture is not None]
        made = iter(self.encoder.images(pictures)) if pictures else iter(())
        entries, rows = [], []
        for item in items:
            vector = item.vector if item.vector is not None else None
            if item.picture is not None:
                vector = next(made)
            row, reason = _unit_length(vector, item.reason)
            entries.append((item.entry, reason))
            if row is not None:
                rows.append(row.astype(self.dtype))
        return entries, np.stack(rows) if rows else np.empty((0, 1), self.dtype)


def _unit_length(vector: np.ndarray | None, reason: str) -> tuple[np.ndarray | None, str]:
    if vector is None:
        return None, reason or "no image"
    wide = np.asarray(vector, np.float32)
    size = float(np.linalg.norm(wide))
    if not np.isfinite(size) or size == 0:
        return None, "its vector is zero or not finite"
    return (wide if abs(size - 1) < 1e-5 else wide / size), ""


def _ahead(
    source: Source, todo: Sequence[Unit], reader: ThreadPoolExecutor
) -> Iterator[tuple[list[Unit], list[Item]]]:
    """The chunks of `_chunks`; the next one is read while this one is encoded."""
    stream = _chunks(source, todo)
    ahead = reader.submit(next, stream, None)
    while (part := ahead.result()) is not None:
        ahead = reader.submit(next, stream, None)
        yield part


def _chunks(source: Source, todo: Sequence[Unit]) -> Iterator[tuple[list[Unit], list[Item]]]:
    """Pieces that end in a chunk, and its items: whole pieces, or a part of one alone.

    Items before a damaged piece are yielded before its error.
    """
    units: list[Unit] = []
    items: list[Item] = []
    for unit in todo:
        some: list[Item] = []
        try:
            for item in _items(source, unit):
                if _full([*items, *some]):
                    if units:
                        yield units, items
                        units, items = [], []
                    if _full(some):
                        yield [], some
                        some = []
                some.append(item)
        except UserError:
            yield units, items
            raise
        items += some
        units.append(unit)
    yield units, items


def _full(items: Sequence[Item]) -> bool:
    """Whether these are enough to be encoded: photographs are counted by their bytes."""
    sizes = [i.picture.nbytes for i in items if i.picture is not None]
    return len(items) >= CHUNK or pixels.full(sizes)


def _items(source: Source, unit: Unit) -> Iterator[Item]:
    """The images of a piece; the error for a damaged one says that the others are kept."""
    try:
        yield from source.read(unit)
    except UserError as error:
        raise UserError(f"{error} Everything indexed so far is kept.") from error


def _manifest(
    folder: Path,
    sides: Mapping[str, Source],
    kept: Mapping[str, Sequence[Shard]],
    descriptor: Descriptor,
    how: Mapping[str, Any],
) -> None:
    coverage = how.get("coverage")
    body = {
        "version": VERSION,
        "name": sides["train"].name,
        "descriptor": {"name": descriptor.name, "key": descriptor.key},
        "dimensions": next(
            int(p.vectors().shape[1]) for parts in kept.values() for p in parts if p.rows
        ),
        "crops": how["crops"],
        "coverage": coverage,
        "places": {s: [v.kind, v.place] for s, v in sides.items()},
        "shards": {s: [[p.name, p.rows, p.crc] for p in parts] for s, parts in kept.items()},
    }
    write_atomic(folder / "index.json", json.dumps(body, indent=1, ensure_ascii=False).encode())


def load(folder: Path) -> Index:
    """The index in a folder; UserError where there is none, or its files are incomplete."""
    try:
        meta = json.loads((folder / "index.json").read_text("utf-8"))
        version = meta["version"]
    except FileNotFoundError as error:
        started = any(folder.glob("*.npy"))
        raise UserError(
            f"The index {folder} is not finished. Run the same command again to continue it."
            if started
            else f"There is no index in {folder}. Make one with `t2i-audit index`."
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise shards.damaged(folder / "index.json", AGAIN) from error
    if version != VERSION:
        raise UserError(
            f"The index {folder} has format {version}, this program reads {VERSION}. Make it again."
        )
    sides = {}
    for side in ("train", "held"):
        parts = []
        for stem, rows, crc in meta["shards"].get(side, []):
            if not re.fullmatch(r"[\w-]+", str(stem)):
                raise UserError(f"{folder / 'index.json'} names a part outside of its folder.")
            shard = shards.read(folder / f"{stem}.npy")
            if shard is None or (shard.rows, shard.crc) != (rows, crc):
                raise shards.damaged(folder / f"{stem}.npy", AGAIN)
            parts.append(shard)
        there = [p for p in parts if p.rows or p.unreadable]
        sides[side] = Side(there, meta["dimensions"], crops=int(meta.get("crops", 1)))
    key = digest([meta["descriptor"]["key"], meta["shards"]])
    coverage = meta["coverage"]
    return Index(
        folder, key, meta["name"], Descriptor(**meta["descriptor"]), int(meta["dimensions"]),
        sides["train"], sides["held"], float("nan") if coverage is None else float(coverage),
        meta["places"],
    )  # fmt: skip
