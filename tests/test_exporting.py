"""Exports: numbers come back as they went, untrusted text stays text, metadata is the Hub's."""

from __future__ import annotations

import io
import json
import math
import re
import shutil
import zipfile
from dataclasses import fields, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import typer
import yaml
from huggingface_hub import ModelCard
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from typer.testing import CliRunner

from audit.cli.export import export
from audit.datasets import listing, pixels
from audit.errors import UserError
from audit.keys import Key
from audit.records import Finding, to_json
from audit.report import wording
from audit.report.exports import archive, card, evidence, tables, workbook
from audit.report.exports.markdown import code, escape, table
from audit.runs.pictures import of_run
from audit.store import RunFolder
from tests.builders.runs import Plan, write

EXAMPLE = Path(__file__).parent.parent / "reports" / "example"
HOSTILE = (
    "|x|\n# <img src=x onerror=alert(1)> [a](http://b.c) **b** `c` $d$ \x00\ud800\u202e & <!--"
)
MANIFEST = {"suite": "world", "settings": {"model": "embedded", "steps": 20}, "versions": {}}


@pytest.fixture(scope="module")
def example() -> list[Finding]:
    """The findings of the shipped example report."""
    return RunFolder(EXAMPLE).findings()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with its tables."""
    return write(tmp_path_factory.mktemp("run"), Plan())


def call(*arguments: str) -> tuple[int, str]:
    """Exit code and stdout of the verb alone; errors are not hidden."""
    app = typer.Typer()
    app.command()(export)
    done = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    return done.exit_code, done.stdout


def same(found: pd.DataFrame, findings: list[Finding]) -> None:
    """Every number and text of the findings is in the table, missing ones as missing."""
    assert list(found.columns) == [f.name for f in fields(Finding)]
    assert len(found) == len(findings)
    for row, f in zip(found.to_dict("records"), findings, strict=True):
        for field in fields(Finding):
            value, wanted = row[field.name], getattr(f, field.name)
            if isinstance(wanted, float):
                assert value == pytest.approx(wanted, rel=1e-12, nan_ok=True)
            elif field.name == "key":
                assert Key(**json.loads(value)) == wanted
            elif field.name in ("reasons", "references"):
                assert json.loads(value) == wanted
            else:
                assert value == wanted or (wanted == "" and pd.isna(value))


def test_findings_come_back_from_csv_and_parquet(example: list[Finding], tmp_path: Path) -> None:
    """All 191 findings of the example, field by field, through both formats."""
    for form, read in (("csv", pd.read_csv), ("parquet", pd.read_parquet)):
        path = tmp_path / f"x.{form}"
        options = ("--format", form, "--out", str(path))
        assert call(str(EXAMPLE), *options) == (0, f"{path}\n")
        same(read(path), example)


def test_a_folder_gets_the_tables_of_the_run_too(run: Path, tmp_path: Path) -> None:
    """Attributes, alignment and matches are written next to the findings, row for row."""
    for form, read in (("csv", pd.read_csv), ("parquet", pd.read_parquet)):
        out = tmp_path / form
        code_, printed = call(str(run), "-f", form, "-o", str(out), "--json")
        assert code_ == 0
        names = {Path(p).stem for p in json.loads(printed)}
        assert names == {"findings", "samples", "attributes", "alignment", "matches"}
        for name in names - {"findings", "samples"}:
            kept, found = RunFolder(run).read_table(name), read(out / f"{name}.{form}")
            assert list(found.columns) == list(kept.columns)
            assert len(found) == len(kept)
            numbers = kept.select_dtypes("number").columns
            one, two = (t[numbers].astype(float) for t in (found, kept))  # a seed may be missing
            assert np.allclose(one, two, equal_nan=True)
            texts = [
                c for c in kept.columns if c not in numbers and c not in ("copy", "subject_read")
            ]
            same, was = (t[texts].astype(object).fillna("") for t in (found, kept))
            assert (same == was).all().all()


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t"])
def test_no_cell_of_a_csv_is_a_formula(start: str) -> None:
    """Texts that a spreadsheet would run get an apostrophe; negative numbers stay numbers."""
    key = Key(f"{start}cmd|' \\C calc'!A0")
    f = Finding(key, HOSTILE, "q", "share", "images", -0.5, -1, 0, 3, 3.0, 0, "m")
    found = pd.read_csv(io.BytesIO(tables.FORMATS["csv"](tables.frame([f]))))
    assert found.id[0] == f"'{f.id}"
    assert found.estimate[0] == -0.5
    assert found["where"][0].startswith("|x|\n# <img")


@given(st.text(max_size=80))
def test_escaped_text_is_shown_as_it_is(text: str) -> None:
    """A CommonMark parser with tables and links gives back the text, and not one element."""
    wanted = wording.clip(text, 400)
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    inline = [t for t in parser.parse(escape(text)) if t.type == "inline"]
    parts = [c for t in inline for c in t.children or ()]
    assert "".join(c.content for c in parts) == wanted
    assert {c.type for c in parts} <= {"text", "text_special"}


@pytest.mark.parametrize("text", ["# a", "- a", "+ a", "1. a", "12) a", "---", "===", "> a", "* a",
                                  "http://a.b", "www.a.b", "a|b", "![a](b)", "&amp;", "<b>", "```",
                                  "a_b_c", "~~a~~", "[a]: b", ":--", HOSTILE])  # fmt: skip
def test_known_tricks_stay_text(text: str) -> None:
    """As a paragraph, in a list and in a cell: the characters, no heading, list, link or markup."""
    parser = MarkdownIt("gfm-like" if _linkify() else "commonmark").enable("table")
    wanted = wording.clip(text, 400)
    for body in (escape(text), f"- {escape(text)}", table(("h", "i"), [(escape(text), "x")])):
        tokens = parser.parse(body)
        cells = ["".join(c.content for c in t.children or ()) for t in tokens if t.type == "inline"]
        assert wanted in cells
        assert len(cells) in (1, 4)
        kinds = {c.type for t in tokens for c in t.children or ()}
        assert not kinds & {"link_open", "image", "html_inline", "code_inline", "strong_open"}
        assert not {t.type for t in tokens} & {"heading_open", "html_block", "fence", "hr"}
    spans = parser.parse(table(("h", "i"), [(code(text), "x")]))
    assert sum(c.type == "code_inline" for t in spans for c in t.children or ()) == 1


def _linkify() -> bool:
    return find_spec("linkify_it") is not None


def test_the_hub_reads_the_metadata(example: list[Finding]) -> None:
    """ModelCard parses the section; its results are those of the findings, number by number."""
    text = card.card(example, MANIFEST)
    found: Any = ModelCard(text).data
    assert found.model_name == "embedded"
    results = found.eval_results
    assert results is not None
    by_id = {f.id: f for f in example}
    assert len(results) > 10
    for r in results:
        f = by_id[r.metric_args["finding"]]
        assert r.metric_value == pytest.approx(f.estimate, abs=1e-6)
        assert r.metric_args["low"] == pytest.approx(f.low, abs=1e-6)
        assert r.metric_args["high"] == pytest.approx(f.high, abs=1e-6)
        assert r.metric_args["n"] == f.n
        assert f"n = {f.n}" in r.metric_name
        assert r.task_type == "text-to-image"
    again: Any = ModelCard(str(ModelCard(text))).data
    assert again.eval_results == results


def test_the_metadata_has_the_documented_keys(example: list[Finding]) -> None:
    """The YAML head has no key that the Hub's specification lacks, and all that it demands."""
    head = card.card(example, MANIFEST).split("---\n")[1]
    found = yaml.safe_load(head)
    assert set(found) == {"tags", "model-index"}
    for result in found["model-index"][0]["results"]:
        assert set(result) <= {"task", "dataset", "metrics", "source"}
        assert set(result["task"]) <= {"type", "name"}
        assert {"type", "name"} <= set(result["dataset"])
        for m in result["metrics"]:
            assert {"type", "value"} <= set(m) <= {"type", "value", "name", "config", "args"}


