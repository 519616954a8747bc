"""Subjects for personalisation: a few persons of the world, each in several scenes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from audit.datasets import pixels
from audit.files import write_atomic
from audit.world.art import Sprite
from audit.world.dataset import SUBJECTS
from audit.world.render import draw_scene, render
from audit.world.truth import ARTIST, EMBEDDED, GENDERS, TONES

SIDES = ("subjects", "unseen")


def persons(n: int) -> list[Sprite]:
    """`n` persons of different occupations, women and men and skin tones in turn."""
    rng = np.random.default_rng((EMBEDDED.seed, SUBJECTS))
    nouns = [EMBEDDED.occupations[i].noun for i in rng.permutation(len(EMBEDDED.occupations))]
    return [
        Sprite(nouns[i % len(nouns)], GENDERS[i % 2], TONES[2 * i % len(TONES)], ARTIST)
        for i in range(n)
    ]


def write_subjects(out: Path, n: int, images: int) -> Path:
    """Write `subjects/NAME/` and `unseen/NAME/`, `images` each; returns `subjects`.

    The two differ in nothing but their scenes, and none is in the training set or its twin.
    """
    for i, person in enumerate(persons(n)):
        rng = np.random.default_rng((EMBEDDED.seed, SUBJECTS, i))
        name = f"{i}-{person.noun}-{person.gender}-{person.tone}"
        for side in SIDES:
            for k in range(images):
                picture = render(draw_scene(rng, person))
                write_atomic(out / side / name / f"{k}.png", pixels.png(picture))
    return out / SIDES[0]
