"""What a training set is to the rest of the house: entries, pictures, and a held-out twin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class Entry:
    """One distinct image of a training set; `repeats` is how often the set holds it."""

    id: str
    caption: str
    repeats: int = 1


class Corpus(Protocol):
    """A training set whose pictures can be had in any order, with its held-out twin, if any."""

    name: str
    coverage: float
    """Share of what the model was trained on that is here, 0 to 1; NaN where nobody knows."""

    @property
    def key(self) -> str:
        """Hash of the content: another content is another index."""

    def entries(self, held_out: bool = False) -> Sequence[Entry]:
        """What is in the set, in a fixed order; empty where there is no held-out set."""

    def image(self, id: str) -> np.ndarray:
        """One picture as uint8[h, w, 3]; pixels.Unreadable if it is damaged."""
