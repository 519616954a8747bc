"""The names of `import audit`: light to import, the same as the verbs, examples that run."""

from __future__ import annotations

import doctest
import inspect
import json
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

import audit
from audit import api
from audit.cli.main import app
from audit.records import from_json
from audit.runs import preview
from audit.runs.options import Options
from tests.builders.runs import Plan, write

EXAMPLES = [n for n in audit.__all__ if ">>>" in (inspect.getdoc(getattr(audit, n)) or "")]


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_runs_and_gives_what_it_says(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In an empty folder, each by itself, as somebody would copy it."""
    monkeypatch.chdir(tmp_path)
    made = doctest.DocTestFinder(recurse=False).find(getattr(audit, name), name, globs={})
    assert [len(t.examples) > 0 for t in made] == [True]
    runner = doctest.DocTestRunner(optionflags=doctest.REPORT_NDIFF)
    assert runner.run(made[0]).failed == 0


def test_every_function_has_an_example_or_names_one_that_shows_it() -> None:
    """`search` is shown with the index that it needs."""
    functions = [n for n in audit.__all__ if inspect.isfunction(getattr(audit, n))]
    assert set(functions) - set(EXAMPLES) == {"search"}
    assert "audit.search(" in (inspect.getdoc(audit.index) or "")
    assert "`audit.index`" in (inspect.getdoc(audit.search) or "")


def test_importing_the_package_loads_nothing_heavy() -> None:
    """Names are there before anything behind them is; an unknown one is an AttributeError."""
    code = (
        "import sys, audit\n"
        "assert {'run', 'open', 'check'} <= set(dir(audit))\n"
        "try: audit.rum\nexcept AttributeError as e: print(e)\n"
        "print(sorted({'pandas', 'numpy', 'torch', 'pydantic'} & set(sys.modules)))\n"
        "assert callable(audit.run)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["module 'audit' has no attribute 'rum'", "[]"]


def test_all_names_are_the_api_s() -> None:
    """What the package promises, its type checker's imports and the module say the same."""
    assert audit.__all__ == api.__all__ == sorted(api.__all__)
    assert all(getattr(audit, n) is getattr(api, n) for n in audit.__all__)
    assert audit.rewrite is preview.rewrite


def test_options_are_those_of_a_run() -> None:
    """Paths may be text, what may be repeated may be one; others are refused with a near name."""
    given = api._options({"corpus": "a/b", "detect": "all", "loras": ["x@1"], "held_out": None})
    assert Options(**given) == Options(corpus=Path("a/b"), detect=("all",), loras=("x@1",))
    paths = {f.name for f in fields(Options) if "Path" in str(f.type)}
    several = {f.name for f in fields(Options) if str(f.type).startswith("tuple")}
    assert (set(api.PATHS), set(api.SEVERAL)) == (paths, several)
    with pytest.raises(audit.UserError, match="Did you mean classifier"):
        audit.run("world", classifer="x")
    with pytest.raises(audit.UserError, match="no rule"):
        audit.run("world", copies="twins")
    with pytest.raises(audit.UserError, match="Did you mean world"):
        audit.run("wrold")


def test_a_finished_run_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Findings, samples and tables, from the folder, its report, or the result itself."""
    folder = write(tmp_path / "one", Plan(seeds=4))
    (folder / "report.html").write_text("")
    result = audit.open(folder)
    assert audit.open(str(folder / "report.html")) == result
    written = from_json((folder / "findings.json").read_text("utf-8"))
    assert list(result.findings.id) == [f.id for f in written]
    assert list(result.findings.name) == [f.name for f in written]
    pd.testing.assert_series_equal(
        result.findings.estimate, pd.Series([f.estimate for f in written], name="estimate")
    )
    assert len(result.samples) == 2 * 3 * 4 + 40 * 2
    assert set(result.attributes["sample"]) < set(result.samples.id)
    assert set(result.matches["sample"]) == set(result.samples.id)
    with pytest.raises(audit.UserError, match="There is no"):
        audit.open(tmp_path)


def test_comparing_and_checking_are_the_verbs(tmp_path: Path) -> None:
    """The same findings and the same verdicts as the command line gives."""
    a = write(tmp_path / "a", Plan())
    b = write(tmp_path / "b", Plan(model="two", seed=1, shares={"nurse": 0.3, "cook": 0.4}))
    both = audit.compare(a, audit.open(b), out=tmp_path / "python")
    assert both.report.is_file()
    runner = CliRunner()
    said = runner.invoke(app, ["compare", str(a), str(b), "--out", str(tmp_path), "--json"])
    body = json.loads(said.stdout)
    assert Path(body["findings"]).read_bytes() == (both.folder / "findings.json").read_bytes()
    assert body["notes"] == list(both.notes)
    gate = "representation.*.gender.share.woman <= 50 %"
    checked = audit.check(a, [gate])
    told = json.loads(runner.invoke(app, ["check", str(a), "-g", gate, "--json"]).stdout)
    assert (checked.verdict, checked.passed) == (told["verdict"], False) == ("fail", False)
    assert list(checked.table.finding) == [c["finding"] for c in told["checks"]]
    runner.invoke(app, ["check", str(a), "-g", gate, "--junit", str(tmp_path / "verb.xml")])
    mine = checked.junit(tmp_path / "mine.xml", "a")
    assert mine.read_bytes() == (tmp_path / "verb.xml").read_bytes()


def test_a_picture_that_cannot_be_read_has_a_row_with_the_reason(tmp_path: Path) -> None:
    """It is not dropped, and has no score; the pages of both ways are the same."""
    (tmp_path / "set").mkdir()
    for i, colour in enumerate(("red", "green", "blue")):
        Image.new("RGB", (64, 64), colour).save(tmp_path / "set" / f"{i}.png")
    index = audit.index(tmp_path / "set", tmp_path / "idx", descriptor="pixels", duplicates=True)
    assert (index / "duplicates.csv").is_file()
    (tmp_path / "bad.png").write_bytes(b"no picture")
    asked = [tmp_path / "set" / "0.png", tmp_path / "bad.png"]
    found = audit.search(asked, index, nearest=2, page=tmp_path / "found.html")
    assert "bad.png" in (tmp_path / "found.html").read_text("utf-8")
    assert list(found["query"]) == [str(asked[0])] * 2 + [str(asked[1])]
    assert found.verdict.iloc[-1].startswith("unreadable: ")
    assert pd.isna(found.score.iloc[-1])
    assert found.verdict.iloc[0] == "not calibrated"
