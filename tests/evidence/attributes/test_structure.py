"""SSIM: as scikit-image has it, and what follows from its definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
import skimage.data as photographs
from PIL import Image
from skimage.metrics import structural_similarity

from audit.evidence.attributes import structure


def grey(picture: np.ndarray) -> np.ndarray:
    """Luminance as uint8[h, w]."""
    return np.asarray(Image.fromarray(picture).convert("L"))


@pytest.mark.parametrize("noise", [0, 10, 80])
def test_it_equals_scikit_image_s(noise: int) -> None:
    """With the window and constants of Wang et al. 2004, in its interior."""
    rng = np.random.default_rng(noise)
    first = np.ascontiguousarray(photographs.astronaut()[40:200, 150:300])
    second = np.clip(first + rng.normal(0, noise, first.shape), 0, 255).astype(np.uint8)
    theirs = structural_similarity(
        grey(first), grey(second), data_range=255, gaussian_weights=True, sigma=1.5,
        use_sample_covariance=False,
    )  # fmt: skip
    assert structure.similarity(first, second) == pytest.approx(theirs, abs=1e-9)


def test_equal_images_have_one_and_sizes_are_made_equal() -> None:
    """Also of different sizes; a size below the window has none."""
    picture = photographs.astronaut()
    half = np.asarray(Image.fromarray(picture).resize((200, 200)))
    assert structure.similarity(picture, picture) == pytest.approx(1)
    assert structure.similarity(half, picture) > 0.9
    assert math.isnan(structure.similarity(picture[:10, :10], picture[:10, :10]))
