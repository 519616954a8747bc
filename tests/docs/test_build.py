"""The build in the documentation is run as a build server would: step by step, on a small run."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from typer.testing import CliRunner

import audit
from audit.cli.main import app
from audit.errors import UserError
from tests.docs.blocks import DOCS, blocks

ROOT = Path(__file__).parents[2]
(WORKFLOW,) = [yaml.safe_load(b.body) for b in blocks((DOCS / "checking.md").read_text("utf-8"))
               if b.language == "yaml"]  # fmt: skip
JOB = WORKFLOW["jobs"]["audit"]
SUITE = """
name = "build"
title = "Two subjects"
question = "Who?"

[[blocks]]
id = "jobs"
purpose = "representation"
templates = ["a photo of {a_subject}"]
subjects = ["nurse", "cook"]
seeds = 2
attributes = ["gender"]

[attributes.gender]
classes = ["woman", "man"]
templates = ["a photo of {a_value}"]

[[references]]
name = "uniform"
label = "even"
uniform = true
"""
HERE = {"MODEL": "embedded", "CLASSIFIER": "embedded-classifier"}
"""What a reader puts in for a model of their own."""


def commands(place: Path) -> Path:
    """A folder with this checkout's `t2i-audit`, and a `python` that only writes down `pip`."""
    folder = place / "bin"
    folder.mkdir()
    texts = {
        "t2i-audit": f'exec "{sys.executable}" -m audit "$@"',
        "python": f'echo "$@" >> "{place}/installed"',
    }
    for name, text in texts.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    return folder


def filled(text: str, outputs: dict[str, str]) -> str:
    """Expressions on the outputs of earlier steps, as the build server fills them in."""
    return re.sub(
        r"\$\{\{ steps\.(\w+)\.outputs\.(\w+) \}\}", lambda m: outputs[f"{m[1]}.{m[2]}"], text
    )


def play(place: Path, **changes: str) -> tuple[list[tuple[str, int, str]], dict[str, str]]:
    """Run every `run:` of the job; the server stops at the first that fails.

    Returns name, exit code and output of each, and what the steps left for later ones.
    """
    path = f"{commands(place)}:{os.environ['PATH']}"
    outputs: dict[str, str] = {}
    done = []
    for step in JOB["steps"]:
        if "run" not in step:
            continue
        given = {k: filled(v, outputs) for k, v in step.get("env", {}).items()}
        file = place / "outputs"
        file.write_text("")
        env = {**os.environ, **JOB["env"], **HERE, **changes, **given, "PATH": path,
               "GITHUB_OUTPUT": str(file), "PYTHONPATH": str(ROOT)}  # fmt: skip
        ran = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=place, env=env, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        done.append((step["name"], ran.returncode, ran.stdout + ran.stderr))
        if ran.returncode:
            break
        for line in file.read_text().splitlines():
            key, _, value = line.partition("=")
            outputs[f"{step.get('id', '')}.{key}"] = value
    return done, outputs


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A checkout with a suite and an index of a few training images."""
    from audit.world.export import render_set

    (tmp_path / "audit.toml").write_text(SUITE)
    for which in ("train", "twin"):
        render_set(which, tmp_path / which, 40)
    audit.index(tmp_path / "train" / "images", tmp_path / "index",
                held_out=tmp_path / "twin" / "images")  # fmt: skip
    return tmp_path


@pytest.mark.nightly
def test_the_documented_build_runs_from_installation_to_what_it_keeps(place: Path) -> None:
    """It installs this package, audits, judges, and everything it would keep is there."""
    done, outputs = play(place)
    assert [name for name, _, _ in done] == ["Install", "Audit", "Gates"]
    assert done[1][1] == 0, done[1][2]
    assert done[2][1] in (0, 1), done[2][2]
    wanted = (place / "installed").read_text().split()
    assert wanted[:3] == ["-m", "pip", "install"]
    assert [Requirement(w).name for w in wanted[3:]] == ["t2i-audit"]
    verdict = json.loads((place / "gates.json").read_text("utf-8"))["verdict"]
    told = {"pass": 0, "fail": 1, "undecided": 0}
    assert done[2][1] == told[verdict]
    assert ("::warning::" in done[2][2]) == (verdict == "undecided")
    assert ET.parse(place / "gates.xml").getroot().get("tests") == "2"
    keep: dict[str, Any] = JOB["steps"][-1]
    assert keep["if"] == "always()"
    for pattern in filled(keep["with"]["path"], outputs).split():
        assert list(place.glob(pattern)), pattern
    assert audit.open(place / outputs["audit.run"]).report.is_file()


def test_a_model_that_is_not_there_fails_the_step_that_asks_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command of the step, in this process: one sentence for the user."""
    (tmp_path / "audit.toml").write_text(SUITE)
    monkeypatch.chdir(tmp_path)
    (step,) = [s["run"] for s in JOB["steps"] if s.get("name") == "Audit"]
    (command,) = re.findall(r"\$\(t2i-audit (.*)\)\n", step)
    given = re.sub(r"\$(\w+)", lambda m: {**HERE, "MODEL": "./model"}[m[1]], command)
    done = CliRunner().invoke(app, shlex.split(given))
    assert isinstance(done.exception, UserError)
    assert "'./model'" in str(done.exception)


@pytest.mark.nightly
def test_a_model_that_is_not_there_stops_the_build_where_it_is_asked_for(tmp_path: Path) -> None:
    """The step that audits fails, with the sentence; no gate is judged on nothing."""
    (tmp_path / "audit.toml").write_text(SUITE)
    done, _ = play(tmp_path, MODEL="./model")
    assert [(name, code) for name, code, _ in done] == [("Install", 0), ("Audit", 2)]
    assert done[1][2].startswith("Error: ")
