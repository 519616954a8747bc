"""People pasted on other backgrounds, and backgrounds behind other people, with the truth known.

The world has 200 people in 25 places. Of `scenes` no two show the same person in the same place: a
search for the person alone could not tell them apart. Photographs of people seldom do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from audit.evidence.copies.decision import by_twin
from audit.evidence.copies.edits import apply
from audit.evidence.copies.match import twin_evidence
from audit.evidence.copies.sides import Evidence
from audit.world.art import sprites
from audit.world.render import GRID, SIDE, SIZE, Scene, draw_scene, mask, render
from audit.world.truth import ARTIST

KINDS = ("both", "foreground", "background", "neither")
"""Of an image: what of its source it has."""
EDITS = ("", "noise 10", "jpeg 50", "noise 25", "jpeg 30")
"""What images went through, in turn; none of them moves the person."""
SOLID = 127
"""Opacity of 255 above which a pixel belongs to the person."""


@dataclass(frozen=True)
class Pasted:
    """Images of known origin."""

    images: np.ndarray
    """uint8[n, 64, 64, 3]."""
    people: np.ndarray
    """bool[n, 64, 64]: where the person is."""
    kind: np.ndarray
    """object[n]: one of KINDS."""
    source: np.ndarray
    """int64[n]: place of its source among the references; -1 for "neither"."""


def scenes(seed: int, n: int) -> list[Scene]:
    """Random scenes, no two with the same person in the same place; ValueError for too many."""
    rng = np.random.default_rng(seed)
    people = [s for s in sprites() if s.artist == ARTIST and s.gender != "unmarked"]
    steps = range(0, SIDE - SIZE + 1, GRID)
    free = list(product(people, steps, steps))
    if n > len(free):
        raise ValueError(f"There are {len(free)} people in places, not {n}.")
    chosen = (free[int(i)] for i in rng.permutation(len(free))[:n])
    return [replace(draw_scene(rng, who), top=top, left=left) for who, top, left in chosen]


def shown(some: Sequence[Scene]) -> Pasted:
    """The scenes as they are, as references."""
    return Pasted(
        np.stack([render(s) for s in some]), np.stack([mask(s) > SOLID for s in some]),
        np.full(len(some), "neither", object), np.full(len(some), -1),
    )  # fmt: skip


def pasted(
    references: Sequence[Scene], fresh: Sequence[Scene], sources: Sequence[int], seed: int
) -> Pasted:
    """Edited images: a third of `sources` comes back whole, a third each as one part.

    The other part, and all images after those with a source, are of `fresh`, one scene each.
    """
    made, kinds = [], []
    for i, (own, place) in enumerate(zip(fresh, [*sources, *[-1] * len(fresh)], strict=False)):
        kind = KINDS[i % 3] if place >= 0 else "neither"
        scene = own if place < 0 else references[place]
        if kind == "foreground":
            scene = replace(own, sprite=scene.sprite, top=scene.top, left=scene.left)
        if kind == "background":
            scene = replace(scene, sprite=own.sprite, top=own.top, left=own.left)
        made.append(scene)
        kinds.append(kind)
    plain = shown(made)
    edits = [EDITS[(i // 3) % len(EDITS)] for i in range(len(made))]
    images = [apply(e, x, seed + i) if e else x
              for i, (e, x) in enumerate(zip(edits, plain.images, strict=True))]  # fmt: skip
    rest = np.full(len(made) - len(sources), -1)
    return replace(plain, images=np.stack(images), kind=np.array(kinds, object),
                   source=np.concatenate([np.asarray(sources, int), rest]))  # fmt: skip


@dataclass(frozen=True)
class Replicate:
    """Images against one split of the references in a training set and its twin."""

    rows: np.ndarray
    """int64[m]: the images; a source is always on the side of training."""
    flagged: np.ndarray
    """bool[m, 2]: whether foreground and background are flagged."""
    copied: np.ndarray
    """bool[m, 2]: whether they are copies."""


def replicate(made: Pasted, cosines: np.ndarray, number: int, n: int, q: float = 0.1) -> Replicate:
    """A split by its number, and `n` of the images that copy nothing, each part decided at q / 2.

    `cosines` float[2, images, references] are those of foregrounds and of backgrounds, NaN for a
    part that is missing. An even number of references; half are for training.
    """
    rng = np.random.default_rng(number)
    total = cosines.shape[2]
    train = rng.permutation(total) < total // 2
    nothing = rng.permutation(np.flatnonzero(made.source < 0))[:n]
    there = np.flatnonzero(made.source >= 0)
    rows = np.sort([*there[train[made.source[there]]], *nothing])
    flagged = np.stack([_flagged(c[rows], train, q / 2) for c in cosines], 1)
    kinds = made.kind[rows, None]
    return Replicate(
        rows, flagged, np.isin(kinds, ["both"]) | (kinds == ["foreground", "background"])
    )


def _flagged(cosines: np.ndarray, train: np.ndarray, q: float) -> np.ndarray:
    sides = [np.flatnonzero(train), np.flatnonzero(~train)]
    score, held = (cosines[:, s].max(1) for s in sides)
    where = [s[np.nan_to_num(cosines[:, s]).argmax(1)] for s in sides]
    w = twin_evidence(score, held)
    matched = np.where(w > 0, *where).astype(str).astype(object)
    return by_twin(Evidence((w,), (matched,)), q).selection.selected
