"""Pixel distances against closed forms, plain loops and correlation."""

from __future__ import annotations

import numpy as np
import pytest

from audit.evidence.encoders.pixel_space import Pixels, tiled_l2_pairs


def stack(seed: int, n: int, side: int) -> np.ndarray:
    """Random pictures uint8[n, side, side, 3]."""
    return np.random.default_rng(seed).integers(0, 256, (n, side, side, 3), np.uint8)


def tiled_l2(a: np.ndarray, b: np.ndarray, grid: int = 4) -> float:
    """The largest l2 of two tiles of one pair."""
    return float(tiled_l2_pairs(np.stack([a, b]), grid)[0, 1])


@pytest.mark.parametrize("seed", range(4))
def test_one_tile_that_differs_is_not_averaged_away(seed: int) -> None:
    """512 x 512, a difference of delta in one 128 x 128 tile: delta, not delta / 4."""
    rng = np.random.default_rng(seed)
    delta = int(rng.integers(1, 100))
    one = rng.integers(0, 156, (512, 512, 3), np.uint8)
    two = one.copy()
    row, column = rng.integers(0, 4, 2) * 128
    two[row : row + 128, column : column + 128] += np.uint8(delta)
    assert tiled_l2(one, two) == pytest.approx(delta / 255, rel=1e-12)
    assert tiled_l2(one, two, 1) == pytest.approx(delta / 255 / 4, rel=1e-12)


def test_a_tile_is_divided_by_its_own_size() -> None:
    """A difference across the corner of four tiles counts in each by its part of it."""
    one = np.zeros((64, 64, 3), np.uint8)
    two = one.copy()
    two[8:20, 8:20] = 255  # tiles of 16: 8x8 in the first, 8x4 and 4x8, and 4x4
    assert tiled_l2(one, two) == pytest.approx(np.sqrt(64 / 256))
    assert tiled_l2(one, two, 1) == pytest.approx(12 / 64)


@pytest.mark.parametrize("value", [0, 7, 255])
def test_range_is_from_zero_to_one(value: int) -> None:
    """Equal pictures are at 0 exactly; black and white at 1 exactly."""
    flat = np.full((8, 8, 3), value, np.uint8)
    assert tiled_l2(flat, flat) == 0
    assert tiled_l2(flat, np.zeros_like(flat)) == value / 255


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("side", "grid"), [(32, 4), (60, 3), (224, 1)])
def test_all_pairs_equal_a_plain_loop(seed: int, side: int, grid: int) -> None:
    """The vectorised distances are those of numpy's own mean of squares, tile by tile."""
    pictures = stack(seed, 5, side)
    pictures[3] = pictures[1]
    pictures[4] = np.clip(pictures[0].astype(int) + 1, 0, 255)  # where differences would cancel
    found = tiled_l2_pairs(pictures, grid)
    size = side // grid
    for i in range(5):
        for j in range(5):
            difference = (pictures[i].astype(np.float64) - pictures[j]) / 255
            worst = max(
                np.sqrt((difference[y : y + size, x : x + size] ** 2).mean())
                for y in range(0, side, size)
                for x in range(0, side, size)
            )
            assert found[i, j] == pytest.approx(worst, rel=1e-10, abs=1e-15)
    assert found[1, 3] == 0
    assert np.array_equal(found, found.T)


def test_incomparable_images_are_an_error() -> None:
    """Other types and sides that do not divide raise ValueError."""
    one = np.zeros((8, 8, 3), np.uint8)
    with pytest.raises(ValueError, match="uint8"):
        tiled_l2(one / 255, one / 255)
    with pytest.raises(ValueError, match="cut into"):
        tiled_l2_pairs(np.zeros((2, 9, 8, 3), np.uint8))
    assert tiled_l2_pairs(np.zeros((0, 8, 8, 3), np.uint8)).shape == (0, 0)


@pytest.mark.parametrize("seed", range(3))
def test_a_cosine_of_pixels_is_the_correlation_of_pictures(seed: int) -> None:
    """At the descriptor's own size, numpy's correlation, up to the one grey level."""
    some = stack(seed, 6, 16)
    vectors = Pixels(16).images(list(some))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    expected = np.corrcoef(some.reshape(6, -1).astype(float))
    np.testing.assert_allclose(vectors @ vectors.T, expected, atol=1e-3)


def test_area_means_are_those_of_blocks() -> None:
    """A picture of twice the side is described as the mean of each block of four pixels."""
    blocks = stack(9, 1, 8)[0]
    fine = blocks.repeat(2, 0).repeat(2, 1)
    area = Pixels(8).images([blocks, fine])
    np.testing.assert_allclose(area[0], area[1], atol=1e-6)
    cubic = Pixels(8, "bicubic").images([blocks, fine])
    assert not np.allclose(cubic[0], cubic[1], atol=1e-3)


def test_brightness_and_contrast_are_put_aside_and_flat_pictures_are_alike() -> None:
    """Half the contrast and 60 levels more hardly matter; flat pictures are alike."""
    noise = stack(2, 1, 64)[0] // 2
    black, white = np.zeros((9, 9, 3), np.uint8), np.full((30, 20, 3), 255, np.uint8)
    vectors = Pixels().images([noise, noise // 2 + 60, black, white])
    assert vectors[0] @ vectors[1] > 0.998
    assert vectors[2] @ vectors[3] == pytest.approx(1, abs=1e-6)
    assert abs(vectors[0] @ vectors[2]) < 0.05


def test_the_key_names_size_and_filter() -> None:
    """Another size or filter is another descriptor; none of no pictures is an empty table."""
    assert len({Pixels().key, Pixels(32).key, Pixels(64, "bicubic").key}) == 3
    assert Pixels(8).images([]).shape == (0, 193)
