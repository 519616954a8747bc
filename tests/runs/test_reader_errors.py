"""The classifier's errors from human labels: weighted, with raters, instead of renders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from audit.evidence.measured import Errors
from audit.findings import quality, representation
from audit.keys import ATTRIBUTE_COLUMNS
from audit.records import Attribute, Suite
from audit.runs import labelling, reader_errors
from audit.runs.options import Options
from audit.store import RunFolder
from tests.builders import running
from tests.runs.test_labelling import fill

GENDER = Attribute("gender", ("woman", "man"), {})
SUITE = Suite("s", "t", "q", (), (GENDER,), (), ())


def labelled(tmp_path: Path, seed: int, n: int = 200, blank: int = 0) -> tuple[Any, np.ndarray]:
    """A run of 1,000 readings, 30 % women, 90 % read correctly; people label n without error."""
    rng = np.random.default_rng(seed)
    true = rng.random(1000) < 0.3
    read = np.where(rng.random(1000) < 0.9, true, ~true)
    ids = [f"{i:020x}" for i in range(1000)]
    rows = [
        (s, "p", "nurse", "none", i, "gender", "label", "woman" if r else "man", 0.9)
        for i, (s, r) in enumerate(zip(ids, read, strict=True))
    ]
    folder = RunFolder(tmp_path / str(seed))
    table = pd.DataFrame(rows, columns=list(ATTRIBUTE_COLUMNS))
    path = folder.write_table("attributes", "k", table)
    folder.write_results(
        {"tables": {"attributes": path.name}, "classes": {"gender": ["woman", "man"]},
         "command": "", "pictures": {}, "images": ""}
    )  # fmt: skip
    sheet = Path(labelling.write_sheet(folder, n, [], seed)["sheet"])
    order = pd.read_csv(sheet, dtype=str)["sample"]
    words = ["woman" if true[int(s, 16)] else "man" for s in order]
    words[:blank] = [""] * blank
    fill(sheet, words, "ab")
    labelling.read_back(folder, [sheet])
    joint = np.array([[np.sum(true & read), np.sum(true & ~read)],
                      [np.sum(~true & read), np.sum(~true & ~read)]])  # fmt: skip
    return running.run(folder.path, SUITE), joint


@pytest.mark.slow
@pytest.mark.parametrize("blank", [0, 40])
def test_rates_from_labels_are_those_of_the_whole_run(tmp_path: Path, blank: int) -> None:
    """On average over draws, sensitivity and specificity are the run's own, despite blanks."""
    off = []
    for seed in range(12):
        run, joint = labelled(tmp_path, seed, blank=blank)
        found = reader_errors.with_people(run, Errors())
        table = found.tables["gender"]
        rates, truth = table / table.sum(1, keepdims=True), joint / joint.sum(1, keepdims=True)
        off.append(rates - truth)
        assert found.sources["gender"] == reader_errors.PEOPLE
    assert np.abs(np.mean(off, axis=0)).max() < 0.03
    assert np.abs(off).max() > 0


@pytest.mark.slow
def test_labels_alone_give_the_share_of_all_images(tmp_path: Path) -> None:
    """A hundred labels, stratified by class read, find the 30 % of women despite errors."""
    held = []
    for seed in range(20):
        run, joint = labelled(tmp_path, seed + 50, n=100)
        found = reader_errors.with_people(run, Errors())
        (share,) = quality.labelled_shares(found.settled, found.sizes, [GENDER])
        held.append(share.low <= joint[0].sum() / joint.sum() <= share.high)
    assert np.mean(held) >= 0.85


def test_people_come_before_renders_and_change_the_key(tmp_path: Path) -> None:
    """Labels of the run itself replace earlier errors; other attributes are unchanged."""
    run, _ = labelled(tmp_path, 1)
    before = Errors(
        {"gender": np.eye(2) * 100, "tone": np.eye(3)}, {"gender": "renders", "tone": "renders"}
    )
    found = reader_errors.with_people(run, before)
    assert found.sources == {"gender": reader_errors.PEOPLE, "tone": "renders"}
    assert found.key != before.key == "none"


def test_no_renders_leave_the_errors_unknown() -> None:
    """`--validation 0` draws no renders and loads nothing for them."""
    run = running.run(Path(), SUITE, options=Options(validation=0))
    assert not reader_errors.brought(run, None).tables


def test_no_labels_leave_everything_as_it_was(tmp_path: Path) -> None:
    """A run without labels keeps the errors from renders."""
    run = running.run(tmp_path, SUITE)
    before = Errors({"gender": np.eye(2)}, {"gender": "renders"})
    assert reader_errors.with_people(run, before) is before


def test_what_people_could_not_say_is_a_finding(tmp_path: Path) -> None:
    """Reasons instead of a class are counted with an interval, and are not errors."""
    run, _ = labelled(tmp_path, 2, n=50)
    sheet = run.folder.label_file(labelling.SHEET)
    fill(sheet, ["no person"] * 10 + ["woman", "man"] * 20, "ab")
    labelling.read_back(run.folder, [sheet])
    found = reader_errors.with_people(run, Errors())
    (claim,) = quality.people(found.judged, found.settled)
    (share,) = quality.labelled_shares(found.settled, found.sizes, [GENDER])
    assert share.n == 40
    assert share.low < share.estimate < share.high
    assert (claim.estimate, claim.n) == (pytest.approx(0.2), 50)
    assert dict(claim.reasons) == {"no person": 10}
    assert claim.low < 0.2 < claim.high


@pytest.mark.nightly
def test_shares_by_a_judge_that_errs_are_covered_with_a_hundred_labels(tmp_path: Path) -> None:
    """A judge that misreads 12 % of women and 6 % of men: 200 runs of 1,000 images."""
    covered = naive = 0
    runs = 200
    for seed in range(runs):
        rng = np.random.default_rng([seed, 7])
        true = rng.random(1000) < 0.2
        wrong = rng.random(1000) < np.where(true, 0.12, 0.06)
        run = judged(tmp_path / str(seed), true, true ^ wrong, seed)
        counts = np.array([np.sum(true ^ wrong), np.sum(~(true ^ wrong))], float)
        table = reader_errors.with_people(run, Errors()).tables["gender"]
        with_errors = representation.estimates(counts, table, 0)[0]
        without = representation.estimates(counts, None, 0)[0]
        covered += with_errors.low <= true.mean() <= with_errors.high
        naive += without.low <= true.mean() <= without.high
    assert covered / runs >= 0.92
    assert naive / runs < 0.6


def judged(place: Path, true: np.ndarray, read: np.ndarray, seed: int) -> Any:
    """A run whose images a judge read, with a hundred labels by people who see the truth."""
    ids = [f"{i:020x}" for i in range(len(true))]
    rows = [
        (s, "p", "nurse", "none", i, "gender", "label", "woman" if r else "man", np.nan)
        for i, (s, r) in enumerate(zip(ids, read, strict=True))
    ]
    folder = RunFolder(place)
    path = folder.write_table("attributes", "k", pd.DataFrame(rows, columns=[*ATTRIBUTE_COLUMNS]))
    folder.write_results(
        {"tables": {"attributes": path.name}, "classes": {"gender": ["woman", "man"]},
         "command": "", "pictures": {}, "images": ""}
    )  # fmt: skip
    sheet = Path(labelling.write_sheet(folder, 100, [], seed)["sheet"])
    order = pd.read_csv(sheet, dtype=str)["sample"]
    fill(sheet, ["woman" if true[int(s, 16)] else "man" for s in order], "ab")
    labelling.read_back(folder, [sheet])
    return running.run(folder.path, SUITE)
