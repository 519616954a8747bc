"""Thumbnails: small, scaled, true to their picture, inside a budget."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

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
