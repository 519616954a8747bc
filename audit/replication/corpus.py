"""Training sets to search: anything that lists items with a picture, a caption and a count."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np

from audit import pixels
from audit.errors import UserError
from audit.records import digest


@dataclass(frozen=True)
class Entry:
    """One distinct image of a corpus; `repeats` is how often the training set holds it."""

    id: str
    caption: str
    repeats: int = 1


class Corpus(Protocol):
    """A training set, and a held-out set exchangeable with it where there is one."""

    name: str

    @property
    def key(self) -> str:
        """Hash of the content: another content is another index."""

    def entries(self, held_out: bool = False) -> Sequence[Entry]:
        """What is in the set, in a fixed order; empty where there is no held-out set."""

    def image(self, id: str) -> np.ndarray:
        """One picture as uint8[h, w, 3]; pixels.Unreadable if it is damaged."""


class FolderCorpus:
    """A folder of pictures; `name.txt` beside `name.png` holds its caption, if it has one.

    Raises UserError where the folder does not exist or holds no picture.
    """

    def __init__(self, folder: Path, held_out: Path | None = None) -> None:
        self.folder, self.held_out = folder, held_out
        self.name = folder.name
        self._files = {False: self._list(folder), True: self._list(held_out) if held_out else []}

    @staticmethod
    def _list(folder: Path) -> list[Path]:
        if not folder.is_dir():
            raise UserError(f"There is no folder {folder}. Give a folder of training images.")
        files = pixels.list_images(folder)
        if not files:
            raise UserError(
                f"{folder} holds no images ({', '.join(pixels.SUFFIXES)}). Give a folder that does."
            )
        return files

    @cached_property
    def key(self) -> str:
        """Hash of names, sizes and times of change of all files."""
        stats = [
            (str(p), p.stat().st_size, p.stat().st_mtime_ns)
            for held in (False, True)
            for p in self._files[held]
        ]
        return digest(stats)

    def entries(self, held_out: bool = False) -> Sequence[Entry]:
        """One entry for each picture file, sorted by path."""
        root = self.held_out if held_out else self.folder
        prefix = "held" if held_out else "train"
        return [
            Entry(f"{prefix}/{p.relative_to(root).as_posix()}", self._caption(p))  # type: ignore[arg-type]
            for p in self._files[held_out]
        ]

    @staticmethod
    def _caption(path: Path) -> str:
        side = path.with_suffix(".txt")
        return side.read_text("utf-8", "replace")[:10_000].strip() if side.is_file() else ""

    def image(self, id: str) -> np.ndarray:
        """One picture by its entry's id."""
        kind, _, rest = id.partition("/")
        root = self.held_out if kind == "held" else self.folder
        return pixels.read(root / rest)  # type: ignore[operator]


def readable(
    corpus: Corpus, entries: Sequence[Entry], skipped: dict[str, str]
) -> Iterator[tuple[Entry, np.ndarray]]:
    """Entries with their pictures; damaged ones are left out and written into `skipped`."""
    for entry in entries:
        try:
            yield entry, corpus.image(entry.id)
        except pixels.Unreadable as reason:
            skipped[entry.id] = str(reason)
