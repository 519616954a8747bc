"""The images of a run: a file each, or packed as tars in the form of WebDataset.

A pack is a tar of PNG files, and a manifest with its name that says where each begins, so one is
read without unpacking anything. The tar is written first, then the manifest, and then the files
that are in it are removed. Whatever is interrupted, each image is there at least once, and a tar
without a whole manifest is not read.
"""

from __future__ import annotations

import functools
import io
import json
import os
import re
import tarfile
import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, TypeVar

from audit.files import atomic, checked, inside, loads, write_atomic

T = TypeVar("T")
PNG, WHY, TAR, JSON = ".png", ".why", ".tar", ".json"
"""Endings of an image, of the reason why there is none, and of the two files of a pack."""
PLAIN = re.compile(r"\w[\w-]*")
"""Ids that a pack may have: each becomes a file's name. Others make the pack damaged."""
BROKEN = (OSError, ValueError, OverflowError, tarfile.TarError)
"""What reading a member of a damaged tar raises."""


@dataclass(frozen=True)
class Manifest:
    """What is in a pack."""

    bytes: int
    """Size of the tar; one of another size is not read."""
    images: dict[str, int]
    """Id to the byte of the tar where its header begins."""
    reasons: dict[str, str]
    """Id to the reason why there is no image."""


Stamp = tuple[int, ...]


class _Index:
    """The packs of a folder, read again when they change."""

    def __init__(self, root: Path) -> None:
        self._root, self._lock = root, threading.Lock()
        self._packs: dict[str, Manifest] = {}
        self._stamps: dict[str, Stamp] = {}
        self._at: dict[str, str] = {}

    def refresh(self) -> _Index:
        """Read the packs that are new or have changed."""
        with self._lock:
            now = self._there()
            same = {n: stamp for n, stamp in self._stamps.items() if now.get(n) == stamp}
            if len(same) < len(self._stamps):  # other threads still read what there was
                packs = {n: pack for n, pack in self._packs.items() if n in same}
                at = {id: n for n, pack in packs.items() for id in (*pack.images, *pack.reasons)}
                self._packs, self._at, self._stamps = packs, at, same
            for name in sorted(now.keys() - same.keys()):
                self._stamps[name] = now[name]
                with suppress(OSError, ValueError):  # a damaged one counts as absent
                    read = loads((self._root / f"{name}{JSON}").read_bytes())
                    found = checked(Manifest, read)
                    if found.bytes == now[name][-1] and all(
                        map(PLAIN.fullmatch, (*found.images, *found.reasons))
                    ):
                        self._packs[name] = found
                        self._at.update(dict.fromkeys((*found.images, *found.reasons), name))
        return self

    def _there(self) -> dict[str, Stamp]:
        """Name of each pack to the stamp of its two files, neither of which is a link."""
        if not self._root.is_dir():
            return {}
        files = {f.name: f for f in os.scandir(self._root) if not f.name.startswith(".")}
        found: dict[str, Stamp] = {}
        for file in files.values():
            stem, _, ending = file.name.rpartition(".")
            tar = files.get(f"{stem}{TAR}")
            if f".{ending}" != JSON or tar is None:
                continue
            with suppress(OSError):
                if file.is_file(follow_symlinks=False) and tar.is_file(follow_symlinks=False):
                    a, b = file.stat(), tar.stat()
                    found[stem] = (a.st_mtime_ns, a.st_ino, a.st_size, b.st_mtime_ns, b.st_ino,
                                   b.st_size)  # fmt: skip
        return found

    def of(self, id: str) -> tuple[str, Manifest] | None:
        """Name and manifest of the pack that has an id, as far as was read; None where none has."""
        name = self._at.get(id, "")
        pack = self._packs.get(name)
        return None if pack is None else (name, pack)

    def names(self) -> Collection[str]:
        """The packs that can be read."""
        return self._packs.keys()

    def ids(self) -> list[str]:
        """Everything that is packed."""
        return list(self._at)


@functools.lru_cache(maxsize=16)
def _index(root: Path) -> _Index:
    """The packs of a folder, which all users in this process share: a million ids are not small."""
    return _Index(root)


