"""The thread behind the sampler: while a batch is drawn, the previous one is written and scored.

Files are written first, so a finished image is never lost. Vectors are made group by group, always
of a whole group in its own order: kernels round by the batch that an image is in, and where an
interruption fell must not change a digit.
"""

from __future__ import annotations

import queue
import threading
from collections import OrderedDict
from collections.abc import Callable, Container, Sequence
from types import TracebackType
from typing import Any

import numpy as np

from audit.datasets import pixels
from audit.store import RunFolder

DEPTH = 2
"""Batches that may wait: memory stays the same however long the plan is."""
REMEMBERED, REMEMBERED_BYTES = 128, 4 * pixels.BATCH_BYTES
"""Images that are kept in memory until their group is complete, at most so many and so many bytes;
others are read from their file."""


def keep_vectors(
    folder: RunFolder,
    encoder: Any,
    group: Sequence[str],
    picture: Callable[[str], np.ndarray],
    known: Container[str],
    reasons: dict[str, str],
) -> dict[str, np.ndarray]:
    """Encode a group, and keep and return the vectors of those that are not known yet.

    As many at a time as `pixels.encoded` takes: the group decides which, whatever is known.
    `picture` returns uint8[h, w, 3], or raises pixels.Unreadable for an image that is left out,
    whose reason is added to `reasons`.
    """
    todo = [i for i in group if i not in known]
    if len(todo) < len(group) and not _any_readable(todo, picture, reasons):
        return {}
    found: dict[str, np.ndarray] = {}
    for start in range(0, len(group), pixels.TOGETHER):
        ids = group[start : start + pixels.TOGETHER]
        if all(i in known for i in ids):
            continue
        for there, rows, unread in pixels.encoded(ids, picture, encoder.images):
            reasons.update(unread)
            made = {i: row for i, row in zip(there, rows, strict=True) if i not in known}
            if made:
                folder.add_vectors(encoder.key, list(made), np.stack(list(made.values())))
                found.update(made)
    return found


def _any_readable(
    ids: Sequence[str], picture: Callable[[str], np.ndarray], reasons: dict[str, str]
) -> bool:
    for id in ids:
        try:
            picture(id)
            return True
        except pixels.Unreadable as reason:
            reasons[id] = str(reason)
    return False


class BackgroundWriter:
    """Writes batches in the order in which they come, and scores groups as they are completed.

    `groups` are all ids of the plan; those that are never handed over have their image already.
    `done` is told which images are finished; each encoder has a `key`, and `images`, which
    turns uint8[h, w, 3] images into float32[n, d].

    An error of the thread is raised by the next `put`, or at the end; images are written
    even then.
    """

    def __init__(
        self, folder: RunFolder, encoders: Sequence[Any], groups: Sequence[Sequence[str]],
        done: Callable[[Sequence[str]], None],
    ) -> None:  # fmt: skip
        self.folder, self.encoders, self.done = folder, list(encoders), done
        self._groups, self._of = groups, {i: n for n, g in enumerate(groups) for i in g}
        present, self._blocked = folder.present(), set(folder.blocked())
        self._waiting = [{i for i in g if i not in present} for g in groups]
        self._known = {e.key: set(folder.vectors(e.key)) for e in self.encoders}
        self._memory: OrderedDict[str, np.ndarray] = OrderedDict()
        self._queue: queue.Queue[tuple[list[str], np.ndarray, list[str]] | None]
        self._queue = queue.Queue(DEPTH)
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
            for step in (self._write, self._score):
                if self._error is None or step == self._write:
                    try:
                        step(*batch)
                    except BaseException as error:
                        self._error = self._error or error

    def _write(self, ids: list[str], pictures: np.ndarray, missing: list[str]) -> None:
        for id, picture, why in zip(ids, pictures, missing, strict=True):
            if why:
                self.folder.write_blocked(id, why)
                self._blocked.add(id)
            else:
                self.folder.write_image(id, picture)
                self._remember(id, picture)

    def _remember(self, id: str, picture: np.ndarray) -> None:
        kept = self._memory
        kept[id] = picture
        while len(kept) > REMEMBERED or sum(p.nbytes for p in kept.values()) > REMEMBERED_BYTES:
            kept.popitem(last=False)

    def _score(self, ids: list[str], pictures: np.ndarray, missing: list[str]) -> None:
        for number in dict.fromkeys(self._of[i] for i in ids):
            self._waiting[number].difference_update(ids)
            if not self._waiting[number]:
                group = [i for i in self._groups[number] if i not in self._blocked]
                for encoder in self.encoders:
                    known = self._known[encoder.key]
                    keep_vectors(self.folder, encoder, group, self._picture, known, {})
                for id in group:
                    self._memory.pop(id, None)
        self.done(ids)

    def _picture(self, id: str) -> np.ndarray:
        remembered = self._memory.get(id)
        return self.folder.read_image(id) if remembered is None else remembered
