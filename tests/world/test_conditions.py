"""Pictures of the world for ControlNets: what they say, and what they must not say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import binary_fill_holes

from audit import registry
from audit.evidence.conditions import inside
from audit.world import conditions
from audit.world.art import Sprite
from audit.world.render import draw_scene, mask
from audit.world.truth import ARTIST, GENDERS, OCCUPATIONS


def shown(kind: str, noun: str, gender: str, seed: int) -> np.ndarray:
    """The condition of one scene."""
    rng = np.random.default_rng(seed)
    scene = draw_scene(rng, Sprite(noun, gender, "medium", ARTIST))
    return conditions.picture(kind, rng, scene)


@pytest.mark.parametrize("kind", ["silhouette", "scribble"])
def test_silhouettes_say_nothing_of_gender_and_figures_do(kind: str) -> None:
    """The same scene with a woman and with a man has one silhouette and two figures."""
    longer, shorter = 0, 0
    for seed, one in enumerate(OCCUPATIONS):
        first, second = (shown(kind, one.noun, g, seed) for g in GENDERS)
        assert np.array_equal(first, second)
        women, men = (shown("figure", one.noun, g, seed)[..., 0] > 0 for g in GENDERS)
        longer += int((women & ~men).sum())
        shorter += int((men & ~women).sum())
    assert longer > 3 * shorter


def test_a_silhouette_holds_the_person_where_it_is_their_own() -> None:
    """Half of them have the shape of another occupation."""
    own = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        person = Sprite("judge", GENDERS[seed % 2], "medium", ARTIST)
        scene = draw_scene(rng, person)
        here = conditions.silhouette(rng, scene)
        people = [replace(scene, sprite=replace(person, gender=g))
                  for g in (*GENDERS, "unmarked")]  # fmt: skip
        shape = np.any([mask(p) >= conditions.PRESENT for p in people], axis=0)
        own += bool(np.array_equal(here, shape))
    assert 20 <= own <= 45


def test_a_scribble_is_the_outline_of_the_silhouette() -> None:
    """Filled, it is the silhouette and the line around it."""
    line, full = (shown(k, "cook", "man", 3)[..., 0] > 0 for k in ("scribble", "silhouette"))
    assert 0 < line.sum() < full.sum() / 2
    assert (binary_fill_holes(line) >= full).all()
    shape = inside(np.repeat(np.where(line, 255, 0).astype(np.uint8)[..., None], 3, axis=2))
    assert shape is not None
    assert np.array_equal(shape, binary_fill_holes(line | full))


def test_an_empty_scene_has_no_shape() -> None:
    """A background without a person is a black picture."""
    rng = np.random.default_rng(0)
    for kind in conditions.KINDS:
        assert not conditions.picture(kind, rng, draw_scene(rng, None)).any()


def test_the_pictures_of_a_run_are_always_the_same() -> None:
    """As many as promised, each drawn on its own; half of the figures are women's."""
    for kind in conditions.KINDS:
        one, two = (registry.load("condition", kind)() for _ in range(2))
        assert len(one) == conditions.COUNT
        some = [made() for made in one[:12]]
        assert all(p.shape == (64, 64, 3) and p.dtype == np.uint8 for p in some)
        assert all(np.array_equal(p, made()) for p, made in zip(some, two, strict=False))
        assert len({p.tobytes() for p in some}) > 6
