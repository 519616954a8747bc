"""The common base of all collections of images: units, records, and reading an image.

A form defines its units and the records of each; decoding, with the reason where it fails, is
written here once.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from audit.datasets import pixels
from audit.datasets.captions import Caption, Said, doubt, listed
from audit.datasets.chosen import USUALLY, Chosen
from audit.datasets.listing import LeftOut
from audit.datasets.matching import Matched, matched
from audit.datasets.metadata import inside
from audit.datasets.texts import spelled
from audit.errors import UserError

_SHARD = re.compile(r"(?:.*/)?([^/]+?)-\d+-of-\d+\.[^/]*")
"""Names of files as hubs write them: the split, and which of how many files this is."""
_SPLIT = re.compile(
    r"(?:^|[/_.\-])(train(?:ing)?|test|validation|valid|val|dev)(?=[/_.\-]|$)", re.I
)
MAX_CAPTION = 10_000
"""Characters of a caption that a training set's entry keeps."""

IMAGE_BYTES = 1 << 16
"""Size of an image in a file of many, where only the size of the file is known."""

Key = tuple[Path, str]
"""A file and its stamp: cached contents are valid while both are the same."""


@dataclass(frozen=True)
class Entry:
    """One distinct image of a training set; `repeats` is how often the set contains it."""

    id: str
    caption: str
    repeats: int = 1


@dataclass(frozen=True)
class Unit:
    """A piece that is read in one go; a different stamp means different content."""

    id: str
    stamp: str


@dataclass(frozen=True)
class Item:
    """One image of a training set: its pixels or its vector, else the reason for neither."""

    entry: Entry
    picture: np.ndarray | None = None
    """uint8[h, w, 3]."""
    vector: np.ndarray | None = None
    """float[d], as computed by the publisher of the embeddings."""
    reason: str = ""
    content: str = ""
    """Hash of what decides its pixels; empty where it was not computed yet."""


@dataclass(frozen=True)
class Filed:
    """One image of a training set that is not decoded yet: the content of its file."""

    entry: Entry
    data: bytes = b""
    reason: str = ""
    """Why there is no content."""

    def item(self, least: int = 0) -> Item:
        """The image with its pixels, as `pixels.decode` makes them, or why it has none."""
        if self.reason:
            return Item(self.entry, reason=self.reason)
        return item_of(self.entry, lambda: pixels.decode(self.data, least))


@dataclass(frozen=True)
class Record:
    """One image before it is decoded: its caption, and where its content comes from."""

    id: str
    caption: Caption
    data: Callable[[], bytes]
    """Content of the image file; call it before the next record is taken.

    Raises pixels.Unreadable where this image has none, and UserError for a damaged unit.
    """
    stamp: str
    """Changes when the image does."""
    name: str = ""
    """Its path in the folder, the archive or the table; empty for bytes in a row."""
    left_out: str = ""
    """Why it is not one of the images, though it looks like one; empty if it is."""

    @property
    def entry(self) -> Entry:
        """The image as an entry of a training set."""
        return Entry(self.id, one_line(self.caption.text))

    def picture(self) -> np.ndarray:
        """uint8[h, w, 3]; raises as `data` does, and pixels.Unreadable for a damaged image."""
        return pixels.decode(self.content())

    def content(self) -> bytes:
        """The content of its file; raises as `data` does, and pixels.Unreadable if left out."""
        if self.left_out:
            raise pixels.Unreadable(self.left_out)
        return self.data()


class Source(Protocol):
    """A training set that can be streamed."""

    name: str
    kind: str
    place: str
    """Where it is: a path, or a registered name."""
    chosen: Chosen
    """What the user named of it."""

    def units(self) -> Sequence[Unit]:
        """All units in a fixed order, without reading them."""

    def about(self, unit: Unit) -> int:
        """Roughly how many images a unit has, without reading it; at least 1."""

    def read(self, unit: Unit) -> Iterator[Item]:
        """The images of a unit, in its order; UserError where the unit itself is damaged."""

    def image(self, id: str) -> np.ndarray:
        """One image by its entry's id; pixels.Unreadable where there is none."""

    def notes(self) -> list[str]:
        """What was assumed or left out in what has been read so far, a sentence for each kind."""


