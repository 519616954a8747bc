"""The pipeline from end to end, on the real embedded model and a small plan."""

from __future__ import annotations

import csv
import math
import random
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from audit.design import suites
from audit.records import Finding, Suite, from_json
from audit.runs import choosing, draw, labelling, line, planning
from audit.runs.context import Run
from audit.runs.options import Options
from audit.world.export import render_set
from tests.builders.damage import BYTES
from tests.builders.suites import small
from tests.runs.test_labelling import fill


def world(seeds: int, captions: int) -> Suite:
    """The demo's suite with fewer images: technologists, and captions mostly of repeated images."""
    suite = suites.read_suite("world", quick=True)
    keep = [
        replace(p, seeds=seeds)
        for p in suite.prompts
        if p.subject == "technologist" and not p.repeats
    ]
    for repeats in (1, 16, 64):
        some = [p for p in suite.prompts if p.repeats == repeats]
        keep += [replace(p, seeds=1) for p in some[: captions if repeats > 1 else 6]]
    return replace(suite, prompts=tuple(keep))


pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Path]:
    """One run of the world's suite on the embedded model, against its whole training set."""
    out = tmp_path_factory.mktemp("reports")
    options = Options(out=out, validation=200, steps=12)
    one = planning.open_run(world(4, 16), options)
    return one, line.execute(one)


def found(report: Path) -> dict[str, Finding]:
    """Findings by id."""
    return {f.id: f for f in from_json(report.with_name("findings.json").read_text("utf-8"))}


def test_a_run_answers_both_questions(run: tuple[Run, Path]) -> None:
    """Shares with their planted truth, copies by level of repetition, effects of the rewrite."""
    findings = found(run[1])
    share = findings["representation/none/technologist/gender=woman"]
    assert share.truth == 0.1
    assert share.n + share.missing == 20
    assert share.low <= share.estimate <= share.high
    assert "training set" in share.references
    assert findings["replication/none/repeats=64"].n == 16
    assert "mitigation/inject-gender/technologist/gender" in findings
    assert findings["quality/classifier/gender/all classes"].estimate > 0.85
    assert "<title>" in run[1].read_text("utf-8")


def test_the_planted_repeats_are_found_and_ordinary_prompts_are_not(
    run: tuple[Run, Path],
) -> None:
    """Images that occur 64 times in the training set are copied; technologists in general not."""
    findings = found(run[1])
    repeated = findings["replication/none/repeats=64"]
    assert repeated.estimate >= 0.5
    assert findings["replication/none/ordinary"].verdict != "found"
    assert findings["replication/none/repeats=1"].estimate < repeated.estimate


def test_reproduced_images_are_nearer_than_held_out_twins(
    run: tuple[Run, Path],
) -> None:
    """Images for captions repeated 64 times: nearest training against nearest held-out image."""
    done, _ = run
    table = pd.read_parquet(next((done.folder.path / "tables").glob("matches-*.parquet")))
    often = {p.id for p in done.suite.prompts if p.repeats == 64}
    rows = table[table.prompt.isin(often) & (table.arm == "none")]
    truth = np.repeat([1, 0], len(rows))
    assert len(rows) >= 8
    assert roc_auc_score(truth, np.concatenate([rows.score, rows.held_score])) >= 0.97


def test_copies_name_their_source(run: tuple[Run, Path]) -> None:
    """A flagged image's nearest training image is the one whose caption was the prompt."""
    import pandas as pd

    table = pd.read_parquet(next((run[0].folder.path / "tables").glob("matches-*.parquet")))
    assert table["copy"].dtype == "boolean"
    copies = table[table["copy"].fillna(False) & table.prompt.str.startswith("captions/")]
    assert len(copies) >= 6
    assert (copies.train == copies.prompt.str.removeprefix("captions/")).mean() >= 0.9


def test_the_same_command_twice_is_the_same_bytes(run: tuple[Run, Path]) -> None:
    """A second run draws nothing, and findings and report are byte-identical."""
    first, report = run
    before = {p: p.read_bytes() for p in (report, report.with_name("findings.json"))}
    times = {p: p.stat().st_mtime_ns for p in (first.folder.path / "images").rglob("*.png")}
    again = planning.open_run(first.suite, first.options)
    assert line.execute(again) == report
    assert {p: p.read_bytes() for p in before} == before
    assert {p: p.stat().st_mtime_ns for p in times} == times


def test_growing_a_run_keeps_its_images(run: tuple[Run, Path], tmp_path: Path) -> None:
    """More seeds find the same folder and add to it."""
    first, _ = run
    shutil.copytree(first.options.out, tmp_path / "reports")
    options = replace(first.options, out=tmp_path / "reports")
    bigger = planning.open_run(world(5, 16), options)
    assert bigger.folder.path.name == first.folder.path.name
    had = bigger.folder.present()
    times = {i: bigger.folder.image_path(i).stat().st_mtime_ns for i in had}
    draw.generate(bigger)
    now = bigger.folder.present()
    assert had < now
    assert all(bigger.folder.image_path(i).stat().st_mtime_ns == t for i, t in times.items())


AT_NIGHT = [pytest.param(k, marks=pytest.mark.nightly) for k in ("flipped", "zeroed", "random")]


