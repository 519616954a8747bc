"""Pictures in folders, tars and Parquet tables, with prompts from everywhere."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from audit.datasets import pixels
from audit.design.imported import pictures as imported
from audit.errors import UserError
from tests.datasets.test_prompts import png


def picture(seed: int) -> np.ndarray:
    """Random pixels, uint8[8, 8, 3]."""
    return np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)


def test_a_folder_takes_prompts_in_order_of_trust(tmp_path: Path) -> None:
    """The table goes first, then the text file next to it, then the file's own, then its name."""
    for i, name in enumerate(("a.png", "b.png", "d e 1.png", "0007.png")):
        (tmp_path / name).write_bytes(pixels.png(picture(i)))
    (tmp_path / "c.png").write_bytes(png(parameters="from the file\nSteps: 4"))
    (tmp_path / "b.txt").write_text("from beside\n")
    (tmp_path / "a.txt").write_text("not this")
    (tmp_path / "metadata.csv").write_text("file_name,text,seed\na.png,from the table,9\n")
    found = {i.name: i for i in imported.read(tmp_path).items()}
    assert {n: (i.text, i.source) for n, i in found.items()} == {
        "a.png": ("from the table", "table"), "b.png": ("from beside", "sidecar"),
        "c.png": ("from the file", "metadata"), "d e 1.png": ("d e", "name"),
        "0007.png": (None, "nowhere"),
    }  # fmt: skip
    assert found["a.png"].seed == 9
    assert np.array_equal(imported.read(tmp_path).image("b.png"), picture(1))


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_a_table_given_by_hand(tmp_path: Path, suffix: str) -> None:
    """CSV and JSON lines, files named by path or by name alone, arms and seeds."""
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "1.png").write_bytes(pixels.png(picture(0)))
    rows = [{"file": "x/1.png", "prompt": "a  nurse", "seed": 3, "arm": "inject"}]
    table = tmp_path / f"t{suffix}"
    if suffix == ".csv":
        pd.DataFrame(rows).to_csv(table, index=False)
    else:
        table.write_text("".join(json.dumps(r) + "\n" for r in rows))
    (item,) = imported.read(tmp_path, table).items()
    assert (item.text, item.seed, item.arm) == ("a nurse", 3, "inject")


@pytest.mark.parametrize(
    ("name", "body", "said"),
    [
        ("t.csv", "text\na nurse\n", "line 1: no column of file names"),
        ("t.jsonl", '{"file_name": "a.png"\n', "line 1 is not JSON"),
        ("t.jsonl", '{"file_name": "a.png", "seed": "x"}\n', "not a whole number"),
        ("t.jsonl", "[1]\n", "not a JSON object"),
    ],
)
def test_a_wrong_table_is_one_sentence(tmp_path: Path, name: str, body: str, said: str) -> None:
    """File and line are named."""
    (tmp_path / "a.png").write_bytes(pixels.png(picture(0)))
    (tmp_path / name).write_text(body)
    with pytest.raises(UserError, match=said):
        imported.read(tmp_path, tmp_path / name).items()


def tar(path: Path, files: dict[str, bytes], mode: str = "w") -> Path:
    """A tar with these files."""
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_a_tar_in_webdataset_form(tmp_path: Path, mode: str) -> None:
    """Keys join pictures with `.txt` or `.json`; nothing leaves the archive."""
    path = tar(
        tmp_path / "shard.tar",
        {
            "000/1.png": pixels.png(picture(1)), "000/1.txt": b"a nurse",
            "000/2.png": pixels.png(picture(2)), "000/2.json": b'{"caption": "a judge"}',
            "../../escape.png": pixels.png(picture(3)), "readme.md": b"hello",
        },
        mode,
    )  # fmt: skip
    pictures = imported.read(path)
    texts = {i.name: i.text for i in pictures.items()}
    assert texts == {"000/1.png": "a nurse", "000/2.png": "a judge", "../../escape.png": "escape"}
    assert np.array_equal(pictures.image("000/2.png"), picture(2))
    assert not (tmp_path.parent.parent / "escape.png").exists()


