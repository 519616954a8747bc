"""The names of `import audit`: light to import, the same as the verbs, examples that run."""

from __future__ import annotations

import doctest
import inspect
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

import audit
from audit import api
from audit.cli.main import app
from audit.errors import UserError
from audit.records import from_json
from audit.runs import preview
from audit.runs.given import DETECTORS
from audit.runs.opt import declared, named
from audit.runs.options import Options
from tests.builders.runs import Plan, write

EXAMPLES = [n for n in audit.__all__ if ">>>" in (inspect.getdoc(getattr(audit, n)) or "")]


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_runs_and_gives_what_it_says(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In an empty folder, each on its own, as a user would copy it."""
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
    given = {"corpus": "a/b", "detect": "all", "loras": ["x@1"], "held_out": None}
    made = Options(**named(Options, given))
    assert made == Options(corpus=Path("a/b"), detect=DETECTORS, loras=("x@1",))
    for option in declared(Options).values():
        value = getattr(made, option.field)
        kinds = (option.kind, int) if option.opt.numbers else option.kind
        assert value is None or isinstance(value, tuple if option.several else kinds)
    with pytest.raises(audit.UserError, match="Did you mean classifier"):
        audit.run("world", classifer="x")
    with pytest.raises(audit.UserError, match="not a valid rule"):
        audit.run("world", copies="twins")
    with pytest.raises(audit.UserError, match="Did you mean world"):
        audit.run("wrold")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"steps": -1}, "--steps must be 1 or more, not -1."),
        ({"steps": "ten"}, "--steps must be a whole number, not 'ten'."),
        ({"steps": True}, "--steps must be a whole number, not True."),
        ({"guidance": "high"}, "--guidance must be a number, not 'high'."),
        ({"device": "gpu"}, "--device must be auto, cpu, cuda, cuda:1 or mps, not 'gpu'."),
        ({"dtype": "float8"}, "--dtype must be auto, float32, bfloat16 or float16, not 'float8'."),
        ({"compile": 1}, "--compile must be True or False, not 1."),
        ({"corpus": 3}, "--corpus must be a path, not 3."),
        ({"lora": 3}, "--lora must be text, not 3."),
        ({"lora": "x", "loras": "y"}, "loras and lora are one option: give only one of them."),
        ({"trust_remote_code": "yes"}, "--trust-remote-code must be True or False, not 'yes'."),
        ({"seeds": "ten"}, "--seeds must be a whole number, not 'ten'."),
        ({"seeds": 0}, "--seeds must be 1 or more, not 0."),
    ],
    ids=str,
)
def test_a_value_that_does_not_fit_is_one_sentence(options: dict[str, Any], sentence: str) -> None:
    """Types and limits are those of the fields, under the name that the command line uses."""
    with pytest.raises(audit.UserError) as error:
        audit.run("world", **options)
    assert str(error.value) == sentence


def test_names_of_the_command_line_are_keywords(tmp_path: Path) -> None:
    """`reference`, `mitigation` and `no_images` do in Python what they do there."""
    (tmp_path / "labels.csv").write_text("occupation,gender\nnurse,woman\nnurse,man\n")
    (tmp_path / "own.csv").write_text(
        "subject,attribute,value,share,source\nnurse,gender,woman,0.5,mine\n"
        "nurse,gender,man,0.5,mine\n"
    )
    found = audit.run(
        "occupations",
        labels=tmp_path / "labels.csv",
        reference=f"mine={tmp_path / 'own.csv'}",
        no_images=True,
        out=tmp_path / "out",
    )
    assert all("mine" in f for f in found.findings.references if f)
    assert any(found.findings.references)
    assert "data:image/webp" not in found.report.read_text("utf-8")
    with pytest.raises(audit.UserError, match="inject"):
        audit.run("world", mitigation="injec:gender")


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


THREE: Any = 3
YES: Any = "yes"
"""Values of the wrong type."""


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: audit.run("world", steps=-1), "--steps must be 1 or more"),
        (lambda: audit.run("world", steps="ten"), "--steps must be a whole number"),
        (lambda: audit.run("world", device="gpu"), "--device must be auto, cpu"),
        (lambda: audit.run("world", mitigations=[THREE]), "mitigations must be text"),
        (lambda: audit.run("world", mitigation=3), "mitigations must be text"),
        (lambda: audit.run("world", quick=YES), "quick must be True or False"),
        (lambda: audit.run("world", missing="N/A,,x"), "--missing has an empty word"),
        (lambda: audit.run("world", missing="N/A"), "give one with --labels"),
        (lambda: audit.run("world", lora="a", loras=["b"]), "are one option"),
        (lambda: audit.index("a", "b", coverage=7), "coverage must be 0 to 1"),
        (lambda: audit.index("a", "b", coverage=YES), "coverage must be a number"),
        (lambda: audit.index("a", "b", half=YES), "half must be True or False"),
        (lambda: audit.index(THREE, "b"), "source must be text"),
        (lambda: audit.search("a", "b", nearest=0), "nearest must be 1 or more"),
        (lambda: audit.search(THREE, "b"), "pictures must be a path"),
        (lambda: audit.compare("a", "b", margin=-1), "margin must be 0 to 1"),
        (lambda: audit.compare(THREE, "b"), "folder must be a path"),
        (lambda: audit.check(THREE), "folder must be a path"),
        (lambda: audit.open(THREE), "folder must be a path"),
        (lambda: audit.rewrite("a", "neutral", images=-1), "images must be 1 or more"),
        (lambda: audit.rewrite(THREE, "neutral"), "prompt must be text"),
        (lambda: audit.rewrite("a", THREE), "mitigation must be text"),
    ],
)  # fmt: skip
def test_python_checks_what_the_command_line_checks(call: Any, said: str) -> None:
    """Every verb: values of another type or out of range are one sentence."""
    with pytest.raises(UserError, match=said):
        call()


def test_a_notebook_shows_the_report_and_the_first_findings(tmp_path: Path) -> None:
    """As HTML in which names are text."""
    plan = Plan(shares={"<b>nurse</b>": 0.5}, seeds=2)
    shown = audit.open(write(tmp_path / "run", plan))._repr_html_()
    assert (tmp_path / "run" / "report.html").as_uri() in shown
    assert "<b>nurse" not in shown
    assert "&lt;b&gt;nurse" in shown
