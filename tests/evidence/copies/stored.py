"""Sides of vectors that were never pictures, as shards on disk."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from audit.datasets.source import Entry, Unit
from audit.evidence.copies import shards
from audit.evidence.copies.side import Side


def unit(rows: np.ndarray) -> np.ndarray:
    """Rows of unit length, float32."""
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def clustered(rng: np.random.Generator, n: int, d: int, centres: int = 50) -> np.ndarray:
    """Vectors around drawn centres, two of one centre at a cosine of about 0.5: float32[n, d]."""
    centre = unit(rng.standard_normal((centres, d)))
    return unit(centre[rng.integers(0, centres, n)] + unit(rng.standard_normal((n, d))))


def side(
    folder: Path, pieces: Iterable[np.ndarray], dtype: str = "float16", name: str = "train",
    caption: str = "",
) -> Side:  # fmt: skip
    """One shard a piece; with a `caption`, that of an image ends in its number."""
    parts, d = [], 0
    for i, rows in enumerate(pieces):
        entries = [shards.Row(Entry(f"{i}-{j}", f"{caption} {j}" if caption else "", 1))
                   for j in range(len(rows))]  # fmt: skip
        units = [Unit(str(i), "")]
        stem = shards.name(name, "vectors", units)
        parts.append(shards.write(folder, stem, units, entries, rows.astype(dtype)))
        d = rows.shape[1]
    return Side(parts, d)