class Images:
    """Images of a run below a folder, by id; with `only`, of these alone.

    Reading never creates anything.
    """

    def __init__(self, root: Path, only: Sequence[str] | None = None) -> None:
        self.root, self._only = root, only

    @property
    def _packs(self) -> _Index:
        return _index(self.root.absolute())

    def path(self, id: str) -> Path:
        """Path of an image as a file, there or not; Untrusted for an id that leads out."""
        return inside(self.root, f"{id[:2]}/{id}{PNG}")

    def found(self) -> Iterator[tuple[str, str]]:
        """Id and ending of every image and every reason, in files and in packs."""
        yield from self._files() if self._only is None else self._own()
        packs = self._packs.refresh()
        for id in packs.ids() if self._only is None else self._only:
            if found := packs.of(id):
                yield id, PNG if id in found[1].images else WHY

    def members(self) -> list[str]:
        """Ids of the images that are packed, sorted."""
        packs = self._packs.refresh()
        return sorted(i for i in packs.ids() if (pack := packs.of(i)) and i in pack[1].images)

    def _files(self) -> Iterator[tuple[str, str]]:
        """Those in files; fast for a hundred thousand of them."""
        root = self.root
        folders = sorted(f.path for f in os.scandir(root) if f.is_dir()) if root.is_dir() else []
        for folder in folders:
            for file in os.scandir(folder):
                stem, dot, ending = file.name.rpartition(".")
                if dot + ending in (PNG, WHY) and not file.name.startswith("."):
                    yield stem, dot + ending

    def _own(self) -> Iterator[tuple[str, str]]:
        for id in self._only or ():
            path = self.path(id)
            yield from ((id, e) for e in (PNG, WHY) if path.with_suffix(e).exists())

    def write(self, id: str, data: bytes, ending: str = PNG) -> None:
        """Keep an image, or the reason why there is none, as a file."""
        write_atomic(self.path(id).with_suffix(ending), data)

    def content(self, id: str) -> bytes:
        """The PNG file of an image; pixels.Unreadable if it is missing or cannot be read."""
        from audit.datasets import pixels

        return self._read(id, pixels.content, self._unpacked)

    def stamp(self, id: str) -> str:
        """Changes when the image does; pixels.Unreadable if it is missing."""
        from audit.datasets.source import present

        def packed(_: str, name: str, pack: Manifest) -> str:
            return f"{present(self._tar(name))}-{pack.images.get(id, 0)}"

        return self._read(id, present, packed)

    def _read(
        self, id: str, file: Callable[[Path], T], packed: Callable[[str, str, Manifest], T]
    ) -> T:
        """What one of the two says of an image: of its file, or of its pack by id and name.

        A file that is gone when it is read has been packed meanwhile, by another process.
        """
        from audit.datasets import pixels

        path = self.path(id)
        pack = self._packs.of(id) if path.exists() else self._pack(id)
        if pack is None:
            try:
                return file(path)
            except pixels.Unreadable:
                pack = None if path.exists() else self._pack(id)
                if pack is None:
                    raise
        return packed(id, *pack)

    def _unpacked(self, id: str, name: str, pack: Manifest) -> bytes:
        from audit.datasets import pixels

        try:
            with self._tar(name).open("rb") as file:
                return _member(file, id, pack)
        except BROKEN as error:
            raise pixels.Unreadable(f"cannot be read from the tar ({error})") from None

    def reason(self, id: str) -> bytes:
        """Why a sample has no image; empty where nothing says so."""
        pack = self._packs.of(id)
        if pack is None:
            with suppress(OSError):
                return self.path(id).with_suffix(WHY).read_bytes()
            pack = self._pack(id)
        return b"" if pack is None else _reason(id, pack[1])

    def packed(self, ids: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """What packs have of these ids, tar by tar: a PNG file or a reason, empty if unreadable."""
        packs, by = self._packs.refresh(), defaultdict[str, list[str]](list)
        for id in ids:
            if pack := packs.of(id):
                by[pack[0]].append(id)
        for name, some in by.items():
            with ExitStack() as held:
                file: IO[bytes] = io.BytesIO()
                with suppress(OSError):
                    file = held.enter_context(self._tar(name).open("rb"))
                for id in some:
                    data = b""
                    if pack := packs.of(id):
                        with suppress(*BROKEN):
                            data = _reason(id, pack[1]) or _member(file, id, pack[1])
                    yield id, data

    def _tar(self, name: str) -> Path:
        return self.root / f"{name}{TAR}"

    def _pack(self, id: str) -> tuple[str, Manifest] | None:
        return self._packs.of(id) or self._packs.refresh().of(id)

    def pack(self, name: str, ids: Sequence[str]) -> None:
        """Pack those that are files, in their order, and remove the files.

        The pack has that name, or one with a number where there is such a pack already. UserError
        where it cannot be written.
        """
        packs = self._packs.refresh()
        every = [(id, self.path(id).with_suffix(e)) for id in ids for e in (PNG, WHY)]
        there = [(id, path) for id, path in every if path.exists()]
        new = {id: path for id, path in there if packs.of(id) is None}
        if new:
            stem, number = name, 1
            while stem in packs.names():
                number += 1
                stem = f"{name}-{number}"
            made = _written(self._tar(stem), {i: new[i] for i in ids if i in new})
            write_atomic(self.root / f"{stem}{JSON}", json.dumps(asdict(made)).encode())
            _settle(self.root)
            packs.refresh()
        same = dict(self.packed({id for id, _ in there} - new.keys()))
        for id, path in there:
            with suppress(OSError):
                if id in new or path.read_bytes() == same.get(id):
                    path.unlink()

    def drop(self, ids: Collection[str]) -> set[str]:
        """Take ids out of the manifests of their packs; those that were there."""
        packs, by = self._packs.refresh(), defaultdict[str, set[str]](set)
        manifests: dict[str, Manifest] = {}
        for id in ids:
            if pack := packs.of(id):
                manifests[pack[0]] = pack[1]
                by[pack[0]].add(id)
        for name, was in manifests.items():
            gone = by[name]
            images = {i: at for i, at in was.images.items() if i not in gone}
            reasons = {i: why for i, why in was.reasons.items() if i not in gone}
            file = self.root / f"{name}{JSON}"
            if images or reasons:
                left = Manifest(was.bytes, images, reasons)
                write_atomic(file, json.dumps(asdict(left)).encode())
                continue
            for path in (file, file.with_suffix(TAR)):
                with suppress(OSError):
                    path.unlink()
        packs.refresh()
        return {i for some in by.values() for i in some}

    def tidy(self) -> None:
        """Remove folders that packing has emptied; no other process may write meanwhile."""
        for file in [*os.scandir(self.root)] if self.root.is_dir() else ():
            if file.is_dir(follow_symlinks=False):
                with suppress(OSError):  # of one that is not empty
                    os.rmdir(file.path)


def _reason(id: str, pack: Manifest) -> bytes:
    return pack.reasons.get(id, "").encode("utf-8", "replace")


def _member(file: IO[bytes], id: str, pack: Manifest) -> bytes:
    """An image from a tar, by its place in the manifest; one of BROKEN if it is not there."""
    from audit.datasets import pixels

    file.seek(pack.images.get(id, -1))
    head = tarfile.TarInfo.frombuf(file.read(tarfile.BLOCKSIZE), "utf-8", "strict")
    fits = head.isreg() and 0 <= head.size <= pixels.MAX_BYTES
    if head.name != f"{id}{PNG}" or not fits:
        raise ValueError("another file is at its place")
    data = file.read(head.size)
    if len(data) < head.size:
        raise ValueError("it is cut short")
    return data


def _written(path: Path, files: dict[str, Path]) -> Manifest:
    """The tar of these files, whole or not there: the same files give the same bytes."""
    images: dict[str, int] = {}
    reasons: dict[str, str] = {}
    with atomic(path) as file:
        with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            for id, source in files.items():
                data, entry = source.read_bytes(), tarfile.TarInfo(f"{id}{source.suffix}")
                if source.suffix == PNG:
                    images[id] = file.tell()
                else:
                    reasons[id] = data.decode("utf-8", "replace")
                entry.size, entry.mode = len(data), 0o644
                archive.addfile(entry, io.BytesIO(data))
        return Manifest(file.tell(), images, reasons)


def _settle(folder: Path) -> None:
    """Wait until the names in a folder are on disk, where the system can say so."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
