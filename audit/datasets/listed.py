"""Training sets that list their own images and return each by its id, such as the world's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property, partial

import numpy as np

from audit.datasets.chosen import USUALLY
from audit.datasets.source import Corpus, Entry, Item, Unit, item_of


class Listed:
    """One side of a registered training set: the training images, or the held-out twin."""

    kind, chosen = "listed", USUALLY
    block = 256

    def __init__(self, corpus: Corpus, held_out: bool = False) -> None:
        self.corpus, self.held_out = corpus, held_out
        self.name = self.place = corpus.name

    @cached_property
    def _entries(self) -> Sequence[Entry]:
        return self.corpus.entries(self.held_out)

    def units(self) -> Sequence[Unit]:
        """Blocks of entries."""
        side = "held" if self.held_out else "train"
        return [
            Unit(f"{side}/{s}", self.corpus.key) for s in range(0, len(self._entries), self.block)
        ]

    def about(self, unit: Unit) -> int:
        """The images of a block."""
        return self.block

    def read(self, unit: Unit) -> Iterator[Item]:
        """The images of a block."""
        start = int(unit.id.partition("/")[2])
        for entry in self._entries[start : start + self.block]:
            yield item_of(entry, partial(self.corpus.image, entry.id))

    def notes(self) -> list[str]:
        """Nothing is assumed: the training set lists its own images."""
        return []

    def image(self, id: str) -> np.ndarray:
        """One image by its entry's id."""
        return self.corpus.image(id)