def test_the_card_shows_every_number_with_interval_and_n(example: list[Finding]) -> None:
    """Each finding of the example has a row with its estimate, interval, n and id."""
    lines = card.card(example, MANIFEST).splitlines()
    for f in example:
        row = next(line for line in lines if line.endswith(f"{code(f.id)} |"))
        assert escape(wording.estimate(f)) in row
        assert f"| {f.n} | {f.missing} |" in row
        if math.isfinite(f.low) and math.isfinite(f.high):
            assert escape(wording.span(f)) in row
        else:
            assert "no interval" in row


def test_untrusted_text_cannot_change_the_card(example: list[Finding]) -> None:
    """Hostile names stay one cell and one YAML text; nothing becomes HTML or a second head."""
    bad = [
        replace(f, where=HOSTILE, key=f.key._replace(arm=f.arm + HOSTILE + "\n---\nx: y"))
        for f in example
    ]
    manifest = {**MANIFEST, "suite": HOSTILE, "settings": {"model": HOSTILE + "\n---\n"}}
    for text in (card.card(bad, manifest), evidence.markdown(bad, HOSTILE)):
        assert "<img src=x onerror=alert(1)>" not in MarkdownIt(
            "commonmark", {"html": True}
        ).enable("table").render(text.split("\n---\n", 1)[-1]).replace("&lt;", "\0")
        text.encode("utf-8")
    found: Any = ModelCard(card.card(bad, manifest)).data
    assert found.eval_results
    assert "x" not in found.to_dict()
    heads = [t for t in MarkdownIt().parse(evidence.markdown(bad, HOSTILE)) if t.tag == "h1"]
    assert len(heads) == 2  # one opens, one closes


