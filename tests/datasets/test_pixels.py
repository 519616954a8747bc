"""Untrusted images: capped, checked, never a crash."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from audit.datasets import pixels


def test_png_is_lossless_and_without_metadata() -> None:
    """Pixels survive; equal pixels give equal bytes."""
    picture = np.random.default_rng(2).integers(0, 256, (12, 10, 3), np.uint8)
    assert np.array_equal(pixels.decode(pixels.png(picture)), picture)
    assert pixels.png(picture) == pixels.png(picture.copy())


def test_transparency_becomes_white() -> None:
    """An invisible pixel is white, whatever colour it hides."""
    buffer = io.BytesIO()
    Image.new("RGBA", (2, 2), (255, 0, 0, 0)).save(buffer, "PNG")
    assert (pixels.decode(buffer.getvalue()) == 255).all()


def test_huge_pictures_are_refused_before_they_are_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cap looks at the header."""
    monkeypatch.setattr(pixels, "MAX_PIXELS", 10)
    with pytest.raises(pixels.Unreadable, match="too large"):
        pixels.decode(pixels.png(np.zeros((4, 4, 3), np.uint8)))


@given(st.binary(max_size=200), st.integers(0, 120))
def test_damaged_files_are_outcomes(noise: bytes, cut: int) -> None:
    """Random bytes and cut-off files raise Unreadable and nothing else."""
    whole = pixels.png(np.arange(3 * 64, dtype=np.uint8).reshape(8, 8, 3))
    for data in (noise, whole[:cut] + noise):
        try:
            picture = pixels.decode(data)
        except pixels.Unreadable:
            continue
        assert picture.dtype == np.uint8
        assert picture.ndim == 3


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (12, 200, 7)])
def test_images_of_one_colour_are_blank(colour: tuple[int, int, int]) -> None:
    """Also after lossy compression; one grain of contrast in one channel is an image."""
    plain = np.full((16, 24, 3), colour, np.uint8)
    assert pixels.blank(plain)
    buffer = io.BytesIO()
    Image.fromarray(plain).save(buffer, "JPEG", quality=60)
    assert pixels.blank(pixels.decode(buffer.getvalue()))
    for channel in range(3):
        grain = plain.copy()
        grain[3, 5, channel] ^= 8
        assert not pixels.blank(grain)
    assert pixels.blank(np.zeros((0, 4, 3), np.uint8))
