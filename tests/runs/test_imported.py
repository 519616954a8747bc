"""Runs over images made elsewhere: what depicts nothing gets no class, and every file is named."""

from __future__ import annotations

import csv
import io
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

import audit
from audit.cli import main as cli
from audit.runs import labelling
from audit.store import RunFolder
from audit.view.desk import Desk
from audit.world.dataset import balanced
from tests.builders.suites import small

CASES = Path(__file__).parent.parent / "cases"
PROMPT = "a photo of a nurse"

pytestmark = pytest.mark.slow


def colours(folder: Path) -> None:
    """Images of one colour, as PNG, JPEG and 16-bit grey."""
    shutil.copy(CASES / "black" / "0.png", folder / f"{PROMPT}_4.png")
    Image.new("RGB", (64, 64), (128, 128, 128)).save(folder / f"{PROMPT}_5.jpg", quality=60)
    Image.fromarray(np.full((64, 64), 9000, np.uint16)).save(folder / f"{PROMPT}_6.png")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> audit.Result:
    """Five women, three blank images, a damaged one, a stranger and a hidden file."""
    root = tmp_path_factory.mktemp("run")
    folder = root / "pics"
    folder.mkdir()
    people = [(i, i.scene.sprite) for i in balanced((1, 1), 80)]
    women = [i for i, p in people if p is not None and p.gender == "woman"]
    for i in range(4):
        Image.fromarray(women[i].pixels()).save(folder / f"{i:05d}.png")
        (folder / f"{i:05d}.txt").write_text(PROMPT)
    colours(folder)
    (folder / f"{PROMPT}_7.png").write_bytes(b"\x89PNG\r\n\x1a\ncut")
    Image.fromarray(women[5].pixels()).save(folder / "a dragon_1.png")
    Image.fromarray(women[6].pixels()).save(folder / f"{PROMPT}_9.png")
    (folder / f"._{PROMPT}_8.png").write_bytes(b"AppleDouble")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        return audit.run(
            str(small(root / "s")), images="pics", out=root / "out", validation=60, training=0,
            classifier="embedded-classifier", descriptor="embedded-copy",
        )  # fmt: skip


def test_blank_images_are_missing_and_have_no_class(made: audit.Result) -> None:
    """A black image was read as a man."""
    table = made.attributes[made.attributes.attribute == "gender"]
    assert table.outcome.value_counts().to_dict() == {"label": 5, "blocked": 3, "unreadable": 1}
    share = made.findings.set_index("name").loc["representation.nurse.gender.share.woman"]
    assert (share.n, share.missing) == (5, 4)
    assert share.naive == 1 or share.estimate > 0.9


def test_everything_left_out_is_listed(made: audit.Result) -> None:
    """File, reason, and the prompt that was seen; a note counts them."""
    rows = list(csv.DictReader((made.folder / "left_out.csv").read_text("utf-8").splitlines()))
    colour = "one colour, as safety checkers and failed decoders leave it"
    assert {r["file"]: (r["reason"], r["prompt"]) for r in rows} == {
        f"._{PROMPT}_8.png": ("a hidden file", ""),
        "a dragon_1.png": ("the suite does not contain its prompt", "a dragon"),
        f"{PROMPT}_4.png": (colour, PROMPT), f"{PROMPT}_5.jpg": (colour, PROMPT),
        f"{PROMPT}_6.png": (colour, PROMPT),
        f"{PROMPT}_7.png": (rows[-1]["reason"], PROMPT),
    }  # fmt: skip
    page = made.report.read_text("utf-8")
    assert "1 file was left out" in page
    assert "left_out.csv" in page


def test_every_image_is_connected_with_its_file(made: audit.Result, tmp_path: Path) -> None:
    """In samples, exports, the sheet and `view`; a sheet hides names that say the prompt."""
    files = made.samples.set_index("id").file
    assert sorted(files)[:4] == [f"0000{i}.png" for i in range(4)]
    export = ["export", str(made.folder), "-o", str(tmp_path / "x")]
    assert CliRunner().invoke(cli.app, export).exit_code == 0
    table = pd.read_csv(tmp_path / "x" / "attributes.csv")
    assert (table.file == table["sample"].map(files)).all()
    copy = RunFolder(Path(shutil.copytree(made.folder, tmp_path / "run")))
    assert dict(Desk(copy).open().table.files) == dict(files)
    sheet = Path(labelling.write_sheet(copy, 8, ["gender"], 0, everything=True)["sheet"])
    rows = list(csv.DictReader(io.StringIO(sheet.read_text("utf-8"))))
    assert {r["file"] for r in rows} == {"", *(f"0000{i}.png" for i in range(4))}
    assert all(r["file"] in ("", files[r["sample"]]) for r in rows)


def test_a_run_finds_its_images_from_elsewhere(
    made: audit.Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was made with a relative path; and when they move, an option says where to."""
    monkeypatch.chdir(tmp_path)
    run = Path(shutil.copytree(made.folder, tmp_path / "run"))
    ask = ["report", str(run), "-o", str(tmp_path / "r.html")]
    assert CliRunner().invoke(cli.app, ask).exit_code == 0
    whole = (tmp_path / "r.html").read_bytes()
    results = run / "results.json"
    results.write_text(results.read_text().replace('/pics"', '/gone"'))
    moved = shutil.copytree(made.folder.parent.parent / "pics", tmp_path / "new")
    failed = CliRunner().invoke(cli.app, ask)
    assert "--images" in str(failed.exception)
    assert CliRunner().invoke(cli.app, [*ask, "--images", str(moved)]).exit_code == 0
    assert (tmp_path / "r.html").read_bytes() == whole


def test_seeds_that_are_not_unique_pair_nothing(tmp_path: Path) -> None:
    """All -1: `compare` paired one image and dropped three."""
    runs = []
    for name in "ab":
        shutil.copytree(CASES / "seeds", tmp_path / name)
        for i in range(4):
            pixels = np.random.default_rng([i, ord(name)]).integers(0, 256, (16, 16, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{i}.png")
        runs.append(audit.run(str(small(tmp_path / "s")), images=tmp_path / name,
                              out=tmp_path / "out", validation=60,
                              classifier="embedded-classifier"))  # fmt: skip
        assert runs[-1].attributes.seed.isna().all()
        assert "4 images have a negative seed" in runs[-1].report.read_text("utf-8")
    both = audit.compare(*runs, out=tmp_path / "out")
    assert any("Without given seeds" in n for n in both.notes)
    assert "pairs" not in set(both.findings.counted)
