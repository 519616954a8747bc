"""The person segmenter: the numbers of the file that it was taken from, and photographs."""

from __future__ import annotations

import numpy as np
import pytest
import skimage.data as photographs
import torch
from PIL import Image

from audit.evidence.encoders import selfie

ORIGINAL = (
    (118, 35, 0.3708), (176, 10, 0.3839), (241, 2, 0.6598), (244, 253, 0.3551),
    (251, 242, 0.6061), (252, 87, 0.6463), (253, 252, 0.235), (255, 110, 0.7565),
)  # fmt: skip
"""Row, column and probability in the portrait of the astronaut at 256 x 256, as MediaPipe's own
file gives them in ai-edge-litert 2.3.0."""
MEAN = 0.54042


def test_the_network_gives_the_numbers_of_its_source() -> None:
    """Eight pixels and the mean of all, to the fourth place."""
    small = Image.fromarray(photographs.astronaut()).resize((256, 256), Image.Resampling.BILINEAR)
    pixels = torch.from_numpy(np.array(small)).permute(2, 0, 1)[None].float() / 255
    with torch.inference_mode():
        mask = selfie.segmenter()(pixels)[0].numpy()
    assert mask.mean() == pytest.approx(MEAN, abs=1e-4)
    for row, column, value in ORIGINAL:
        assert mask[row, column] == pytest.approx(value, abs=2e-4)


def test_the_mask_has_the_size_of_the_image() -> None:
    """Of a portrait that fills half of it: the person is inside, the corner is not."""
    picture = photographs.astronaut()[:400]
    mask = selfie.person(picture)
    assert mask.shape == picture.shape[:2]
    assert 0.4 < mask.mean() < 0.6
    assert mask[100, 220]
    assert not mask[10, 500]


def test_people_are_the_mask_of_each_image() -> None:
    """Images of several sizes in one call."""
    portrait = photographs.astronaut()
    one, two = selfie.people([portrait[:400], portrait])
    np.testing.assert_array_equal(one, selfie.person(portrait[:400]))
    assert two.shape == (512, 512)
