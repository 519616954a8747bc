"""Images with labels: a table with a column of files, one per attribute, and perhaps one of people.

Given as the table, or as a folder in which it is called labels.csv or metadata.csv, or is the only
table. Files are in the folder of the table or below it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audit.datasets import answers, cells, pixels, strict
from audit.errors import UserError
from audit.files import inside

FILE = ("file_name", "filename", "file", "image", "picture", "path")
PERSON = ("person", "identity", "who", "subject_id")
TABLES = ("labels.csv", "metadata.csv")
MOST = 1_000_000


@dataclass(frozen=True)
class Labelled:
    """Rows of a table of labelled images."""

    table: strict.Table
    files: tuple[Path, ...]
    people: tuple[str, ...]
    """Whom each image shows; empty where the table does not say."""

    @property
    def name(self) -> str:
        """The table's name, for sentences."""
        path = self.table.path
        return path.parent.name if path.name in TABLES else path.name

    def read(self, at: str) -> np.ndarray:
        """One image, uint8[h, w, 3], by its place as text; or pixels.Unreadable."""
        return pixels.read(self.files[int(at)])

    @property
    def ids(self) -> list[str]:
        """The places of the images, as text."""
        return [str(i) for i in range(len(self.files))]

    def has(self, attribute: str) -> bool:
        """Whether a column is named after the attribute."""
        return self.table.find([attribute]) is not None

    def words(self, attribute: str) -> tuple[str, ...]:
        """The different words of a column, sorted, without reasons for a missing label."""
        place = self.table.find([attribute])
        found = {cells.tidy(c) for c in self.table.column(place)} if place is not None else set()
        return tuple(sorted(w for w in found if cells.fold(w) not in answers.ABSTAINED))

    def labels(self, attribute: str, classes: Sequence[str]) -> list[str]:
        """The class of each image, empty where the cell gives a reason for none.

        Raises UserError for words that are neither.
        """
        place = self.table.find([attribute])
        if place is None:
            return [""] * len(self.files)
        words = answers.Words(attribute, classes, answers.ABSTAINED)
        found, strange = list[str](), dict[str, answers.Strange]()
        for row, cell in enumerate(self.table.column(place)):
            read = words.read(cell)
            if read is None:
                seen = strange.get(cell)
                where = seen.where if seen else self.table.where(row)
                count = seen.count + 1 if seen else 1
                strange[cell] = answers.Strange(attribute, cell, count, where)
            found.append((read[1] or "") if read else "")
        answers.refuse(
            list(strange.values()), {attribute: words}, "Leave such cells empty.", self.table.path
        )
        return found


def _table(place: Path) -> Path:
    if not place.is_dir():
        return place
    named = [place / n for n in TABLES if (place / n).is_file()]
    found = named or sorted(place.glob("*.csv"))
    if len(found) == 1 or (named and found):
        return found[0]
    raise UserError(
        f"{place} holds {len(found) or 'no'} tables of labels. Put one into it as labels.csv, with "
        "the columns file_name and one for each attribute."
    )


def load(place: Path, attributes: Mapping[str, Sequence[str]]) -> Labelled:
    """The labelled images of a table or folder.

    Raises UserError where there is none, where it has no column of files or of any of these
    attributes, and for a file outside of the table's folder.
    """
    path = _table(place)
    try:
        table = strict.read(path, MOST, [*FILE, *PERSON, *attributes], ours=True)
    except FileNotFoundError as error:
        raise UserError(
            f"There are no labelled images at {path}. Give a folder with labels.csv, or a table."
        ) from error
    at, who = table.find(FILE), table.find(PERSON)
    if at is None:
        raise UserError(
            f"{path} has no column of image files. Name one file_name; it has {table.named()}."
        )
    if not any(table.find([a]) is not None for a in attributes):
        raise UserError(
            f"{path} labels none of {', '.join(attributes)}. Name a column after one of them; it "
            f"has {table.named()}."
        )
    files = tuple(inside(path.parent, cell) for cell in table.column(at))
    people = tuple(cells.tidy(c) for c in table.column(who)) if who is not None else ()
    return Labelled(table, files, people or ("",) * len(files))
