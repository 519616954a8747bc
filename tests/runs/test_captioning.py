"""`captions`: a suite of captions of both sides of an index."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from audit.cli import main as cli
from audit.datasets import pixels
from audit.datasets.find import find
from audit.design.suites import read_suite
from audit.errors import UserError
from audit.evidence.copies.index import build
from audit.evidence.encoders import named
from audit.runs import captioning
from audit.store import RunFolder
from tests.evidence.copies import made


class Semantic(made.Thumbnail):
    """A descriptor that says of itself that it is of what images show."""

    key = "semantic-thumbnail"
    semantic = True


NAME = f"{__name__}:Semantic"


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve training and nine held-out images; three captions are of several, one has no words."""
    root = tmp_path_factory.mktemp("captions")
    texts = {
        "train": [*(f"A red cat, {i}" for i in range(8)), "a dog", "A DOG!", "a bird", "?"],
        "held": [*(f"a blue cat {i}" for i in range(7)), "a bird", "a red cat 0"],
    }
    for side, captions in texts.items():
        made.folder(root / side, made.pictures(len(captions), len(side)))
        for i, text in enumerate(captions):
            (root / side / f"{i:03d}.txt").write_text(text)
    sides = {"train": find(root / "train"), "held": find(root / "held")}
    build(sides, named.named("pixels"), root / "idx", how={"descriptor": "pixels"})
    return root / "idx"


def test_captions_of_both_sides_are_drawn_alike(index: Path, tmp_path: Path) -> None:
    """Six of each of those that one image has; held-out ones are held 0 times; a suite is read."""
    told = CliRunner().invoke(
        cli.app, ["captions", str(index), "-o", str(tmp_path), "-n", "6", "--json"]
    )
    assert told.exit_code == 0, told.output
    assert json.loads(told.stdout)["captions_of_each_side"] == 6
    table = pd.read_csv(tmp_path / "captions.csv")
    assert table.repeats.tolist() == [1] * 6 + [0] * 6
    assert table.text[:6].str.match(r"A red cat, [1-7]$").all()
    assert table.text[6:].str.match(r"a blue cat \d$").all()
    assert table.text.is_unique
    suite = read_suite(str(tmp_path / "captions.toml"))
    assert [p.repeats for p in suite.prompts] == [1] * 6 + [0] * 6
    assert {(p.purpose, p.seeds) for p in suite.prompts} == {("replication", 2)}


def test_the_draw_is_the_seeds(index: Path, tmp_path: Path) -> None:
    """The same seed gives the same captions, another one others; all there are where few are."""
    drawn = []
    for i, seed in enumerate((0, 0, 1)):
        suite, size = captioning.write(index, tmp_path / str(i), 5, 3, seed)
        assert size == 5
        drawn.append(suite.with_suffix(".csv").read_text("utf-8"))
    assert drawn[0] == drawn[1] != drawn[2]
    assert captioning.write(index, tmp_path / "all", 100, 1, 0)[1] == 7


def test_without_held_out_captions_there_is_no_suite(index: Path, tmp_path: Path) -> None:
    """An index of one side is refused with what to do."""
    side = find(index.parent / "train")
    build({"train": side}, named.named("pixels"), tmp_path / "idx", how={"descriptor": "pixels"})
    with pytest.raises(UserError, match=r"0 held-out images .* --held-out"):
        captioning.write(tmp_path / "idx", tmp_path, 5, 1, 0)


@pytest.fixture(scope="module")
def obeyed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of 80 images of each side, and a suite of 25 captions of each."""
    root = tmp_path_factory.mktemp("obeyed")
    for i, side in enumerate(("train", "held")):
        made.folder(root / side, made.pictures(80, i))
        for path in (root / side).glob("*.txt"):
            path.write_text(f"{side} {int(path.stem)}")
    sides = {"train": find(root / "train"), "held": find(root / "held")}
    build(sides, Semantic(), root / "idx", how={"descriptor": NAME})
    captioning.write(root / "idx", root, 25, 1, 0)
    return root


@pytest.mark.slow
@pytest.mark.parametrize(
    ("copies", "asked", "verdict"),
    [(0, "", "not found"), (20, "", "found"), (0, "training", "undecided")],
)
def test_a_run_tells_copies_from_obedience(
    obeyed: Path, tmp_path: Path, copies: int, asked: str, verdict: str
) -> None:
    """Images a little like their captions: nothing; twenty copies: found, with a control alone."""
    rng, rows = np.random.default_rng(1), list[tuple[str, str]]()
    for row in pd.read_csv(obeyed / "captions.csv").itertuples():
        if row.id.startswith(asked):
            side, number = row.text.split()
            own = pixels.read(obeyed / side / f"{int(number):03d}.png").astype(float)
            copied = side == "train" and len(rows) < copies
            like = own + rng.normal(0, 45 if copied else 150, own.shape)
            made_ = np.clip(like, 0, 255).astype(np.uint8)
            rows.append((f"{row.id}.png", row.text))
            (tmp_path / rows[-1][0]).write_bytes(pixels.png(made_))
    table = pd.DataFrame(rows, columns=["file_name", "text"])
    table.to_csv(tmp_path / "metadata.csv", index=False)
    told = CliRunner().invoke(
        cli.app,
        ["run", str(obeyed / "captions.toml"), "--images", str(tmp_path), "--corpus",
         str(obeyed / "idx"), "--descriptor", NAME, "--classifier", "embedded-classifier", "-o",
         str(tmp_path / "runs")],
    )  # fmt: skip
    assert told.exit_code == 0, told.output
    found = {f.id: f for f in RunFolder(Path(told.stdout.strip()).parent).findings()}
    rate = found["replication/none/repeats=1"]
    assert rate.verdict == verdict, rate.sentence
    assert ("replication/obedience/none/captions" in found) == (not asked)
    assert rate.n == 25


def test_captions_reach_the_model_as_they_are(tmp_path: Path) -> None:
    """Nothing is put before one that a spreadsheet would run; one with a NUL is left out."""
    texts = {
        "train": ["@home, a cat", "=1+1 cats", "a\0cat", *(f"a red cat {i}" for i in range(5))],
        "held": [f"a blue cat {i}" for i in range(7)],
    }
    for side, captions in texts.items():
        made.folder(tmp_path / side, made.pictures(len(captions), len(side)))
        for i, text in enumerate(captions):
            (tmp_path / side / f"{i:03d}.txt").write_text(text)
    sides = {"train": find(tmp_path / "train"), "held": find(tmp_path / "held")}
    build(sides, named.named("pixels"), tmp_path / "idx", how={"descriptor": "pixels"})
    suite = read_suite(str(captioning.write(tmp_path / "idx", tmp_path / "out", 100, 1, 0)[0]))
    asked = {p.text for p in suite.prompts}
    assert {"@home, a cat", "=1+1 cats"} <= asked
    assert len(asked) == 14
