"""Records of the run folder, checked as they are read: JSON of another form is never used."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from audit.keys import ATTRIBUTE_COLUMNS, MATCH_COLUMNS

if TYPE_CHECKING:
    import pandas as pd

FORMAT = 1
"""Format of a run folder; those of earlier versions state none."""
COLUMNS = {
    "attributes": ATTRIBUTE_COLUMNS, "matches": tuple(c for c in MATCH_COLUMNS if c != "held"),
    "alignment": ("prompt", "arm", "seed", "score"),
}  # fmt: skip
"""The columns that a table with rows has, at least: earlier versions wrote no others."""
NUMBERS = ("score", "held_score", "repeats", "chance")
WORDS = ("sample", "prompt", "subject", "arm", "attribute", "outcome", "value", "train",
         "train_caption")  # fmt: skip
TYPED = {"copy": "boolean", "seed": "Int64"}
"""Columns of tables that earlier versions wrote with another type: `copy` as objects, with None,
and `seed` without missing ones."""


@dataclass(frozen=True)
class Manifest:
    """`run.json`: what the run is of."""

    suite: str
    settings: dict[str, Any]  # of `Settings`; those of other versions may differ
    versions: dict[str, str] = field(default_factory=dict)
    format: int = 0


@dataclass(frozen=True)
class Notes:
    """`notes.json`: what was noted while images were drawn."""

    cut: list[str] = field(default_factory=list)
    """Texts that are longer than the model reads."""
    said: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Results:
    """`results.json`: names of the latest tables, and data for reading them without the suite.

    Parts that earlier versions did not write are empty.
    """

    tables: dict[str, str]
    classes: dict[str, list[str]] = field(default_factory=dict)
    subject_classes: dict[str, list[str]] = field(default_factory=dict)
    command: str = ""
    pictures: dict[str, str] = field(default_factory=dict)
    images: str = ""
    corpus: str = ""
    instruments: dict[str, str] = field(default_factory=dict)
    checks: list[str] = field(default_factory=list)


def fits(table: pd.DataFrame, name: str) -> None:
    """ValueError for a table with rows that lacks columns, or has words in place of numbers."""
    import pandas as pd

    columns = COLUMNS.get(name, ())
    if not len(table):
        return
    if missing := [c for c in columns if c not in table]:
        raise ValueError(f"it has no column {missing[0]}")
    for column in columns:
        numeric = pd.api.types.is_numeric_dtype(table[column]) or table[column].isna().all()
        words = [x for x in table[column].dropna().unique() if not isinstance(x, str)]
        if (column in NUMBERS and not numeric) or (column in WORDS and words):
            raise ValueError(f"the column {column} has another type")