class Corpus(Protocol):
    """A training set whose images can be read in any order, with its held-out twin, if any."""

    name: str
    coverage: float
    """Share of the model's training data that is here, 0 to 1; NaN if unknown."""

    @property
    def key(self) -> str:
        """Hash of the content: different content needs a different index."""

    def entries(self, held_out: bool = False) -> Sequence[Entry]:
        """The entries of the set, in a fixed order; empty where there is no held-out set."""

    def image(self, id: str) -> np.ndarray:
        """One image as uint8[h, w, 3]; pixels.Unreadable if it is damaged."""


class Collection:
    """A source of image files, whatever they are stored in; a `Source` for training sets."""

    kind = ""
    name: str
    place: str
    prefix = ""
    """Prefix of every id where a single file was given; a run's names omit it."""
    table: Path | None = None
    """CSV, JSON lines or Parquet with captions by file name, for forms whose images have names."""
    aside: Sequence[LeftOut] = ()
    """Files of the same folder that are not read."""
    chosen: Chosen = USUALLY
    """Columns of tables that the user named."""

    def choose(self, chosen: Chosen) -> None:
        """Read what the user named; UserError for a split where there are none."""
        if chosen.split:
            raise UserError(
                f"{self.place} is a folder of images, which has no splits. Give the folder of one."
            )
        self.chosen = chosen

    def check(self) -> None:
        """UserError where columns were named that no table has."""
        if not self._tables:
            raise UserError(
                f"{self.place} has no table of captions whose columns --columns could name. Give "
                "one with --prompts, or put it into the folder as metadata.csv."
            )
        assert self._rows

    def left_out(self) -> Sequence[LeftOut]:
        """Files that look like images or data, and are not read."""
        return self.aside

    def units(self) -> Sequence[Unit]:
        """All units in a fixed order, without reading them."""
        raise NotImplementedError

    def about(self, unit: Unit) -> int:
        """Roughly how many images a unit has, without reading it: one."""
        return 1

    def records(self, unit: Unit) -> Iterator[Record]:
        """The images of a unit, in its order; UserError where the unit itself is damaged."""
        raise NotImplementedError

    def content(self, id: str) -> bytes:
        """One image file by its record's id; pixels.Unreadable where there is none."""
        raise NotImplementedError

    def stamp(self, id: str) -> str:
        """Changes when the image, or its archive or table, does; pixels.Unreadable if missing."""
        raise NotImplementedError

    def undecoded(self, unit: Unit) -> Iterator[Filed]:
        """The images of a unit before they are decoded; UserError where the unit is damaged."""
        for record in self.records(unit):
            try:
                yield Filed(record.entry, record.content())
            except pixels.Unreadable as reason:
                yield Filed(record.entry, reason=str(reason))

    def read(self, unit: Unit) -> Iterator[Item]:
        """The images of a unit, in its order; UserError where the unit itself is damaged."""
        return (filed.item() for filed in self.undecoded(unit))

    def image(self, id: str) -> np.ndarray:
        """One image by its record's id; pixels.Unreadable where there is none."""
        return pixels.decode(self.content(id))

    def names(self) -> Sequence[str]:
        """The names of all images, for the forms whose images have names."""
        return [u.id for u in self.units()]

    def notes(self) -> list[str]:
        """What was assumed or left out in what has been read so far, a sentence for each kind."""
        return [*self._rows.notes, *self._said.notes()]

    @cached_property
    def _said(self) -> Said:
        return Said()

    @cached_property
    def _tables(self) -> Sequence[Path]:
        tables = inside(Path(self.place)) if self.kind == "folder" else []
        if self.table and self.table.resolve() not in tables:
            tables = [self.table]
        return tables

    @cached_property
    def _rows(self) -> Matched:
        if not self._tables:
            return Matched()
        return matched(self._tables, self.names(), Path(self.place), self.chosen)

    def _caption(self, name: str, beside: str) -> Caption:
        """The table's caption of an image, else the text next to it, with seed and arm."""
        row = self._rows.captions.get(name, Caption())
        if row.text:
            return row
        self._said.add(doubt(beside), name)
        return replace(row, text=str(beside), origin="sidecar") if beside else row


