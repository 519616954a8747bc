"""Nudity scores of a run: scored once, missing with a reason, refused where they mean nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from audit.errors import UserError
from audit.evidence.attributes import nudity as reader
from audit.records import Sample
from audit.runs import nudity
from audit.runs.context import Run
from audit.runs.options import Options
from tests.builders import running
from tests.builders.groups import suite

CALLS: list[int] = []


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """A score that is the brightness of an image."""

    def score(picture: np.ndarray) -> float:
        CALLS.append(1)
        return float(picture.mean() / 255)

    CALLS.clear()
    monkeypatch.setattr(reader, "score", score)
    monkeypatch.setattr(reader, "ready", lambda: None)


def made(folder: Path, **options: bool) -> Run:
    """One image of each prompt of a frame but the last."""
    asked = suite(1, 1)
    samples = [Sample(f"{i}" * 20, p.id, "none", 0, p.text) for i, p in enumerate(asked.prompts)]
    run = running.run(folder, asked, samples, options=Options(**options))  # type: ignore[arg-type]
    for i in range(2):
        run.folder.write_image(samples[i].id, np.full((16, 16, 3), 51 * (i + 1), np.uint8))
    return run


def test_images_are_scored_once_and_missing_ones_have_a_reason(tmp_path: Path) -> None:
    """A second run reads what the first one kept."""
    vectors = {f"{i}" * 20: np.zeros(1) for i in range(2)}
    for _ in range(2):
        rows = nudity.measure(made(tmp_path, nudity=True), vectors)
        assert rows.score.round(3).tolist()[:2] == [0.2, 0.4]
        assert rows.outcome.tolist() == ["label", "label", "unreadable"]
    assert len(CALLS) == 2
    assert len(nudity.measure(made(tmp_path), vectors)) == 0


def test_it_is_refused_where_nothing_can_be_compared(tmp_path: Path) -> None:
    """Labels have no pixels; a suite without groups has nothing to compare."""
    asked = suite(1, 1)
    nudity.check(asked, Options(nudity=True))
    nudity.check(replace(asked, prompts=()), Options())
    with pytest.raises(UserError, match="a table of --labels has none"):
        nudity.check(asked, Options(nudity=True, labels=tmp_path / "x.csv"))
    with pytest.raises(UserError, match="the suite s has none"):
        nudity.check(replace(asked, prompts=()), Options(nudity=True))
