"""Tables of captions beside images: encodings, separators, cells, names and seeds."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from audit.datasets import captions, metadata, pixels
from audit.datasets.find import pictures
from audit.design.imported import pictures as imported
from audit.errors import UserError

NURSE = "a photo of a nurse"
ONE = pixels.png(np.zeros((4, 4, 3), np.uint8))


def folder(root: Path, *names: str) -> Path:
    """A folder of images with these paths."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(ONE)
    return root


def said(root: Path) -> tuple[dict[str, str], str]:
    """Captions by image as both ways read them, and the notes."""
    source = pictures(root)
    found = {i.entry.id: i.entry.caption for u in source.units() for i in source.read(u)}
    made = imported.read(root)
    other = {i.name: i.text for i in made.items() if i.source in ("table", "sidecar")}
    assert {n: t for n, t in found.items() if t} == other
    return found, " ".join(made.notes())


def write(path: Path, rows: list[dict[str, Any]], separator: str = ",") -> Path:
    """Rows as CSV, JSON lines or Parquet, by the ending."""
    if path.suffix == ".csv":
        text = io.StringIO()
        out = csv.DictWriter(text, list(rows[0]), delimiter=separator, lineterminator="\n")
        out.writeheader()
        out.writerows(rows)
        path.write_text(text.getvalue())
    elif path.suffix == ".parquet":
        parquet.write_table(pa.Table.from_pylist(rows), path)
    else:
        path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    return path


ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le",
             "utf-32-be")  # fmt: skip
TEXTS = ("a photo of a nurse", "une photo d\u2019une infirmière", "фото медсестры",
         "看護師の写真\n",
         "간호사 사진", "φωτογραφία νοσοκόμας", "صورة ممرضة", "a nurse 👩‍⚕️", "x")  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("ending", [".txt", ".caption", ".json"])
def test_a_text_in_any_encoding(ending: str, encoding: str, text: str) -> None:
    """With a byte order mark or recognisable; nothing is assumed, and no mark stays."""
    body = json.dumps({"caption": text}, ensure_ascii=False) if ending == ".json" else text
    found = captions.sidecar_text(ending, body.encode(encoding))
    if "\n" not in body and not any(c in body for c in " x") and encoding[-3:] in ("-le", "-be"):
        return  # nothing but letters of one script
    assert found == " ".join(text.split())
    assert captions.doubt(found) == ""


@pytest.mark.parametrize("text", ["une infirmière", "“a nurse”", "50 € nurse", "Ärztin"])
def test_what_is_no_unicode_is_assumed_and_said(tmp_path: Path, text: str) -> None:
    """Windows-1252 is a guess: the note counts the files and names the first."""
    folder(tmp_path, "0.png", "1.png")
    (tmp_path / "0.txt").write_bytes(text.encode("cp1252"))
    (tmp_path / "1.txt").write_text("a nurse")
    found, notes = said(tmp_path)
    assert found["0.png"] == text
    assert "not UTF-8 was read as Windows-1252: 1 (0.png)" in notes


def test_a_text_that_is_cut_is_said(tmp_path: Path) -> None:
    """A letter of several bytes at the cut does not turn the text into another encoding."""
    folder(tmp_path, "0.png")
    (tmp_path / "0.txt").write_text("é" * captions.MAX_TEXT, "utf-8")
    made = imported.read(tmp_path)
    assert [set(i.text or "") for i in made.items()] == [{"é"}]
    assert made.notes() == ["Text files over 200 kB were read to there: 1 (0.png)."]


