"""Training images read ahead: files in order by one thread, decoded by others, encoded by the
caller, and never more of them in memory than a number of bytes."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

from audit.datasets import jpeg, pixels
from audit.datasets.source import Filed, Item, Source, Unit
from audit.errors import UserError
from audit.evidence.copies.shards import pixels_key

AHEAD_BYTES = pixels.BATCH_BYTES
"""Bytes of pixels that are decoded ahead, in addition to the part that is filled and the one that
is encoded; one image may have more, and is then decoded alone."""
MOST_THREADS = 16
"""Threads that decode; more than these wait for the one that reads."""


@dataclass(frozen=True)
class Failed:
    """A unit that cannot be read, and why: its items so far do not count."""

    unit: Unit
    reason: str


Step = Item | Unit | Failed
"""An item of a unit, or the end of the unit after its items."""


class Reader:
    """The images of a source, decoded ahead of the caller by as many threads as there are cores.

    With `smallest`, JPEGs are decoded at a reduced size whose sides have at least so many pixels.
    A context: its threads end with it.
    """

    def __init__(self, source: Source, smallest: int = 0) -> None:
        self.source, self.smallest = source, smallest
        count = min(cores(), MOST_THREADS)
        self._reader = ThreadPoolExecutor(1, "corpus")
        self._decoders = ThreadPoolExecutor(count, "decoder")
        self._waiting = 4 * count

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *error: object) -> None:
        for pool in (self._reader, self._decoders):
            pool.shutdown(cancel_futures=True)

    def parts(self, todo: Sequence[Unit]) -> Iterator[list[Step]]:
        """The steps of units in their order, as many together as a batch may hold."""
        stream = pixels.parts(self._decoded(self._steps(todo)), _bytes)
        ahead = self._reader.submit(next, stream, None)
        while (part := ahead.result()) is not None:
            ahead = self._reader.submit(next, stream, None)
            yield part

    def _steps(self, todo: Sequence[Unit]) -> Iterator[Step | Filed]:
        """Files of sources that have any, else their items: others decode for themselves."""
        read: Any = getattr(self.source, "undecoded", self.source.read)
        for unit in todo:
            try:
                yield from read(unit)
            except UserError as error:
                yield Failed(unit, str(error))
            else:
                yield unit

    def _decoded(self, steps: Iterable[Step | Filed]) -> Iterator[Step]:
        """The steps in their order, with files decoded by several threads."""
        waiting: deque[tuple[int, Future[Item] | Step]] = deque()
        held = 0
        for step in steps:
            size = pixels.extent(step.data, self.smallest) if isinstance(step, Filed) else 0
            while waiting and (held + size > AHEAD_BYTES or len(waiting) >= self._waiting):
                freed, first = waiting.popleft()
                held -= freed
                yield _result(first)
            made = self._decoders.submit(self._item, step) if isinstance(step, Filed) else step
            waiting.append((size, made))
            held += size
        while waiting:
            yield _result(waiting.popleft()[1])

    def _item(self, filed: Filed) -> Item:
        """A decoded image with the hash of its content."""
        item = filed.item(self.smallest)
        if item.picture is None:
            return item
        key = pixels_key(item.picture, None)
        if self.smallest and jpeg.is_jpeg(filed.data):
            key = blake2b(jpeg.body(filed.data) + key.encode(), digest_size=12).hexdigest()
        return replace(item, content=key)


def _result(step: Future[Item] | Step) -> Step:
    return step.result() if isinstance(step, Future) else step


def _bytes(step: Step) -> int:
    return step.picture.nbytes if isinstance(step, Item) and step.picture is not None else 0


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