def test_nothing_whole_is_a_card_without_results() -> None:
    """No finding with an interval: no model-index, which the Hub would refuse when empty."""
    assert "model-index" not in card.card([], MANIFEST)
    ModelCard(card.card([], MANIFEST))


def test_the_evidence_cites_findings_that_exist(example: list[Finding]) -> None:
    """Ids in the table are those of the run, on clauses whose pattern names them."""
    found = evidence.rows(example)
    by_id = {f.id: f for f in example}
    cited = found.dropna(subset=["finding"])
    assert len(cited) > 50
    for row in cited.itertuples():
        f = by_id[row.finding]
        assert (row.estimate, row.n) == (f.estimate, f.n)
        assert row.low == f.low or math.isnan(row.low)
    assert set(found.clause) == {c.clause for c in evidence.clauses()}
    bias = cited[cited.clause == "MEASURE 2.11"]
    assert set(bias.finding.str.split("/").str[0]) == {"representation"}
    privacy = cited[cited.clause == "MEASURE 2.10"]
    assert set(privacy.finding) == {
        f.id for f in example if re.match("replication/none/", f.id) and math.isfinite(f.estimate)
    }


def test_every_clause_says_what_is_not_covered(example: list[Finding]) -> None:
    """Each row names its gap; clauses without findings or files say that there is nothing."""
    every = evidence.clauses()
    assert {c.framework.split()[0] for c in every} == {"NIST", "Regulation"}
    assert len({(c.framework, c.clause) for c in every}) == len(every) > 20
    assert all(len(c.missing) > 5 for c in every)
    text = evidence.markdown(example, "run")
    for c in every:
        row = next(x for x in text.splitlines() if x.startswith(f"| {escape(c.clause)} |"))
        assert row.endswith(f"| {escape(c.missing)} |")
        if not c.cited(example) and not c.files:
            assert "None in this run" in row
    assert "neither legal advice nor" in text


def test_every_pattern_can_match(example: list[Finding]) -> None:
    """Patterns name findings of the example, or of kinds that need people or statements."""
    other = {"people", "people-share", "agreement", "equal-labels", "kappa", "abstention",
             "missing-by-subject", "uneven-errors", "stated", "person-leak", "template",
             "one-template"}  # fmt: skip
    for c in evidence.clauses():
        for p in c.patterns:
            alone = replace(c, patterns=(p,))
            assert alone.cited(example) or {*p.kinds} <= other, p


def test_what_is_not_known_is_not_cited(example: list[Finding]) -> None:
    """A finding without an estimate is not evidence."""
    gone = [replace(f, estimate=math.nan) for f in example]
    assert evidence.rows(gone).finding.isna().all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-f", "modelcard", "-o", "x.md"), "Did you mean model-card"),
        (("-f", "csv"), "--out"),
        (("-f", "csv", "-o", "x.parquet"), "does not end in .csv"),
        (("-f", "model-card", "-o", "x.txt"), "must end in .md"),
        (("-f", "evidence", "-o", "x.xlsx"), "must end in .md or .csv"),
    ],
)
def test_mistakes_are_one_sentence(arguments: tuple[str, ...], message: str) -> None:
    """Unknown formats, no place, and endings that do not fit."""
    with pytest.raises(UserError, match=message):
        call(str(EXAMPLE), *arguments)


def test_documents_are_written_and_the_same_twice(run: Path, tmp_path: Path) -> None:
    """Card and evidence are files; the same run gives the same bytes."""
    for form, name in (("model-card", "a.md"), ("evidence", "b.md"), ("evidence", "c.csv")):
        path = tmp_path / name
        assert call(str(run), "-f", form, "-o", str(path)) == (0, f"{path}\n")
        first = path.read_bytes()
        call(str(run), "-f", form, "-o", str(path))
        assert path.read_bytes() == first
    assert len(pd.read_csv(tmp_path / "c.csv")) > 20
    kept = RunFolder(tmp_path / "copy")
    kept.write_findings(to_json(RunFolder(run).findings()))
    with pytest.raises(UserError, match=r"run\.json"):
        call(str(kept.path), "-f", "model-card", "-o", str(tmp_path / "d.md"))


