"""WebDataset tars: `key.jpg` with its caption in `key.txt`, `key.caption` or `key.json`.

Nothing is unpacked, and no name inside an archive is used as a path.
"""

from __future__ import annotations

import tarfile
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from audit.datasets import pixels
from audit.datasets.captions import MAX_TEXT, SIDECARS, sidecar_text
from audit.datasets.damage import damaged
from audit.datasets.source import Files, Key, Record, Unit, stamp

REMEMBERED = 100_000
"""Images whose positions in tars are cached; those of the tar last read always are."""
BROKEN = (tarfile.TarError, OSError, EOFError)
"""Exceptions that reading a damaged tar raises."""


@dataclass(frozen=True)
class Contents:
    """Images of a tar, in its order, and their captions by key."""

    members: Mapping[str, tarfile.TarInfo]
    captions: Mapping[str, str]
    whole: bool
    """Whether the archive ends with its end mark; one that was cut short does not."""

    def caption(self, name: str) -> str:
        """The caption of an image; empty if there is none."""
        return self.captions.get(_stem(name), "")


def _stem(name: str) -> str:
    return PurePosixPath(name).with_suffix("").as_posix()


def _bytes(archive: tarfile.TarFile, member: tarfile.TarInfo, limit: int) -> bytes:
    file = archive.extractfile(member)
    return file.read(limit) if file else b""


def scan(path: Path) -> Contents:
    """The contents of a tar from one pass over its headers, which reads only the sidecars.

    Members above pixels.MAX_BYTES are skipped. Raises one of `BROKEN` for a damaged tar.
    """
    members: dict[str, tarfile.TarInfo] = {}
    texts: dict[str, dict[str, str]] = {}
    with tarfile.open(path) as archive:
        for member in archive:
            suffix = PurePosixPath(member.name).suffix.lower()
            if not member.isfile() or member.size > pixels.MAX_BYTES:
                continue
            if suffix in pixels.SUFFIXES:
                members[member.name] = member
            elif suffix in SIDECARS:
                text = sidecar_text(suffix, _bytes(archive, member, MAX_TEXT))
                texts.setdefault(_stem(member.name), {})[suffix] = text or ""
        whole = _ended(archive)
    captions = {k: next((t[s] for s in SIDECARS if t.get(s)), "") for k, t in texts.items()}
    return Contents(members, captions, whole)


def _ended(archive: tarfile.TarFile) -> bool:
    """Whether an archive that was read to its end has the final block of zeros.

    One that was cut short between two members looks whole otherwise (POSIX pax, "two 512-byte
    blocks of zeros").
    """
    file = archive.fileobj
    return file is None or file.tell() >= archive.offset + tarfile.BLOCKSIZE


class Tars(Files):
    """One tar, or a folder of them; a tar is a unit.

    An image is found by its id without reading the tar again: the positions of the images are
    cached, and the tar that was read last stays open. A compressed tar that is read in order is
    therefore not decompressed from its beginning each time.
    """

    kind = "WebDataset"

    def __init__(self, path: Path, files: Sequence[Path]) -> None:
        super().__init__(path, files)
        self._known: OrderedDict[Key, Contents] = OrderedDict()
        self._open: tuple[Key, tarfile.TarFile, Callable[[], object]] | None = None

    def names(self) -> Sequence[str]:
        """The names of all images, from one pass over each tar."""
        found: list[str] = []
        with self._lock, suppress(*BROKEN):  # reading a damaged tar says what is wrong
            for path in self.files.values():
                found += self._contents((path, stamp(path))).members
        return found

    def records(self, unit: Unit) -> Iterator[Record]:
        """The images of a tar in its order, with the caption of the same key."""
        path = self.files[unit.id]
        try:
            changed = path.stat().st_mtime_ns
            with self._lock:
                found = self._contents((path, stamp(path)))
            if not found.whole:
                raise EOFError("it ends without its end mark, as a file that was cut short does")
            with tarfile.open(path) as archive:
                for name, member in found.members.items():
                    caption = self._caption(name, found.caption(name))
                    data = partial(self._member, path, archive, member)
                    yield Record(f"{unit.id}/{name}", caption, data, f"{member.size}-{changed}",
                                 name)  # fmt: skip
        except BROKEN as error:
            raise damaged(path, "a tar", error) from error

    @staticmethod
    def _member(path: Path, archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
        try:
            return _bytes(archive, member, pixels.MAX_BYTES)
        except BROKEN as error:
            raise damaged(path, "a tar", error) from error

    def content(self, id: str) -> bytes:
        """One image file by tar and name."""
        path, name = self._at(id)
        try:
            with self._lock:
                key = (path, stamp(path))
                member = self._contents(key).members[name]
                return _bytes(self._archive(key), member, pixels.MAX_BYTES)
        except (*BROKEN, KeyError) as error:
            raise pixels.Unreadable(f"cannot be read from the tar ({error})") from None

    def _contents(self, key: Key) -> Contents:
        """The contents of a tar, cached until it changes."""
        if key not in self._known:
            self._known[key] = scan(key[0])
            while len(self._known) > 1 and self._remembered() > REMEMBERED:
                self._known.popitem(last=False)
        self._known.move_to_end(key)
        return self._known[key]

    def _remembered(self) -> int:
        return sum(len(c.members) for c in self._known.values())

    def _archive(self, key: Key) -> tarfile.TarFile:
        """A tar kept open until another is requested, it changes, or this collection is deleted."""
        if self._open is None or self._open[0] != key:
            if self._open is not None:
                self._open[2]()
            archive = tarfile.open(key[0])  # noqa: SIM115 - outlives this call
            self._open = (key, archive, weakref.finalize(self, archive.close))
        return self._open[1]
