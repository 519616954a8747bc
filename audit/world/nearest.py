"""Whom a generated picture shows, by the person of the world that it resembles most.

People of the world are drawn on a grid: every person in every place can be laid over a picture and
compared pixel by pixel. This reads a picture without any classifier and says how well it can be
read: how far the best person is from it, and how much farther the best of another class.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image

from audit.world import art
from audit.world.art import Sprite
from audit.world.render import GRID, SIDE, SIZE, person_pixels
from audit.world.truth import ARTIST

SOLID = 200
"""Opacity, of 255, from which a pixel belongs to the person alone."""
OUTSIDE = 35.0
"""Levels by which a pixel outside a person is taken to differ from what would explain it.

Without it a person whose outline is inside another's (short hair, long hair) would always win.
"""

NOBODY = 35.0
"""Distance from which an image shows nobody: renders with a person are within 31, those without one
beyond 36, and 95 % of the generator's images within 34."""


@dataclass(frozen=True)
class Reading:
    """The person that a picture resembles most."""

    sprite: Sprite
    distance: float
    """Root mean square difference, in levels of 255, with OUTSIDE for pixels outside the person."""
    margins: dict[str, float]
    """How many levels farther the best of another class is: of gender, skin_tone and noun."""


@cache
def _templates() -> tuple[list[Sprite], np.ndarray, np.ndarray]:
    """Persons, masks float32[t, 4096] and masked pixels float32[t, 12288]; places run fastest."""
    people = [s for s in art.sprites() if s.artist == ARTIST and s.gender != "unmarked"]
    steps = range(0, SIDE - SIZE + 1, GRID)
    places = [(top, left) for top in steps for left in steps]
    masks = np.zeros((len(people), len(places), SIDE, SIDE), np.float32)
    pixels = np.zeros((*masks.shape, 3), np.float32)
    for i, person in enumerate(people):
        drawn = person_pixels(person, SIZE)
        solid = drawn[..., 3] >= SOLID
        for j, (top, left) in enumerate(places):
            here = np.s_[i, j, top : top + SIZE, left : left + SIZE]
            masks[here], pixels[here] = solid, drawn[..., :3] * solid[..., None]
    n = len(people) * len(places)
    return people, masks.reshape(n, -1), pixels.reshape(n, -1)


def distances(pictures: np.ndarray) -> tuple[list[Sprite], np.ndarray]:
    """Persons, and the distance of each picture uint8[n, 64, 64, 3] to each at its best place."""
    people = _templates()[0]
    return people, _far(pictures).reshape(len(pictures), len(people), -1).min(2)


def _far(pictures: np.ndarray) -> np.ndarray:
    """The distance of each picture uint8[n, 64, 64, 3] to each template, float32[n, t]."""
    _, masks, pixels = _templates()
    x = pictures.reshape(len(pictures), -1).astype(np.float32)
    squares = (pictures.astype(np.float32) ** 2).sum(-1).reshape(len(pictures), -1)
    inside = masks.sum(1)
    total = squares @ masks.T - 2 * x @ pixels.T + (pixels**2).sum(1)
    mean = (np.maximum(total, 0) / 3 + (SIDE**2 - inside) * OUTSIDE**2) / SIDE**2
    return np.asarray(np.sqrt(mean))


def nearest(pictures: np.ndarray) -> list[Reading]:
    """A reading of each picture uint8[n, 64, 64, 3]."""
    people, far = distances(pictures)
    classes = {
        a: np.array([getattr(p, a) for p in people]) for a in ("gender", "skin_tone", "noun")
    }
    found = []
    for row in far:
        best = int(row.argmin())
        margins = {
            a: float(row[names != names[best]].min() - row[best]) for a, names in classes.items()
        }
        found.append(Reading(people[best], float(row[best]), margins))
    return found


def outlines(pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where the person is by the one that is most alike, bool[n, 64, 64], and its `distance`."""
    _, masks, _ = _templates()
    far = _far(pictures)
    return masks[far.argmin(1)].reshape(-1, SIDE, SIDE) > 0, far.min(1)


def people(images: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Where the person is in each uint8[h, w, 3], bool[h, w]; nowhere if it resembles nobody.

    Images of other sizes are compared, and their masks returned, as scaled.
    """
    if not len(images):
        return []
    sizes = [(i.shape[1], i.shape[0]) for i in images]
    found, far = outlines(np.stack([_sized(i, (SIDE, SIDE)) for i in images]))
    shown = found & (far < NOBODY)[:, None, None]
    return [_sized(m, size) for m, size in zip(shown, sizes, strict=True)]


def _sized(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """An image or a mask scaled to (width, height)."""
    if (image.shape[1], image.shape[0]) == size:
        return image
    return np.asarray(Image.fromarray(image).resize(size))
