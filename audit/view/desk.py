"""Data of the pages: tables, images and vectors of a run, read again when they change."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audit.datasets import pixels
from audit.runs.pictures import RunPictures, of_run
from audit.store import RunFolder
from audit.view import table
from audit.view.journal import Journal
from audit.view.neighbours import Neighbours
from audit.view.pictures import Shelf
from audit.view.table import Table

TrainImage = Callable[[str], np.ndarray]
"""Training image id to uint8[h, w, 3]; pixels.Unreadable where it is not available."""


@dataclass(frozen=True)
class Opened:
    """One state of a run's results."""

    stamp: str
    suite: str
    model: str
    table: Table
    source: RunPictures
    neighbours: Neighbours


class Desk:
    """The current state of a run: a run that has grown is read again at the next page."""

    def __init__(
        self, folder: RunFolder, train_image: TrainImage | None = None, images: Path | None = None
    ) -> None:
        """`images` is where images made elsewhere are now, if they have moved."""
        self.folder, self.journal, self.shelf = folder, Journal(folder), Shelf()
        self._images = images
        self._train_image, self._lock = train_image, threading.Lock()
        self._opened: Opened | None = None
        self._session = secrets.token_hex(8)

    def open(self) -> Opened:
        """The run's current state; UserError where it has no results or they are damaged."""
        with self._lock:
            stamp = self.folder.stamp()
            if self._opened is None or self._opened.stamp != stamp:
                results, manifest = self.folder.results(), self.folder.manifest()
                found = table.gather(self.folder)
                settings = manifest.get("settings", {})
                self._opened = Opened(
                    stamp, str(manifest.get("suite", "")), str(settings.get("model", "")), found,
                    of_run(self.folder, results, self._images),
                    Neighbours(self.folder, found.samples.ids.to_pylist),
                )  # fmt: skip
            return self._opened

    @property
    def several(self) -> bool:
        """Whether the run, as it was last opened, has several arms."""
        return self._opened is not None and len(self._opened.table.arm.names) > 1

    @property
    def shows_training(self) -> bool:
        """Whether training images can be shown next to images near to them."""
        return self._train_image is not None

    def picture(self, id: str, form: str) -> tuple[str, Callable[[], bytes]]:
        """Tag and bytes of a sample's image; pixels.Unreadable for an id that is not planned."""
        opened = self.open()
        if not opened.table.rows(id):
            raise pixels.Unreadable("is not in this run")
        return self.shelf.encoded(opened.source, id, form)

    def training(self, id: str) -> tuple[str, Callable[[], bytes]]:
        """Tag and bytes of the training image nearest to a sample; pixels.Unreadable likewise."""
        opened = self.open()
        rows, match = opened.table.rows(id), opened.table.match
        name = match.train[rows[0]] if rows and match else ""
        if not name or self._train_image is None:
            raise pixels.Unreadable("cannot be shown")
        # Its source is outside the run and not watched: kept while this server runs.
        source = RunPictures(self._train_image, lambda _: self._session)
        return self.shelf.encoded(source, name, "large")