class Files(Collection):
    """Collections whose units are files: one file, or a folder of them.

    Ids are `file/place`.
    """

    def __init__(self, path: Path, files: Sequence[Path]) -> None:
        alone = path.is_file()
        root = path.parent if alone else path
        self.files = {spelled(p.relative_to(root).as_posix()): p for p in files}
        self.name = spelled(path.stem if alone else path.resolve().name)
        self.place = str(path.resolve())
        self.prefix = f"{spelled(path.name)}/" if alone else ""
        self._lock = threading.Lock()

    def choose(self, chosen: Chosen) -> None:
        """Read what the user named; UserError, with what there is, for an unknown split."""
        self.chosen, wanted = chosen, chosen.split.casefold()
        if not wanted:
            return
        splits = {n: self.split(n, p) for n, p in sorted(self.files.items())}
        there = {n for n, s in splits.items() if s.casefold() == wanted}
        if not there:
            known = [*dict.fromkeys(filter(None, splits.values()))]
            what = "splits" if known else "files"
            raise UserError(
                f"{self.place} has no split {chosen.split[:60]!r}. Give --split with one that is "
                f"there; its {what} are {listed(known or list(self.files))}."
            )
        self.files = {n: p for n, p in self.files.items() if n in there}

    def split(self, name: str, path: Path) -> str:
        """The split that a file's name or folder says; empty for none."""
        if match := _SHARD.fullmatch(name):
            return match[1]
        found = _SPLIT.findall(name)
        return found[-1].lower() if found else ""

    def units(self) -> Sequence[Unit]:
        """One for each file, sorted by name."""
        own = self.chosen.key
        return [Unit(n, stamp(p) + own) for n, p in sorted(self.files.items())]

    def about(self, unit: Unit) -> int:
        """By the size of the file, as if each image had IMAGE_BYTES."""
        path = self.files.get(unit.id)
        return max(1, path.stat().st_size // IMAGE_BYTES) if path and path.is_file() else 1

    def stamp(self, id: str) -> str:
        """Of the file that contains the image."""
        return present(self._at(id)[0])

    def _at(self, id: str) -> tuple[Path, str]:
        """File and place of a record's id; file names may contain slashes themselves."""
        parts = id.split("/")
        for i in range(1, len(parts)):
            if path := self.files.get("/".join(parts[:i])):
                return path, "/".join(parts[i:])
        raise pixels.Unreadable("is no longer in the training set")


def stamp(path: Path) -> str:
    """Size and time of change of a file, and how this version decodes it."""
    stat = path.stat()
    return f"{stat.st_size}-{stat.st_mtime_ns}-{pixels.DECODED}"


def present(path: Path) -> str:
    """The stamp of a file that should be there; pixels.Unreadable where it is not."""
    try:
        return stamp(path)
    except OSError as error:
        raise pixels.Unreadable(f"cannot be opened ({error.strerror})") from None


def item_of(entry: Entry, picture: Callable[[], np.ndarray]) -> Item:
    """An image with its pixels, or with the reason why there are none."""
    try:
        return Item(entry, picture())
    except pixels.Unreadable as reason:
        return Item(entry, reason=str(reason))


def one_line(caption: Any) -> str:
    """A caption without line breaks, capped; empty for none."""
    return " ".join(str(caption).split())[:MAX_CAPTION] if caption else ""
