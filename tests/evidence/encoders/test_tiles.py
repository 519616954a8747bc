"""Crops and local similarity: shapes by hand, pairs by a loop, and pasted pictures found."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import skimage.data
from PIL import Image

from audit.evidence.copies.local import local_similarities
from audit.evidence.encoders.pixel_space import Pixels
from audit.evidence.encoders.tiles import Tiled, cut
from audit.world.models import copy_descriptor

NAMES = ("astronaut", "chelsea", "coffee", "rocket", "retina", "immunohistochemistry")


def photos(side: int = 192) -> list[np.ndarray]:
    """Square photographs."""
    some = [getattr(skimage.data, name)() for name in NAMES]
    return [np.asarray(Image.fromarray(p).resize((side, side))) for p in some]


class Corner:
    """An encoder that tells where a crop is: the value of its first pixel, as an angle."""

    key = "corner"

    def images(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """Cosine and sine of the first pixel's red and its green."""
        angles = np.array([p[0, 0, :2] for p in pictures], float).reshape(-1, 2)
        rows = np.concatenate([np.cos(angles), np.sin(angles)], axis=1) / np.sqrt(2)
        return rows.astype(np.float32)


def test_crops_are_one_and_four_and_nine_in_order() -> None:
    """Of 60 by 120: the whole; four of 40 by 80 from 0 and 20; nine of 30 by 60 from 0, 15, 30."""
    y, x = np.mgrid[:60, :120].astype(np.uint8)
    pieces = cut(np.stack([y, x, x], axis=2), (1, 2, 3))
    assert [p.shape[:2] for p in pieces] == [(60, 120), *[(40, 80)] * 4, *[(30, 60)] * 9]
    corners = [(int(p[0, 0, 0]), int(p[0, 0, 1])) for p in pieces]
    assert corners[:5] == [(0, 0), (0, 0), (0, 40), (20, 0), (20, 40)]
    assert corners[5:] == [(a, b) for a in (0, 15, 30) for b in (0, 30, 60)]


@pytest.mark.parametrize("side", [1, 2, 5, 33, 64])
def test_crops_are_inside_and_cover_the_image(side: int) -> None:
    """Whatever the rounding, every pixel is in a crop of each scale and no crop is empty."""
    picture = np.arange(side * side * 3, dtype=np.uint32).reshape(side, side, 3)
    for k in (1, 2, 3, 5):
        pieces = cut(picture, (k,))
        assert len(pieces) == k * k
        assert all(p.size for p in pieces)
        if side >= k:
            assert set(np.concatenate([p.ravel() for p in pieces])) == set(picture.ravel())


def test_vectors_are_those_of_the_crops_in_their_place() -> None:
    """Picture i, crop j holds what the wrapped encoder says of that crop; many chunks and none."""
    rng = np.random.default_rng(0)
    some = list(rng.integers(0, 256, (130, 12, 9, 3), np.uint8))
    tiled = Tiled(Corner(), (1, 3))
    rows = tiled.crops(some)
    assert rows.shape == (130, tiled.count, 4) == (130, 10, 4)
    for i in (0, 63, 64, 129):
        np.testing.assert_array_equal(rows[i], Corner().images(cut(some[i], (1, 3))))
    assert tiled.crops([]).shape == (0, 10, 4)


@pytest.mark.parametrize("seed", range(3))
def test_all_pairs_equal_a_plain_loop(seed: int) -> None:
    """The largest of all products of two lists of crops, for each pair of pictures."""
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal((7, 3, 16), np.float32), rng.standard_normal((70, 5, 16), np.float32)
    found = local_similarities(a, b)
    for i in range(7):
        for j in range(70):
            best = max(float(x @ y) for x in a[i] for y in b[j])
            assert found[i, j] == pytest.approx(best, rel=1e-5)


def pasted(scene: np.ndarray, thing: np.ndarray, top: int, left: int) -> np.ndarray:
    """`thing` at half of each side, a quarter of the area, on a scene of the same size."""
    side = scene.shape[0] // 2
    out = scene.copy()
    out[top : top + side, left : left + side] = np.asarray(
        Image.fromarray(thing).resize((side, side))
    )
    return out


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("encoder", "shift"), [(Pixels(32), 0), (copy_descriptor(), 4)], ids=["pixels", "embedded"]
)
def test_a_pasted_quarter_is_found_locally_and_not_globally(
    encoder: Pixels, shift: int, seed: int
) -> None:
    """Photos on photos at drawn places: local similarity tells them from others, global cannot.

    Pixels must be where a crop is; the copy descriptor also finds what is moved by 4 of 96.
    """
    some = photos()
    tiled = Tiled(encoder)
    rows = tiled.crops(some)
    rng = np.random.default_rng(seed)
    offsets = rng.choice([0, 48, 96], (len(some), 2))  # where crops are
    offsets = np.clip(offsets + rng.integers(-shift, shift + 1, offsets.shape), 0, 96)
    scenes = [
        pasted(some[i - 1], some[i], int(top), int(left)) for i, (top, left) in enumerate(offsets)
    ]
    found = tiled.crops(scenes)
    local, whole = local_similarities(found, rows), found[:, 0] @ rows[:, 0].T
    own = np.eye(len(some), dtype=bool)
    stranger = ~own & ~np.roll(own, -1, axis=1)  # neither the pasted photo nor its background
    assert local[own].min() > local[stranger].max()
    assert np.median(whole[own]) < np.quantile(whole[stranger], 0.95)
    assert (local[own] > whole[own] + 0.2).all()


def test_a_crop_of_the_reference_is_found_too() -> None:
    """A generated picture that is one part of a training picture matches that part."""
    some = photos(96)
    tiled = Tiled(Pixels(32))
    part = some[0][48:, 48:]
    similar = local_similarities(tiled.crops([part]), tiled.crops(some))[0]
    assert similar[0] == pytest.approx(1, abs=1e-5)
    assert similar[1:].max() < 0.95


def test_the_same_picture_is_one_and_the_whole_never_more_than_the_parts() -> None:
    """Local similarity includes the global one."""
    some = photos(64)
    rows = Tiled(Pixels(16)).crops(some)
    local = local_similarities(rows, rows)
    np.testing.assert_allclose(np.diag(local), 1, atol=1e-5)
    assert (local >= rows[:, 0] @ rows[:, 0].T - 1e-6).all()


def test_keys_and_bad_scales() -> None:
    """Another encoder or other scales are another key; no scale, zero and repeats are errors."""
    keys = {Tiled(Pixels()).key, Tiled(Pixels(32)).key, Tiled(Pixels(), (1, 3)).key}
    assert len(keys) == 3
    for scales in ((), (0, 1), (2, 2)):
        with pytest.raises(ValueError, match="scales"):
            Tiled(Pixels(), scales)
    with pytest.raises(ValueError, match="widths differ"):
        local_similarities(np.ones((2, 1, 3)), np.ones((1, 1, 4)))
    with pytest.raises(ValueError, match="without crops"):
        local_similarities(np.ones((2, 0, 3)), np.ones((1, 1, 3)))
