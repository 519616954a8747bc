"""Copies planted by hand among fresh images, for counting an auditor's error rate.

Which of a generator's pictures are copies is never known for certain. Here it is: edited training
images, at a share that is chosen, among fresh pictures of the same kind that copy nothing. All show
people, as pictures for the world's prompts do: an empty background is plain, and plain colours come
back by chance. Every replicate splits the world's pictures into a training set and its twin again,
because an error rate is one over training sets as well as over pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from audit.evidence.copies.edits import apply
from audit.world.dataset import Item, fresh, training_set, twin_set

EDITS = ("noise 10", "noise 25", "crop 90 %", "jpeg 50", "jpeg 30")
"""Noisy, cropped and recompressed, as generators and platforms leave their copies."""
HARDER = ("jpeg 10", "crop 70 %", "overlay quarter")
"""What a copy may have gone through besides; shown, and promised nothing of."""


@dataclass(frozen=True)
class Pool:
    """Descriptors to draw replicates from."""

    references: np.ndarray
    """float32[r, d] of the pictures that each replicate splits in two halves."""
    fresh: np.ndarray
    """float32[n, d] of pictures that copy nothing."""
    copies: np.ndarray
    """float32[m, d] of edited pictures."""
    sources: np.ndarray
    """int64[m]: which reference each copy was made of."""
    edits: tuple[str, ...]
    """The edit of each copy."""

    def replicate(self, number: int, n: int, share: float) -> Replicate:
        """Replicate `number` of `n` pictures, copies of its training half first.

        No two replicates share a fresh picture. Raises ValueError where the pool is too small.
        """
        rng = np.random.default_rng(number)
        planted = round(share * n)
        train = rng.permutation(len(self.references)) < (len(self.references) + 1) // 2
        there = np.flatnonzero(train[self.sources])
        others = self.fresh[number * (n - planted) : (number + 1) * (n - planted)]
        if len(others) < n - planted or len(there) < planted:
            raise ValueError(f"The pool is too small for replicate {number} of {n} pictures.")
        chosen = rng.choice(there, planted, replace=False)
        vectors = np.concatenate([self.copies[chosen], others])
        return Replicate(_table(vectors, self.references, train), np.arange(n) < planted, chosen)


@dataclass(frozen=True)
class Replicate:
    """One batch of pictures against one split."""

    table: pd.DataFrame
    """`score`, `held_score`: cosines to the nearest picture of either half; `train`, `held`: its
    number among the references."""
    copies: np.ndarray
    """bool[n]: which were planted."""
    chosen: np.ndarray
    """int64: their numbers among the pool's copies."""


def _table(vectors: np.ndarray, references: np.ndarray, train: np.ndarray) -> pd.DataFrame:
    columns: dict[str, Any] = {}
    for name, score, side in (("train", "score", train), ("held", "held_score", ~train)):
        rows = np.flatnonzero(side)
        cosines = vectors @ references[rows].T
        columns[score], columns[name] = cosines.max(axis=1), rows[cosines.argmax(axis=1)]
    return pd.DataFrame(columns)


def pool(
    encoder: Any, references: np.ndarray, seed: int, n_fresh: int, n_copies: int,
    edits: Sequence[str] = EDITS,
) -> Pool:  # fmt: skip
    """At least `n_fresh` fresh pictures, and `n_copies` edited ones, the edits in turn.

    `references` are the descriptors of training set and twin, in that order (`references` makes
    them). Copies are of different pictures; ValueError for more of them than there are people.
    """
    rng = np.random.default_rng(seed)
    items = [*training_set(), *twin_set()]
    people = np.array([i for i, item in enumerate(items) if item.scene.sprite is not None])
    sources = rng.choice(people, n_copies, replace=False)
    names = tuple(edits[k % len(edits)] for k in range(n_copies))
    edited = [
        apply(name, items[int(i)].pixels(), seed + int(i))
        for name, i in zip(names, sources, strict=True)
    ]
    others = _people(fresh(seed, n_fresh + n_fresh // 10))
    return Pool(
        references, encoder.images([item.pixels() for item in others]), encoder.images(edited),
        sources, names,
    )  # fmt: skip


def references(index: Any) -> np.ndarray:
    """Descriptors of the world's training set and of its twin, in the sets' order."""
    rows = [block for side in (index.train, index.held) for block in side.blocks()]
    found = np.concatenate(rows)
    if len(found) != len(training_set()) + len(twin_set()):
        raise ValueError("The index is not that of the whole world.")
    return found


def _people(items: Sequence[Item]) -> list[Item]:
    return [item for item in items if item.scene.sprite is not None]
