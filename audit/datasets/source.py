"""How any training set is streamed: pieces, the images in them, and what they have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from audit.datasets import pixels
from audit.datasets.corpus import Entry
from audit.errors import UserError

MAX_BYTES = 200_000_000
"""Files larger than this are not read as pictures."""


@dataclass(frozen=True)
class Unit:
    """A piece that is read in one go; another stamp is another content."""

    id: str
    stamp: str


@dataclass(frozen=True)
class Item:
    """One image of a training set: its picture or its vector, else the reason for neither."""

    entry: Entry
    picture: np.ndarray | None = None
    """uint8[h, w, 3]."""
    vector: np.ndarray | None = None
    """float[d], as somebody else computed it."""
    reason: str = ""


class Source(Protocol):
    """A training set that can be streamed."""

    name: str
    kind: str
    place: str
    """Where it is: a path, or a registered name."""

    def units(self) -> Sequence[Unit]:
        """All pieces in a fixed order, without reading them."""

    def read(self, unit: Unit) -> Iterator[Item]:
        """The images of a piece, in its order; UserError where the piece itself is damaged."""

    def image(self, id: str) -> np.ndarray:
        """One picture by its entry's id; pixels.Unreadable where there is none."""


def stamp(path: Path) -> str:
    """Size and time of change of a file."""
    stat = path.stat()
    return f"{stat.st_size}-{stat.st_mtime_ns}"


def item_of(entry: Entry, data: Callable[[], np.ndarray]) -> Item:
    """An image with its picture, or with the reason why there is none."""
    try:
        return Item(entry, data())
    except pixels.Unreadable as reason:
        return Item(entry, reason=str(reason))


class Files:
    """Sources whose pieces are files; ids are `file/place`."""

    def __init__(self, files: Sequence[Path], root: Path, name: str) -> None:
        self.files = {p.relative_to(root).as_posix(): p for p in files}
        self.name = name
        self.place = str(root.resolve() if len(files) > 1 else files[0].resolve())

    def units(self) -> Sequence[Unit]:
        """One for each file, sorted by name."""
        return [Unit(n, stamp(p)) for n, p in sorted(self.files.items())]

    def _at(self, id: str) -> tuple[Path, str]:
        """File and place of an entry's id."""
        for name, path in self.files.items():
            if id.startswith(f"{name}/"):
                return path, id[len(name) + 1 :]
        raise pixels.Unreadable("is no longer in the training set")


def damaged(path: Path, what: str, error: Exception) -> UserError:
    """The sentence for a piece that cannot be read."""
    return UserError(
        f"{path} cannot be read as {what}: {error}. Fetch it again or take it away; what is "
        "indexed already is kept."
    )


def one_line(caption: Any) -> str:
    """A caption without line breaks, capped; empty for none."""
    return " ".join(str(caption).split())[:10_000] if caption else ""
