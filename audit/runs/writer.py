"""The thread behind the sampler: while a batch is drawn, the previous one is written and scored.

Files are written first, so a finished image is never lost; vectors are computed from memory, not
from the file, and kept a chunk at a time.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

import numpy as np

from audit.store import RunFolder

CHUNK = 256
"""Vectors per file."""
DEPTH = 2
"""Batches that may wait: memory stays the same however long the plan is."""


class BackgroundWriter:
    """Writes and scores batches in the order in which they come.

    `done` is told how many images are finished; each encoder has a `key`, and `images`, which
    turns uint8[h, w, 3] images into float32[n, d].

    An error of the thread is raised by the next `put`, or at the end; earlier images are
    kept.
    """

    def __init__(self, folder: RunFolder, encoders: Sequence[Any], done: Callable[[int], None]):
        self.folder, self.encoders, self.done = folder, list(encoders), done
        self._queue: queue.Queue[tuple[list[str], np.ndarray, list[str]] | None]
        self._queue = queue.Queue(DEPTH)
        self._kept: dict[str, list[tuple[str, np.ndarray]]] = {e.key: [] for e in self.encoders}
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="behind", daemon=True)

    def __enter__(self) -> BackgroundWriter:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._queue.put(None)
        self._thread.join()
        if error is None and self._error is not None:
            raise self._error

    def put(self, ids: list[str], pictures: np.ndarray, missing: list[str]) -> None:
        """Hand over a batch, uint8[n, h, w, 3]; waits while the thread is two batches behind.

        `missing` says why an image is not kept, and is empty for one that is.
        """
        if self._error is not None:
            raise self._error
        self._queue.put((ids, pictures, missing))

    def _work(self) -> None:
        while (batch := self._queue.get()) is not None:
            if self._error is not None:
                continue  # empty the queue, or `put` would wait forever
            try:
                self._keep(*batch)
            except BaseException as error:
                self._error = error
        if self._error is None:
            try:
                for encoder in self.encoders:
                    self._flush(encoder.key)
            except BaseException as error:
                self._error = error

    def _keep(self, ids: list[str], pictures: np.ndarray, missing: list[str]) -> None:
        for id, picture, why in zip(ids, pictures, missing, strict=True):
            if why:
                self.folder.write_blocked(id, why)
            else:
                self.folder.write_image(id, picture)
        shown = [i for i, why in enumerate(missing) if not why]
        for encoder in self.encoders if shown else ():
            rows = encoder.images([pictures[i] for i in shown])
            self._kept[encoder.key] += [(ids[i], row) for i, row in zip(shown, rows, strict=True)]
            if len(self._kept[encoder.key]) >= CHUNK:
                self._flush(encoder.key)
        self.done(len(ids))

    def _flush(self, key: str) -> None:
        kept = self._kept[key]
        if kept:
            self.folder.add_vectors(key, [i for i, _ in kept], np.stack([v for _, v in kept]))
        self._kept[key] = []
