"""Folders of image files, with captions in files of the same name or in a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path

from audit.datasets import listing, pixels
from audit.datasets.captions import MAX_TEXT, SIDECARS, TABLES, sidecar_text
from audit.datasets.listing import LeftOut, Listing
from audit.datasets.source import Collection, Record, Unit, present, stamp
from audit.datasets.texts import place, spelled
from audit.files import stays


class Folder(Collection):
    """Images below a folder; a file is a unit.

    Captions are from `table`, or from `metadata.csv` and the like in the folder, else from
    sidecars. `found` are its files, where they are known already.
    """

    kind = "folder"

    def __init__(self, path: Path, table: Path | None = None, found: Listing | None = None) -> None:
        self.path, self.name, self.place = path, spelled(path.resolve().name), str(path.resolve())
        tables = (path / n for n in TABLES)
        self.table = table or next((p for p in tables if p.is_file() and stays(path, p)), None)
        if found is not None:
            self._found = found

    @cached_property
    def _found(self) -> Listing:
        return listing.listed(self.path)

    def left_out(self) -> Sequence[LeftOut]:
        """Files that look like images or data, and are not read."""
        beside = [(p, "a tar") for p in self._found.tars]
        beside += [(p, "a Parquet table") for p in self._found.tables]
        more = [LeftOut(spelled(p.relative_to(self.path).as_posix()), f"{what} beside images")
                for p, what in beside]  # fmt: skip
        files = [
            replace(x, prompt=self._sidecar(place(self.path, x.file))) for x in self._found.left_out
        ]
        return [*files, *more]

    def units(self) -> Sequence[Unit]:
        """One for each image file, sorted by path."""
        own = self.chosen.key
        return [
            Unit(spelled(p.relative_to(self.path).as_posix()), self._with_sidecars(p) + own)
            for p in self._found.images
        ]

    def _with_sidecars(self, path: Path) -> str:
        """Stamp of the image and of its sidecars: a changed caption is a changed entry."""
        return "+".join(map(stamp, [path, *self._sidecars(path).values()]))

    def _sidecars(self, path: Path) -> dict[str, Path]:
        """The text files of an image by ending, in the order of SIDECARS."""
        beside = self._found.beside.get(path.with_suffix(""), {})
        return {s: beside[s] for s in SIDECARS if s in beside and beside[s].is_file()}

    def records(self, unit: Unit) -> Iterator[Record]:
        """The one image of a unit."""
        path, id = place(self.path, unit.id), unit.id
        changed = stamp(path) if path.is_file() else "gone"
        caption = self._caption(id, self._sidecar(path))
        yield Record(id, caption, partial(self.content, id), changed, id)

    def _sidecar(self, path: Path) -> str:
        text = ""
        for suffix, beside in self._sidecars(path).items():
            with beside.open("rb") as file:
                if text := sidecar_text(suffix, file.read(MAX_TEXT)):
                    break
        return text

    def _inside(self, id: str) -> Path:
        """The file of an id; pixels.Unreadable for one that leaves the folder."""
        path = place(self.path, id)
        if not stays(self.path, path):
            raise pixels.Unreadable("is outside the folder")
        return path

    def content(self, id: str) -> bytes:
        """One image file by its path below the folder."""
        return pixels.content(self._inside(id))

    def stamp(self, id: str) -> str:
        """Of the image file."""
        return present(self._inside(id))
