"""No file that a spreadsheet opens holds a live formula, and our own cells are read back."""

from __future__ import annotations

import ast
import csv
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import audit
from audit.datasets import cells
from audit.design import suites
from audit.design.imported import labels
from audit.evidence.labels import sheet
from audit.evidence.labels.draw import Drawn, Stratum
from audit.report.exports import evidence, tables
from audit.runs import labelling
from audit.store import RunFolder
from audit.view.journal import QUEUE, Journal, Label
from tests.builders import runs

ROOT = Path(__file__).parent.parent / "audit"
CASES = Path(__file__).parent / "cases"
LIVE = ("=", "+", "-", "@", "\t", "\r")
NASTY = ('=HYPERLINK("http://example.org")', "+1+cmd|' /C calc'!A0", "-2+3", "@SUM(1)", " =1+1",
         "\t=1", "'=1", "\uff1d1")  # fmt: skip


def live(data: bytes) -> list[str]:
    """Cells that a spreadsheet would run, also behind characters that it ignores."""
    rows = csv.reader(io.StringIO(data.decode("utf-8"), newline=""))
    found = [c for row in rows for c in row if c.strip("\u00a0\ufeff ").startswith(LIVE)]
    return [c for c in found if np.isnan(cells.number(c))]


def test_every_writer_of_tables_is_the_one_that_disarms() -> None:
    """`csv.writer` and `to_csv` are in one file; elsewhere `to_csv` only feeds a hash."""
    for path in sorted(ROOT.rglob("*.py")):
        if path == ROOT / "datasets" / "cells.py":
            continue
        tree = ast.parse(path.read_text("utf-8"))
        hashed = {
            id(inner) for call in ast.walk(tree)
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "digest"
            for inner in ast.walk(call)
        }  # fmt: skip
        names = [n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)
                 and n.attr in ("to_csv", "DictWriter", "to_excel")
                 and id(n) not in hashed]  # fmt: skip
        names += [n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)
                  and n.attr == "writer" and getattr(n.value, "id", "") == "csv"]  # fmt: skip
        assert not names, path


def drawn(attribute: str, samples: tuple[str, ...]) -> Drawn:
    """A draw of images of one class."""
    rows = pd.DataFrame({"sample": samples, "attribute": attribute, "read": "a"})
    return Drawn(rows, (Stratum(attribute, "a", len(rows), len(rows)),))


def _index(folder: Path) -> bytes:
    made = audit.index(CASES / "formula", folder / "i", descriptor="pixels", duplicates=True)
    return (made / "duplicates.csv").read_bytes() + (made / "unreadable.csv").read_bytes()


def _unreadable(folder: Path) -> bytes:
    source = folder / "pictures"
    source.mkdir()
    for name in ("=a.png", "@b.png", "+c.png", "-d.png"):
        (source / name).write_bytes(b"no image")
    (source / "whole.png").write_bytes((CASES / "formula" / "c.png").read_bytes())
    return (audit.index(source, folder / "i", descriptor="pixels") / "unreadable.csv").read_bytes()


def _sheet(folder: Path) -> bytes:
    return b"".join(sheet.blank(drawn(name, NASTY)) for name in NASTY)


def _queue(folder: Path) -> bytes:
    run = RunFolder(folder)
    run.write_label_file("drawn.json", b"{}")
    asked = [(i, name, name) for i, name in enumerate(NASTY)]
    for _, sample, attribute in asked:
        Journal(run).put(Label("ab", sample, attribute, attribute), asked)
    return run.label_file(QUEUE).read_bytes()


def _exports(folder: Path) -> bytes:
    names = dict.fromkeys(NASTY, 0.5)
    run = RunFolder(runs.write(folder / "run", runs.Plan(shares=names, seeds=2)))
    written = tables.write(run, "csv", folder / "out")
    rows = tables.FORMATS["csv"](evidence.rows(run.findings()))
    return b"".join(p.read_bytes() for p in written) + rows


@pytest.mark.parametrize("made", [_index, _unreadable, _sheet, _queue, _exports],
                         ids=lambda f: f.__name__)  # fmt: skip
def test_no_written_table_holds_a_live_formula(
    made: Callable[[Path], bytes], tmp_path: Path
) -> None:
    """Captions, file names, attributes, classes, subjects and raters are text."""
    data = made(tmp_path)
    assert live(data) == []
    assert b"'" in data


def test_a_sheet_of_nasty_names_is_read_back(tmp_path: Path) -> None:
    """As it was written, and as a spreadsheet saves it, which drops the apostrophes."""
    for plain in (False, True):
        names = tuple(n for n in NASTY if not plain or n[0] != "'")
        was = drawn(NASTY[0], names)
        rows = list(csv.reader(io.StringIO(sheet.blank(was).decode(), newline="")))
        for row in rows[1:]:
            row[3] = NASTY[1]
        if plain:
            rows = [[cells.plain(c) for c in row] for row in rows]
        with (tmp_path / "s.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(rows)
        judged = sheet.read(tmp_path / "s.csv", was, {NASTY[0]: [NASTY[1], "b"]})
        assert judged["sample"].tolist() == list(names)
        assert set(judged.value) == {NASTY[1]}


def test_exported_tables_are_read_by_score(tmp_path: Path) -> None:
    """Subjects come back without the apostrophes."""
    table = pd.DataFrame({"subject": NASTY[:4], "gender": "woman"})
    (tmp_path / "t.csv").write_bytes(cells.of_frame(table))
    found = labels.load(tmp_path / "t.csv", suites.read_suite("occupations"))
    assert [p.subject for p in found.suite.prompts] == list(NASTY[:4])


def test_kept_labels_hold_no_formula(tmp_path: Path) -> None:
    """labels.csv, with raters and classes of any name, is read back as it was."""
    folder = RunFolder(tmp_path)
    was = drawn("=gender", NASTY)
    folder.write_results({"tables": {}, "classes": {"=gender": ["=woman", "b"]}, "command": ""})
    folder.write_label_file(labelling.RECORD, sheet.record(was, 0))
    rows = [(i, name, "=gender", "=woman", "=ab") for i, name in enumerate(NASTY)]
    (tmp_path / "s.csv").write_bytes(cells.written(sheet.COLUMNS, rows))
    made = labelling.read_back(folder, [tmp_path / "s.csv"])
    assert live(Path(made["path"]).read_bytes()) == []
    read = labelling.labels(folder)
    assert read is not None
    assert set(read[0].value) == {"=woman"}
    assert set(read[0].rater) == {"=ab"}
