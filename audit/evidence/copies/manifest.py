"""The list of an index's shards, `index.json`: versioned, with a checksum of its own.

`source.json` next to it is written before the first shard: it says whose shards these are while the
index is unfinished, and where `index.json` is damaged.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from audit.datasets.source import Source, Unit
from audit.errors import UserError
from audit.evidence.copies import shards
from audit.evidence.copies.shards import Shard
from audit.files import checked, inside, loads, write_atomic

VERSION = 2
"""Format of an index: 2 has checksums of tables and of the list itself, and damaged files."""
LIST, SOURCE = "index.json", "source.json"


@dataclass(frozen=True)
class Descriptor:
    """The encoder of the vectors: its name for loading, and its hash."""

    name: str
    key: str


Place = tuple[str, str] | tuple[str, str, str]
"""Kind and place of a source, and what the user named of it, `Chosen.text`, if anything."""


def place(source: Source) -> Place:
    """The place of a source."""
    text = source.chosen.text
    return (source.kind, source.place, text) if text else (source.kind, source.place)


@dataclass(frozen=True)
class Origin:
    """Whose index this is: its descriptor, and the place of the source of each side."""

    descriptor: Descriptor
    places: Mapping[str, Place]


@dataclass(frozen=True)
class Manifest(Origin):
    """Everything that an index consists of."""

    version: int
    name: str
    dimensions: int
    coverage: float | None
    """Share of the model's training set that is here; None if unknown."""
    shards: Mapping[str, Sequence[tuple[str, int, int]]]
    """Side to the name, rows and checksum of vectors of each shard."""
    crops: int = 1
    tables: Mapping[str, Sequence[int | None]] = field(default_factory=dict)
    """Side to the checksums of the shards' tables; absent in format 1."""
    damaged: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Side to the files of the source that could not be read, with the reason."""

    def listed(self, side: str) -> list[tuple[str, int, int, int | None]]:
        """Name, rows, and checksums of vectors and table of each shard of a side."""
        parts = self.shards.get(side, ())
        tables = self.tables.get(side, [None] * len(parts))
        if len(tables) != len(parts):
            raise ValueError("shards and tables differ in number")
        return [(*part, crc) for part, crc in zip(parts, tables, strict=True)]


def read(folder: Path) -> Manifest:
    """The list of a finished index.

    UserError where there is none, where it is damaged, where a newer version made it, and where it
    names a shard outside of the folder.
    """
    path = folder / LIST
    try:
        raw = loads(path.read_bytes())
        version = checked(int, raw["version"])
        if version > VERSION:
            raise UserError(
                f"The index {folder} has format {version}: a newer version of t2i-audit made it, "
                f"and this one reads formats up to {VERSION}. Update t2i-audit, or make the index "
                "again in another folder."
            )
        summed = version > 1 or "checksum" in raw
        if version < 1 or (summed and _checksum(raw) != raw["checksum"]):
            raise ValueError("its checksum differs")
        found = checked(Manifest, raw)
    except FileNotFoundError as error:
        started = any(folder.glob("*.npy"))
        raise UserError(
            f"The index {folder} is not finished. Run the same command again to continue it."
            if started
            else f"There is no index in {folder}. Make one with `t2i-audit index`."
        ) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise shards.damaged(path) from error
    for stem, *_ in (part for parts in found.shards.values() for part in parts):
        inside(folder, f"{stem}.npy")
    return found


def _checksum(body: Mapping[str, Any]) -> int:
    rest = {k: v for k, v in body.items() if k != "checksum"}
    return zlib.crc32(json.dumps(rest, sort_keys=True).encode())


def write(folder: Path, made: Manifest) -> None:
    """Write the list: from now on, readers see this index."""
    body = json.loads(json.dumps(asdict(made)))  # as it will be read: tuples are lists
    text = json.dumps({**body, "checksum": _checksum(body)}, indent=1, ensure_ascii=False)
    write_atomic(folder / LIST, text.encode())


def tables(kept: Mapping[str, Sequence[Shard]]) -> dict[str, list[int | None]]:
    """Checksums of the shards' tables, by side."""
    return {side: [p.content for p in parts] for side, parts in kept.items()}


def before(folder: Path) -> Origin | None:
    """Whose index is in a folder, finished or not; None where nothing says so.

    UserError where a newer version made it; a damaged list will be mended.
    """
    try:
        return read(folder)
    except UserError:
        if _newer(folder):
            raise
    try:
        return checked(Origin, loads((folder / SOURCE).read_bytes()))
    except (OSError, ValueError):
        return None


def _newer(folder: Path) -> bool:
    try:
        return bool(checked(int, loads((folder / LIST).read_bytes())["version"]) > VERSION)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def start(folder: Path, origin: Origin) -> None:
    """Write whose index is made here, before its first shard."""
    data = json.dumps(asdict(origin), indent=1, ensure_ascii=False).encode()
    path = folder / SOURCE
    if not path.exists() or path.read_bytes() != data:
        write_atomic(path, data)


def refuse_another(
    folder: Path, was: Origin | None, now: Origin, units: Mapping[str, Sequence[Unit]]
) -> None:
    """Raise UserError where a build would replace an index of other images or descriptor.

    The source of an index may have moved: then some of its files, with size and time, are known.
    """
    if was is None:
        return
    if was.descriptor.key != now.descriptor.key:
        raise UserError(
            f"{folder} is an index of {was.descriptor.name}, not of {now.descriptor.name}. Choose "
            "another folder with --out."
        )
    for side, what in (("train", "images"), ("held", "held-out images")):
        if side not in was.places:
            continue
        old = was.places[side][1:]
        if side not in now.places:
            raise UserError(
                f"{folder} has held-out images, those of {old[0]}, which a new index without them "
                "would lose. Give them again with --held-out, or choose another folder with --out."
            )
        new = now.places[side][1:]
        if old != new and not _moved(folder, side, units[side]):
            raise UserError(
                f"{folder} is an index of the {what} of {' '.join(old)}, which those of "
                f"{' '.join(new)} would replace. "
                "Choose another folder with --out; to search both at once, put them (or links to "
                "them) into one folder and index that."
            )


def _moved(folder: Path, side: str, units: Sequence[Unit]) -> bool:
    """Whether an unchanged file of the index is among these."""
    wanted, empty = set(units), True
    for path in folder.glob(f"{side}-*.npy"):
        shard = shards.read(path, keep=False)
        empty = False
        if shard is not None and not wanted.isdisjoint(shard.units):
            return True
    return empty  # nothing would be lost


def gone(was: Origin | None, folder: Path, units: Mapping[str, Sequence[Unit]]) -> list[str]:
    """Files that are in the list of an index and no longer in its source, sorted."""
    if not isinstance(was, Manifest):
        return []
    out: list[str] = []
    for side, here in units.items():
        known = {u.id for u in here}
        for stem, *_ in was.shards.get(side, ()):
            shard = shards.read(folder / f"{stem}.npy", keep=False)
            out += [u.id for u in shard.units if u.id not in known] if shard else []
    return sorted(out)
