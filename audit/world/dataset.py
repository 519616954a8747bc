"""The training set, its held-out twin and the balanced renders, all from one seed.

Labels are drawn by quota inside each occupation: the planted shares are met to rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from audit.world.art import Sprite, sprites
from audit.world.captions import TITLES, caption, planted_caption
from audit.world.render import Scene, draw_scene, render
from audit.world.truth import ARTIST, EMBEDDED, GENDERS, TONES, World

TRAIN, TWIN, PLANTED, BALANCED, FRESH, SUBJECTS = 0, 1, 2, 3, 4, 5
"""Streams of a world's seed: no two sets ever share a draw."""


@dataclass(frozen=True)
class Item:
    """One distinct picture of a set; `repeats` places in the training set hold it."""

    id: str
    scene: Scene
    caption: str
    repeats: int = 1
    title: str | None = None

    def pixels(self) -> np.ndarray:
        """The picture as uint8[64, 64, 3]."""
        return render(self.scene)


def quota(shares: tuple[float, ...], n: int) -> list[int]:
    """Whole counts that sum to `n` and are within one of `n * shares` (largest remainder)."""
    exact = np.asarray(shares) / sum(shares) * n
    counts = np.floor(exact).astype(int)
    for i in np.argsort(counts - exact, kind="stable")[: n - counts.sum()]:
        counts[i] += 1
    return [int(c) for c in counts]


def _shuffled(rng: np.random.Generator, names: tuple[str, ...], counts: list[int]) -> list[str]:
    values = np.repeat(np.asarray(names), counts)
    return [str(v) for v in rng.permutation(values)]


def people(rng: np.random.Generator, n: int, world: World = EMBEDDED) -> list[Sprite]:
    """`n` people: occupations evenly, gender and skin tone by their planted quotas."""
    crowd = []
    named = world.occupations
    for occupation, count in zip(named, quota((1.0,) * len(named), n), strict=True):
        p = occupation.p_woman
        gender = _shuffled(rng, GENDERS, quota((p, 1 - p), count))
        tone = _shuffled(rng, TONES, quota(occupation.tones, count))
        crowd += [Sprite(occupation.noun, *row, ARTIST) for row in zip(gender, tone, strict=True)]
    return [crowd[i] for i in rng.permutation(n)]


def planted(world: World = EMBEDDED) -> list[Item]:
    """The images that repeat as often as the world says, each under its own title."""
    return list(_planted(world))


@cache
def _planted(world: World) -> tuple[Item, ...]:
    rng = np.random.default_rng((world.seed, PLANTED))
    levels = np.repeat(*np.array(world.repeats, int).reshape(-1, 2).T)
    persons = people(rng, len(levels), world)
    items = []
    for i, (level, person) in enumerate(zip(rng.permutation(levels), persons, strict=True)):
        scene = draw_scene(rng, person)
        text = planted_caption(TITLES[i], scene)
        items.append(Item(f"planted-{i:02d}", scene, text, int(level), TITLES[i]))
    return tuple(items)


def _drawn(world: World, stream: int | tuple[int, ...], prefix: str, n: int) -> list[Item]:
    rng = np.random.default_rng((world.seed, *np.atleast_1d(stream).tolist()))
    nobody = round(world.empty * n)
    persons: list[Sprite | None] = [*people(rng, n - nobody, world), *[None] * nobody]
    items = []
    for i, place in enumerate(rng.permutation(n)):
        scene = draw_scene(rng, persons[int(place)])
        items.append(Item(f"{prefix}-{i:05d}", scene, caption(rng, scene)))
    return items


def training_set(world: World = EMBEDDED) -> tuple[Item, ...]:
    """The distinct training images; their `repeats` sum to the world's `images`."""
    return _training_set(world)


@cache  # by the world alone: the default and the same world given would be two entries
def _training_set(world: World) -> tuple[Item, ...]:
    repeated = planted(world)
    rest = world.images - sum(item.repeats for item in repeated)
    return (*repeated, *_drawn(world, TRAIN, "train", rest))


def twin_set(world: World = EMBEDDED) -> tuple[Item, ...]:
    """Held-out images, as many as distinct training images and exchangeable with them."""
    return _twin_set(world)


@cache
def _twin_set(world: World) -> tuple[Item, ...]:
    return tuple(_drawn(world, TWIN, "twin", len(training_set(world))))


def fresh(seed: int, n: int, world: World = EMBEDDED) -> list[Item]:
    """`n` images exchangeable with the training set's own, and in neither it nor its twin."""
    return _drawn(world, (FRESH, seed), f"fresh-{seed}", n)


def balanced(seed: tuple[int, ...], n: int) -> list[Item]:
    """Fresh renders of every woman and man equally often, none of them in either set."""
    rng = np.random.default_rng((EMBEDDED.seed, BALANCED, *seed))
    marked = [s for s in sprites() if s.gender != "unmarked" and s.artist == ARTIST]
    picks = (marked[int(i)] for i in rng.integers(len(marked), size=n))
    scenes = [draw_scene(rng, person) for person in picks]
    return [Item(f"balanced-{i}", s, caption(rng, s)) for i, s in enumerate(scenes)]
