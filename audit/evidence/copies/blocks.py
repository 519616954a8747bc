"""Blocks of a training set: what one worker indexes at a time, fixed by content.

Blocks are cut from the list of pieces, before any is read, so every process cuts the same ones.
Pieces of a finished index are in none: an index that grows does not change its shards.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from audit.datasets.source import Source, Unit
from audit.evidence.copies import shards
from audit.evidence.copies.manifest import Manifest, Origin
from audit.keys import digest


@dataclass(frozen=True)
class Block:
    """Consecutive pieces of one side; the name is a hash of them."""

    side: str
    units: tuple[Unit, ...]

    @property
    def name(self) -> str:
        """File name of its record."""
        return digest([self.side, [(u.id, u.stamp) for u in self.units]], 16)


def blocks(
    sides: Mapping[str, Source], listed: Mapping[str, Sequence[Unit]], was: Origin | None,
    folder: Path, rows: int,
) -> list[Block]:  # fmt: skip
    """The blocks of all sides, of pieces that are not in the finished index `was`.

    A block ends after about `rows` images, by what its source says of each piece.
    """
    found: list[Block] = []
    for side, source in sides.items():
        have = set(_indexed(was, folder, side))
        found += _cut(side, source, [u for u in listed[side] if u not in have], rows)
    return found


def _indexed(was: Origin | None, folder: Path, side: str) -> Iterator[Unit]:
    if not isinstance(was, Manifest):
        return
    for stem, *_ in was.shards.get(side, ()):
        shard = shards.read(folder / f"{stem}.npy", keep=False)
        yield from shard.units if shard is not None else ()


def _cut(side: str, source: Source, units: Sequence[Unit], rows: int) -> Iterator[Block]:
    some: list[Unit] = []
    images = 0
    for unit in units:
        some.append(unit)
        images += source.about(unit)
        if images >= rows:
            yield Block(side, tuple(some))
            some, images = [], 0
    if some:
        yield Block(side, tuple(some))
