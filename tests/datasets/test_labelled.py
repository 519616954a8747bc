"""Tables of labelled images: found, folded, and refused in one sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from audit.datasets import labelled, pixels
from audit.errors import Untrusted, UserError

GENDER = {"gender": ("woman", "man")}


def save(folder: Path, *rows: str, name: str = "labels.csv", head: str = "file,gender") -> Path:
    """Two images and a table."""
    for i in range(2):
        Image.fromarray(np.full((4, 4, 3), 9 * i, np.uint8)).save(folder / f"{i}.png")
    (folder / name).write_text("\n".join([head, *rows]) + "\n")
    return folder


def test_words_are_folded_and_reasons_are_no_class(tmp_path: Path) -> None:
    """Synonyms and capitals count; an empty cell has no label."""
    place = save(tmp_path, "0.png,Female,p1", "1.png,MAN,p1", "gone.png,,p2",
                 head="File Name,Gender,Person")  # fmt: skip
    for given in (place, place / "labels.csv"):
        shown = labelled.load(given, GENDER)
        assert shown.labels("gender", GENDER["gender"]) == ["woman", "man", ""]
        assert shown.people == ("p1", "p1", "p2")
        assert shown.read("1")[0, 0, 0] == 9
        with pytest.raises(pixels.Unreadable):
            shown.read("2")
    assert shown.words("gender") == ("Female", "MAN")
    assert shown.labels("age", ("young", "old")) == ["", "", ""]


@pytest.mark.parametrize(
    ("rows", "head", "message"),
    [
        (["0.png,womn"], "file,gender", "Did you mean woman"),
        (["0.png,woman"], "where,gender", "has no column of image files"),
        (["0.png,woman"], "file,sex", "labels none of gender"),
        ([], "file,gender", "has no rows"),
    ],
)
def test_a_wrong_table_is_one_sentence(
    rows: list[str], head: str, message: str, tmp_path: Path
) -> None:
    """Which cell or column, and what to do."""
    with pytest.raises(UserError, match=message):
        labelled.load(save(tmp_path, *rows, head=head), GENDER).labels("gender", GENDER["gender"])


def test_files_stay_below_the_table(tmp_path: Path) -> None:
    """A table from a stranger may not name files elsewhere."""
    (tmp_path / "in").mkdir()
    with pytest.raises(Untrusted):
        labelled.load(save(tmp_path / "in", "../secret.png,woman"), GENDER)


def test_a_folder_needs_one_table(tmp_path: Path) -> None:
    """None, or two without one that is called labels.csv."""
    with pytest.raises(UserError, match="holds no tables of labels"):
        labelled.load(tmp_path, GENDER)
    save(tmp_path, "0.png,woman", name="a.csv")
    assert labelled.load(tmp_path, GENDER).name == "a.csv"
    save(tmp_path, "0.png,woman", name="b.csv")
    with pytest.raises(UserError, match="holds 2 tables"):
        labelled.load(tmp_path, GENDER)
    save(tmp_path, "0.png,woman")
    assert labelled.load(tmp_path, GENDER).name == tmp_path.name
    with pytest.raises(UserError, match="There are no labelled images at"):
        labelled.load(tmp_path / "nowhere.csv", GENDER)
