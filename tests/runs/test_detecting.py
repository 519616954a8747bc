"""Detectors on demand: results are kept, refusals are one sentence, and they work on the model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from audit.design import suites
from audit.errors import UserError
from audit.findings import detectors as claims
from audit.records import Sample
from audit.runs import detecting
from audit.runs.context import Run
from audit.runs.options import Options
from audit.runs.planning import open_run
from tests.builders import running


def small(tmp_path: Path, captions: int, ordinary: int, **options: Any) -> Run:
    """A run on the embedded model with a few prompts of each side; nothing is drawn."""
    suite = suites.read_suite("world_full")
    asked = [p for p in suite.prompts if p.purpose == "replication" and p.repeats == 64]
    rest = [p for p in suite.prompts if p.purpose == "representation"]
    step = max(1, len(rest) // ordinary)
    prompts = (*asked[:captions], *rest[::step][:ordinary])
    small = replace(suite, prompts=prompts, mitigations=())
    return open_run(small, Options(out=tmp_path, **options))


@pytest.mark.parametrize(("detect", "word"), [("magnitude", "--model"), ("whole-set", "--corpus")])
def test_unavailable_detectors_are_refused_before_anything_is_drawn(detect: str, word: str) -> None:
    """Imported images have no model to look into; whole-set measures need a training set."""
    run = running.run(Path(), options=Options(detect=(detect,)))
    with pytest.raises(UserError, match=word):
        detecting.fits(run)


def test_scores_are_kept_as_they_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupted search resumes where it stopped, and a finished one loads no model."""
    run = small(tmp_path, 8, 40, detect=("magnitude",))
    asked: list[str] = []

    def stopping(after: int) -> Any:
        def scores(texts: list[str]) -> np.ndarray:
            if len(asked) >= after:
                raise KeyboardInterrupt
            asked.extend(texts)
            return np.array([float(len(t)) for t in texts])

        return lambda run, name: scores

    monkeypatch.setattr(detecting, "_detector", stopping(20))
    with pytest.raises(KeyboardInterrupt):
        detecting.search(run)
    first = len(asked)
    assert 0 < first < 48
    monkeypatch.setattr(detecting, "_detector", stopping(10_000))
    table = detecting.search(run)
    texts = {p.id: p.text for p in run.suite.prompts}
    assert len(asked) == len(set(asked)) == len(set(texts.values()))
    assert [float(len(texts[p])) for p in table.prompt] == list(table.score)
    monkeypatch.setattr(detecting, "_detector", lambda *_: pytest.fail("made again"))
    assert detecting.search(run).equals(table)


def test_a_model_that_cannot_be_looked_into_costs_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its scores are unknown with the reason, which is also among the notes."""
    run = small(tmp_path, 3, 5, detect=("bright-ending",))

    def refuse(*_: object) -> Any:
        raise UserError("A Some kind cannot be looked into.")

    monkeypatch.setattr(detecting, "_detector", refuse)
    table = detecting.search(run)
    assert table.score.isna().all()
    assert set(table.reason) == {"A Some kind cannot be looked into."}
    assert "cannot be looked into" in run.notes[0]
    found = claims.findings(table, {p.id: p for p in run.suite.prompts}, 0)
    assert {f.verdict for f in found} == {"undecided"}


@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_a_held_out_set_unlike_the_training_set_is_noted(tmp_path: Path, shift: float) -> None:
    """The report's notes say so, and where the sets are alike they say nothing."""
    rng = np.random.default_rng(0)
    train, held, made = rng.normal(size=(3, 90, 8))
    samples = [Sample(str(i), str(i), "none", i, "a nurse") for i in range(90)]
    run = running.run(tmp_path, None, samples, Options(detect=("whole-set",)))
    known = dict(zip((s.id for s in samples), made, strict=True))
    one, other = (SimpleNamespace(left_out=np.zeros(90, bool), rows=v.__getitem__)
                  for v in (train, held + shift))  # fmt: skip
    index: Any = SimpleNamespace(train=one, held=other)
    found = detecting.whole_set(run, known, index)
    assert found[0].verdict != "undecided"
    assert ["They differ" in n for n in run.notes] == ([True] if shift else [])


@pytest.mark.nightly
def test_learned_captions_steer_the_embedded_model(tmp_path: Path) -> None:
    """Both detectors separate captions of images that occur 64 times from ordinary prompts."""
    run = small(tmp_path, 10, 14, detect=("magnitude", "bright-ending"), steps=8)
    table = detecting.search(run)
    found = {f.id: f for f in claims.findings(table, {p.id: p for p in run.suite.prompts}, 0)}
    magnitude = found["replication/detectors/magnitude/auc/repeats=64"]
    assert magnitude.estimate > 0.95
    assert magnitude.verdict == "found"
    assert found["replication/detectors/bright-ending/auc/repeats=64"].estimate > 0.6
    assert table.score.notna().all()
