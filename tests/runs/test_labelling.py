"""The sheet on disk: written blind, read back checked, never overwritten."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from audit.cli.main import app
from audit.errors import UserError
from audit.evidence.labels import sheet
from audit.keys import ATTRIBUTE_COLUMNS
from audit.runs import labelling
from audit.store import RunFolder


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """A small finished run: 30 images with readings of one attribute."""
    folder = RunFolder(tmp_path / "run")
    rng = np.random.default_rng(3)
    rows = []
    for i in range(30):
        id = f"{i:020x}"
        folder.write_image(id, rng.integers(0, 255, (16, 16, 3), dtype=np.uint8))
        value = "woman" if i % 3 == 0 else "man"
        rows.append((id, "p", "nurse", "none", i, "gender", "label", value, 0.9))
    path = folder.write_table(
        "attributes", "k", pd.DataFrame(rows, columns=list(ATTRIBUTE_COLUMNS))
    )
    folder.write_results(
        {"tables": {"attributes": path.name}, "classes": {"gender": ["woman", "man"]},
         "command": "t2i-audit run x", "pictures": {}, "images": ""}
    )  # fmt: skip
    return folder


def fill(path: Path, values: list[str], rater: str = "", out: Path | None = None) -> Path:
    """Fill the column `value` as a person would."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row, value in zip(rows, values, strict=False):
        row["value"], row["rater"] = value, rater
    target = out or path
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(sheet.COLUMNS))
        writer.writeheader()
        writer.writerows(rows)
    return target


def test_people_may_name_the_subject_too(run: RunFolder) -> None:
    """The subject's own attribute is labelled where it is asked for, and left out otherwise."""
    results = run.results()
    results["subject_classes"] = {"occupation": ["nurse", "judge"]}
    run.write_results(results)
    table = run.read_table("attributes")
    more = table.assign(attribute="occupation", value="nurse")
    path = run.write_table("attributes", "k2", pd.concat([table, more], ignore_index=True))
    run.write_results({**results, "tables": {"attributes": path.name}})
    made = labelling.write_sheet(run, 6, ["occupation"], 0)
    sheet_ = fill(Path(made["sheet"]), ["Judge"] * 6, "a")
    assert labelling.read_back(run, [sheet_])["labels"] == 6
    assert labelling.classes_of({"classes": {"gender": ["woman", "man"]}}) == {
        "gender": ["woman", "man"]
    }


def test_the_sheet_is_blind_and_the_page_shows_its_pictures(run: RunFolder) -> None:
    """Neither file shows the classifier's label; the page has an image for each row."""
    made = labelling.write_sheet(run, 12, [], 0)
    page = Path(made["path"]).read_text("utf-8")
    rows = list(csv.DictReader(Path(made["sheet"]).read_text("utf-8").splitlines()))
    assert len(rows) == made["pictures"] == 12
    assert page.count("<img ") == 12
    assert {r["value"] for r in rows} == {""}
    assert "http" not in page.replace("http-equiv", "")


def test_labels_come_back_with_their_draw(run: RunFolder) -> None:
    """Labels are kept with raters and reasons; blanks are not labels."""
    made = labelling.write_sheet(run, 10, [], 0)
    fill(Path(made["sheet"]), ["Woman", "man ", "no person", "uncertain", ""], "ab")
    said = labelling.read_back(run, [Path(made["sheet"])])
    assert (said["labels"], said["raters"]) == (4, 1)
    kept = labelling.labels(run)
    assert kept is not None
    judged, drawn = kept
    assert list(judged.outcome) == ["label", "label", "no person", "uncertain"]
    assert list(judged.value)[:2] == ["woman", "man"]
    assert judged.value.isna().sum() == 2
    assert sum(s.drawn for s in drawn.strata) == 10


def test_a_sheet_for_each_rater(run: RunFolder, tmp_path: Path) -> None:
    """Copies without initials count as separate raters; majority decides, a tie is uncertain."""
    made = Path(labelling.write_sheet(run, 6, [], 0)["sheet"])
    paths = [
        fill(made, words, out=tmp_path / f"{i}.csv")
        for i, words in enumerate((["woman", "man"], ["woman", "woman"], ["man", "uncertain"]))
    ]
    assert labelling.read_back(run, paths)["raters"] == 3
    kept = labelling.labels(run)
    assert kept is not None
    settled = sheet.settle(kept[0]).set_index("sample")
    order = kept[1].rows["sample"]
    assert settled.loc[order[0], "value"] == "woman"
    assert settled.loc[order[1], "outcome"] == "uncertain"


