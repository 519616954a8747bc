"""An index of a training set: descriptors in shards, whole or absent, built piece by piece.

Building resumes where it stopped and adds what is new; changed pieces are made again, missing ones
left out, and so are damaged ones, which are listed. Readers see only the last finished build, and
keep it while the index grows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from audit.datasets.captions import some_names
from audit.datasets.source import Source, Unit
from audit.errors import UserError
from audit.evidence.copies import manifest, shards
from audit.evidence.copies.blocks import Block, blocks
from audit.evidence.copies.making import BLANK, Encoder, Making
from audit.evidence.copies.manifest import Descriptor, Manifest, Origin
from audit.evidence.copies.shards import Shard
from audit.evidence.copies.side import Side
from audit.keys import digest

SHARD_ROWS = 4096
"""A shard is closed at the first end of a piece after this many images."""
TRIES = 3
"""Times that an index is opened again because it changed while it was opened."""


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
    """The source of each side, as `manifest.place` writes it."""
    damaged: Mapping[str, str] = field(default_factory=dict)
    """Files of the sources that could not be read, with the reason; nothing of them is here."""
    notes: tuple[str, ...] = ()
    """What the build that just ended left out."""

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

    @property
    def repeated(self) -> tuple[int, int]:
        """Training images, and held-out ones, with the same pixels as another training image."""
        return self.train.repeated, int(self.held.shared(self.train).sum())

    @property
    def units(self) -> dict[str, list[Unit]]:
        """The pieces of each side that are here, by the side's name."""
        sides = {"train": self.train, "held": self.held}
        return {name: [u for p in side.parts for u in p.units]
                for name, side in sides.items() if side.parts}  # fmt: skip

    def check(self, encoder: Encoder) -> None:
        """Raise UserError for queries of another descriptor.

        One that reads training images in another way than an earlier version has the same queries.
        """
        if as_made(encoder, self.descriptor.key).key != self.descriptor.key:
            raise UserError(
                f"The index {self.folder} was made by {self.descriptor.name} "
                f"({self.descriptor.key}), the query by {encoder.key}. Use the same descriptor; "
                "scores of two descriptors cannot be compared."
            )


