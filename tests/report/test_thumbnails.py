"""Thumbnails: small, scaled, true to their picture, inside a budget."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from audit.datasets import pixels
from audit.report.thumbnails import Album, data_uri
from audit.world.art import sprites
from audit.world.render import draw_scene, render


def opened(uri: str) -> np.ndarray:
    """The pixels of a data URI, uint8[h, w, 3]."""
    head, body = uri.split(",")
    assert head == "data:image/webp;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(body))).convert("RGB"))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_thumbnail_shows_its_picture(seed: int) -> None:
    """A rendered scene survives within a few grey levels, in about two kilobytes."""
    rng = np.random.default_rng(seed)
    picture = render(draw_scene(rng, sprites()[int(rng.integers(600))]))
    uri = data_uri(picture)
    assert len(uri) < 6000
    assert np.abs(opened(uri).astype(int) - picture).mean() < 8
    assert data_uri(picture.copy()) == uri


@pytest.mark.parametrize(("h", "w"), [(900, 600), (10, 4000), (1, 1)])
def test_large_pictures_are_scaled_and_keep_their_shape(h: int, w: int) -> None:
    """No side beyond the limit, proportions kept, small ones untouched."""
    made = opened(data_uri(np.zeros((h, w, 3), np.uint8), 160))
    assert max(made.shape) <= 160
    if max(h, w) <= 160:
        assert made.shape[:2] == (h, w)


def test_the_album_counts_what_does_not_fit() -> None:
    """Pictures beyond the budget are left out and counted; unreadable ones are neither."""
    rng = np.random.default_rng(0)
    noise = {str(i): rng.integers(0, 256, (64, 64, 3), np.uint8) for i in range(10)}
    one = len(data_uri(noise["0"]))
    album = Album(int(3.5 * one))
    made = [album.uri(noise.__getitem__, str(i)) for i in range(10)]
    assert sum(len(m) for m in made if m) <= 3.5 * one
    assert album.left_out == sum(m is None for m in made) > 4
    assert Album(one).uri(noise.__getitem__, "gone") is None


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize(("h", "w"), [(900, 1500), (2000, 300), (200, 260), (3000, 40)])
def test_photographs_are_decoded_small_and_shown_the_same(h: int, w: int, turn: int) -> None:
    """JPEG files of any size and orientation: fewer pixels, no side too small, the same thumbnail.

    Within the thumbnail alone: the next reader gets the whole image.
    """
    rows, columns = np.mgrid[0:h, 0:w]
    waves = [128 + 90 * np.sin(rows / a + columns / b) for a, b in ((97, 41), (31, 83), (59, 59))]
    exif = Image.Exif()
    exif[pixels.ORIENTATION] = turn
    buffer = io.BytesIO()
    picture = Image.fromarray(np.stack(waves, -1).astype(np.uint8))
    picture.save(buffer, "JPEG", quality=92, exif=exif)
    seen = []

    def load(id: str) -> np.ndarray:
        seen.append(pixels.decode(buffer.getvalue()))
        return seen[-1]

    album = Album(10**6)
    made = [album.small(load, "x", 64), album.uri(load, "x", 64)]
    small, whole = seen
    assert small.size <= whole.size == 3 * h * w
    assert min(small.shape[:2]) >= min(128, h, w)
    if min(h, w) >= 256:
        assert small.size < whole.size / 3
    shown = [opened(m or "").astype(int) for m in made]
    assert shown[0].shape == shown[1].shape
    assert np.abs(shown[0] - shown[1]).mean() < 6
