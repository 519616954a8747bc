"""What a redrawn picture shows, measured in it: the label that a classifier should learn.

A generator that redraws a render may move its skin towards another tone, or its hair towards
another gender. The render's labels then say what was asked for, and eyes see something else. Skin
and hair are where the render has them: both can be read off without a classifier.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PIL import Image

from audit.world.art import SKIN, Sprite, skin
from audit.world.render import SIDE, Scene, render
from audit.world.truth import GENDERS, TONES

BARE = 0.9
"""Share of skin from which a pixel counts as skin."""
BETWEEN = (0.4, 0.6)
"""Where a picture lies between two classes: 0 is the one, 1 the other; in between it is neither."""
DIFFERENT = 40.0
"""Levels of 255 by which a pixel of a woman differs from that of a man where gender is read."""


def shown(picture: np.ndarray, scene: Scene) -> tuple[Scene, Scene]:
    """The scene as uint8[64, 64, 3] shows it, twice; two different ones where it lies between.

    Skin tone is the colour of the skin, gender the nearer of the two renders where they differ.
    A scene without a person, or with one of no marked gender, comes back as it is.
    """
    person = scene.sprite
    if person is None or person.gender not in GENDERS:
        return scene, scene
    tones = _tones(picture, scene)
    genders = _genders(picture, replace(scene, sprite=replace(person, tone=tones[0], hair="")))
    one, two = (
        replace(scene, sprite=replace(person, gender=gender, tone=tone))
        for gender, tone in zip(genders, tones, strict=True)
    )
    return one, two


def bare(scene: Scene) -> np.ndarray:
    """Where the skin of the scene's person is, bool[64, 64]."""
    person = scene.sprite
    assert person is not None  # asked for people alone
    share = skin(replace(person, tone=TONES[0], hair="")).astype(np.float32)
    side = scene.size
    small = np.asarray(Image.fromarray(share).resize((side, side), Image.Resampling.BOX))
    out = np.zeros((SIDE, SIDE), bool)
    place = np.fliplr(small) if scene.mirrored else small
    out[scene.top : scene.top + side, scene.left : scene.left + side] = place >= BARE
    return out


def _tones(picture: np.ndarray, scene: Scene) -> tuple[str, str]:
    """The tone whose skin has the colour of the picture's, and the next where it lies between."""
    colour = np.median(picture[bare(scene)], axis=0)
    far = np.linalg.norm(SKIN - colour, axis=1)
    first, second = (int(i) for i in np.argsort(far)[:2])
    between = far[first] / (far[first] + far[second])
    return TONES[first], TONES[second if between > BETWEEN[0] else first]


def _genders(picture: np.ndarray, scene: Scene) -> tuple[str, str]:
    """The gender whose render is nearer, whatever its hair's colour, and both where neither is."""
    renders = _alternatives(scene)
    differ = np.abs(renders["woman"][0] - renders["man"][0]).max(-1) > DIFFERENT
    seen = picture.astype(np.float32)[differ]
    woman, man = (
        min(float(np.sqrt(((seen - r[differ]) ** 2).mean())) for r in renders[g]) for g in GENDERS
    )
    place = woman / max(woman + man, 1e-9)
    if BETWEEN[0] < place < BETWEEN[1]:
        return GENDERS
    return (GENDERS[0],) * 2 if place < 0.5 else (GENDERS[1],) * 2


def _alternatives(scene: Scene) -> dict[str, list[np.ndarray]]:
    """Renders float32[64, 64, 3] of the scene by gender, with the hair of every tone."""
    person = scene.sprite
    assert person is not None  # asked for people alone
    return {
        gender: [
            render(replace(scene, sprite=_with_hair(person, gender, tone))).astype(np.float32)
            for tone in TONES
        ]
        for gender in GENDERS
    }


def _with_hair(person: Sprite, gender: str, hair: str) -> Sprite:
    return replace(person, gender=gender, hair="" if hair == person.tone else hair)
