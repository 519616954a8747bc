"""Complexity of pictures: against scikit-image, scipy, Pillow's files and closed forms."""

from __future__ import annotations

import io

import numpy as np
import pytest
import skimage.data
from PIL import Image
from scipy.ndimage import correlate1d, gaussian_filter
from skimage.color import rgb2gray
from skimage.measure import shannon_entropy
from skimage.util import img_as_ubyte

from audit.evidence.copies.complexity import (
    COMPLEXITY_COLUMNS,
    entropy,
    jpeg_bytes,
    table,
    total_variation,
)

NAMES = ("astronaut", "coffee", "chelsea", "rocket")


def noise(seed: int, side: int = 64) -> np.ndarray:
    """A picture of independent values."""
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)


@pytest.mark.parametrize("name", NAMES)
def test_entropy_is_scikit_images_on_photographs(name: str) -> None:
    """Grey as theirs, bits as theirs."""
    picture = getattr(skimage.data, name)()
    assert entropy(picture) == pytest.approx(shannon_entropy(img_as_ubyte(rgb2gray(picture))))


@pytest.mark.parametrize("seed", range(4))
def test_entropy_is_scikit_images_on_noise(seed: int) -> None:
    """Also where every level occurs."""
    picture = noise(seed)
    assert entropy(picture) == pytest.approx(shannon_entropy(img_as_ubyte(rgb2gray(picture))))


@pytest.mark.parametrize("bits", range(9))
def test_equally_frequent_levels_have_their_logarithm(bits: int) -> None:
    """2^k grey levels, each as often: k bits exactly."""
    levels = (np.arange(256) % 2**bits).astype(np.uint8)
    picture = np.repeat(levels.reshape(16, 16, 1), 3, axis=2)
    assert entropy(picture) == pytest.approx(bits, abs=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_variation_is_that_of_a_filter(seed: int) -> None:
    """Differences by scipy's correlation on noise, and a closed form for a step and a board."""
    picture = noise(seed, 40)
    values = picture.astype(float)
    down = np.abs(correlate1d(values, [-1, 1], axis=0)[1:])
    across = np.abs(correlate1d(values, [-1, 1], axis=1)[:, 1:])
    assert total_variation(picture) == pytest.approx(down.mean() + across.mean(), rel=1e-12)
    step = np.zeros((9, 21, 3), np.uint8)
    step[:, 7:] = 255
    assert total_variation(step) == pytest.approx(255 / 20)
    board = np.indices((8, 8)).sum(0) % 2 * 255
    assert total_variation(np.repeat(board[..., None], 3, 2).astype(np.uint8)) == 510


@pytest.mark.parametrize("quality", [50, 90])
def test_bytes_are_those_of_a_file(quality: int) -> None:
    """As many as Pillow writes, and the file is the picture again."""
    picture = skimage.data.coffee()[:200, :200]
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=quality)
    assert jpeg_bytes(picture, quality) == len(buffer.getvalue())
    assert jpeg_bytes(picture, 50) < jpeg_bytes(picture, 90)


@pytest.mark.parametrize("seed", range(3))
def test_blurring_makes_a_picture_simpler(seed: int) -> None:
    """Noise, blurred noise, and a flat picture are in this order by all four numbers."""
    rough = noise(seed, 256)
    smooth = np.clip(gaussian_filter(rough.astype(float), (4, 4, 0)), 0, 255).astype(np.uint8)
    flat = np.full((10, 7, 3), 90, np.uint8)
    rows = table({"rough": rough, "smooth": smooth, "flat": flat})
    assert tuple(rows.columns) == COMPLEXITY_COLUMNS
    for column in COMPLEXITY_COLUMNS[1:]:
        assert rows[column].is_monotonic_decreasing
        assert rows[column].is_unique
    assert rows["entropy"][2] == rows["variation"][2] == rows["mixed"][2] == 0


def test_size_does_not_decide() -> None:
    """The same photograph, twice enlarged, is about as complex; one row of pixels is a picture."""
    small = np.asarray(Image.fromarray(skimage.data.chelsea()).resize((256, 256)))
    large = np.asarray(Image.fromarray(small).resize((512, 512), Image.Resampling.BICUBIC))
    rows = table({"small": small, "large": large})
    assert rows["jpeg"][1] == pytest.approx(rows["jpeg"][0], rel=0.15)
    assert rows["entropy"][1] == pytest.approx(rows["entropy"][0], rel=0.02)
    assert rows["mixed"][0] == pytest.approx(rows["entropy"][0] * (rows["jpeg"][0] / 1024) ** 0.5)
    assert total_variation(noise(1)[:1]) > 0
    assert total_variation(noise(1)[:1, :1]) == 0
    assert table({}).empty
