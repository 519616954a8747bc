"""The nearest images of a run to one of them, by the vectors in the run folder."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np

from audit.store import RunFolder


@dataclass(frozen=True)
class Vectors:
    """Vectors of one encoder: float32[n, d], unit length, and each image's row."""

    ids: tuple[str, ...]
    rows: np.ndarray
    place: dict[str, int]

    def nearest(self, id: str, k: int) -> list[tuple[str, float]]:
        """The `k` other images with the highest cosine, exact, highest first, ties by their order.

        Empty for an image without a vector.
        """
        at = self.place.get(id)
        if at is None:
            return []
        cosines = self.rows @ self.rows[at]
        cosines[at] = -np.inf
        cosines[np.isnan(cosines)] = -np.inf
        k = min(k, len(cosines) - 1)
        if k <= 0:
            return []
        least = np.partition(cosines, -k)[-k]
        near = np.flatnonzero(cosines >= least)  # all ties of the last place, before it is cut
        order = near[np.argsort(-cosines[near], kind="stable")][:k]
        return [(self.ids[i], float(cosines[i])) for i in order if np.isfinite(cosines[i])]


def unit(rows: np.ndarray) -> np.ndarray:
    """Rows scaled to length 1, float32[n, d]; a row of zeros has no direction and becomes NaN."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True).astype(np.float32)
    lengths[lengths == 0] = np.nan
    return np.asarray(rows / lengths, np.float32)


class Neighbours:
    """Vectors of a run, read on first use, one encoder at a time."""

    def __init__(self, folder: RunFolder, planned: Callable[[], Collection[str]]) -> None:
        """`planned` gives the ids of the run's own images."""
        self._folder, self._planned = folder, planned
        self._read: dict[str, Vectors] = {}
        self._lock = threading.Lock()

    @property
    def encoders(self) -> list[str]:
        """Encoders of the run's own images, without those of training images."""
        return [e for e in self._folder.encoders() if not e.endswith("-training")]

    def of(self, encoder: str) -> Vectors | None:
        """The vectors of one encoder, or None if there are none."""
        if encoder not in self.encoders:
            return None
        with self._lock:
            if encoder not in self._read:
                found = self._folder.vectors(encoder, mend=False)
                known = frozenset(self._planned())
                ids = tuple(i for i in found if i in known)
                rows = np.stack([found[i] for i in ids]) if ids else np.empty((0, 1), np.float32)
                self._read[encoder] = Vectors(ids, unit(rows), {d: i for i, d in enumerate(ids)})
            return self._read[encoder]
