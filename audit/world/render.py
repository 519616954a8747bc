"""The renderer: a `Scene` names everything that is in an image; `render` draws it.

All chance is in `draw_scene`: one seed gives image, labels, mask and caption, and a test or a user
can change one thing in a scene and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image

from audit.world import art
from audit.world.art import Sprite

SIDE = 64
SIZE, GRID = 48, 4
"""Side of a person, and the grid on which people stand, in pixels: that of the autoencoder's
latents. Free sizes, places and mirror images cost a small generator's capacity, and leave the faces
that it draws smeared; on a grid of 8, one picture in 400 has a near-twin in the training set by
chance, and copies cannot be told from it."""
COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (205, 72, 66),
    "orange": (236, 150, 70),
    "yellow": (238, 208, 96),
    "green": (98, 168, 92),
    "teal": (66, 158, 158),
    "blue": (84, 128, 206),
    "purple": (146, 100, 190),
    "pink": (232, 150, 180),
    "grey": (150, 154, 160),
    "white": (238, 238, 234),
}
PATTERNS = ("plain", "striped", "dotted", "checked", "hilly")
_YY, _XX = np.mgrid[0:SIDE, 0:SIDE].astype(np.float64) + 0.5


@dataclass(frozen=True)
class Shape:
    """One background shape: `geometry` is read by the pattern, colour is RGB in 0..255."""

    geometry: tuple[float, float, float]
    colour: tuple[int, int, int]


@dataclass(frozen=True)
class Scene:
    """Everything in one image. `sprite` is None for an image without a person."""

    sprite: Sprite | None
    size: int
    """Side of the sprite in pixels: SIZE where scenes are drawn at random."""
    left: int
    top: int
    mirrored: bool
    colour: str
    pattern: str
    near: tuple[int, int, int]
    """Background colour at the start of the gradient."""
    far: tuple[int, int, int]
    angle: float
    """Direction of the gradient, radians."""
    shapes: tuple[Shape, ...]


def _jitter(rng: np.random.Generator, colour: tuple[int, int, int], by: int) -> tuple[int, ...]:
    return tuple(int(v) for v in np.clip(np.asarray(colour) + rng.integers(-by, by + 1, 3), 0, 255))


def _shapes(rng: np.random.Generator, pattern: str, base: str) -> tuple[Shape, ...]:
    """2 to 4 shapes, each in one of the colours that the background does not have."""
    if pattern == "plain":
        return ()
    others = [c for c in COLOURS if c != base]
    made = []
    for _ in range(2 if pattern == "striped" else int(rng.integers(2, 5))):
        ink = COLOURS[others[int(rng.integers(len(others)))]]
        geometry = tuple(round(float(v), 3) for v in rng.random(3))
        made.append(Shape(geometry, _jitter(rng, ink, 28)))  # type: ignore[arg-type]
    return tuple(made)


def draw_scene(rng: np.random.Generator, sprite: Sprite | None) -> Scene:
    """A random scene around a given person, or without one."""
    left, top = (GRID * int(v) for v in rng.integers((SIDE - SIZE) // GRID + 1, size=2))
    colour = list(COLOURS)[int(rng.integers(len(COLOURS)))]
    pattern = PATTERNS[int(rng.integers(len(PATTERNS)))]
    near = _jitter(rng, COLOURS[colour], 20)
    shade = int(rng.integers(-45, 46))
    far = tuple(int(v) for v in np.clip(np.asarray(near) + shade, 0, 255))
    if pattern == "plain":  # alike but for shades, two plain scenes would be the same picture
        others = [c for c in COLOURS if c != colour]
        far = _jitter(rng, COLOURS[others[int(rng.integers(len(others)))]], 20)
    return Scene(
        sprite=sprite,
        size=SIZE,
        left=left,
        top=top,
        mirrored=False,
        colour=colour,
        pattern=pattern,
        near=near,  # type: ignore[arg-type]
        far=far,  # type: ignore[arg-type]
        angle=round(float(rng.random()) * 2 * np.pi, 3),
        shapes=_shapes(rng, pattern, colour),
    )


def _coverage(pattern: str, geometry: tuple[float, float, float]) -> np.ndarray:
    """How much of each pixel a shape covers, float64[64, 64] in 0..1, with soft edges."""
    a, b, c = geometry
    if pattern == "striped":
        period, turn = 12 + 14 * a, np.pi * b
        wave = np.sin(2 * np.pi * ((_XX * np.cos(turn) + _YY * np.sin(turn)) / period + c))
        return np.clip(0.5 + wave * period / 5, 0, 1)
    if pattern == "dotted":
        return np.clip(5 + 9 * c - np.hypot(_XX - SIDE * a, _YY - SIDE * b) + 0.5, 0, 1)
    if pattern == "checked":
        half = 5 + 8 * c
        inside = half - np.maximum(np.abs(_XX - SIDE * a), np.abs(_YY - SIDE * b))
        return np.clip(inside + 0.5, 0, 1)
    crest = SIDE * (0.25 + 0.6 * a) + (4 + 6 * c) * np.sin(2 * np.pi * (_XX / 48 + b))
    return np.clip(_YY - crest + 0.5, 0, 1)


def _background(scene: Scene) -> np.ndarray:
    """The scene without its person, float64[64, 64, 3] in 0..255."""
    along = (_XX - SIDE / 2) * np.cos(scene.angle) + (_YY - SIDE / 2) * np.sin(scene.angle)
    t = (0.5 + along / (SIDE * np.sqrt(2)))[..., None]
    canvas = (1 - t) * np.asarray(scene.near, float) + t * np.asarray(scene.far, float)
    for shape in scene.shapes:
        cover = _coverage(scene.pattern, shape.geometry)[..., None]
        canvas = canvas * (1 - cover) + np.asarray(shape.colour, float) * cover
    return canvas


@lru_cache(maxsize=25_000)
def _scaled(sprite: Sprite, size: int, mirrored: bool) -> np.ndarray:
    """The sprite at its size in the scene, uint8[size, size, 4], straight alpha."""
    image = Image.fromarray(art.pixels(sprite)).resize((size, size), Image.Resampling.LANCZOS)
    return np.asarray(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if mirrored else image)


def person_pixels(sprite: Sprite, size: int) -> np.ndarray:
    """A person as it stands in a scene, uint8[size, size, 4], straight alpha."""
    return _scaled(sprite, size, False)


def mask(scene: Scene) -> np.ndarray:
    """Where the person is: uint8[64, 64], 0 (background) to 255 (person)."""
    out = np.zeros((SIDE, SIDE), np.uint8)
    if scene.sprite is not None:
        alpha = _scaled(scene.sprite, scene.size, scene.mirrored)[..., 3]
        out[scene.top : scene.top + scene.size, scene.left : scene.left + scene.size] = alpha
    return out


def render(scene: Scene) -> np.ndarray:
    """Draw a scene: uint8[64, 64, 3], sRGB."""
    canvas = _background(scene)
    if scene.sprite is not None:
        person = _scaled(scene.sprite, scene.size, scene.mirrored).astype(float)
        alpha = person[..., 3:] / 255
        place = canvas[scene.top : scene.top + scene.size, scene.left : scene.left + scene.size]
        place *= 1 - alpha
        place += person[..., :3] * alpha
    return np.clip(np.rint(canvas), 0, 255).astype(np.uint8)
