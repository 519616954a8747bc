"""The perceptual hash against imagehash's definition, and against what it must survive."""

from __future__ import annotations

import io

import numpy as np
import pytest
import scipy.fft
import skimage.data
from PIL import Image

from audit.evidence.encoders.phash import PerceptualHash, bits

PHOTOS = {
    name: getattr(skimage.data, name)()
    for name in ("astronaut", "chelsea", "coffee", "rocket", "retina")
}


def imagehash_phash(picture: np.ndarray) -> np.ndarray:
    """`imagehash.phash(image, 8)` as its source has it, with today's scipy; bool[64]."""
    image = Image.fromarray(picture).convert("L").resize((32, 32), Image.Resampling.LANCZOS)
    dct = scipy.fft.dct(scipy.fft.dct(np.asarray(image, float), axis=0), axis=1)
    low = dct[:8, :8]
    return np.asarray(low > np.median(low)).ravel()


def jpeg(picture: np.ndarray, quality: int) -> np.ndarray:
    """Compressed and read back."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


def smooth(seed: int) -> np.ndarray:
    """A random picture with structure at all scales."""
    rng = np.random.default_rng(seed)
    layers = [
        np.asarray(
            Image.fromarray(rng.integers(0, 256, (s, s, 3), np.uint8)).resize((96, 80)), float
        )
        for s in (3, 8, 24)
    ]
    return np.asarray(np.mean(layers, axis=0).astype(np.uint8))


@pytest.mark.parametrize("name", sorted(PHOTOS))
def test_photographs_have_imagehashs_bits(name: str) -> None:
    """With the constant term on top, a median with or without it divides alike: equal bits."""
    assert np.array_equal(bits(PHOTOS[name]), imagehash_phash(PHOTOS[name]))


@pytest.mark.parametrize("seed", range(20))
def test_random_pictures_have_imagehashs_bits(seed: int) -> None:
    """The same on pictures drawn afresh."""
    assert np.array_equal(bits(smooth(seed)), imagehash_phash(smooth(seed)))


@pytest.mark.parametrize("name", sorted(PHOTOS))
def test_compression_and_size_change_few_bits(name: str) -> None:
    """JPEG down to 30 and half or quarter size stay within 6 bits of 64; other photos do not."""
    photo = PHOTOS[name]
    small = [
        Image.fromarray(photo).resize((photo.shape[1] // k, photo.shape[0] // k)) for k in (2, 4)
    ]
    edited = [jpeg(photo, 90), jpeg(photo, 50), jpeg(photo, 30), *map(np.asarray, small)]
    assert max((bits(photo) != bits(e)).sum() for e in edited) <= 6
    others = [p for other, p in PHOTOS.items() if other != name]
    assert min((bits(photo) != bits(o)).sum() for o in others) >= 16


@pytest.mark.parametrize("seed", range(5))
def test_cosine_is_hamming(seed: int) -> None:
    """1 - 2 * hamming / 64 for every pair, counted by hand on packed integers."""
    some = [smooth(100 * seed + i) for i in range(6)]
    vectors = PerceptualHash().images(some)
    assert vectors.dtype == np.float32
    words = [int("".join("01"[int(b)] for b in bits(p)), 2) for p in some]
    for i, one in enumerate(words):
        for j, two in enumerate(words):
            assert vectors[i] @ vectors[j] == 1 - 2 * (one ^ two).bit_count() / 64


def test_a_wave_sets_its_own_bit() -> None:
    """A picture of one cosine and a constant: its two frequencies are set, the rest is at 0."""
    x = np.arange(32) + 0.5
    wave = np.cos(np.pi / 32 * 3 * x)
    picture = np.round(128 + 60 * np.broadcast_to(wave, (32, 32))).astype(np.uint8)
    low = bits(np.repeat(picture[..., None], 3, 2)).reshape(8, 8)
    assert low[0, 0]
    assert low[0, 3]
    assert not low[1:].any()


@pytest.mark.parametrize("value", [1, 77, 255])
def test_flat_pictures_are_alike_and_not_noise(value: int) -> None:
    """No frequency but the constant: one bit, whatever the grey and the size."""
    flat = bits(np.full((50 + value, 40, 3), value, np.uint8))
    assert flat[0]
    assert not flat[1:].any()


def test_no_pictures_are_an_empty_table() -> None:
    """Shape and key do not need a picture."""
    assert PerceptualHash().images([]).shape == (0, 64)
    assert PerceptualHash().key.startswith("phash-")
