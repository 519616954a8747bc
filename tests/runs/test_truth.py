"""The planted truth comes from the model, never from the name of a reference or classifier."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from audit.design import suites
from audit.records import Attribute, Reference
from audit.runs import line, planning, reader_errors
from audit.runs.options import Options
from audit.world import models, truth
from audit.world.seen import SOURCE


def embedded_folder() -> Path:
    """The embedded generator as any other model: a folder given by user code."""
    return models.GENERATOR


@pytest.mark.parametrize("name", ["planted", "training set", "truth", "the planted shares"])
def test_a_reference_by_any_name_is_not_the_truth(tmp_path: Path, name: str) -> None:
    """Labels of an unknown model against a reference called `planted` are like any others."""
    table = tmp_path / "labels.csv"
    rows = [f"{o},{g}" for o in ("nurse", "judge") for g in ("woman", "man") for _ in range(6)]
    table.write_text("\n".join(["occupation,gender", *rows]) + "\n", "utf-8")
    suite = suites.read_suite("world")
    shares = {(s, "gender", g): 0.5 for s in ("nurse", "judge") for g in ("woman", "man")}
    suite = replace(suite, references=(Reference(name, name, shares, "declared"),))
    run = planning.open_run(suite, Options(labels=table, out=tmp_path))
    assert run.plan.truth is None
    line.execute(run)
    assert not run.folder.page_facts()["facts"]["truth_note"]
    found = [f for f in run.folder.findings() if f.section == "representation"]
    assert found
    assert all(math.isnan(f.truth) for f in found)
    assert {r for f in found for r in f.references} <= {name}


def test_the_embedded_model_says_what_was_planted(tmp_path: Path) -> None:
    """By its registered name it knows its shares; as a folder or a function it does not."""
    suite = suites.read_suite("world", quick=True)
    known = planning.open_run(suite, Options(out=tmp_path)).plan.truth
    assert known is not None
    nurse = {g: known.planted.shares["nurse", "gender", g] for g in truth.GENDERS}
    assert nurse == pytest.approx({"woman": truth.p_woman("nurse"), "man": 0.121})
    assert known.training.shares == models.training_shares()
    for model in (str(models.GENERATOR), "tests.runs.test_truth:embedded_folder"):
        assert planning.open_run(suite, Options(model=model, out=tmp_path)).plan.truth is None


@pytest.mark.parametrize(
    "classes", [("light", "medium", "dark"), truth.TONES, ("dark",), ("pale", "dark"), ("a", "b")]
)
def test_shares_of_other_classes_are_not_those_that_were_planted(
    tmp_path: Path, classes: tuple[str, ...]
) -> None:
    """`light` of three skin tones is not `light` of two: its truth is unknown, says a note."""
    suite = suites.read_suite("world", quick=True)
    tone = Attribute("skin_tone", classes, {c: (c,) for c in classes})
    kept = [a for a in suite.attributes if a.name != "skin_tone"]
    run = planning.open_run(replace(suite, attributes=(*kept, tone)), Options(out=tmp_path))
    known = run.plan.truth
    assert known is not None
    for side in (known.planted, known.training, known.seen):
        assert {a for _, a, _ in side.shares} == {"gender"}
    (note,) = run.notes
    assert "skin tone is left out: it is known for dark and light" in note
    assert note.endswith(f"asks for {', '.join(classes)}.")


def test_the_order_of_classes_does_not_matter(tmp_path: Path) -> None:
    """The same classes turned round have the same truth, without a note."""
    suite = suites.read_suite("world", quick=True)
    turned = tuple(replace(a, classes=a.classes[::-1]) for a in suite.attributes)
    run = planning.open_run(replace(suite, attributes=turned), Options(out=tmp_path))
    assert run.plan.truth is not None
    assert run.plan.truth.planted == models.embedded.truth().planted
    assert not run.notes


def test_a_classifier_brings_its_own_pictures_of_known_labels(tmp_path: Path) -> None:
    """The embedded classifier has them by any name; others have no known errors."""
    suite = suites.read_suite("world", quick=True)
    run = planning.open_run(
        suite, Options(out=tmp_path, validation=40, classifier="audit.world.models:classifier")
    )
    found = reader_errors.brought(run, models.classifier())
    assert set(found.tables) >= {"gender"}
    assert set(found.sources.values()) == {SOURCE}

    class Bare:
        """A user's encoder."""

        key = "bare"

    assert not reader_errors.brought(run, Bare()).tables


def test_findings_json_has_no_truth_for_labels(tmp_path: Path) -> None:
    """In the file, too, an unknown truth is null."""
    table = tmp_path / "labels.csv"
    table.write_text("occupation,gender\n" + "nurse,woman\n" * 5 + "nurse,man\n" * 5, "utf-8")
    run = planning.open_run(suites.read_suite("world"), Options(labels=table, out=tmp_path))
    line.execute(run)
    rows = json.loads((run.folder.path / "findings.json").read_text("utf-8"))["findings"]
    assert {row["truth"] for row in rows} == {None}
