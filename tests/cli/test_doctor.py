"""What `doctor` says of this machine, and of one where something is missing."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
import torch
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from typer.testing import CliRunner

from audit.cli import doctor
from audit.cli import main as cli
from audit.cli.shared import USAGE

ROOT = Path(__file__).parents[2]


def test_this_machine_is_described() -> None:
    """Every needed part is there with its version, devices are named, the JSON holds the same."""
    found = CliRunner().invoke(cli.app, ["doctor", "--json"])
    assert found.exit_code == 0
    assert [step.split()[0] for step in found.stderr.splitlines()] == ["Checking", *["Loading"] * 2]
    said = json.loads(found.stdout)
    versions = {p["name"]: p["version"] for p in said["parts"]}
    assert versions["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert said["devices"][-1].startswith("cpu")
    assert said["precision"] in ("float32", "bfloat16", "float16")
    assert said["embedded"] == "there"
    assert said["trouble"] == ""
    page = CliRunner().invoke(cli.app, ["doctor"]).stdout
    assert all(p["name"] in page for p in said["parts"])


def test_every_declared_dependency_is_looked_for() -> None:
    """What pyproject.toml declares for every run is what is asked, and nothing of the extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    declared = {canonicalize_name(Requirement(d).name) for d in project["dependencies"]}
    assert {canonicalize_name(n) for n in doctor.needed()} == declared


def test_what_is_missing_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """A needed part that is not installed fails the command; an optional one does not."""
    whole = doctor._version
    monkeypatch.setattr(doctor, "_version", lambda n: None if n == "peft" else whole(n))
    optional = CliRunner().invoke(cli.app, ["doctor"])
    assert optional.exit_code == 0
    assert "LoRA weights (--lora): pip install peft" in optional.stdout
    monkeypatch.setattr(doctor, "_version", lambda n: None if n == "pandas" else whole(n))
    needed = CliRunner().invoke(cli.app, ["doctor"])
    assert needed.exit_code == USAGE
    assert "pip install pandas" in needed.stdout