def test_a_damaged_picture_in_a_tar_is_unreadable(tmp_path: Path) -> None:
    """It is listed, and reading it says so."""
    whole = pixels.png(picture(1))
    pictures = imported.read(tar(tmp_path / "s.tar", {"a nurse.png": whole[:40]}))
    assert [i.text for i in pictures.items()] == ["a nurse"]
    with pytest.raises(pixels.Unreadable):
        pictures.image("a nurse.png")


@pytest.mark.parametrize("form", ["bytes", "struct"])
def test_a_parquet_table(tmp_path: Path, form: str) -> None:
    """Image bytes, plain or in the struct that data sets use, over several row groups."""
    data = [pixels.png(picture(i)) for i in range(7)]
    structs = [{"bytes": d, "path": f"{i}.png"} for i, d in enumerate(data)]
    texts = [f"prompt {i}" for i in range(7)]
    cells = data if form == "bytes" else structs
    frame = pd.DataFrame({"image": cells, "prompt": texts, "seed": range(7)})
    frame.to_parquet(tmp_path / "t.parquet", row_group_size=3)
    pictures = imported.read(tmp_path / "t.parquet")
    assert [(i.text, i.seed) for i in pictures.items()] == [(f"prompt {i}", i) for i in range(7)]
    for i in (6, 0, 4):
        assert np.array_equal(pictures.image(str(i)), picture(i))


def test_a_parquet_table_with_prompts_in_its_pictures(tmp_path: Path) -> None:
    """Without a text column the pictures' own metadata is read."""
    frame = pd.DataFrame({"image": [png(parameters="a nurse\nSteps: 3"), b"broken"]})
    frame.to_parquet(tmp_path / "t.parquet")
    items = imported.read(tmp_path / "t.parquet").items()
    assert [(i.text, i.source) for i in items] == [("a nurse", "metadata"), (None, "nowhere")]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda p: p / "nothing", "There is nothing at"),
        (lambda p: p, "contains no images"),
        (lambda p: (p / "x.zip", (p / "x.zip").write_bytes(b"PK"))[0], "not a tar or a Parquet"),
        (lambda p: tar(p / "x.tar", {"a.txt": b"x"}), "holds no images"),
    ],
)  # fmt: skip
def test_a_place_without_pictures_is_one_sentence(
    tmp_path: Path, make: Callable[[Path], Path], said: str
) -> None:
    """The message says what is there and what to give."""
    with pytest.raises(UserError, match=said):
        imported.read(make(tmp_path)).items()


def test_what_is_left_out_has_its_prompt(tmp_path: Path) -> None:
    """From the text next to it, or from inside it."""
    (tmp_path / "a.png").write_bytes(png(parameters="a nurse\nSteps: 4, Seed: 1"))
    (tmp_path / "grid-0000.png").write_bytes(png(parameters="a nurse\nSteps: 4, Seed: 1"))
    (tmp_path / "b.heic").write_bytes(b"x")
    (tmp_path / "b.txt").write_text("a judge")
    (tmp_path / "._a.png").write_bytes(b"x")
    found = imported.read(tmp_path)
    assert [i.name for i in found.items()] == ["a.png"]
    assert {x.file: x.prompt for x in found.left_out()} == {
        "._a.png": "", "b.heic": "a judge", "grid-0000.png": "a nurse",
    }  # fmt: skip


def test_links_that_leave_the_folder_are_left_out(tmp_path: Path) -> None:
    """A link to a picture outside is not read."""
    (tmp_path / "in").mkdir()
    (tmp_path / "secret.png").write_bytes(pixels.png(picture(0)))
    (tmp_path / "in" / "a nurse.png").write_bytes(pixels.png(picture(1)))
    (tmp_path / "in" / "link.png").symlink_to(tmp_path / "secret.png")
    assert [i.name for i in imported.read(tmp_path / "in").items()] == ["a nurse.png"]