def test_two_raters_are_told_how_far_they_agree(run: RunFolder, tmp_path: Path) -> None:
    """Kappa, its limits and the images that both labelled, when the sheets are read back."""
    made = Path(labelling.write_sheet(run, 20, [], 0)["sheet"])
    one = ["woman", "man"] * 8 + ["", "uncertain"]
    two = ["woman", "man"] * 6 + ["man", "woman"] * 2 + ["man", "man"]
    paths = [str(fill(made, words, r, tmp_path / f"{r}.csv")) for r, words in
             (("ab", one), ("cd", two))]  # fmt: skip
    read = ["label", str(run.path), "--read", paths[0], "--read", paths[1]]
    found = json.loads(CliRunner().invoke(app, [*read, "--json"]).stdout)
    agreed = {a["id"].split("/")[1]: a for a in found["agreement"]}
    assert agreed["equal-labels"]["estimate"] == pytest.approx(12 / 16)
    assert agreed["kappa"]["estimate"] == pytest.approx(0.5)
    assert agreed["kappa"]["low"] < 0.5 < agreed["kappa"]["high"]
    assert agreed["kappa"]["images"] == 16
    said = CliRunner().invoke(app, read)
    assert "beyond chance, with kappa = 0.50 [" in said.stderr
    assert said.stdout == f"{found['path']}\n"
    alone = CliRunner().invoke(app, [*read[:4], "--json"])
    assert json.loads(alone.stdout)["agreement"] == []


def test_labels_that_people_gave_are_never_overwritten(run: RunFolder) -> None:
    """The same draw leaves the sheet unchanged; another draw is refused while it exists."""
    made = Path(labelling.write_sheet(run, 6, [], 0)["sheet"])
    fill(made, ["woman"])
    before = made.read_bytes()
    labelling.write_sheet(run, 6, [], 0)
    assert made.read_bytes() == before
    with pytest.raises(UserError, match="another draw"):
        labelling.write_sheet(run, 6, [], 1)
    assert made.read_bytes() == before


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("wommen", "line 2.*Did you mean woman"),
        ("", "no filled cell"),
    ],
)
def test_mistakes_on_the_sheet_name_their_line(run: RunFolder, cell: str, message: str) -> None:
    """A word that is neither class nor reason is refused with its position."""
    made = Path(labelling.write_sheet(run, 6, [], 0)["sheet"])
    fill(made, [cell])
    with pytest.raises(UserError, match=message):
        labelling.read_back(run, [made])


def test_sheets_of_semicolons_are_read(run: RunFolder, tmp_path: Path) -> None:
    """Spreadsheets in many countries write them, with a byte-order mark."""
    made = Path(labelling.write_sheet(run, 6, [], 0)["sheet"])
    fill(made, ["woman"])
    other = tmp_path / "s.csv"
    other.write_text("\ufeff" + made.read_text("utf-8").replace(",", ";"), "utf-8")
    assert labelling.read_back(run, [other])["labels"] == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("number,sample,attribute\n1,a,gender\n", "lacks the column 'value'"),
        ("number,sample,attribute,value\n1,zzz,gender,man\n", "not on this run's sheet"),
    ],
)
def test_other_tables_are_refused(run: RunFolder, tmp_path: Path, text: str, message: str) -> None:
    """Only this run's own sheet can be read back into it."""
    labelling.write_sheet(run, 6, [], 0)
    path = tmp_path / "other.csv"
    path.write_text(text, "utf-8")
    with pytest.raises(UserError, match=message):
        labelling.read_back(run, [path])


def test_the_command_goes_through_a_whole_labelling(run: RunFolder) -> None:
    """Write, fill, read: each step says what comes next, and mistakes exit with 2."""
    runner = CliRunner()
    wrong = runner.invoke(app, ["label", str(run.path), "--attribute", "gendr"])
    assert "Did you mean gender" in str(wrong.exception)
    made = runner.invoke(app, ["label", str(run.path), "-n", "6", "--json"])
    where = json.loads(made.stdout)
    early = runner.invoke(app, ["label", str(run.path), "--read", "none.csv"])
    assert "no sheet none.csv" in str(early.exception)
    fill(Path(where["sheet"]), ["man"] * 6)
    done = runner.invoke(app, ["label", str(run.path), "--read", where["sheet"], "--json"])
    assert json.loads(done.stdout)["labels"] == 6
    assert "t2i-audit run x" in json.loads(done.stdout)["next"]


def test_a_folder_without_a_run_is_said_so(tmp_path: Path) -> None:
    """Labelling needs a finished run."""
    with pytest.raises(UserError, match="no finished run"):
        labelling.write_sheet(RunFolder(tmp_path), 6, [], 0)


def hurt(path: Path, how: str) -> None:
    """Damage a file as a cut, a flipped bit, zeros, another text or another form do."""
    data = path.read_bytes()
    half = len(data) // 2
    lines = data.splitlines(keepends=True)
    path.write_bytes(
        {
            "cut": data[:half], "line": b"".join(lines[:-2]), "zeros": data[:half] + bytes(half),
            "flip": data[:half] + bytes([data[half] ^ 1]) + data[half + 1 :], "empty": b"",
            "garbage": b"\xff\xfe\x00\x80" * 9, "list": b"[]", "deep": b"[" * 100_000,
        }[how]
    )  # fmt: skip


HURTS = ["cut", "line", "zeros", "flip", "empty", "garbage", "list", "deep"]


