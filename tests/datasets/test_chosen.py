"""Columns and splits that the user names, of every form of table, with names drawn at random."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from audit.datasets import pixels
from audit.datasets.chosen import Chosen, chosen, of_text
from audit.datasets.find import again, find
from audit.design.imported import pictures as imported
from audit.errors import UserError
from tests.datasets.test_columns import FORMS
from tests.evidence.copies import made

SOME = made.pictures(6, 12)
DATA = [pixels.png(p) for p in SOME]
PARTS = ("Bild", "img", "text", "a,b", "x=y", "Großes Foto", " ", "caption", "9", "seed", ".", "'")


def names(chance: random.Random, count: int) -> list[str]:
    """Names of columns with commas, signs of equality, full stops, spaces and usual words."""
    found: dict[str, str] = {}
    while len(found) < count:
        name = "".join(chance.choices(PARTS, k=3)).strip()
        if name and not name.casefold().startswith(("image=", "caption=", "seed=", "arm=")):
            found.setdefault("".join(c for c in name.casefold() if c.isalnum()), name)
    return [*found.values()]


def read(path: Path, which: Chosen) -> list[tuple[Any, ...]]:
    """Prompt, seed and arm of each image of a run."""
    return [(p.text, p.seed, p.arm) for p in imported.read(path, None, which).items()]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("draw", range(3))
def test_named_columns_of_tables_of_images(
    draw: int, form: Callable[[Path, pa.Table], Path], tmp_path: Path
) -> None:
    """Of two columns each, none with a name that says it, the ones that were named are read."""
    chance = random.Random(draw)
    a, b, text, other, seed, arm = names(chance, 6)
    columns = {a: DATA[:3], b: DATA[3:], text: ["p", "q", "r"], other: ["x"] * 3,
               seed: [5, 6, 7], arm: ["u", "v", "w"]}  # fmt: skip
    order = chance.sample(list(columns), 6)
    path = form(tmp_path, pa.table({n: columns[n] for n in order}))
    with pytest.raises(UserError, match="--columns image=NAME"):
        imported.read(path).items()
    for first, image in ((0, a), (3, b)):
        which = chosen([f"image={image},caption={text}", f"seed={seed},arm={arm}"])
        assert which == of_text(which.text)
        assert read(path, which) == [("p", 5, "u"), ("q", 6, "v"), ("r", 7, "w")]
        source = find(path, which)
        items = [i for unit in source.units() for i in source.read(unit)]
        assert [i.entry.caption for i in items] == ["p", "q", "r"]
        later = again(path, which)
        for item, right in zip(items, SOME[first:], strict=False):
            np.testing.assert_array_equal(item.picture, right)
            np.testing.assert_array_equal(later.image(item.entry.id), right)


@pytest.mark.parametrize("form", FORMS)
def test_another_column_is_another_set(
    form: Callable[[Path, pa.Table], Path], tmp_path: Path
) -> None:
    """Nothing that was made of one column is taken for what another one holds."""
    path = form(tmp_path, pa.table({"a": DATA[:3], "b": DATA[3:], "text": ["t"] * 3}))
    by_column = [chosen([f"image={c}"]) for c in "ab"]
    units = [find(path, c).units() for c in by_column]
    assert units[0] != units[1]
    keys = [imported.key(imported.read(path, None, c)) for c in by_column]
    assert keys[0] != keys[1]


WRITERS: dict[str, Callable[[Path, list[dict[str, Any]]], None]] = {
    "csv": lambda path, rows: _csv(path, rows),
    "jsonl": lambda path, rows: _text(path, "".join(json.dumps(r) + "\n" for r in rows)),
    "parquet": lambda path, rows: parquet.write_table(pa.Table.from_pylist(rows), path),
}


def _text(path: Path, text: str) -> None:
    path.write_text(text, "utf-8")


def _csv(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.DictWriter(file, list(rows[0]))
        out.writeheader()
        out.writerows(rows)


@pytest.mark.parametrize("ending", WRITERS)
@pytest.mark.parametrize("beside", [True, False])
@pytest.mark.parametrize("draw", range(3))
def test_named_columns_of_tables_of_captions(
    draw: int, beside: bool, ending: str, tmp_path: Path
) -> None:
    """In the folder and given, also where usual names are there, and mean something else."""
    chance = random.Random(draw)
    file, text, seed = names(chance, 3)
    made.folder(tmp_path / "set", SOME[:3])
    rows = [{file: f"{i:03d}.png", text: f"prompt {i}", seed: 7 + i, "Prompt": "no",
             "name": f"{i:03d}.png"}
            for i in range(3)]  # fmt: skip
    table = (tmp_path / "set" if beside else tmp_path) / f"metadata.{ending}"
    WRITERS[ending](table, rows)
    which = chosen([f"image={file},caption={text},seed={seed}"])
    found = imported.read(tmp_path / "set", None if beside else table, which)
    assert [(p.text, p.seed) for p in found.items()] == [(f"prompt {i}", 7 + i) for i in range(3)]
    (note,) = found.notes()
    assert "not read: 'Prompt', 'name'" in note
    for what in ("image", "caption"):
        with pytest.raises(UserError, match=r"has no column 'absent'.*the columns are"):
            imported.read(tmp_path / "set", None if beside else table, chosen([f"{what}=absent"]))


def test_what_is_named_and_missing(tmp_path: Path) -> None:
    """A column, a column of another type, a table, a split: each with what there is."""
    path = tmp_path / "x.parquet"
    parquet.write_table(pa.table({"a": DATA[:3], "n": [1, 2, 3]}), path)
    for which, said in (
        (["image=b"], r"x\.parquet has no column 'b'.*the columns are 'a', 'n'"),
        (["image=a,caption=c"], "has no column 'c'"),
        (["image=n"], r"'n' of .*contains int64, not image bytes"),
    ):
        with pytest.raises(UserError, match=said):
            find(path, chosen(which))
    folder = made.folder(tmp_path / "f", SOME[:1])
    with pytest.raises(UserError, match="has no table of captions"):
        find(folder, chosen(["caption=a"]))
    with pytest.raises(UserError, match="has no splits"):
        find(folder, chosen([], "train"))
    vectors = made.embeddings(tmp_path / "e", np.eye(3, dtype=np.float32), 1)
    with pytest.raises(UserError, match="contains embeddings"):
        find(vectors, chosen([], "train"))


@pytest.mark.parametrize(
    ("columns", "said"),
    [("a", "not a valid choice"), ("picture=a", "not a valid choice"), ("image=", "not a valid"),
     ("image=a,image=b", "names image twice"), ("image=a,,caption=b,image=c", "names image twice")],
)  # fmt: skip
def test_words_that_are_not_a_choice(columns: str, said: str) -> None:
    """Each in a sentence."""
    with pytest.raises(UserError, match=said):
        chosen([columns])


@pytest.mark.parametrize("form", ["shards", "folders", "saved", "tars", "custom"])
def test_one_split_alone(form: str, tmp_path: Path) -> None:
    """Of every layout that has splits, whatever its capitals; others are listed in the error."""
    root, sizes = tmp_path / "set", {"train": 3, "test": 2}
    if form == "custom":
        sizes = {"photos_hd": 3, "photos": 2}
    for split, count in sizes.items():
        some = SOME[:count]
        if form in ("shards", "custom"):
            made.parquet_file(root / "data" / f"{split}-00000-of-00001.parquet", some)
        elif form == "folders":
            made.parquet_file(root / split / "0000.parquet", some)
        elif form == "saved":
            made.saved(root / split, some, 1)
            (root / "dataset_dict.json").write_text(json.dumps({"splits": list(sizes)}))
        else:
            made.tar(root / f"{split}-0.tar", some)
    for split, count in sizes.items():
        found = find(root, chosen([], split.upper()))
        assert sum(1 for u in found.units() for _ in found.read(u)) == count
        assert not [n for n in found.notes() if "splits" in n]
    known = ", ".join(repr(s) for s in sorted(sizes))
    with pytest.raises(UserError, match=f"no split 'dev'.*its splits are {known}"):
        find(root, chosen([], "dev"))


@pytest.mark.slow
def test_an_index_keeps_what_was_named(tmp_path: Path) -> None:
    """A split and a column, and another split of the same dataset held out; no other replaces them.

    The index shows images of the column that it was made of.
    """
    import audit
    from audit.evidence.copies import training_set

    for split, some in (("train", SOME[:3]), ("test", SOME[3:])):
        files = [pixels.png(p) for p in some]
        table = pa.table({"a": [*reversed(files)], "b": files, "words": [f"{split} words"] * 3})
        path = tmp_path / "set" / f"{split}-00000-of-00001.parquet"
        path.parent.mkdir(exist_ok=True)
        parquet.write_table(table, path)
    words = "image=b,caption=words"

    def index(columns: str, split: str) -> Path:
        return audit.index(
            tmp_path / "set", tmp_path / "index", columns=columns, split=split, descriptor="phash",
            held_out=tmp_path / "set", held_out_split="test",
        )  # fmt: skip

    index(words, "train")
    opened = training_set.at(index(words, "train"), None, lambda name: pytest.fail(name))
    ids = [f"train-00000-of-00001.parquet/{i}" for i in range(3)]
    for id, right in zip(ids, SOME, strict=False):
        np.testing.assert_array_equal(opened.image(id), right)
    for columns, split in (("image=a,caption=words", "train"), (words, "test")):
        with pytest.raises(UserError, match=r"which those of .* would replace"):
            index(columns, split)
