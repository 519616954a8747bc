"""Copies planted by hand among fresh pictures, so that an auditor's error rate can be counted.

Which of a generator's pictures are copies is never known for certain. Here it is: edited training
images, at a share that is chosen, among fresh pictures of the same kind that copy nothing. All show
people, as pictures for the world's prompts do: an empty background is plain, and plain colours come
back by chance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from audit.replication.edits import apply
from audit.world.dataset import Item, fresh, training_set

EDITS = ("noise 10", "noise 25", "crop 90 %", "jpeg 50", "jpeg 30")
"""Noisy, cropped and recompressed, as generators and platforms leave their copies."""
HARDER = ("jpeg 10", "crop 70 %", "overlay quarter")
"""What a copy may have gone through besides; shown, and promised nothing of."""


@dataclass(frozen=True)
class Pool:
    """Descriptors to draw batches from."""

    fresh: np.ndarray
    """float32[n, d] of pictures that copy nothing."""
    copies: Mapping[str, np.ndarray]
    """Edit to float32[m, d] of training images under it."""

    def batch(self, number: int, n: int, share: float) -> tuple[np.ndarray, np.ndarray]:
        """Batch `number` of `n` descriptors, copies first, and which are: bool[n].

        No two batches share a fresh picture; copies are drawn anew by the number, and the edits
        take turns. Raises ValueError where the pool has no such batch.
        """
        planted = round(share * n)
        others = self.fresh[number * (n - planted) : (number + 1) * (n - planted)]
        if len(others) < n - planted:
            raise ValueError(f"{len(self.fresh)} fresh pictures have no batch {number} of {n}.")
        rng = np.random.default_rng(number)
        edits = tuple(self.copies)
        rows = [self.copies[edits[i % len(edits)]] for i in range(planted)]
        chosen = [some[int(rng.integers(len(some)))] for some in rows]
        return np.concatenate([np.stack(chosen), others]) if planted else others, (
            np.arange(n) < planted
        )


def pool(
    encoder: Any, seed: int, n_fresh: int, n_copies: int, edits: Sequence[str] = EDITS
) -> Pool:
    """At least `n_fresh` fresh pictures, and `n_copies` training images for each edit.

    Copies are of different images. Raises ValueError for more of them than the training set has.
    """
    rng = np.random.default_rng(seed)
    train = _people(training_set())
    chosen = rng.choice(len(train), n_copies * len(edits), replace=False)
    copies = {}
    for k, name in enumerate(edits):
        some = chosen[k * n_copies : (k + 1) * n_copies]
        copies[name] = encoder.images(
            [apply(name, train[int(i)].pixels(), seed + int(i)) for i in some]
        )
    others = _people(fresh(seed, n_fresh + n_fresh // 10))
    return Pool(encoder.images([item.pixels() for item in others]), copies)


def _people(items: Sequence[Item]) -> list[Item]:
    return [item for item in items if item.scene.sprite is not None]
