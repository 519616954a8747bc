"""Claims on single images: identical and nearly identical pixels, and nothing else."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from audit.datasets import pixels
from audit.evidence.copies import single
from audit.evidence.copies.edits import apply
from audit.evidence.copies.index import Index
from audit.evidence.copies.manifest import Descriptor
from audit.evidence.copies.side import Side
from audit.evidence.encoders.pixel_space import tiled_l2_pairs
from tests.evidence.copies import made, stored


@pytest.mark.parametrize("seed", range(4))
def test_the_distance_is_that_of_all_pairs(seed: int) -> None:
    """One pair as in the exact table of all; another size is resized first."""
    pair = np.random.default_rng(seed).integers(0, 256, (2, 32, 48, 3), np.uint8)
    assert single.tiled_l2(*pair) == pytest.approx(tiled_l2_pairs(pair)[0, 1])
    large = np.asarray(Image.fromarray(pair[1]).resize((96, 64), Image.Resampling.NEAREST))
    assert 0 < single.tiled_l2(pair[0], large) == single.tiled_l2(large, pair[0]) < 1


def index_of(folder: Path, rows: np.ndarray) -> Index:
    """An index of these training vectors alone."""
    side = stored.side(folder, [stored.unit(rows)], "float32")
    return Index(folder, "k", "n", Descriptor("d", "k"), side.dimensions, side,
                 Side([], side.dimensions), 1.0, {})  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
def test_edit_free_pairs_are_beyond_the_line(tmp_path: Path, seed: int) -> None:
    """No two different images are said to be one; light edits of one are; a plain image is not."""
    some = made.pictures(12, seed)
    rows = np.stack([p.astype(float).ravel()[: 16 * 16 * 3] - 127 for p in some])
    index = index_of(tmp_path, rows)
    load = {e.id: p for e, p in zip(index.train.entries, some, strict=True)}.__getitem__
    most = single.line(index, np.ones(12, bool), load, seed)
    assert 0 < most <= single.MOST
    for i, a in enumerate(some):
        assert single.single(a, a, math.nan) == single.PIXELS
        assert single.single(apply("noise 10", a, seed), a, most) == single.NEAR
        assert single.single(apply("noise 10", a, seed), a, math.nan) == ""
        assert all(single.single(a, b, most) == "" for b in some[:i])
    white = np.full((16, 16, 3), 255, np.uint8)
    assert single.single(white, white, most) == ""
    assert math.isnan(single.line(index, np.arange(12) < 1, load, seed))


def test_what_is_claimed_of_each_image() -> None:
    """Pixels where there are some, vectors else; near ones only far from the held-out side."""
    a, b = made.pictures(2, 5)
    near = apply("noise 10", a, 1)
    images = {"same": a, "near": near, "other": b}

    def train(name: str) -> np.ndarray:
        if name != "t":
            raise pixels.Unreadable("gone")
        return a

    rows = [
        ("same", "t", 1.0, 0.0, single.PIXELS), ("same", "t", 1.0, math.nan, single.PIXELS),
        ("near", "t", 0.98, 2.0, single.NEAR), ("near", "t", 0.98, 0.1, ""),
        ("near", "t", 0.98, math.nan, single.NEAR), ("other", "t", 0.95, 2.0, ""),
        ("near", "t", 0.5, 2.0, ""), ("same", "gone", 1.0, 2.0, single.VECTOR),
        ("same", "gone", 1.0, 0.1, ""), ("same", "gone", 0.99, 2.0, ""),
        ("same", None, math.nan, math.nan, ""),
    ]  # fmt: skip
    got = single.claims([r[:4] for r in rows], (images.__getitem__, train), 0.1)
    assert got.tolist() == [r[4] for r in rows]
