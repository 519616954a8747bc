"""The command line: quick help, one sentence for mistakes, exit codes that mean what they say."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from audit.cli import main as cli
from audit.cli.meter import Meter
from tests.builders.command import call

HEAVY = ("torch", "diffusers", "open_clip", "faiss", "pandas", "numpy", "sklearn", "seaborn",
         "matplotlib", "jinja2", "transformers", "scipy", "statsmodels", "PIL")  # fmt: skip


QUICK = """
import json, sys
from typer.testing import CliRunner
from audit.cli.main import app
from typer.main import get_command

heavy, seen = json.loads(sys.argv[1]), {}
def call(*arguments):
    found = CliRunner().invoke(app, arguments)
    said = (found.stdout + found.stderr).strip() or str(found.exception)
    seen[" ".join(arguments)] = [said, [m for m in heavy if m in sys.modules]]

verbs = get_command(app).commands
for verb in [*verbs, *(f"world {v}" for v in verbs["world"].commands)]:
    call(*verb.split(), "--help")
call("--help")
call("--version")
call("list")
call("list", "--json")
call("run", "world", "--stepps", "3")
call("run", "world", "--steps", "ten")
call("run", "world", "--q", "2")
call("run", "wrold")
call("run", "world", "--mitigation", "injec:gender")
call("nonsense")
print(json.dumps(seen))
"""


def test_help_list_and_mistakes_import_nothing_heavy() -> None:
    """Whatever only tells something answers at once: no torch, no pandas, no numpy."""
    done = subprocess.run(
        [sys.executable, "-c", QUICK, json.dumps(HEAVY)], capture_output=True, text=True, check=True
    )
    seen = json.loads(done.stdout)
    assert {call: heavy for call, (_, heavy) in seen.items() if heavy} == {}
    assert all(said.startswith("Usage") for call, (said, _) in seen.items() if "--help" in call)
    assert seen["run world --q 2"][0] == "--q must be above 0 and below 1, not 2.0."
    assert "Did you mean world" in seen["run wrold"][0]
    assert "world_full" in seen["list"][0]
    assert {"mitigate --help", "world verify --help", "--version"} <= set(seen)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "wrold"), "Did you mean world"),
        (("run", "world", "--model", "embeded"), "Did you mean embedded"),
        (("run", "broken.toml"), "not valid TOML"),
        (("run", "world", "--corpus", "empty"), "contains no images"),
        (("run", "world", "--seeds", "0"), "seeds"),
        (("run", "world", "--dtype", "float8"), "float32"),
        (("run", "world", "--out", "file/x"), "Cannot write"),
        (("world", "train", "vea"), "Did you mean vae"),
        (("world", "render", "out", "--which", "tiwn"), "Did you mean twin"),
        (("nonsense",), "nonsense"),
    ],
)
def test_mistakes_get_one_sentence_and_exit_code_2(
    arguments: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    """What, where, what to do; no traceback, nothing on stdout."""
    (tmp_path / "broken.toml").write_text('name = "x\n')
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    done = call(*arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_list_names_what_can_be_named() -> None:
    """Suites with titles and the registries, as text and as JSON."""
    found = json.loads(call("list", "--json").stdout)
    assert "world" in found["suites"]
    assert "embedded" in found["model"]
    assert "world_full" in call("list").stdout


def test_a_crash_of_ours_is_70_with_the_details_in_a_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An unexpected exception is reported as a bug, and its traceback is kept."""

    def broken(**_: object) -> None:
        raise ZeroDivisionError("boom")

    monkeypatch.setattr(cli, "app", broken)
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 70
    message = capsys.readouterr().err
    assert "boom" in message
    assert "ZeroDivisionError" in Path(message.rsplit(" ", 1)[1].strip()).read_text()


def test_progress_is_a_line_now_and_then_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Step, count and total; the last unit is always reported, a quiet meter says nothing."""
    meter = Meter(quiet=False)
    for i in range(1, 101):
        meter("images", i, 100)
    lines = capsys.readouterr().err.splitlines()
    assert 1 <= len(lines) <= 3
    assert lines[-1].startswith("images: 100 of 100")
    Meter(quiet=True)("images", 1, 1)
    assert capsys.readouterr().err == ""


@pytest.mark.slow
def test_plan_power_says_what_images_can_tell_and_makes_none(tmp_path: Path) -> None:
    """Every subject has a row whose figures are those of the exact test; no folder appears."""
    from audit.stats import power

    done = call("run", "world", "--plan-power", "--json", cwd=tmp_path)
    rows = json.loads(done.stdout)
    row = next(r for r in rows if r["subject"] == "nurse" and r["attribute"] == "gender: woman")
    assert row["images"] == 30
    assert row["reference"] == pytest.approx(0.879)
    low, high = row["apart"]
    assert power.power_of_share(np.array([30]), low, 0.879)[0] == pytest.approx(0.8, abs=0.01)
    assert power.power_of_share(np.array([30]), high, 0.879)[0] == pytest.approx(0.8, abs=0.01)
    assert row["images_for"] == {"0.1": 93, "0.05": 381}
    assert row["apart_family"][0] < low
    family = sum(r["attribute"] == "gender: woman" for r in rows)
    wanted = power.Wanted(comparisons=family)
    for needed, share in ((row["to_detect"]["0.1"], 0.779), (row["to_detect"]["0.05"], 0.829)):
        n = needed["reference"]
        assert power.power_of_share(np.array([n]), share, 0.879, wanted)[0] >= 0.8
        gained, lost = 0.121 * share, 0.879 * (1 - share)
        pairs = needed["mitigation"]
        assert power.power_of_change(pairs, gained, lost, wanted) >= 0.8
        assert power.power_of_change(pairs - 1, gained, lost, wanted) < 0.8
        assert needed["models"] == power.images_per_arm(0.879, share, wanted) > n
    shown = call("run", "world", "--plan-power", cwd=tmp_path)
    assert "technologist" in shown.stdout
    assert not list(tmp_path.iterdir())