def test_a_workbook_has_every_table_and_no_formula(run: Path, tmp_path: Path) -> None:
    """Numbers are numbers, seeds keep their digits, and what begins like a formula is a text."""
    openpyxl = pytest.importorskip("openpyxl")
    pytest.importorskip("xlsxwriter")
    out = tmp_path / "run.xlsx"
    assert call(str(run), "-f", "xlsx", "-o", str(out)) == (0, f"{out}\n")
    first = out.read_bytes()
    assert call(str(run), "-f", "xlsx", "-o", str(out))[0] == 0
    assert out.read_bytes() == first
    book = openpyxl.load_workbook(out)
    names = ["findings", "samples", "attributes", "alignment", "matches", "about"]
    assert book.sheetnames == names
    rows = list(book["findings"].values)
    found = RunFolder(run).findings()
    assert [r[rows[0].index("name")] for r in rows[1:]] == [f.name for f in found]
    assert rows[1][rows[0].index("estimate")] == pytest.approx(found[0].estimate)
    seeds = [r[3] for r in list(book["samples"].values)[1:]]
    assert [int(s) for s in seeds] == [s.seed for s in RunFolder(run).plan()]
    starts = ("=1+1", "+1", "-1", "@a", "http://a.b", "<b>\x01", "x" * 40_000, "12")
    whole = workbook.workbook({"findings": pd.DataFrame({"where": starts, "n": [np.nan] * 8})})
    cells = list(openpyxl.load_workbook(io.BytesIO(whole))["findings"].iter_rows(min_row=2))
    assert {row[0].data_type for row in cells} == {"s"}
    assert [row[0].value for row in cells][:5] == list(starts)[:5]
    assert cells[0][0].hyperlink is None
    assert cells[0][1].value is None
    with pytest.raises(UserError, match=r"does not end in \.xlsx"):
        call(str(run), "-f", "xlsx", "-o", str(tmp_path / "folder"))


def test_a_run_that_is_sent_needs_no_other_place(run: Path, tmp_path: Path) -> None:
    """Images made elsewhere are in the archive; links, locks and the old place are not."""
    sent = tmp_path / "run"
    shutil.copytree(run, sent)
    folder = RunFolder(sent)
    pictures = {s.id: f"{i}.png" for i, s in enumerate(folder.plan()[:4])}
    results = {**folder.results(), "images": "pics", "images_at": "/secret/pics"}
    folder.write_results({**results, "pictures": pictures})
    (sent / ".lock").touch()
    (sent / "link.png").symlink_to("/etc/hostname")
    one, *rest = pictures

    def image(id: str) -> np.ndarray:
        if id == one:
            raise pixels.Unreadable("is damaged")
        return np.full((4, 4, 3), rest.index(id) % 250, np.uint8)

    out = archive.write(folder, image, sent / "sent.zip")
    first = out.read_bytes()
    assert archive.write(folder, image, out).read_bytes() == first
    with zipfile.ZipFile(out) as packed:
        packed.extractall(tmp_path / "there")
    there = RunFolder(tmp_path / "there" / "run")
    assert {p.name for p in there.path.iterdir()} == {
        "findings.json", "images", "plan.jsonl", "results.json", "run.json", "tables",
    }  # fmt: skip
    assert "secret" not in (there.path / "results.json").read_text()
    assert to_json(there.findings()) == to_json(folder.findings())
    assert there.files() == pictures
    read = of_run(there, there.results()).read
    assert np.array_equal(read(rest[2]), image(rest[2]))
    with pytest.raises(pixels.Unreadable):
        read(one)


def test_left_out_images_are_exported_with_their_reasons(run: Path, tmp_path: Path) -> None:
    """The table of a run over existing images comes back, and is exported too."""
    sent = tmp_path / "run"
    shutil.copytree(run, sent)
    gone = [listing.LeftOut("=a.png", "has no prompt"), listing.LeftOut("b.png", "is blank", "x")]
    RunFolder(sent).write_left_out(listing.table(gone))
    assert RunFolder(sent).left_out() == gone
    assert call(str(sent), "-o", str(tmp_path / "csv"))[0] == 0
    assert pd.read_csv(tmp_path / "csv" / "left_out.csv").file.tolist() == ["'=a.png", "b.png"]
    (sent / "left_out.csv").write_text("file,reason,prompt\n,,\n")
    with pytest.raises(UserError, match="names no file"):
        RunFolder(sent).left_out()


def test_the_card_says_when_and_by_what(example: list[Finding]) -> None:
    """Date and readers are in the first table, hostile ones as text; without them it has none."""
    told = {**MANIFEST, "written": "2026-11-30T19:54:01Z", "readers": {"gender": "a|b<c>"}}
    text = card.card(example, told)
    assert "| Date | 2026-11-30 |" in text
    assert r"| Read by | a\|b\<c\> |" in text
    assert "Read by" not in card.card(example, MANIFEST)