@pytest.mark.parametrize("how", HURTS)
@pytest.mark.parametrize("name", ["labels.csv", "labels.json"])
def test_damaged_labels_are_a_sentence(run: RunFolder, how: str, name: str) -> None:
    """Never fewer labels without a word; reading the sheets back mends it."""
    path = Path(labelling.write_sheet(run, 6, [], 0)["sheet"])
    fill(path, ["woman"] * 6, "a")
    labelling.read_back(run, [path])
    hurt(run.label_file(name), how)
    with pytest.raises(UserError, match="--read FILE"):
        labelling.labels(run)
    labelling.read_back(run, [path])
    assert labelling.labels(run) is not None


@pytest.mark.parametrize("how", HURTS)
def test_a_damaged_draw_is_drawn_again(run: RunFolder, how: str) -> None:
    """From the table and the sheet: nobody's labels are lost, and the strata are the same."""
    path = Path(labelling.write_sheet(run, 10, [], 0)["sheet"])
    fill(path, ["woman"] * 10, "a")
    labelling.read_back(run, [path])
    record = run.label_file(labelling.RECORD)
    before = record.read_bytes()
    hurt(record, how)
    found = labelling.labels(run)
    assert found is not None
    assert len(found[0]) == 10
    assert record.read_bytes() == before
    record.unlink()
    assert labelling.drawn_of(run).strata == found[1].strata


@pytest.mark.parametrize("how", HURTS)
def test_a_damaged_draw_of_another_seed_is_drawn_by_its_own(run: RunFolder, how: str) -> None:
    """The command that drew it writes the record again and leaves the sheet as it is."""
    path = Path(labelling.write_sheet(run, 10, [], 7)["sheet"])
    fill(path, ["woman"] * 10, "a")
    filled, record = path.read_bytes(), run.label_file(labelling.RECORD)
    before = record.read_bytes()
    hurt(record, how)
    with pytest.raises(UserError, match="--n, --seed"):
        labelling.read_back(run, [path])
    with pytest.raises(UserError, match="sheet of another draw"):
        labelling.write_sheet(run, 10, [], 6)
    labelling.write_sheet(run, 10, [], 7)
    assert record.read_bytes() == before
    assert path.read_bytes() == filled
    assert labelling.read_back(run, [path])["labels"] == 10


@pytest.mark.parametrize("how", ["cut", "zeros", "garbage", "empty", "list"])
def test_a_damaged_sheet_is_a_sentence(run: RunFolder, how: str) -> None:
    """It is not taken for the blank one that was asked for, and not written over."""
    path = Path(labelling.write_sheet(run, 10, [], 0)["sheet"])
    hurt(path, how)
    with pytest.raises(UserError, match="sheet is damaged"):
        labelling.write_sheet(run, 10, [], 0)


def test_words_on_sheets_are_folded_and_refused_at_once(run: RunFolder) -> None:
    """Capitals, synonyms and invisible characters are read; words for no answer are collected."""
    path = Path(labelling.write_sheet(run, 10, [], 0)["sheet"])
    fill(path, ["FEMALE", "\u200bman ", "No Person", "m", "nobody"], "AB")
    said = labelling.read_back(run, [path])
    assert (said["labels"], said["unlabelled"]) == (5, 5)
    found = labelling.labels(run)
    assert found is not None
    assert found[0].value.fillna("").tolist() == ["woman", "man", "", "man", ""]
    fill(path, ["N/A", "woman", "-", "N/A", "wman"], "AB")
    with pytest.raises(UserError, match=r"line 6.*Did you mean woman.*'N/A' 2 times, '-' once"):
        labelling.read_back(run, [path])
    other = fill(path, ["woman"] * 10, "ab", path.with_name("o.csv"))
    fill(path, ["woman"] * 10, "AB")
    with pytest.raises(UserError, match="by the same rater"):
        labelling.read_back(run, [path, other])


@pytest.mark.parametrize(
    "classes", [None, [], {"gender": "woman"}, {"gender": [1, 2]}, {"a": None}]
)
def test_results_of_another_form_are_a_sentence(run: RunFolder, classes: object) -> None:
    """Valid JSON whose lists of classes are something else."""
    run.write_results({**run.results(), "classes": classes})
    with pytest.raises(UserError, match=r"results\.json is damaged: .* Run the same"):
        labelling.write_sheet(run, 6, [], 0)


def test_the_next_command_can_be_pasted(run: RunFolder, tmp_path: Path) -> None:
    """A folder's name is quoted for the shell."""
    odd = run.path.rename(tmp_path / "x; rm -rf y")
    made = labelling.write_sheet(RunFolder(odd), 6, [], 0)
    assert f"'{odd}' --read '{odd}/labels/sheet.csv'" in made["next"]


def test_an_attribute_that_is_gone_is_a_sentence(run: RunFolder) -> None:
    """A sheet of a suite that read more than the run does now."""
    path = Path(labelling.write_sheet(run, 6, [], 0)["sheet"])
    fill(path, ["woman"] * 6)
    run.write_results({**run.results(), "classes": {"age": ["young", "old"]}})
    with pytest.raises(UserError, match="line 2: this run no longer reads gender"):
        labelling.read_back(run, [path])
