"""Threes of images: which belong together, how alike they are, and what is missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from audit.evidence.attributes import structure
from audit.evidence.encoders.unread import Unread
from audit.keys import TRIPLE_COLUMNS
from audit.records import Sample
from audit.runs import triples
from audit.runs.context import Run
from tests.builders import running
from tests.builders.groups import suite


class Reads:
    """An encoder whose vectors can be read."""

    reads = True


def vector(angle: float) -> np.ndarray:
    """A unit vector in the plane."""
    return np.array([np.cos(angle), np.sin(angle)])


def made(folder: Path) -> tuple[Run, dict[str, np.ndarray]]:
    """Two frames, two noises: the neutral image is at 0, the woman's at 0.1, the man's at 0.3."""
    asked, known, rng = suite(2, 2), {}, np.random.default_rng(0)
    angles = {"": 0.0, "woman": 0.1, "man": 0.3}
    samples = [Sample(f"{p.id}-{i}", p.id, "none", i, p.text) for p in asked.prompts
               for i in range(2)]  # fmt: skip
    run = running.run(folder, asked, samples)
    scene = rng.integers(0, 256, (24, 24, 3))
    for s in samples:
        group = s.prompt[1:]
        noise = rng.normal(0, 1, scene.shape) * {"": 0, "woman": 40, "man": 5}[group]
        run.folder.write_image(s.id, np.clip(scene + noise, 0, 255).astype(np.uint8))
        known[s.id] = vector(angles[group] + 0.5 * (s.prompt[0] == "1"))
    return run, known


def test_each_noise_of_a_frame_is_a_three(tmp_path: Path) -> None:
    """Cosines with either group; SSIM may see another one nearer; the control is another frame."""
    run, known = made(tmp_path)
    rows = triples.measure(run, Reads(), known)
    assert list(rows.columns) == list(TRIPLE_COLUMNS)
    assert len(rows) == 2 * 4
    near = rows[rows.measure == "vectors"]
    assert near.to_one.to_numpy() == pytest.approx(np.cos(0.1))
    assert near.to_two.to_numpy() == pytest.approx(np.cos(0.3))
    assert near.other_to_one.tolist() == pytest.approx([*[np.cos(0.4)] * 2, *[np.cos(0.6)] * 2])
    alike = rows[rows.measure == "ssim"]
    assert (alike.to_two > alike.to_one).all()
    pictures = [run.picture(i) for i in ("0-1", "0woman-1", "0man-1", "1-1")]
    own = [structure.similarity(pictures[k], pictures[g]) for k in (0, 3) for g in (1, 2)]
    got = alike[(alike.frame == "person 0") & (alike.seed == 1)].iloc[0]
    assert list(got[["to_one", "to_two", "other_to_one", "other_to_two"]]) == pytest.approx(
        own, abs=1e-6
    )


def test_structures_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second run of the same images compares none of them again."""
    run, known = made(tmp_path)
    first = triples.measure(run, Reads(), known)
    monkeypatch.setattr(structure, "similarity", lambda *_: pytest.fail("compared again"))
    pd.testing.assert_frame_equal(triples.measure(run, Reads(), known), first)


def test_missing_images_have_their_reason(tmp_path: Path) -> None:
    """Blocked ones leave their three out; a control that is missing leaves the control out."""
    run, known = made(tmp_path)
    run.folder.write_blocked("0man-0", "blocked")
    del known["0man-0"]
    del known["0-1"]
    rows = triples.measure(run, Reads(), known)
    by = rows.set_index(["measure", "frame", "seed"])
    for measure in ("vectors", "ssim"):
        assert by.outcome[measure, "person 0", 0] == "blocked"
        assert by.outcome[measure, "person 0", 1] == "unreadable"
        assert np.isnan(by.to_one[measure, "person 0", 0])
        assert by.outcome[measure, "person 1", 1] == "label"
        assert np.isnan(by.other_to_one[measure, "person 1", 1])
        assert np.isfinite(by.other_to_one[measure, "person 1", 0])


def test_without_a_classifier_there_is_ssim_alone(tmp_path: Path) -> None:
    """Hashes that say only that an image is there are no vectors."""
    run, known = made(tmp_path)
    assert set(triples.measure(run, Unread(), known).measure) == {"ssim"}


def test_suites_without_groups_have_no_threes(tmp_path: Path) -> None:
    """No frames, or no neutral prompt among the images."""
    run, known = made(tmp_path)
    stated = [s for s in run.samples if s.prompt[1:]]
    alone = running.run(tmp_path, run.suite, stated)
    assert len(triples.measure(alone, Reads(), known)) == 0
