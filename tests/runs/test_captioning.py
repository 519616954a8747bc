"""`captions`: a suite of captions of both sides of an index."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from audit.cli import main as cli
from audit.datasets.find import find
from audit.design.suites import read_suite
from audit.errors import UserError
from audit.evidence.copies.index import build
from audit.evidence.encoders import named
from audit.runs import captioning
from tests.evidence.copies import made


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
    suite = read_suite(tmp_path / "captions.toml")
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
