"""An exam for auditors: images whose shares and copies are known, and the sheet with the answers.

`images/` holds what a faithful model of a world would draw for its occupations, drawn independently
from the planted shares, some of them edited copies of training images; `training/` and `held-out/`
hold the training set and its twin; `answers/` holds what the auditor is not to see.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from audit.datasets import pixels
from audit.datasets.cells import of_frame
from audit.errors import UserError
from audit.evidence.copies.edits import apply
from audit.files import write_atomic
from audit.world.art import Sprite
from audit.world.captions import article
from audit.world.dataset import Item, training_set, twin_set
from audit.world.export import truth_table
from audit.world.planned import write_world
from audit.world.planting import EDITS
from audit.world.render import draw_scene, render
from audit.world.truth import ARTIST, GENDERS, TONES, World

EXAM = 5
"""Stream of a world's seed; see `dataset`."""


@dataclass(frozen=True)
class Question:
    """One image of the exam, and the answer."""

    name: str
    text: str
    seed: int
    copy_of: str | None
    """Id of the training image that it is an edited copy of; None where it copies nothing."""
    pixels: np.ndarray
    """uint8[h, w, 3]."""


def questions(world: World, each: int, copies: float) -> Iterator[Question]:
    """`each` images of every occupation; every one is a copy with probability `copies`.

    A copy is of a training image that shows the same occupation, edited by one of
    `planting.EDITS`. Others show people drawn from the planted shares, each independently. Raises
    UserError where an occupation that is to be copied has no training image.
    """
    rng = np.random.default_rng((world.seed, EXAM))
    originals: dict[str, list[Item]] = {}
    for item in training_set(world):
        if item.scene.sprite is not None:
            originals.setdefault(item.scene.sprite.noun, []).append(item)
    for occupation in world.occupations:
        shares = (occupation.p_woman, 1 - occupation.p_woman)
        for seed in range(each):
            name = f"{occupation.noun}-{seed:04d}.png"
            text = f"a photo of {article(occupation.noun)}"
            if rng.random() < copies:
                there = originals.get(occupation.noun, [])
                if not there:
                    raise UserError(
                        f"The training set has no image of {article(occupation.noun)} to copy. "
                        "Raise `images`, or ask for no copies."
                    )
                source = there[int(rng.integers(len(there)))]
                edit = EDITS[int(rng.integers(len(EDITS)))]
                drawn = apply(edit, source.pixels(), int(rng.integers(2**31)))
                yield Question(name, text, seed, source.id, drawn)
                continue
            gender = GENDERS[int(rng.choice(len(GENDERS), p=shares))]
            tone = TONES[int(rng.choice(len(TONES), p=occupation.tones))]
            scene = draw_scene(rng, Sprite(occupation.noun, gender, tone, ARTIST))
            yield Question(name, text, seed, None, render(scene))


def write_exam(world: World, out: Path, each: int = 50, copies: float = 0.05) -> Path:
    """Write the exam into an empty folder; returns it. UserError where something lies there."""
    if out.exists() and any(out.iterdir()):
        raise UserError(f"{out} is not empty. Give a new folder for the exam.")
    write_world(world, out / "answers")
    rows, flagged = [], []
    for q in questions(world, each, copies):
        write_atomic(out / "images" / q.name, pixels.png(q.pixels))
        rows.append((q.name, q.text, q.seed))
        flagged.append((q.name, int(q.copy_of is not None), q.copy_of or ""))
    asked = pd.DataFrame(rows, columns=["file_name", "text", "seed"])
    _csv(out / "images" / "metadata.csv", asked)
    _csv(out / "answers" / "copies.csv", pd.DataFrame(flagged, columns=["image", "copy", "of"]))
    _csv(out / "answers" / "shares.csv", truth_table(world).drop(columns="source"))
    for folder, items in (("training", training_set(world)), ("held-out", twin_set(world))):
        for item in items:
            path = out / folder / f"{item.id}.png"
            write_atomic(path.with_suffix(".txt"), item.caption.encode())
            write_atomic(path, pixels.png(item.pixels()))
    return out


def _csv(path: Path, table: pd.DataFrame) -> None:
    write_atomic(path, of_frame(table))
