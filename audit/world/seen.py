"""What two readers saw in pictures that the embedded model drew: the truth about them.

A run of `world_seen` was drawn, and every image labelled by two readers who worked apart and knew
neither the prompt nor the other's labels. `t2i-audit world keep RUN` packs the images and labels;
they are the embedded classifier's validation set: its errors are measured on pictures like those
that it judges.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from audit.datasets.cells import of_frame
from audit.errors import UserError
from audit.evidence.measured import Labelled
from audit.files import write_atomic
from audit.keys import BASELINE
from audit.records import Reference, Sample
from audit.world.art import ASSETS
from audit.world.truth import GENDERS, OCCUPATIONS, SKIN_TONES, TONES, skin_tone

SEEN, LABELLED = ASSETS / "seen", ASSETS / "labelled"
"""Images that validate the classifier, and others, labelled apart, that are in its training."""
ATTRIBUTES = ("gender", "skin_tone", "occupation")
READERS = ("a", "b")
ACROSS, SIDE = 20, 64
SOURCE = "pictures that this model drew and two readers labelled alike, none of them in training"


@dataclass(frozen=True)
class Seen:
    """Pictures with the labels of both readers."""

    table: pd.DataFrame
    """One row per picture: `subject`, `text`, `seed`, and per attribute and reader a column such as
    `gender_a`, with a class or a reason for none (`unreadable`, `uncertain`, ...)."""
    pictures: np.ndarray
    """uint8[n, 64, 64, 3]."""

    def agreed(self, attribute: str) -> pd.Series:
        """The class that both readers gave; missing where they differ or saw none."""
        a, b = (self.table[f"{attribute}_{reader}"] for reader in READERS)
        return a.where((a == b) & a.isin(classes()[attribute]), None)

    def legible(self, attribute: str) -> np.ndarray:
        """bool[n]: both readers named a class, the same or not."""
        known = classes()[attribute]
        columns = [self.table[f"{attribute}_{reader}"].isin(known) for reader in READERS]
        return np.logical_and(*columns).to_numpy(bool)


def classes() -> dict[str, tuple[str, ...]]:
    """The classes of each labelled attribute."""
    nouns = tuple(o.noun for o in OCCUPATIONS)
    return {"gender": GENDERS, "skin_tone": SKIN_TONES, "occupation": nouns}


@cache
def seen(folder: Path = SEEN) -> Seen:
    """The packed pictures and labels; UserError where they are missing."""
    try:
        table = pd.read_csv(folder / "labels.csv", dtype={"seed": int}, keep_default_na=False)
        with Image.open(folder / "pictures.webp", formats=["WEBP"]) as image:
            flat = np.asarray(image.convert("RGB"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"The labelled pictures of the embedded model are not in {folder}: {error}. Reinstall "
            "t2i-audit."
        ) from error
    for column in (f"skin_tone_{reader}" for reader in READERS):
        table[column] = table[column].map(_skin_tone)
    rows, columns = flat.shape[0] // SIDE, flat.shape[1] // SIDE
    tiles = flat.reshape(rows, SIDE, columns, SIDE, 3).swapaxes(1, 2)
    return Seen(table, np.ascontiguousarray(tiles.reshape(-1, SIDE, SIDE, 3)[: len(table)]))


def _skin_tone(said: str) -> str:
    """The class of what a reader said, who may have named one of five tones."""
    return skin_tone(said) if said in TONES else said


def validation(n: int, attributes: Mapping[str, Sequence[str]]) -> Labelled:
    """Up to `n` of the pictures, and, per attribute, the index of the class that both readers gave.

    Known attributes: gender, skin_tone, occupation; others are left out. -1 where the readers did
    not agree on a class, and where it is not asked for.
    """
    known = seen()
    order = np.random.default_rng(0).permutation(len(known.table))[:n]
    labels = {}
    for attribute in (a for a in attributes if a in ATTRIBUTES):
        place = {c: i for i, c in enumerate(attributes[attribute])}
        agreed = known.agreed(attribute)
        labels[attribute] = [place.get(agreed.iloc[i], -1) for i in order]
    return Labelled([known.pictures[i] for i in order], labels, SOURCE)


def reference() -> Reference:
    """Shares that the readers saw, by occupation that was prompted: gender and skin tone."""
    known, shares = seen(), {}
    for attribute in ("gender", "skin_tone"):
        agreed = known.agreed(attribute)
        for subject, values in agreed.groupby(known.table.subject):
            for value in classes()[attribute]:
                shares[str(subject), attribute, value] = float((values.dropna() == value).mean())
    n = len(known.table) // known.table.subject.nunique()
    return Reference(
        "seen", f"what two readers saw in {n} pictures of each", shares, "labelled by two readers"
    )


def pack(pictures: np.ndarray, table: pd.DataFrame, folder: Path) -> Path:
    """Write pictures uint8[n, 64, 64, 3] and their table, rows in the same order; the folder."""
    rows = -(-len(pictures) // ACROSS)
    tiles = np.zeros((rows * ACROSS, SIDE, SIDE, 3), np.uint8)
    tiles[: len(pictures)] = pictures
    grid = tiles.reshape(rows, ACROSS, SIDE, SIDE, 3).swapaxes(1, 2)
    buffer = io.BytesIO()
    flat = Image.fromarray(np.ascontiguousarray(grid.reshape(rows * SIDE, ACROSS * SIDE, 3)))
    flat.save(buffer, "WEBP", lossless=True, quality=100, method=6, exact=True)
    write_atomic(folder / "pictures.webp", buffer.getvalue())
    write_atomic(folder / "labels.csv", of_frame(table))
    return folder


def joined(
    samples: Sequence[Sample], judged: pd.DataFrame, subjects: Mapping[str, str]
) -> tuple[list[str], pd.DataFrame]:
    """Ids of a run's baseline images, and the table of `Seen` for them, in the plan's order.

    `judged` has the columns sample, attribute, rater, outcome and value. Raises ValueError without
    exactly two raters, and where one of them left an image or an attribute out.
    """
    raters = sorted(judged.rater.unique())
    if len(raters) != len(READERS):
        raise ValueError(f"there are labels of {len(raters)} readers. Two have to label it.")
    said = judged.assign(
        word=judged.value.where(judged.outcome == "label", judged.outcome),
        column=judged.attribute + "_" + judged.rater.map(dict(zip(raters, READERS, strict=True))),
    )
    wide = said.pivot(index="sample", columns="column", values="word")
    columns = [f"{a}_{reader}" for a in ATTRIBUTES for reader in READERS]
    mine = [s for s in samples if s.arm == BASELINE and s.id in subjects]
    for column in columns:
        if column not in wide or wide[column].reindex([s.id for s in mine]).isna().any():
            raise ValueError(f"not every image has a label {column}. Label all of it.")
    rows = [
        {"subject": subjects[s.id], "text": s.text, "seed": s.seed, **wide.loc[s.id, columns]}
        for s in mine
    ]
    return [s.id for s in mine], pd.DataFrame(rows)