def as_made(encoder: Encoder, key: str) -> Encoder:
    """The encoder, or its form of earlier versions if an index of that key was made by it."""
    former: Callable[[], Encoder] | None = getattr(encoder, "whole", None)
    if former is None or encoder.key == key or former().key != key:
        return encoder
    return former()


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
    index. Raises UserError where every image is unreadable, the folder contains an index of other
    images, of another descriptor or of a newer version, or cannot be written.
    """
    how = how or {}
    begun = begin(sides, encoder, folder, how)
    descriptor, now = begun.now.descriptor, begun.now
    kept, damaged = _made(sides, begun, folder, how, advance)
    _refuse_nothing(sides["train"].name, kept["train"], damaged["train"])
    manifest.write(
        folder,
        Manifest(
            descriptor, now.places, manifest.VERSION, sides["train"].name,
            next(int(p.vectors().shape[1]) for parts in kept.values() for p in parts if p.rows),
            how.get("coverage"), {s: [(p.name, p.rows, p.crc) for p in kept[s]] for s in kept},
            getattr(encoder, "count", 1), manifest.tables(kept), damaged,
        ),
    )  # fmt: skip
    for path in folder.glob("*.npy"):  # of changed or missing pieces
        if path.stem not in {p.name for parts in kept.values() for p in parts}:
            shards.remove(path)
    return replace(load(folder), notes=_left_out(begun.lost))


@dataclass(frozen=True)
class Begun:
    """A build before anything is read."""

    encoder: Encoder
    now: Origin
    listed: Mapping[str, Sequence[Unit]]
    """The pieces of each side."""
    lost: Sequence[str]
    """Files of the finished index that are no longer in the source."""
    blocks: Sequence[Block]
    """Pieces that the finished index does not have."""

    def of(self, side: str) -> list[Sequence[Unit]]:
        """The pieces of a side, block by block; then those that the finished index should have."""
        mine = [b.units for b in self.blocks if b.side == side]
        cut = {u for units in mine for u in units}
        return [*mine, [u for u in self.listed[side] if u not in cut]]


def begin(
    sides: Mapping[str, Source], encoder: Encoder, folder: Path, how: Mapping[str, Any]
) -> Begun:
    """Begin a build, or go on with it; UserError as for `build`."""
    listed = {side: list(source.units()) for side, source in sides.items()}
    was = manifest.before(folder)
    encoder = as_made(encoder, was.descriptor.key) if was else encoder
    descriptor = Descriptor(str(how.get("descriptor", encoder.key)), encoder.key)
    now = Origin(descriptor, {s: manifest.place(v) for s, v in sides.items()})
    manifest.refuse_another(folder, was, now, listed)
    lost = manifest.gone(was, folder, listed)
    manifest.start(folder, now)
    return Begun(encoder, now, listed, lost, blocks(sides, listed, was, folder, SHARD_ROWS))


def add(
    source: Source, block: Block, encoder: Encoder, folder: Path, dtype: str,
    tick: Callable[[int], None] = lambda count: None,
) -> dict[str, str]:  # fmt: skip
    """Write the shards of a block that are missing; damaged pieces with the reason.

    A finished build takes them up. `tick` receives numbers of pieces.
    """
    making = Making(folder, block.side, encoder, np.dtype(dtype), SHARD_ROWS)
    standing = _standing(folder, block.side, block.units, f"{encoder.key}-{dtype}")
    have = {u for p in standing for u in p.units}
    tick(len(have))
    for _ in making.shards(source, [u for u in block.units if u not in have], tick):
        pass
    return making.damaged


def pieces(folder: Path, block: Block) -> int:
    """How many pieces of a block are in whole shards."""
    wanted = set(block.units)
    found = (shards.read(p, keep=False) for p in sorted(folder.glob(f"{block.side}-*.npy")))
    mine = [s for s in found if s is not None and wanted.issuperset(s.units) and s.whole()]
    return len({u for s in mine for u in s.units})


def _left_out(lost: Sequence[str]) -> tuple[str, ...]:
    if not lost:
        return ()
    was = "file is" if len(lost) == 1 else "files are"
    return (f"{len(lost)} indexed {was} no longer in the source and left out: {some_names(lost)}.",)


def _made(
    sides: Mapping[str, Source], begun: Begun, folder: Path, how: Mapping[str, Any],
    advance: Callable[[int, int], None],
) -> tuple[dict[str, list[Shard]], dict[str, dict[str, str]]]:  # fmt: skip
    """The shards of each side, and its damaged files with their reasons."""
    dtype, listed, encoder = np.dtype(how.get("dtype", "float32")), begun.listed, begun.encoder
    kept: dict[str, list[Shard]] = {}
    damaged: dict[str, dict[str, str]] = {}
    total, done = sum(map(len, listed.values())), 0
    for side, source in sides.items():
        parts = _standing(folder, side, listed[side], f"{encoder.key}-{dtype}")
        have = {u for p in parts for u in p.units}
        done += len(have)

        def tick(count: int) -> None:
            nonlocal done
            done += count
            advance(done, total)

        making = Making(folder, side, encoder, dtype, SHARD_ROWS)
        for units in begun.of(side):
            parts += making.shards(source, [u for u in units if u not in have], tick)
        kept[side], damaged[side] = _ordered(parts, listed[side]), making.damaged
    return kept, damaged


def _standing(folder: Path, side: str, units: Sequence[Unit], made: str) -> list[Shard]:
    """Shards of this descriptor all of whose pieces are still in the training set, unchanged."""
    wanted, found = set(units), []
    for path in sorted(folder.glob(f"{side}-*.npy")):
        shard = shards.read(path, keep=False)
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


def _refuse_nothing(name: str, parts: Sequence[Shard], damaged: Mapping[str, str]) -> None:
    if sum(p.rows for p in parts):
        return
    if damaged:
        raise UserError(
            f"None of the {len(damaged)} files of {name} can be read: "
            f"{next(iter(damaged.values()))}"
            if len(damaged) > 1
            else next(iter(damaged.values()))
        )
    reasons = Side(parts, 1).skipped
    if not reasons:
        raise UserError(f"{name} contains no images. Give a training set that does.")
    kind = Blank if {*reasons.values()} == {BLANK} else UserError
    raise kind(
        f"None of the {len(reasons)} images of {name} can be read "
        f"({next(iter(reasons.values()))}). Check the files."
    )


class Blank(UserError):
    """No image has a vector: none shows what the encoder describes."""


def load(folder: Path) -> Index:
    """The index in a folder.

    UserError where there is none, where its files are incomplete or damaged, and where a newer
    version made it. Vectors and rows are compared with their checksums when they are first read.
    """
    for _ in range(TRIES):
        listed = manifest.read(folder)
        sides = {s: _side(folder, listed, s) for s in ("train", "held")}
        wrong = next((s for s in sides.values() if isinstance(s, Path)), None)
        if wrong is None or manifest.read(folder) == listed:
            break
    train, held = sides["train"], sides["held"]
    for side in (train, held):
        if isinstance(side, Path):
            raise shards.damaged(side)
    assert isinstance(train, Side)
    assert isinstance(held, Side)
    return Index(
        folder, digest([listed.descriptor.key, listed.shards]), listed.name, listed.descriptor,
        listed.dimensions, train, held,
        float("nan") if listed.coverage is None else listed.coverage, listed.places,
        {name: why for some in listed.damaged.values() for name, why in some.items()},
    )  # fmt: skip


def _side(folder: Path, listed: Manifest, name: str) -> Side | Path:
    """One side as listed, or the path of its first shard that differs from the list."""
    parts = []
    try:
        expected = listed.listed(name)
    except ValueError:
        return folder / manifest.LIST
    for stem, rows, crc, table in expected:
        shard = shards.read(folder / f"{stem}.npy")
        if shard is None or (shard.rows, shard.crc) != (rows, crc) or shard.content != table:
            return folder / f"{stem}.npy"
        if shard.rows and shard.width != listed.dimensions:
            return folder / f"{stem}.npy"
        parts.append(shard)
    there = [p for p in parts if p.rows or p.unreadable]
    return Side(there, listed.dimensions, crops=listed.crops)
