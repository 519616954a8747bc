"""Folders of image files, with captions in files of the same name or in a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from audit.datasets import pixels
from audit.datasets.captions import SIDECARS, TABLES, sidecar_text
from audit.datasets.source import Collection, Record, Unit, present, stamp


class Folder(Collection):
    """Images below a folder; a file is a unit.

    Captions are from `table`, or from `metadata.csv` and the like in the folder, else from
    sidecars.
    """

    kind = "folder"

    def __init__(self, path: Path, table: Path | None = None) -> None:
        self.path, self.name, self.place = path, path.resolve().name, str(path.resolve())
        inside = (path / n for n in TABLES)
        self.table = table or next((p for p in inside if p.is_file()), None)

    def units(self) -> Sequence[Unit]:
        """One for each image file, sorted by path."""
        return [
            Unit(p.relative_to(self.path).as_posix(), self._with_sidecars(p))
            for p in pixels.list_images(self.path)
        ]

    def _with_sidecars(self, path: Path) -> str:
        """Stamp of the image and of its sidecars: a changed caption is a changed entry."""
        beside = [p for s in SIDECARS if (p := path.with_suffix(s)).is_file()]
        return "+".join(map(stamp, [path, *beside]))

    def records(self, unit: Unit) -> Iterator[Record]:
        """The one image of a unit."""
        path, id = self.path / unit.id, unit.id
        changed = stamp(path) if path.is_file() else "gone"
        caption = self._caption(id, self._sidecar(path))
        yield Record(id, caption, partial(self.content, id), changed, id)

    @staticmethod
    def _sidecar(path: Path) -> str:
        text = ""
        for suffix in SIDECARS:
            beside = path.with_suffix(suffix)
            if beside.is_file() and (text := sidecar_text(suffix, beside.read_bytes())):
                break
        return text

    def _inside(self, id: str) -> Path:
        """The file of an id; pixels.Unreadable for one that leaves the folder."""
        path = self.path / id
        if not path.resolve().is_relative_to(self.path.resolve()):
            raise pixels.Unreadable("is outside the folder")
        return path

    def content(self, id: str) -> bytes:
        """One image file by its path below the folder."""
        return pixels.content(self._inside(id))

    def stamp(self, id: str) -> str:
        """Of the image file."""
        return present(self._inside(id))
