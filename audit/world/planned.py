"""A world of your own: which biases and copies are planted, as a file.

    images = 12000
    seed = 7
    empty = 0.05
    shares = "truth.csv"

    [repeats]
    16 = 8
    64 = 8

`shares` names a CSV file in its folder (subject, attribute, value, share, source): gender and skin
tone of each occupation that the world is to have. `[repeats]` says how many images are planted how
many times. What a file leaves out is as in the embedded world.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from pydantic import Field

from audit.datasets.cells import of_frame
from audit.design.sentences import read_toml
from audit.design.suites import shares_table
from audit.design.suites.schema import Strict
from audit.errors import UserError, known
from audit.files import write_atomic
from audit.world.captions import TITLES
from audit.world.export import truth_table
from audit.world.truth import (
    BY_NOUN,
    EMBEDDED,
    GENDERS,
    SKIN_TONES,
    Occupation,
    World,
    of_classes,
)

CLASSES = {"gender": GENDERS, "skin_tone": SKIN_TONES}
FEWEST, MOST = 100, 1_000_000
"""Limits of the training set's size."""


class RawWorld(Strict):
    """The file as it is written."""

    images: Annotated[int, Field(ge=FEWEST, le=MOST)] = EMBEDDED.images
    seed: Annotated[int, Field(ge=0, lt=2**63)] = EMBEDDED.seed
    empty: Annotated[float, Field(ge=0, lt=1)] = EMBEDDED.empty
    shares: Annotated[str, Field(min_length=1)] | None = None
    repeats: dict[str, Annotated[int, Field(ge=0, le=len(TITLES))]] | None = None


def read_world(path: Path) -> World:
    """The world that a TOML file describes; UserError for what it cannot be, with the place."""
    if not path.is_file():
        raise UserError(f"There is no file {path}. Give a TOML file that plants a world.")
    raw = read_toml(path, RawWorld)
    world = replace(EMBEDDED, images=raw.images, seed=raw.seed, empty=raw.empty)
    if raw.repeats is not None:
        world = replace(world, repeats=_repeats(raw.repeats, path))
    if raw.shares is not None:
        world = replace(world, occupations=_occupations(path.parent / raw.shares))
    filled = sum(times * images for times, images in world.repeats)
    if filled >= world.images:
        raise UserError(
            f"{path}: repeated images fill {filled} places of {world.images}. Plant fewer, or "
            "raise `images`."
        )
    return world


def _repeats(raw: Mapping[str, int], path: Path) -> tuple[tuple[int, int], ...]:
    found = []
    for times, images in raw.items():
        if not times.isdecimal() or not 1 <= int(times) <= MOST:
            raise UserError(
                f"{path}, repeats: {times!r} is not a number of times. Write, for example, 64 = 16."
            )
        found.append((int(times), images))
    total = sum(images for _, images in found)
    if total > len(TITLES):
        raise UserError(
            f"{path}, repeats: {total} images are planted, and there are {len(TITLES)} titles for "
            "them. Plant fewer."
        )
    return tuple(sorted(pair for pair in found if pair[1]))


def _occupations(path: Path) -> tuple[Occupation, ...]:
    """The occupations that a table names, in the embedded world's order."""
    shares, source = shares_table(path, CLASSES)
    for subject, attribute, _ in shares:
        known("occupation", subject, BY_NOUN, str(path))
        known("attribute", attribute, CLASSES, str(path))
    named = {subject for subject, _, _ in shares}
    return tuple(_planted(o, shares, source) for noun, o in BY_NOUN.items() if noun in named)


def _planted(
    old: Occupation, shares: Mapping[tuple[str, str, str], float], source: str
) -> Occupation:
    """An occupation with a table's shares; an attribute that it leaves out keeps its own."""
    tones = tuple(shares.get((old.noun, "skin_tone", t), 0.0) for t in SKIN_TONES)
    woman, man = (shares.get((old.noun, "gender", g), 0.0) for g in GENDERS)
    return replace(
        old,
        p_woman=woman / (woman + man) if woman + man else old.p_woman,
        tones=of_classes(tones, old.tones) if sum(tones) else old.tones,
        source=source,
    )


def claim(folder: Path, world: World) -> Path:
    """Write a world's files into the folder of what is made of it; returns the TOML file.

    Raises UserError where the folder holds another world: its images and weights would be mixed.
    """
    there = folder / "truth.toml"
    if there.exists() and _shown(read_world(there)) != _shown(world):
        raise UserError(
            f"{folder} holds another world: its {there.name} differs. Give another folder."
        )
    return write_world(world, folder)


def _shown(world: World) -> tuple[object, ...]:
    """What of a world its pictures depend on, as its files write it."""
    shares = truth_table(world).drop(columns="source").to_numpy().tolist()
    return (world.images, world.seed, world.empty, world.repeats, shares)


def write_world(world: World, folder: Path) -> Path:
    """Write a world as the two files that `read_world` reads, `truth.toml` and `truth.csv`."""
    lines = [
        f"images = {world.images}", f"seed = {world.seed}", f"empty = {world.empty}",
        'shares = "truth.csv"', "", "[repeats]",
        *(f"{times} = {images}" for times, images in world.repeats),
    ]  # fmt: skip
    table = of_frame(truth_table(world))
    write_atomic(folder / "truth.csv", table)
    write_atomic(folder / "truth.toml", ("\n".join(lines) + "\n").encode())
    return folder / "truth.toml"
