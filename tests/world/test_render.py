"""The renderer draws exactly what its scene says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from audit.world import art
from audit.world.render import SIDE, draw_scene, mask, render


@pytest.fixture
def scene():
    """A random scene with a person."""
    return draw_scene(np.random.default_rng(3), art.sprites()[17])


def test_the_pack_holds_every_person_once() -> None:
    """600 sprites: 20 occupations, woman, man and unmarked, five tones, two artists, all drawn."""
    sprites = art.sprites()
    assert len(sprites) == len(set(sprites)) == 600
    tiles = [art.pixels(s).tobytes() for s in sprites]
    assert len(set(tiles)) >= 590  # a few artists draw unmarked people as one of the marked
    assert all(art.pixels(s)[..., 3].mean() > 40 for s in sprites)


def test_outside_the_mask_is_the_empty_scene(scene) -> None:
    """Taking the person away changes nothing but the pixels under the mask."""
    empty = render(replace(scene, sprite=None))
    outside = mask(scene) == 0
    assert np.array_equal(render(scene)[outside], empty[outside])
    assert not np.array_equal(render(scene), empty)


def test_compositing_equals_pillows(scene) -> None:
    """The person is over the background as Pillow would put it, to rounding."""
    background = Image.fromarray(render(replace(scene, sprite=None))).convert("RGBA")
    person = Image.fromarray(art.pixels(scene.sprite)).resize(
        (scene.size,) * 2, Image.Resampling.LANCZOS
    )
    person = person.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if scene.mirrored else person
    layer = Image.new("RGBA", (SIDE, SIDE))
    layer.paste(person, (scene.left, scene.top))
    theirs = np.asarray(Image.alpha_composite(background, layer).convert("RGB")).astype(int)
    assert np.abs(theirs - render(scene)).max() <= 2


def test_mirroring_mirrors_the_person_only() -> None:
    """On an even background a centred person's mirror image is the mirrored picture."""
    rng = np.random.default_rng(0)
    scene = draw_scene(rng, art.sprites()[5])
    flat = replace(scene, near=(90, 90, 90), far=(90, 90, 90), shapes=(), size=50, left=7, top=7)
    one, two = (render(replace(flat, mirrored=m)) for m in (False, True))
    assert np.array_equal(one[:, ::-1], two)


def test_scenes_stay_inside_the_picture() -> None:
    """Every person is whole: place and size never leave the frame."""
    rng = np.random.default_rng(1)
    for _ in range(300):
        s = draw_scene(rng, art.sprites()[0])
        assert 0 <= s.left <= SIDE - s.size
        assert 0 <= s.top <= SIDE - s.size
