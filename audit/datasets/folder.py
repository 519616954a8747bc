"""Training sets of picture files: folders, WebDataset tars, and corpora that list themselves.

Nothing is unpacked, and no name inside an archive is used as a path.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from audit.datasets import pixels, source
from audit.datasets.captions import SIDECARS, TABLES, rows, sidecar_text
from audit.datasets.corpus import Corpus, Entry
from audit.datasets.source import Files, Item, Unit, damaged, item_of, stamp


class Folder:
    """Pictures below a folder, captions in sidecars or in `metadata.csv`; a file is a piece."""

    kind = "folder"

    def __init__(self, path: Path) -> None:
        self.path, self.name, self.place = path, path.resolve().name, str(path.resolve())

    @cached_property
    def _said(self) -> Mapping[str, Any]:
        table = next((self.path / n for n in TABLES if (self.path / n).is_file()), None)
        return rows(table) if table else {}

    def units(self) -> Sequence[Unit]:
        """One for each picture file, sorted by path."""
        return [
            Unit(p.relative_to(self.path).as_posix(), self._stamp(p))
            for p in pixels.list_images(self.path)
        ]

    def _stamp(self, path: Path) -> str:
        """Of the picture and of its sidecar: another caption is another entry."""
        beside = [p for s in SIDECARS if (p := path.with_suffix(s)).is_file()]
        return "+".join(map(stamp, [path, *beside]))

    def read(self, unit: Unit) -> Iterator[Item]:
        """The picture of a file."""
        yield item_of(Entry(unit.id, self._caption(unit.id)), lambda: self.image(unit.id))

    def _caption(self, id: str) -> str:
        for suffix in SIDECARS:
            beside = (self.path / id).with_suffix(suffix)
            if beside.is_file() and (found := sidecar_text(suffix, beside.read_bytes())):
                return found
        row = self._said.get(id) or self._said.get(PurePosixPath(id).name)
        return (row.text or "") if row else ""

    def image(self, id: str) -> np.ndarray:
        """One picture by its path below the folder."""
        path = self.path / id
        if not path.resolve().is_relative_to(self.path.resolve()):
            raise pixels.Unreadable("lies outside the folder")
        return pixels.read(path)


class Tars(Files):
    """WebDataset tars: `key.jpg` beside `key.txt` or `key.json`, read from front to back."""

    kind = "WebDataset"

    def read(self, unit: Unit) -> Iterator[Item]:
        """The pictures of a tar in its order, with the caption that lies beside each."""
        path = self.files[unit.id]
        try:
            with tarfile.open(path) as archive:
                yield from self._items(unit, archive)
                _ended(archive)
        except (tarfile.TarError, OSError, EOFError) as error:
            raise damaged(path, "a tar", error) from error

    def _items(self, unit: Unit, archive: tarfile.TarFile) -> Iterator[Item]:
        for group in self._groups(archive):
            captions = {s: sidecar_text(s, data) for _, s, data in group if s in SIDECARS}
            caption = next((captions[s] for s in SIDECARS if captions.get(s)), None) or ""
            for name, suffix, data in group:
                if suffix in pixels.SUFFIXES:
                    entry = Entry(f"{unit.id}/{name}", caption)
                    yield item_of(entry, lambda data=data: pixels.decode(data))  # type: ignore[misc]

    def _groups(self, archive: tarfile.TarFile) -> Iterator[list[tuple[str, str, bytes]]]:
        """Name, suffix and content of the members that share a key, which lie side by side."""
        key, group = "", list[tuple[str, str, bytes]]()
        for member in archive:
            place = PurePosixPath(member.name)
            suffix = place.suffix.lower()
            wanted = suffix in pixels.SUFFIXES or suffix in SIDECARS
            if not member.isfile() or not wanted or member.size > source.MAX_BYTES:
                continue
            if (stem := place.with_suffix("").as_posix()) != key:
                yield group
                key, group = stem, []
            group.append((member.name, suffix, self._bytes(archive, member)))
        yield group

    @staticmethod
    def _bytes(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
        file = archive.extractfile(member)
        return file.read(source.MAX_BYTES) if file else b""

    def image(self, id: str) -> np.ndarray:
        """One picture by tar and name."""
        path, name = self._at(id)
        try:
            with tarfile.open(path) as archive:
                return pixels.decode(self._bytes(archive, archive.getmember(name)))
        except (tarfile.TarError, OSError, EOFError, KeyError) as error:
            raise pixels.Unreadable(f"cannot be read from the tar ({error})") from None


def _ended(archive: tarfile.TarFile) -> None:
    """Raise EOFError where an archive that was read to its end lacks the block of zeros there.

    One that was cut short between two members looks whole otherwise (POSIX pax, "two 512-byte
    blocks of zeros").
    """
    if archive.fileobj is not None and archive.fileobj.tell() < archive.offset + tarfile.BLOCKSIZE:
        raise EOFError("it ends without its end mark, as a file that was cut short does")


class Listed:
    """One side of a corpus whose pictures can be had in any order, such as the world."""

    kind = "listed"
    block = 256

    def __init__(self, corpus: Corpus, held_out: bool = False) -> None:
        self.corpus, self.held_out = corpus, held_out
        self.name = self.place = corpus.name

    @cached_property
    def _entries(self) -> Sequence[Entry]:
        return self.corpus.entries(self.held_out)

    def units(self) -> Sequence[Unit]:
        """Blocks of entries."""
        side = "held" if self.held_out else "train"
        return [
            Unit(f"{side}/{s}", self.corpus.key) for s in range(0, len(self._entries), self.block)
        ]

    def read(self, unit: Unit) -> Iterator[Item]:
        """The pictures of a block."""
        start = int(unit.id.partition("/")[2])
        for entry in self._entries[start : start + self.block]:
            yield item_of(entry, lambda id=entry.id: self.corpus.image(id))  # type: ignore[misc]

    def image(self, id: str) -> np.ndarray:
        """One picture by its entry's id."""
        return self.corpus.image(id)
