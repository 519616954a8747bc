"""Skin tones of images: which face, inside which mask, measured once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data as photographs

from audit.evidence.attributes import faces, portraits
from audit.evidence.attributes.colour import lab
from audit.evidence.attributes.portraits import Box
from audit.evidence.encoders import selfie
from audit.records import Prompt, Sample, Suite
from audit.runs import tones
from audit.runs.context import Run
from audit.runs.options import Options
from tests.builders import running

SKIN, OTHER, WALL = (200, 150, 120), (120, 80, 60), (190, 140, 90)
"""Two skins, and a background that could be skin as well."""
CALLS: list[int] = []


def scene(people: int) -> np.ndarray:
    """512 x 512: up to two heads, in the left half SKIN, in the right half OTHER and larger."""
    picture = np.full((512, 512, 3), WALL, np.uint8)
    picture[0, 0] = people
    for i, colour in enumerate((SKIN, OTHER)[:people]):
        picture[150 - 20 * i : 250, 80 + 250 * i : 180 + 250 * i] = colour
    return picture


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """A detector whose boxes are wider than the heads, and a segmenter that knows the wall."""

    def find(picture: np.ndarray) -> list[Box]:
        CALLS.append(1)
        boxes = [Box(60 + 250 * i, 140 - 20 * i, 200 + 250 * i, 260)
                 for i in range(picture[0, 0, 0])]  # fmt: skip
        return sorted(boxes, key=lambda b: -b.area)

    CALLS.clear()
    monkeypatch.setattr(portraits, "find", find)
    monkeypatch.setattr(selfie, "person", lambda picture: (picture != WALL).any(-1))


@pytest.mark.parametrize(
    ("people", "largest", "outcome", "colour"),
    [(1, False, "label", SKIN), (1, True, "label", SKIN), (2, False, "several people", None),
     (2, True, "label", OTHER), (0, True, "uncertain", None)],
)  # fmt: skip
def test_the_face_inside_the_mask_is_measured(
    people: int, largest: bool, outcome: str, colour: tuple[int, ...] | None
) -> None:
    """The wall inside the box of the face does not count; of two people the larger is measured."""
    said, found = tones.tone(scene(people), largest)
    assert said == outcome
    if colour is None:
        assert found is None
    else:
        assert found is not None
        assert found.colour == pytest.approx(tuple(lab(np.array(colour, np.uint8))))


def made(folder: Path, **options: Any) -> Run:
    """A run over scenes with nobody, one and two people, and one without an image."""
    prompt = Prompt("p", "people", "people", "b", "representation", 4)
    suite = Suite("s", "", "", (prompt,), (), (), ())
    samples = [Sample(f"{i}" * 20, "p", "none", i, "people") for i in range(4)]
    run = running.run(folder, suite, samples, options=Options(tone=True, **options))
    for i in range(3):
        run.folder.write_image(samples[i].id, scene(i))
    return run


def test_images_are_measured_once_and_missing_ones_have_a_reason(tmp_path: Path) -> None:
    """Another measurement reads what was kept; a damaged record is unreadable, not a number."""
    seen = {f"{i}" * 20: np.ones(2) for i in range(3)}
    table = tones.measure(made(tmp_path), seen)
    assert table.outcome.tolist() == ["uncertain", "label", "several people", "unreadable"]
    assert table.lightness.notna().tolist() == [False, True, False, False]
    calls = len(CALLS)
    assert tones.measure(made(tmp_path), seen).equals(table)
    assert len(CALLS) == calls
    first = tones.measure(made(tmp_path, people="first"), seen)
    assert first.outcome.tolist() == ["uncertain", "label", "label", "unreadable"]
    for kept in (tmp_path / "readings").rglob("*.json"):
        kept.write_text(kept.read_text().replace(".", ";"))
    again = tones.measure(made(tmp_path), seen)
    assert again.outcome.tolist() == ["uncertain", "unreadable", "several people", "unreadable"]


def test_nothing_is_measured_unless_asked(tmp_path: Path) -> None:
    """Without the option there is an empty table with its columns."""
    run = running.run(tmp_path, Suite("s", "", "", (), (), (), ()), [])
    table = tones.measure(run, {})
    assert len(table) == 0
    assert "lightness" in table
    assert not CALLS


def test_a_portrait_has_a_tone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The astronaut's face, inside its mask, is lighter than her suit is red."""
    monkeypatch.undo()
    outcome, found = tones.tone(photographs.astronaut())
    assert outcome == "label"
    assert found is not None
    assert 55 < found.colour[0] < 85
    assert 30 < found.hue < 75
    assert faces.tone(photographs.astronaut()) is not None
