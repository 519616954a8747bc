"""The end of a run: its tables are named after everything that changes them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from audit.runs import conclude, line, planning
from audit.runs.opt import declared
from audit.runs.options import Options

OTHER: dict[str, Any] = {
    "precision": 0.05, "validation": 7, "copies": "conformal", "q": 0.2, "training": 7,
    "detect": ("whole-set",), "seed": 7, "people": "first", "tone": True,
    "nudity": True, "segments": "figures",
}  # fmt: skip
"""Values other than the defaults, of every option that changes tables."""


def names(out: Path, **changed: Any) -> dict[str, str]:
    """File names of the tables of a run over two labels."""
    table = out / "labels.csv"
    table.write_text("subject,gender\nnurse,woman\nnurse,man\n", "utf-8")
    run = planning.open_run(planning.asked("world"), Options(labels=table, out=out))
    changed_options = replace(run.options, **changed)  # after planning: labels have no faces
    run = replace(run, plan=replace(run.plan, options=changed_options))
    made = conclude.Made(line.nothing_but(run, run.plan.labels.table), {"labels": "x"})
    conclude._write_tables(run, made)
    found: dict[str, str] = run.folder.results()["tables"]
    return found


def test_other_values_are_those_of_all_options_that_change_tables() -> None:
    """An option that is declared so is tested below."""
    assert {n for n, d in declared(Options).items() if d.opt.tables} == set(OTHER)


@pytest.mark.parametrize("option", OTHER)
def test_an_option_that_changes_tables_is_part_of_their_names(option: str, tmp_path: Path) -> None:
    """A table of other options is another file; an option of the report alone changes no name."""
    plain = names(tmp_path)
    other = names(tmp_path, **{option: OTHER[option]})
    assert not set(plain.values()) & set(other.values())
    assert names(tmp_path, pictures="none") == plain
