"""The strict reader: every way to write a table, and every way in which one is not whole."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import numpy as np
import pytest

from audit.datasets import strict
from audit.errors import UserError

CASES = Path(__file__).parent.parent / "cases"
WORDS = ("nurse", "", "a, b", "x;y", 'say "so"', "two\nlines", "tab\there", "é", "0,5", "-")


def read(path: Path, data: bytes | str, **more: bool) -> strict.Table:
    """A table from these bytes."""
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return strict.read(path, 1000, ("subject", "gender"), **more)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be-bom", "utf-32"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_every_way_to_write_a_table_reads_the_same(
    seed: int, encoding: str, separator: str, tmp_path: Path
) -> None:
    """Encodings, separators, ends of lines, empty lines, commas at the end, `sep=`."""
    rng = np.random.default_rng(seed)
    rows = [["nurse", *rng.choice(WORDS, 3)] for _ in range(8)]
    text = io.StringIO()
    end = str(rng.choice(["\n", "\r\n", "\r"]))
    text.write(f"sep={separator}{end}" if rng.random() < 0.3 else "")
    writer = csv.writer(text, delimiter=separator, lineterminator=end, quoting=csv.QUOTE_ALL)
    lines = []
    writer.writerow(["Subject", "a", "b", "c", *[""] * int(rng.integers(3))])
    for row in rows:
        for _ in range(int(rng.integers(3))):
            text.write(str(rng.choice(["", separator * 3, " " + separator])) + end)
        lines.append(len(re.split("\r\n|\r|\n", text.getvalue())))
        writer.writerow([*row, *[""] * int(rng.integers(3))])
    written = text.getvalue()
    bom = "\ufeff" + written
    data = bom.encode("utf-16-be") if encoding == "utf-16-be-bom" else written.encode(encoding)
    found = read(tmp_path / "t.csv", data)
    assert found.header == ("Subject", "a", "b", "c")
    assert found.rows == rows
    assert list(found.lines) == lines


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("a,b\n1,2,3\n", "line 2: wrong number of cells: 3 cells, and the header has 2"),
        ("a,b\n\n1\n", "line 3: wrong number of cells: 1 cell"),
        ("a,b\n1;2\n", "separated by semicolons"),
        ("a,a\n1,2\n", "'a' is there twice"),
        ("gender,\ufeffGender \n1,2\n", "'gender' and 'Gender'"),
        ("skin tone,skin_tone\n1,2\n", "two columns have one name"),
        ("a,b\n1,\x002\n", "line 2 contains a NUL"),
        ("a,b\n1,2\n".encode("utf-16-le"), "without its byte-order mark"),
        ("a,b\n1,ok\n1,é\n".encode("latin-1"), "line 3, cannot be read as CSV: it is not UTF-8"),
        ("a,b\n1,2\n".encode("utf-16")[:-1], "cannot be read as CSV"),
        ("a,b\n1,2\n".encode("utf-32-le"), "NUL"),
        ('a,b\n1,"x\n2,y\n', "line 2 cannot be read as CSV: a quotation mark opens"),
        ('a,b\n1,"x"y\n', "line 2 cannot be read as CSV"),
        ("a,b\n", "no rows"), ("", "is empty"), (",,\n\n", "is empty"), ("a,b\n,\n", "no rows"),
        ("a,b\n1,2\na,b\n3,4\n", "line 3 is the header again"),
        (b"PK\x03\x04rest", "workbook"), (b"\x1f\x8brest", "compressed"), (b"PAR1x", "Parquet"),
        ('[{"subject": "nurse"}]', "JSON"), ('\ufeff\n{"a": 1}\n', "JSON"),
        ("<!DOCTYPE", "web page"),
        ("sep=x\na,b\n", "names no separator"),
        ("a,b\n" + "x" * 140_000 + ",1\n", "line 2"), ("a\n" + "x" * 110_000, "over 100000"),
        ("a\n" + "1\n" * 1001, "over 1000 rows"),
    ],
)  # fmt: skip
def test_what_is_not_a_whole_table_is_refused(
    data: bytes | str, message: str, tmp_path: Path
) -> None:
    """One sentence, with the line where there is one."""
    with pytest.raises(UserError, match=re.escape(message)):
        read(tmp_path / "t.csv", data)


@pytest.mark.parametrize("data", ["a," * 1_000_000 + "\n1\n", "a,b\n" + "," * 1_000_000 + "1\n",
                                  "x" * 30_000_000, "a\n" + "x" * 25_000_000])  # fmt: skip
def test_endless_rows_are_refused_at_once(data: str, tmp_path: Path) -> None:
    """A million columns, or one endless cell, are not read to their end."""
    with pytest.raises(UserError):
        read(tmp_path / "t.csv", data)


def test_a_column_without_a_name_is_kept_and_an_empty_one_is_not(tmp_path: Path) -> None:
    """The first is an index that pandas wrote, and notes can say that it was not read."""
    assert read(tmp_path / "t.csv", ",gender\n0,woman\n").unread([1]) == [
        "column 1, without a name"
    ]
    assert read(tmp_path / "t.csv", ",gender,\n,woman,\n").header == ("gender",)


def test_our_own_cells_come_back(tmp_path: Path) -> None:
    """Those that were disarmed for spreadsheets, in tables that this package wrote."""
    data = "subject,gender\n'=x,'a\n"
    assert read(tmp_path / "t.csv", data, ours=True).rows == [["=x", "'a"]]
    assert read(tmp_path / "t.csv", data).rows == [["'=x", "'a"]]


def test_no_other_module_reads_csv() -> None:
    """Tables of strangers have one reader; tables that the package wrote may have their own."""
    root = Path(strict.__file__).parent.parent
    readers = re.compile(r"csv\.reader|DictReader|read_csv|read_table\(.*\bsep=|genfromtxt|loadtxt")
    found = [p.relative_to(root).as_posix() for p in root.rglob("*.py")
             if readers.search(p.read_text("utf-8"))]  # fmt: skip
    own = ["datasets/listing.py", "world/seen.py"]  # tables that the package wrote
    assert sorted(found) == sorted(["datasets/strict.py", *own])
