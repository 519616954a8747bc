"""What a picture shows is read off the picture, not off the labels that it was asked with."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from audit.world import art, dataset
from audit.world.render import render
from audit.world.train.redraw import other_hair, people
from audit.world.train.shown import bare, shown
from audit.world.truth import TONES

CROWD = people(60, 5)


def grain(pixels: np.ndarray, seed: int) -> np.ndarray:
    """A picture with noise of 8 levels."""
    noise = np.random.default_rng(seed).normal(0, 8, pixels.shape)
    return np.clip(pixels + noise, 0, 255).astype(np.uint8)


def test_half_of_the_crowd_has_other_hair() -> None:
    """The bank's people wear the hair of another tone in one picture of two."""
    other = [i.scene.sprite.hair != "" for i in CROWD if i.scene.sprite]
    assert 0.3 < np.mean(other) < 0.7
    assert [i.scene.colour for i in CROWD] == [i.scene.colour for i in dataset.balanced((5,), 60)]


def test_a_picture_shows_what_was_drawn_whatever_was_asked() -> None:
    """Another gender and tone than the scene's labels are found; hair says nothing."""
    rng = np.random.default_rng(3)
    right = []
    for k, item in enumerate(CROWD):
        person = item.scene.sprite
        assert person is not None
        asked = replace(
            item.scene,
            sprite=replace(
                person, gender=("woman", "man")[rng.integers(2)], tone=TONES[rng.integers(5)]
            ),
        )
        one, two = shown(grain(render(item.scene), k), asked)
        assert one.sprite is not None
        right.append(
            one == two and (one.sprite.gender, one.sprite.tone) == (person.gender, person.tone)
        )
    assert np.mean(right) >= 0.95


@pytest.mark.parametrize(("attribute", "other"), [("tone", "dark"), ("gender", "man")])
def test_a_blend_shows_two(attribute: str, other: str) -> None:
    """Half of one and half of another is neither."""
    person = art.Sprite("teacher", "woman", "medium-dark", "twemoji")
    scene = replace(CROWD[0].scene, sprite=person)
    second = replace(scene, sprite=replace(person, **{attribute: other}))
    both = (render(scene).astype(int) + render(second)) // 2
    seen = {getattr(s.sprite, attribute) for s in shown(both.astype(np.uint8), scene)}
    assert seen == {getattr(person, attribute), other}


def test_skin_is_where_the_tone_changes_the_picture() -> None:
    """Pixels taken for skin have the skin's colour in a render; an empty scene has none."""
    for item in CROWD[:20]:
        pixels = render(replace(item.scene, sprite=replace(item.scene.sprite, hair="")))  # type: ignore[type-var]
        tone = art.SKIN[TONES.index(item.scene.sprite.tone)]  # type: ignore[union-attr]
        assert np.abs(np.median(pixels[bare(item.scene)], axis=0) - tone).max() <= 12
    empty = replace(CROWD[0].scene, sprite=None)
    assert shown(render(empty), empty) == (empty, empty)


def test_every_person_of_the_artist_has_skin_that_can_be_measured() -> None:
    """Hair is changed where skin is known, and nowhere else."""
    for person in art.sprites():
        if person.artist == "twemoji" and person.gender != "unmarked":
            assert (art.skin(replace(person, tone="light")) >= 0.9).sum() >= 100
    rng = np.random.default_rng(0)
    foreign = next(p for p in art.sprites() if p.artist == "noto")
    assert {other_hair(rng, foreign) for _ in range(20)} == {foreign}
