"""The two sides of an index as the decision rules compare them: distinct, equal in size, alike.

The nearest of 1,600 images is nearer than the nearest of 300, images of another source are
nearer to one side, and a near-duplicate on both sides is a match of one side only. Each turns
images that copy nothing into flagged copies, so each is looked at before any generated image is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from audit.errors import figure, say
from audit.evidence.copies import near_duplicates
from audit.evidence.copies.match import twin_evidence
from audit.stats.likeness import Likeness, likeness

LEAST = 50
"""Distinct images that each side needs before anything can be said of their likeness."""
COMPARED = 500
"""Most images of each side, drawn by seed, on which their likeness is tested."""
EQUAL, SEVERAL = 0.95, 2 / 3
"""Smaller side over larger one: from EQUAL on one random subset of the larger is compared. Held-out
over training images: from SEVERAL on, several subsets are; below it each would contain too little
of the training set, and 2 / q copies in most of them would be too many to ask for."""
DRAWS = 10
"""Subsets of the larger side; together they contain each image equally often."""
PAIRS = 4e9
"""Pairs of images up to which near-duplicates are looked for."""
LIST = ("twin", "subsets", "conformal", "none")
"""The choices of `Sides.choice`."""


@dataclass(frozen=True)
class Sides:
    """Which images of the two sides are compared, and whether the sides look alike."""

    train: np.ndarray
    """bool[n]: one training image of each group of near-duplicates, none that is held out too."""
    held: np.ndarray
    """bool[m]: the same of the held-out images."""
    found: Likeness
    apart: bool
    """Whether near-duplicates were looked for; not in very large sets."""
    label: np.ndarray
    """Group of near-duplicates of each training image, int64[n]; each its own where not looked
    for."""
    shared: np.ndarray
    """bool[m]: held-out images that are in the training set too."""

    @property
    def sizes(self) -> tuple[int, int]:
        """Distinct training and held-out images."""
        return int(self.train.sum()), int(self.held.sum())

    @property
    def doubt(self) -> str:
        """Why held-out images say nothing about these training images; empty if they may."""
        n, m = self.sizes
        if not m:
            return "there are no held-out images (--held-out)"
        if min(n, m) < LEAST:
            return say(
                "{least} distinct images are needed on each side, and there are {n} and {m}",
                least=LEAST,
                n=n,
                m=m,
            )
        if not self.found.alike:
            return "held-out images do not look like training images"
        return ""

    @property
    def choice(self) -> str:
        """The rule that these sides allow, one of LIST: fixed before an image is generated."""
        n, m = self.sizes
        if self.doubt:
            return "none"
        if min(n, m) >= EQUAL * max(n, m):
            return "twin"
        return "subsets" if m >= SEVERAL * n else "conformal"

    @property
    def words(self) -> str:
        """Sizes, tests and choice in one line."""
        n, m = self.sizes
        kind = "distinct " if self.apart else ""
        text = say(
            "{n} {kind}training and {m} {kind}held-out images",
            n=figure(f"{n:,}"),
            kind=kind,
            m=figure(f"{m:,}"),
        )
        if min(n, m) >= LEAST:
            text += say(
                "; alike by nearest neighbours p = {nearest}, by a kernel test p = {kernel}",
                nearest=figure(f"{self.found.nearest:.2g}"),
                kernel=figure(f"{self.found.kernel:.2g}"),
            )
        if not self.apart and m:
            text += "; near-duplicates were not looked for"
        return say("{text}: {choice}", text=text, choice=self._said)

    @property
    def _said(self) -> str:
        n, m = self.sizes
        if self.doubt:
            return say("no rate can be decided, because {doubt}", doubt=self.doubt)
        if self.choice == "conformal":
            return "too few held-out images for a twin, so conformal p-values are used"
        if self.choice == "subsets":
            return say(
                "twin on {draws} random subsets of {n} images of each side",
                draws=DRAWS,
                n=figure(f"{min(n, m):,}"),
            )
        return say("twin on {n} images of each side", n=figure(f"{min(n, m):,}"))

    def subsets(self, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Equal numbers of images of both sides, bool[n] and bool[m]: one pair, or DRAWS.

        Cyclic windows of one random order, so every image is in as many subsets as any other.
        """
        size, rng = min(self.sizes), np.random.default_rng(seed)
        orders = [rng.permutation(np.flatnonzero(s)) for s in (self.train, self.held)]
        for k in range(DRAWS if self.choice == "subsets" else 1):
            yield tuple(  # type: ignore[misc]
                _window(order, k * len(order) // DRAWS, size, len(side))
                for order, side in zip(orders, (self.train, self.held), strict=True)
            )


def _window(order: np.ndarray, start: int, size: int, n: int) -> np.ndarray:
    out = np.zeros(n, bool)
    out[np.take(order, np.arange(start, start + size), mode="wrap")] = True
    return out


def sides(index: Any, same: float | None, seed: int) -> Sides:
    """Distinct images of an index's two sides, and whether they look alike.

    `same` is the cosine from which two images are one; without it, or in very large sets, equal
    vectors alone are one, or nothing is looked for.
    """
    train, held = index.train, index.held
    keep, rest = np.ones(len(train), bool), ~held.left_out
    label, other = np.arange(len(train)), held.shared(train)
    looked = max(len(train), len(held)) ** 2 <= 2 * PAIRS
    if looked:
        cosine = 1.0 if same is None else same
        mine, near = near_duplicates.both(train, held, cosine)
        other = other | near
        label = near_duplicates.clusters(train, cosine)
        keep = _first_of_each(label, mine)
        rest &= _first_of_each(near_duplicates.clusters(held, cosine), other)
    if min(keep.sum(), rest.sum()) < LEAST:
        return Sides(keep, rest, Likeness(np.nan, np.nan), looked, label, other)
    rng = np.random.default_rng(seed)
    some = [_rows(s, np.flatnonzero(k), rng) for s, k in ((train, keep), (held, rest))]
    return Sides(keep, rest, likeness(some[0], some[1], rng), looked, label, other)


def _first_of_each(label: np.ndarray, shared: np.ndarray) -> np.ndarray:
    """The first image of each group of near-duplicates none of which is on the other side."""
    return (label == np.arange(len(label))) & ~np.isin(label, label[shared])


def _rows(side: Any, places: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Vectors of some of these positions, drawn by seed."""
    return np.asarray(side.rows(np.sort(rng.permutation(places)[:COMPARED])))


@dataclass(frozen=True)
class Evidence:
    """W of every image on each pair of subsets, and the reference image that it matches."""

    w: tuple[np.ndarray, ...]
    """float64[n] each, NaN for missing images."""
    matched: tuple[np.ndarray, ...]
    """object[n] each: the side and id of the nearest reference image."""

    def of(self, rows: np.ndarray) -> Evidence:
        """That of the images bool[n]."""
        return Evidence(tuple(w[rows] for w in self.w), tuple(m[rows] for m in self.matched))


def evidence(vectors: np.ndarray, index: Any, by: Sides, seed: int) -> Evidence:
    """From float32[n, d] of generated images, with rows of NaN for missing ones."""
    known = np.isfinite(vectors).all(1)
    ws, names = [], []
    for subset in by.subsets(seed):
        score, id_of = np.full((2, len(vectors)), np.nan), []
        for i, (name, side, keep) in enumerate(
            zip(("train", "held"), (index.train, index.held), subset, strict=True)
        ):
            got, where = side.without(~keep).nearest(vectors[known])
            score[i, known] = got[:, 0]
            id_of.append(np.full(len(vectors), f"{name}/", object))
            id_of[i][known] = [f"{name}/{side.entry(int(p)).id}" for p in where[:, 0]]
        w = twin_evidence(score[0], score[1])
        ws.append(w)
        names.append(np.where(w > 0, id_of[0], id_of[1]))
    return Evidence(tuple(ws), tuple(names))