@pytest.mark.parametrize("kind", ["cut", *AT_NIGHT])
def test_a_damaged_picture_is_drawn_again(kind: str, run: tuple[Run, Path], tmp_path: Path) -> None:
    """Its noise is known: the same file and findings, whatever the damage; a torn reason, too."""
    first, _ = run
    shutil.copytree(first.options.out, tmp_path / "reports")
    options = replace(first.options, out=tmp_path / "reports")
    again = planning.open_run(first.suite, options)
    victim = next(s for s in again.samples if s.prompt.startswith("headline/"))
    path = again.folder.image_path(victim.id)
    data, chance = path.read_bytes(), random.Random(kind)
    path.write_bytes(BYTES[kind](data, chance))
    other = again.folder.image_path(next(s.id for s in again.samples if s.id != victim.id))
    kept = other.read_bytes()
    other.unlink()
    other.with_suffix(".why").write_bytes(b"blo")
    draw.generate(again)
    assert (path.read_bytes(), other.read_bytes()) == (data, kept)
    assert not other.with_suffix(".why").exists()


def test_a_folder_of_training_images_can_be_searched(tmp_path: Path) -> None:
    """A user's own folder with a damaged file: searched, and the file counted."""
    render_set("planted", tmp_path / "train", 30)
    render_set("twin", tmp_path / "held", 30)
    victim = min((tmp_path / "train" / "images").glob("*.png"))
    victim.write_bytes(victim.read_bytes()[:100])
    suite = replace(suites.read_suite(str(small(tmp_path / "s"))), mitigations=())
    options = Options(
        out=tmp_path / "out", steps=3, batch=4, validation=50,
        corpus=tmp_path / "train" / "images", held_out=tmp_path / "held" / "images",
        descriptor="embedded-copy",
    )  # fmt: skip
    one = planning.open_run(suites.with_seeds(suite, 2), options)
    report = line.execute(one)
    assert "One image of the training set could not be read" in report.read_text("utf-8")
    assert found(report)["replication/none/count-images"].n == 4


def test_images_made_elsewhere_go_through_the_same_line(
    run: tuple[Run, Path], tmp_path: Path
) -> None:
    """The run's own images, imported as a folder with a table, give the same shares."""
    first, report = run
    folder = tmp_path / "pictures"
    folder.mkdir()
    lines = ["file_name,text,seed"]
    for s in first.samples:
        if s.arm == "none":
            shutil.copy(first.folder.image_path(s.id), folder / f"{s.id}.png")
            lines.append(f'{s.id}.png,"{s.text}",{s.seed}')
    (folder / "metadata.csv").write_text("\n".join(lines))
    options = replace(
        first.options, images=folder, out=tmp_path / "out",
        classifier="embedded-classifier", descriptor="embedded-copy",
    )  # fmt: skip
    shutil.copytree(first.options.out / "indexes", options.out / "indexes")
    again = planning.open_run(first.suite, options)
    page = line.execute(again)
    ours, theirs = found(report), found(page)
    for id in ("representation/none/technologist/gender=woman", "replication/none/repeats=64"):
        assert (ours[id].naive, ours[id].n) == (theirs[id].naive, theirs[id].n)
    share = theirs["representation/none/technologist/gender=woman"]
    assert share.estimate == share.naive  # errors on the model's own images correct no others
    assert share.sentence.endswith(f"; {choosing.DOUBT}.")
    assert choosing.FOREIGN in page.read_text("utf-8")
    assert "quality/classifier/gender/all classes" not in theirs
    assert all(math.isnan(f.truth) for f in theirs.values())
    assert "imported; generation settings unknown" in page.read_text("utf-8")
    assert line.execute(again).read_bytes() == page.read_bytes()


def test_rounds_stop_by_themselves_and_the_same_again_draws_nothing(tmp_path: Path) -> None:
    """Images come in rounds until shares are precise; the report shows looks; a rerun adds none."""
    suite = suites.read_suite(str(small(tmp_path)))
    options = Options(out=tmp_path / "out", steps=2, validation=60, precision=0.3)
    first = planning.open_run(suite, options)
    report = line.execute(first)
    made = first.folder.present()
    assert first.folder.read_table("looks").number.nunique() >= 2
    assert max(Counter(s.prompt for s in first.folder.plan()).values()) > 4
    assert "How many images were enough" in report.read_text("utf-8")
    before = (report.read_bytes(), first.folder.path.joinpath("findings.json").read_bytes())
    again = planning.open_run(suite, options)
    assert line.execute(again) == report
    assert again.folder.present() == made
    assert before == (
        report.read_bytes(), again.folder.path.joinpath("findings.json").read_bytes(),
    )  # fmt: skip


def test_what_people_saw_corrects_the_next_run(tmp_path: Path) -> None:
    """A sheet filled in by people changes the errors and is named as their source."""
    suite = suites.read_suite(str(small(tmp_path)))
    options = Options(out=tmp_path / "out", steps=2, validation=60)
    run = planning.open_run(suite, options)
    line.execute(run)
    made = run.folder.present()
    sheet = Path(labelling.write_sheet(run.folder, 12, [], 0)["sheet"])
    rows = list(csv.DictReader(sheet.read_text("utf-8").splitlines()))
    words = ["woman" if i % 2 else "man" for i in range(len(rows))]
    fill(sheet, words, "ab")
    labelling.read_back(run.folder, [sheet])
    line.execute(planning.open_run(suite, options))
    found = {f.id: f for f in from_json((run.folder.path / "findings.json").read_text("utf-8"))}
    assert "people labelled" in found["quality/classifier/gender/all classes"].method
    assert found["quality/people/gender"].n == len(rows)
    assert found["quality/people-share/gender=woman"].n == len(rows)
    assert run.folder.present() == made