@pytest.mark.parametrize("encoding", [*ENCODINGS, "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("start", ["", "sep=\n", "\n"])
def test_a_table_as_spreadsheets_write_it(
    tmp_path: Path, encoding: str, separator: str, start: str
) -> None:
    """Any encoding, separator and line that names the separator; texts keep their commas."""
    folder(tmp_path, "0.png")
    start = start.replace("=", f"={separator}")
    body = f'{start}file_name{separator}text\r\n0.png{separator}"infirmière, {separator} ""x"""\r\n'
    (tmp_path / "metadata.csv").write_bytes(body.encode(encoding))
    found, notes = said(tmp_path)
    assert found == {"0.png": " ".join(f'infirmière, {separator} "x"'.split())}
    assert ("Windows-1252" in notes) == (encoding == "cp1252")


@pytest.mark.parametrize(
    ("body", "line", "what"),
    [
        ("file_name,text\n0.png,a nurse, smiling\n", 2, "3 cells, and the header has 2"),
        ("file_name,text,seed\n0.png,a nurse\n", 2, "2 cells, and the header has 3"),
        ('file_name,text\n\n0.png,"a\nnurse"\n\n1.png,a,b\n', 6, "3 cells"),
        ("sep=,\nfile_name,text\n0.png,a,b\n", 3, "3 cells"),
        ('file_name,text\n0.png,"a nurse\n1.png,b\n', 2, "a quotation mark opens here"),
        ('file_name,text\n0.png,"a" nurse\n', 2, "Check the quotation marks"),
        ("file_name,text\n0.png,a\n1.png,b\n./0.png,c\n", 2, "and line 4: two rows for the file"),
        ("file_name,text\n,a\n", 2, "no file name"),
        ("\nTitel,text\nx,a\n", 2, "no column of file names. Name it in one of"),
        ("file_name,text\n0.png,a\n\nfile_name,text\n", 4, "is the header again"),
        ("file_name,text\n0.png,a\u0000\n", 2, "contains a NUL"),
    ],
)
def test_a_wrong_row_is_refused_with_its_line(
    tmp_path: Path, body: str, line: int, what: str
) -> None:
    """The file, the line and what to do; blank lines and line breaks in cells are counted."""
    (tmp_path / "metadata.csv").write_text(body)
    with pytest.raises(UserError) as error:
        metadata.read(tmp_path / "metadata.csv")
    assert what in str(error.value)
    assert f"metadata.csv, line {line}" in str(error.value)


@pytest.mark.parametrize(
    "body",
    [
        "file_name,text,,\n0.png,a nurse,,\n,,,\n",
        "file_name,text\n0.png,a nurse,\n\n,\n",
        "a,file_name,text\n0,0.png,a nurse\n",
    ],
)
def test_empty_cells_at_the_end_are_nothing(tmp_path: Path, body: str) -> None:
    """Spreadsheets write them, and rows of nothing else."""
    (tmp_path / "metadata.csv").write_text(body)
    assert {n: c.text for n, c in metadata.read(tmp_path / "metadata.csv").rows.items()} == {
        "0.png": "a nurse"
    }


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
@pytest.mark.parametrize(
    "name", ["file_name", "File Name", "FILENAME", "image-path", "Image", "Key"]
)
@pytest.mark.parametrize("text", ["text", "Prompt", "TEXT", "Caption", "positive prompt", " txt "])
def test_columns_in_any_capitals(tmp_path: Path, ending: str, name: str, text: str) -> None:
    """The usual names, with blanks, hyphens or underscores."""
    folder(tmp_path, "0.png")
    write(tmp_path / f"metadata{ending}", [{name: "0.png", text: NURSE}])
    assert said(tmp_path)[0] == {"0.png": NURSE}


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_a_table_without_captions_names_its_columns(tmp_path: Path, ending: str) -> None:
    """Its seeds are used, and the prompts come from elsewhere."""
    folder(tmp_path, "a nurse 1.png")
    rows = [{"file_name": "a nurse 1.png", "Titel": NURSE, "Seed": 7}]
    write(tmp_path / f"metadata{ending}", rows)
    made = imported.read(tmp_path)
    (item,) = made.items()
    assert (item.text, item.source, item.seed) == ("a nurse", "name", 7)
    assert "no column of captions" in made.notes()[0]
    assert "columns are 'file_name', 'Titel', 'Seed'" in made.notes()[0]


@pytest.mark.parametrize(
    "row",
    ["a/b/0.png", "./a/b/0.png", "a\\b\\0.png", ".\\a\\b\\0.png", "a//b/0.png", "a/b/0",
     "0.png", "b/0.png", "pics/a/b/0.png", "pics\\a\\b\\0", "PICS/a/B/0.png", "A/B/0.PNG",
     "0", "B\\0", " a/b/0.png ", "a/c/../b/0.png"],
)  # fmt: skip
@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_names_as_tables_write_them(tmp_path: Path, row: str, ending: str) -> None:
    """Separators, dots, folders above and below, endings and capitals."""
    root = folder(tmp_path / "pics", "a/b/0.png", "1.png")
    write(root / f"metadata{ending}", [{"file_name": row, "text": NURSE}])
    found, notes = said(root)
    assert found == {"a/b/0.png": NURSE, "1.png": ""}
    assert "rows of" not in notes


@pytest.mark.parametrize(
    "row", ["out/a/b/0.png", "/home/x/a/b/0.png", "C:\\x\\a\\b\\0.png", "../a/b/0.png", "X/A/B/0"]
)
def test_paths_of_another_place_are_matched_and_said(tmp_path: Path, row: str) -> None:
    """As where the images were moved; but never two of them for one image."""
    root = folder(tmp_path / "pics", "a/b/0.png", "1.png")
    write(root / "metadata.csv", [{"file_name": row, "text": NURSE}])
    found, notes = said(root)
    assert found == {"a/b/0.png": NURSE, "1.png": ""}
    assert notes.startswith("1 of 1 rows of metadata.csv have a path of another place")
    write(root / "metadata.csv", [{"file_name": r, "text": r} for r in (row, "y/a/b/0.png")])
    found, notes = said(root)
    assert found == {"a/b/0.png": "", "1.png": ""}
    assert "2 of 2 rows of metadata.csv name images that are not here" in notes


def test_a_table_of_several_folders_next_to_one_of_them(tmp_path: Path) -> None:
    """Of `train/0.png` and `test/0.png` the image of the folder `test` is the second."""
    root = folder(tmp_path / "test", "0.png")
    rows = [{"file_name": f"{split}/0.png", "text": split} for split in ("train", "test")]
    table = write(tmp_path / "t.csv", rows)
    made = imported.read(root, table)
    assert [i.text for i in made.items()] == ["test"]
    assert made.notes() == ["1 of 2 rows of t.csv name images that are not here (train/0.png)."]


def test_letters_with_accents_in_either_form(tmp_path: Path) -> None:
    """Some systems store é as one character, others as two."""
    folder(tmp_path, "caf\u00e9.png")
    write(tmp_path / "metadata.jsonl", [{"file_name": "cafe\u0301.png", "text": NURSE}])
    assert said(tmp_path)[0] == {"caf\u00e9.png": NURSE}


@pytest.mark.parametrize(
    ("images", "row"),
    [
        (("a/0.png", "b/0.png"), "0.png"), (("a/0.png", "b/0.png"), "0"),
        (("0.png", "0.jpg"), "0"), (("A.png", "a.png"), "a.PNG"),
        (("x/A.png", "y/a.png"), "A.PNG"),
    ],
)  # fmt: skip
def test_a_name_that_fits_several_images_is_said(
    tmp_path: Path, images: tuple[str, ...], row: str
) -> None:
    """Neither image gets the caption of the other."""
    folder(tmp_path, *images)
    write(tmp_path / "metadata.csv", [{"file_name": row, "text": NURSE}])
    found, notes = said(tmp_path)
    assert found == dict.fromkeys(images, "")
    assert f"1 of 1 rows of metadata.csv fit several images and were not used ({row})" in notes


@pytest.mark.parametrize("images", [("a.png", "A.png"), ("a.png", "x/a.png"), ("a.png", "a.jpg")])
def test_the_exact_name_goes_first(tmp_path: Path, images: tuple[str, ...]) -> None:
    """Another image that fits less well does not make it doubtful."""
    folder(tmp_path, *images)
    write(tmp_path / "metadata.csv", [{"file_name": "a.png", "text": NURSE}])
    assert said(tmp_path)[0] == {n: NURSE * (n == "a.png") for n in images}


def test_rows_for_images_that_are_not_there_are_counted(tmp_path: Path) -> None:
    """With the first names."""
    folder(tmp_path, "0.png")
    write(tmp_path / "metadata.csv", [{"file_name": f"{i}.png", "text": NURSE} for i in range(6)])
    _, notes = said(tmp_path)
    assert (
        "5 of 6 rows of metadata.csv name images that are not here (1.png, 2.png, 3.png, ...)"
        in (notes)
    )


@pytest.mark.parametrize("rows", [("a/0.png", "0.png"), ("0.png", "0"), ("0.png", "0.PNG")])
def test_two_rows_for_one_image_are_refused(tmp_path: Path, rows: tuple[str, ...]) -> None:
    """Also where they write its name in two ways."""
    folder(tmp_path, "a/0.png")
    write(tmp_path / "metadata.csv", [{"file_name": r, "text": NURSE} for r in rows])
    with pytest.raises(UserError, match=r"line 2 and line 3: two rows for the file a/0\.png"):
        imported.read(tmp_path).items()


def test_tables_of_subfolders(tmp_path: Path) -> None:
    """Names are relative to the table's folder, as for data sets with splits."""
    folder(tmp_path, "train/0.png", "test/0.png")
    for split in ("train", "test"):
        rows = [{"file_name": "0.png", "text": split}, {"file_name": "9.png", "text": "x"}]
        write(tmp_path / split / "metadata.jsonl", rows)
    found, notes = said(tmp_path)
    assert found == {"train/0.png": "train", "test/0.png": "test"}
    assert "1 of 2 rows of train/metadata.jsonl" in notes


def test_tables_of_a_hubs_snapshot(tmp_path: Path) -> None:
    """They are links to the blobs of the repository, like its images."""
    root = folder(tmp_path / "snapshots" / "r", "a/0.png")
    table = write(tmp_path / "blobs.csv", [{"file_name": "0.png", "text": NURSE}])
    (tmp_path / "blobs").mkdir()
    table.rename(tmp_path / "blobs" / "cc")
    (root / "a" / "metadata.csv").symlink_to("../../../blobs/cc")
    assert said(root)[0] == {"a/0.png": NURSE}


def test_a_table_below_the_folder_may_be_about_something_else(tmp_path: Path) -> None:
    """It is left out with a note; next to the images it is refused."""
    folder(tmp_path, "a/b 1.png")
    (tmp_path / "a" / "metadata.csv").write_text("x,y\n1,2\n")
    assert said(tmp_path)[1] == "a/metadata.csv was not read: it has no column of file names."
    (tmp_path / "metadata.csv").write_text("x,y\n1,2\n")
    with pytest.raises(UserError, match="line 1: no column of file names"):
        imported.read(tmp_path).items()


SEEDS: list[tuple[Any, int | str | None]] = [
    (1, 1), (0, 0), ("1", 1), ("1.0", 1), (1.0, 1), (" 7 ", 7), (2**53, 2**53),
    (2**63 - 1, 2**63 - 1),
    (-5, -5), (None, None), ("", None), (math.nan, None), ("NaN", None), ("null", None), (-1, -1),
    ("-1", -1), (-1.0, -1), (1.5, "not a whole"), ("1.5", "not a whole"), ("x", "not a whole"),
    (math.inf, "not a whole"), ("1e999", "not a whole"), ("1e3", "not a whole"),
    ("1,000", "not a whole"), (True, "not a whole"), (1e300, "to its last digit"),
    (2.0**60, "to its last digit"), (2**63, "above"), ("9" * 29, "above"),
    ("9" * 99, "not a whole"),
]  # fmt: skip


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
@pytest.mark.parametrize(("seed", "right"), SEEDS)
def test_seeds_have_one_rule(
    tmp_path: Path, ending: str, seed: Any, right: int | str | None
) -> None:
    """A whole number, none, or a sentence with the line; CSV has text, and Parquet has types."""
    if ending == ".csv" and isinstance(seed, float) and abs(seed) > 2**53:
        right = "whole"
    if ending == ".parquet" and isinstance(seed, int) and seed > 2**63 - 1:
        seed = str(seed)
    path = write(tmp_path / f"t{ending}", [{"file_name": "0.png", "text": "x", "seed": seed}])
    if isinstance(right, str):
        with pytest.raises(UserError, match=right):
            metadata.read(path)
    else:
        assert metadata.read(path).rows["0.png"].whole_seed() == right


def test_json_writes_infinity_as_a_number(tmp_path: Path) -> None:
    """1e999 is infinite."""
    (tmp_path / "t.jsonl").write_text('{"file_name": "0.png", "seed": 1e999}\n')
    with pytest.raises(UserError, match="line 1: seed 'inf' is not a whole number"):
        metadata.read(tmp_path / "t.jsonl")


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_columns_that_are_not_read_are_named(tmp_path: Path, ending: str) -> None:
    """And that a table has no rows; nothing is said where every column is read."""
    folder(tmp_path, "0.png")
    row = {"file_name": "0.png", "text": NURSE, "seed": 1, "arm": "none"}
    write(tmp_path / f"metadata{ending}", [row])
    assert said(tmp_path)[1] == ""
    write(tmp_path / f"metadata{ending}", [{**row, "width": 4, "Aesthetic": 5}])
    unread = f"Columns of metadata{ending} that were not read: 'width', 'Aesthetic'."
    assert said(tmp_path)[1] == unread


def test_a_table_without_rows_is_said(tmp_path: Path) -> None:
    """Its images have their prompts from elsewhere."""
    folder(tmp_path, "a nurse 1.png")
    (tmp_path / "metadata.csv").write_text("file_name,text\n")
    made = imported.read(tmp_path)
    assert [i.text for i in made.items()] == ["a nurse"]
    assert made.notes() == ["metadata.csv has no rows."]


UNSEEN = ("\u200b", "\ufeff", "\u00ad", "\u200e", "\u2060")


@pytest.mark.parametrize("unseen", UNSEEN)
@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_invisible_characters_do_not_matter(tmp_path: Path, ending: str, unseen: str) -> None:
    """In names of columns, of files and around captions, as copied from web pages."""
    folder(tmp_path, "a/0.png")
    row = {f"file{unseen}_name": f"{unseen}a/{unseen}0.png", f"{unseen}text": f"{unseen}{NURSE}"}
    write(tmp_path / f"metadata{ending}", [row])
    found, notes = said(tmp_path)
    assert found["a/0.png"].strip(unseen) == NURSE
    assert notes == ""


DEEP = "[" * 100_000


@pytest.mark.parametrize(
    ("name", "data", "what"),
    [
        ("t.jsonl", f'{{"key": {DEEP}'.encode(), "line 1 is not JSON: it is nested too deeply"),
        ("t.json", DEEP.encode(), "is not JSON: it is nested too deeply"),
        ("t.json", b'[{"file_name": "0.png"}, 3]', "row 2 is not a JSON object"),
        ("t.parquet", b"PAR1" + b"x" * 40 + b"PAR1", "cannot be read as Parquet"),
        ("t.xlsx", b"PK\x03\x04xx", "is a workbook or an archive. Save it as CSV"),
        ("t.csv", b"a," * 10_000 + b"\n", "has 10000 columns"),
        ("t.csv", b"x" * 200_000 + b"\n", "Check the quotation marks|field larger"),
        ("t.csv", b"file_name,text,Text\n0.png,a,b\n", "one name: 'text' and 'Text'"),
        ("t.csv", b"file_name,file-name,text\n0.png,a,b\n", "'file_name' and 'file-name'"),
        ("t.csv", "\ufefffile_name,tags,\u200btags\n0.png,a,b\n".encode(), "'tags' is there twice"),
        ("t.jsonl", b'{"key": "0", "text": "a", "text": "b"}', "'text' is there twice"),
        ("t.jsonl", b'{"key": "0", "text": "a", "Text": "b"}', "has 2 columns 'text'"),
        ("t.json", b'{"key": "0"}\n{"text": "a"}', "line 2: no file name"),
    ],
)  # fmt: skip
def test_what_is_not_a_table_is_one_sentence(
    tmp_path: Path, name: str, data: bytes, what: str
) -> None:
    """Deep nesting, damage, and files of other programs."""
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError, match=what):
        metadata.read(tmp_path / name)


def test_a_nested_sidecar_has_no_caption() -> None:
    """One sidecar in a million must not end the others."""
    for body in (DEEP.encode(), b'{"caption": {"en": "x"}}', b'{"caption', b"[3]", b"\xff\xfe\0"):
        assert captions.sidecar_text(".json", body) == ""
    assert captions.doubt(captions.sidecar_text(".json", DEEP.encode())) == captions.NOT_JSON


@pytest.mark.parametrize("value", [["a nurse", "x"], ["", "a nurse", "y"]])
def test_of_several_captions_the_first_is_read_and_that_is_said(
    tmp_path: Path, value: list[str]
) -> None:
    """In a sidecar and in a table alike."""
    folder(tmp_path, "0.png", "1.png")
    (tmp_path / "0.json").write_text(json.dumps({"Captions": value}))
    write(tmp_path / "metadata.jsonl", [{"file_name": "1.png", "text": value}])
    found, notes = said(tmp_path)
    assert set(found.values()) == {"a nurse"}
    assert notes.count("Of several captions of an image, the first was read: 1") == 2


@pytest.mark.parametrize("head", ["file_name;text, in English", "file_name\ttext; a, b, c"])
def test_the_separator_is_the_one_that_gives_names(tmp_path: Path, head: str) -> None:
    """Others may occur in the names of columns."""
    folder(tmp_path, "0.png")
    other = ";" if head.count("\t") == 0 else "\t"
    (tmp_path / "metadata.tsv").write_text(f"{head}{other}prompt\n0.png{other}x{other}{NURSE}\n")
    assert said(tmp_path)[0] == {"0.png": NURSE}


def test_an_array_and_a_table_with_tabs_may_be_given(tmp_path: Path) -> None:
    """`--prompts` takes what spreadsheets and scripts write."""
    folder(tmp_path, "0.png")
    (tmp_path / "t.json").write_text(json.dumps([{"file_name": "0.png", "text": NURSE}]))
    (tmp_path / "t.tsv").write_text(f"file_name\ttext\n0.png\t{NURSE}\n")
    (tmp_path / "t.ndjson").write_text(json.dumps({"file_name": "0.png", "text": NURSE}))
    for name in ("t.json", "t.tsv", "t.ndjson"):
        assert [i.text for i in imported.read(tmp_path, tmp_path / name).items()] == [NURSE]


def test_a_damaged_json_beside_an_image_is_said(tmp_path: Path) -> None:
    """The image has no caption, and the note says why; a text file goes before it."""
    folder(tmp_path, "0.png", "1.png")
    for name in ("0.json", "1.json"):
        (tmp_path / name).write_text('{"caption": "a nur')
    (tmp_path / "1.txt").write_text("a judge")
    found, notes = said(tmp_path)
    assert found == {"0.png": "", "1.png": "a judge"}
    assert notes == "Text files that end in .json and are not JSON were not read: 1 (0.png)."


def test_notes_fit_a_report(tmp_path: Path) -> None:
    """Long names, and many columns with long names."""
    folder(tmp_path, "x" * 200 + ".png")
    rows = [{"file_name": f"{i}" * 200, **{f"{c}" * 80: "x" for c in "ABCDEFGHIJK"}}
            for i in range(9)]  # fmt: skip
    write(tmp_path / "metadata.csv", rows)
    notes = imported.read(tmp_path).notes()
    assert len(notes) == 2
    assert all(len(n) < 380 for n in notes)
