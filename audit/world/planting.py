"""Copies planted by hand among fresh pictures, so that an auditor's error rate can be counted.

A generator's copies are never known for certain. Here they are: edited training images, at a share
that is chosen, among fresh pictures of the same kind that copy nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from audit.replication.edits import apply
from audit.world.dataset import fresh, training_set

EDITS = ("noise 10", "noise 25", "crop 90 %", "jpeg 50", "jpeg 30", "jpeg 10")
"""Noisy, cropped and recompressed, as generators and platforms leave their copies."""


@dataclass(frozen=True)
class Pool:
    """Descriptors to draw batches from: float32[n, d] of fresh pictures and of edited copies."""

    fresh: np.ndarray
    copies: np.ndarray
    edits: tuple[str, ...]
    """The edit of each copy."""

    def batch(self, n: int, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """`n` descriptors, the first `share` of them copies, and which are: bool[n].

        Raises ValueError where the pool has too few of either.
        """
        rng = np.random.default_rng(seed)
        planted = round(share * n)
        parts = [
            pool[rng.choice(len(pool), size, replace=False)]
            for pool, size in ((self.copies, planted), (self.fresh, n - planted))
        ]
        return np.concatenate(parts), np.arange(n) < planted


def pool(encoder: Any, seed: int, n_fresh: int, n_copies: int) -> Pool:
    """Fresh pictures, and training images under one edit of EDITS each, as descriptors.

    Copies are of different images. Raises ValueError for more of them than the training set has.
    """
    rng = np.random.default_rng(seed)
    train = training_set()
    chosen = rng.choice(len(train), n_copies, replace=False)
    names = tuple(EDITS[i % len(EDITS)] for i in range(n_copies))
    edited = [
        apply(name, train[int(i)].pixels(), seed + j)
        for j, (i, name) in enumerate(zip(chosen, names, strict=True))
    ]
    others = [item.pixels() for item in fresh(seed, n_fresh)]
    return Pool(encoder.images(others), encoder.images(edited), names)
