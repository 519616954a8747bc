"""WebDataset tars: `key.jpg` with its caption in `key.txt`, `key.caption` or `key.json`.

Nothing is unpacked, and no name inside an archive is used as a path.
"""

from __future__ import annotations

import tarfile
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from audit.datasets import members, pixels
from audit.datasets.damage import damaged
from audit.datasets.members import BROKEN, Contents, Member, scan
from audit.datasets.source import Files, Key, Record, Unit, stamp

REMEMBERED = 100_000
"""Images whose positions in tars are cached; those of the tar last read always are."""


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
            with members.opened(path) as archive:
                for name, member in found.members.items():
                    caption = self._caption(name, found.caption(name))
                    data = partial(self._member, path, archive, member)
                    size = member.file.size if member.file else 0
                    yield Record(f"{unit.id}/{name}", caption, data, f"{size}-{changed}", name,
                                 member.left_out)  # fmt: skip
        except BROKEN as error:
            raise damaged(path, "a tar", error) from error

    @staticmethod
    def _member(path: Path, archive: tarfile.TarFile, member: Member) -> bytes:
        try:
            return _content(archive, member)
        except BROKEN as error:
            raise damaged(path, "a tar", error) from error

    def content(self, id: str) -> bytes:
        """One image file by tar and name."""
        path, name = self._at(id)
        try:
            with self._lock:
                key = (path, stamp(path))
                member = self._contents(key).members[name]
                return _content(self._archive(key), member)
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
            archive = members.opened(key[0])
            self._open = (key, archive, weakref.finalize(self, archive.close))
        return self._open[1]


def _content(archive: tarfile.TarFile, member: Member) -> bytes:
    """The bytes of an image; pixels.Unreadable where it has none."""
    if member.file is None:
        raise pixels.Unreadable(member.reason)
    return members.content(archive, member.file, pixels.MAX_BYTES)
