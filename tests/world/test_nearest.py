"""Pictures are read by the person of the world that they resemble most."""

from __future__ import annotations

import numpy as np

from audit.world.dataset import balanced, fresh
from audit.world.nearest import OUTSIDE, SOLID, nearest, outlines, people
from audit.world.render import mask


def test_renders_are_read_without_an_error() -> None:
    """Whatever the background, a render's own person is nearest, at no distance to speak of."""
    items = balanced((8,), 200)
    found = nearest(np.stack([i.pixels() for i in items]))
    assert [f.sprite for f in found] == [i.scene.sprite for i in items]
    assert max(f.distance for f in found) < OUTSIDE
    assert min(min(f.margins.values()) for f in found) > 0.2


def test_noise_and_blends_are_far_or_without_a_margin() -> None:
    """Noise resembles nobody; half a woman and half a man is as near to either."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (4, 64, 64, 3), np.uint8)
    assert min(f.distance for f in nearest(noise)) > 1.5 * OUTSIDE
    from dataclasses import replace

    from audit.world.render import render

    scenes = [i.scene for i in balanced((9,), 40) if i.scene.sprite.gender == "woman"]  # type: ignore[union-attr]
    for scene in scenes[:8]:
        other = replace(scene, sprite=replace(scene.sprite, gender="man"))  # type: ignore[type-var]
        blend = (render(scene).astype(int) + render(other)) // 2
        (found,) = nearest(blend[None].astype(np.uint8))
        (clear,) = nearest(render(scene)[None])
        assert found.margins["gender"] < 0.5 * clear.margins["gender"]


def test_outlines_of_renders_are_their_people() -> None:
    """The outline is the renderer's own mask, up to its soft edge."""
    items = balanced((10,), 12)
    found, far = outlines(np.stack([i.pixels() for i in items]))
    for outline, item in zip(found, items, strict=True):
        np.testing.assert_array_equal(outline, mask(item.scene) >= SOLID)
    assert far.max() < OUTSIDE


def test_people_are_where_the_renderer_put_them_and_nowhere_in_empty_scenes() -> None:
    """At the image's own size; a scene without a person has an empty mask."""
    items = [i for i in fresh(3, 300) if i.scene.sprite is None][:2] + balanced((11,), 3)
    images = [i.pixels() for i in items]
    found = people([*images, images[-1].repeat(2, 0).repeat(2, 1)])
    assert [m.any() for m in found] == [False, False, True, True, True, True]
    for mask_, item in zip(found[2:5], items[2:], strict=True):
        np.testing.assert_array_equal(mask_, mask(item.scene) >= SOLID)
    assert found[5].shape == (128, 128)
    assert (found[5][::2, ::2] == found[4]).mean() > 0.98
    assert people([]) == []
