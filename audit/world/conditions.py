"""Conditions of the world for ControlNets: pictures of where a person is, without the person.

`silhouette` is the shape that the women, the men and the unmarked people of an occupation fill
together, in half of all pictures of another occupation than the one in the image: it says where
a person is, and not who. `scribble` is its outline. `figure` is the person's own shape, by
which women can be told from men: their hair is longer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import numpy as np
from scipy.ndimage import binary_dilation, binary_erosion

from audit.world.art import Sprite
from audit.world.render import SIDE, Scene, draw_scene, mask
from audit.world.truth import ARTIST, EMBEDDED, GENDERS, OCCUPATIONS, TONES, World

COUNT = 200
"""Pictures that a run is given."""
CONDITIONS = 5
"""Stream of the world's seed, in addition to those of `dataset`."""
OWN = 0.5
"""Share of the silhouettes that have the shape of the image's own occupation."""
PRESENT = 128
"""Coverage, of 255, from which a pixel belongs to a person."""

Condition = Callable[[np.random.Generator, Scene, World], np.ndarray]
"""A generator and a scene to where its person is, bool[64, 64]."""


def silhouette(rng: np.random.Generator, scene: Scene, world: World = EMBEDDED) -> np.ndarray:
    """The place of a scene's person without gender, and half the time without occupation."""
    if scene.sprite is None:
        return np.zeros((SIDE, SIDE), bool)
    other = world.occupations[int(rng.integers(len(world.occupations)))].noun
    noun = scene.sprite.noun if rng.random() < OWN else other
    people = (replace(scene.sprite, noun=noun, gender=g) for g in (*GENDERS, "unmarked"))
    return np.any([mask(replace(scene, sprite=p)) >= PRESENT for p in people], axis=0)


def scribble(rng: np.random.Generator, scene: Scene, world: World = EMBEDDED) -> np.ndarray:
    """The outline of the same, two pixels wide, closed where it meets the edge of the picture."""
    inside = silhouette(rng, scene, world)
    return np.asarray(binary_dilation(inside) & ~binary_erosion(inside))


def figure(rng: np.random.Generator, scene: Scene, world: World = EMBEDDED) -> np.ndarray:
    """The scene's person as they are."""
    return mask(scene) >= PRESENT


KINDS: Mapping[str, Condition] = {
    "silhouette": silhouette, "scribble": scribble, "figure": figure,
}  # fmt: skip


def picture(
    kind: str, rng: np.random.Generator, scene: Scene, world: World = EMBEDDED
) -> np.ndarray:
    """A condition as a ControlNet sees it: uint8[64, 64, 3], white where it says something."""
    found = KINDS[kind](rng, scene, world)
    return np.repeat(np.where(found, 255, 0).astype(np.uint8)[..., None], 3, axis=2)


def _one(kind: str, index: int) -> np.ndarray:
    """Number `index` of a kind: a person of a random occupation, women and men equally often."""
    rng = np.random.default_rng((EMBEDDED.seed, CONDITIONS, index))
    noun = OCCUPATIONS[int(rng.integers(len(OCCUPATIONS)))].noun
    person = Sprite(noun, GENDERS[index % 2], TONES[int(rng.integers(len(TONES)))], ARTIST)
    return picture(kind, rng, draw_scene(rng, person))


def _all(kind: str) -> list[Callable[[], np.ndarray]]:
    return [partial(_one, kind, index) for index in range(COUNT)]


silhouettes = partial(_all, "silhouette")
scribbles = partial(_all, "scribble")
figures = partial(_all, "figure")
