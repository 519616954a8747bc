"""The page of a finished run, from its folder: the same bytes as from the evidence itself."""

from __future__ import annotations

import json
import math
from dataclasses import fields, replace
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from audit.cli import main as cli
from audit.errors import UserError
from audit.records import Association, from_json, to_json
from audit.report import from_folder, page
from audit.report.evidence import Evidence
from audit.report.facts import Facts, Looks
from audit.store import RunFolder
from tests.report.made import Size, evidence

SMALL = Size(subjects=("nurse", "cook <&>"), seeds=2, captions=8, hostile=" \u05d0\ud7ff\"'")


def written(one: Evidence, place: Path, pictures: bool = True) -> RunFolder:
    """A run folder as the line leaves it."""
    folder = RunFolder(place)
    folder.write_manifest(one.suite, one.settings, {})
    folder.write_plan(one.samples.values())
    tables = {"attributes": one.attributes, "matches": one.matches}
    names = {n: folder.write_table(n, "k", t).name for n, t in tables.items()}
    folder.write_results({"tables": names, "images": "", "pictures": {}, "corpus": ""})
    folder.write_findings(to_json(one.findings))
    from_folder.keep(folder, one.suite, one.facts, pictures)
    for id in one.samples:
        folder.write_image(id, one.image(id))
    return folder


@pytest.fixture(scope="module")
def one() -> Evidence:
    """A small run with everything that a page may hold."""
    made = evidence(SMALL)
    counted = cast(int, np.int64(40))  # as pandas counts
    looks = Looks(0.05, 2, np.float64(0.98), counted, 90, ("nurse",), ())
    linked = Association("a", "A", ("nurse",), ("cook",), "care", "food", "gender", "woman", "man")
    assert made.facts.corpus
    corpus = replace(made.facts.corpus, coverage=math.nan, recall=(0.9, 0.8, 1.0))
    facts = replace(made.facts, threshold_w=math.inf, sequential=looks, corpus=corpus)
    return replace(made, suite=replace(made.suite, associations=(linked,)), facts=facts)


@pytest.mark.slow
def test_a_folder_gives_the_page_of_its_evidence(one: Evidence, tmp_path: Path) -> None:
    """Suite, facts, tables and findings come back as they were, however pictures are shown."""
    folder = written(one, tmp_path / "run")
    rounded = replace(one, findings=from_json(to_json(one.findings)))
    for pictures in page.PICTURES:
        path = from_folder.render(folder, one.image, one.train_image, pictures)
        assert path == tmp_path / "run" / "report.html"
        assert path.read_text("utf-8") == page.page(rounded, pictures)


@pytest.mark.slow
def test_the_verb_writes_it_again(one: Evidence, tmp_path: Path) -> None:
    """Numbers only or blurred, over the run's report or next to it; findings stay as they are."""
    folder = written(one, tmp_path / "run")
    before = (folder.path / "findings.json").read_bytes()

    def ask(*options: str) -> str:
        result = CliRunner().invoke(cli.app, ["report", str(folder.path), *options])
        assert result.exit_code == 0, result.output
        return Path(result.stdout.strip()).read_text("utf-8")

    bare = ask("--no-images", "--out", str(tmp_path / "bare.html"))
    assert not (folder.path / "report.html").exists()
    usual = ask("--corpus", "world")
    assert ask("--corpus", "world") == usual
    blurred = ask("--corpus", "world", "--blur")
    assert "data:image" in usual
    assert 'class="veil"' not in usual
    assert blurred.count('class="veil"') == blurred.count("data:image") == usual.count("data:image")
    assert "data:image" not in bare
    assert (folder.path / "findings.json").read_bytes() == before
    result = CliRunner().invoke(cli.app, ["report", str(folder.path), "--no-images", "--json"])
    assert set(json.loads(result.stdout)) == {"report", "findings"}


def test_facts_come_back_as_they_were(one: Evidence, tmp_path: Path) -> None:
    """Every fact, through JSON: numbers of numpy, an infinite and an unknown one included."""
    folder = written(one, tmp_path / "run")
    kept = folder.page_facts()["facts"]
    assert set(kept) == {f.name for f in fields(Facts)}
    back = from_folder.facts(folder, kept)
    assert repr(back) == repr(one.facts).replace("np.float64(0.98)", "0.98").replace(
        "np.int64(40)", "40"
    )


@pytest.mark.parametrize("gone", ["threshold", "corpus", "notes", "sequential", "q"])
def test_a_fact_that_an_earlier_version_did_not_keep_is_unknown(
    one: Evidence, tmp_path: Path, gone: str
) -> None:
    """Absent or null is the default; what only another version knows is left out."""
    folder = written(one, tmp_path / "run")
    kept = folder.page_facts()["facts"]
    default = repr(getattr(Facts(), gone))
    without = {k: v for k, v in kept.items() if k != gone} | {"mood": "good"}
    assert repr(getattr(from_folder.facts(folder, without), gone)) == default
    assert repr(getattr(from_folder.facts(folder, kept | {gone: None}), gone)) == default


@pytest.mark.parametrize("wrong", [{"notes": "a text"}, {"corpus": {"recall": [1]}}, {"q": "high"}])
def test_facts_of_another_form_are_refused(
    one: Evidence, tmp_path: Path, wrong: dict[str, object]
) -> None:
    """A fact that is not what it should be is one sentence, not half a report."""
    folder = written(one, tmp_path / "run")
    kept = folder.page_facts()
    folder.write_page_facts(json.dumps({**kept, "facts": {**kept["facts"], **wrong}}))
    with pytest.raises(UserError, match="facts of its report cannot be read"):
        from_folder.render(folder, one.image, None)


def test_labels_alone_have_no_frames_for_pictures(one: Evidence, tmp_path: Path) -> None:
    """Where there never were pictures, the page is one of numbers."""
    folder = written(one, tmp_path / "run", pictures=False)
    text = from_folder.render(folder, one.image, None).read_text("utf-8")
    assert "data:image" not in text
    assert 'class="none"' not in text


def test_an_unfinished_run_is_refused(one: Evidence, tmp_path: Path) -> None:
    """An empty folder, one that an earlier version left, and one whose file is torn."""
    with pytest.raises(UserError, match="contains no finished run"):
        from_folder.render(RunFolder(tmp_path / "none"), one.image, None)
    folder = written(one, tmp_path / "run")
    (folder.path / "page.json").write_text('{"suite": ')
    with pytest.raises(UserError, match="damaged"):
        from_folder.render(folder, one.image, None)
    (folder.path / "page.json").unlink()
    with pytest.raises(UserError, match="Run the same command again"):
        from_folder.render(folder, one.image, None)


def test_no_table_at_all(one: Evidence, tmp_path: Path) -> None:
    """A run without a training set leaves an empty table, which comes back as none."""
    bare = replace(one, matches=pd.DataFrame())
    folder = written(bare, tmp_path / "run")
    assert "says nothing about copies" not in from_folder.render(folder, one.image, None).read_text(
        "utf-8"
    )  # its findings of copies are still shown
