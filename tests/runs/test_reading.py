"""Attributes read from pixels, next to the classifier's: one function suffices, work is kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audit import registry
from audit.design import suites
from audit.errors import UserError
from audit.evidence.attributes import pictures
from audit.evidence.attributes.colour import swatches
from audit.records import Attribute, Sample
from audit.runs import planning, reading
from audit.runs.options import Options
from audit.store import RunFolder
from audit.world import models
from audit.world.dataset import balanced
from tests.builders import running

CALLS: list[int] = []


def brightness(picture: np.ndarray) -> str | None:
    """A reader as a user might write it."""
    CALLS.append(1)
    mean = float(picture.mean())
    picture[:] = 0  # a careless reader must not change the image
    return None if 120 < mean < 130 else ("bright" if mean >= 130 else "dim")


def broken(picture: np.ndarray) -> str | None:
    """A reader that fails."""
    raise ZeroDivisionError("no light")


def stray(picture: np.ndarray) -> str | None:
    """A reader that returns an unknown class."""
    return "brihgt"


def run(path: Path, reader: str) -> Any:
    """A run of forty renders, with gender by the classifier and light by a reader."""
    suite = suites.read_suite("world")
    light = Attribute("light", ("bright", "dim"), {}, reader=reader)
    gender = next(a for a in suite.attributes if a.name == "gender")
    prompt = replace(suite.prompts[0], attributes=("gender", "light"), seeds=40)
    suite = replace(suite, prompts=(prompt,), attributes=(gender, light), subject_attribute=None)
    folder = RunFolder(path)
    items = balanced((41,), 39)
    samples = [Sample(f"{i:020x}", prompt.id, "none", i, prompt.text) for i in range(40)]
    for s, item in zip(samples, items, strict=False):
        folder.write_image(s.id, item.pixels())
    folder.write_image(samples[39].id, np.full((64, 64, 3), (30, 90, 200), np.uint8))
    return running.run(path, suite, samples)


def known(made: Any) -> dict[str, np.ndarray]:
    """Vectors of all images by the embedded classifier."""
    rows = models.classifier().images([made.picture(s.id) for s in made.samples])
    return dict(zip([s.id for s in made.samples], rows, strict=True))


def test_one_function_is_an_attribute(tmp_path: Path) -> None:
    """Its answers are next to the classifier's; None is uncertain; the gate comes first."""
    made = run(tmp_path, "tests.runs.test_reading:brightness")
    table = reading.score(made, models.classifier(), known(made)).table
    light = table[table.attribute == "light"].set_index("sample")
    gender = table[table.attribute == "gender"].set_index("sample")
    assert len(light) == len(gender) == 40
    empty = made.samples[39].id
    assert light.loc[empty, "outcome"] == gender.loc[empty, "outcome"] == "no person"
    for s in made.samples[:39]:
        if gender.loc[s.id, "outcome"] == "no person":
            continue
        mean = made.picture(s.id).mean()
        wanted = None if 120 < mean < 130 else ("bright" if mean >= 130 else "dim")
        assert light.loc[s.id, "outcome"] == ("label" if wanted else "uncertain")
        assert wanted is None or light.loc[s.id, "value"] == wanted


def test_pictures_are_read_once(tmp_path: Path) -> None:
    """A second scoring does not call the reader; a damaged record is made again."""
    made = run(tmp_path, "tests.runs.test_reading:brightness")
    vectors = known(made)
    first = reading.score(made, models.classifier(), vectors).table
    CALLS.clear()
    again = reading.score(made, models.classifier(), vectors).table
    assert not CALLS
    assert first.equals(again)
    for chunk in (tmp_path / "readings").rglob("*.json"):
        chunk.write_bytes(chunk.read_bytes()[:20])
    assert first.equals(reading.score(made, models.classifier(), vectors).table)
    assert CALLS


@pytest.mark.parametrize(
    ("name", "message"),
    [("broken", "ZeroDivisionError: no light"), ("stray", "Did you mean bright")],
)
def test_mistakes_of_a_reader_name_it(tmp_path: Path, name: str, message: str) -> None:
    """One sentence with the reader and its mistake."""
    made = run(tmp_path, f"tests.runs.test_reading:{name}")
    with pytest.raises(UserError, match=message) as said:
        reading.score(made, models.classifier(), known(made))
    assert f"tests.runs.test_reading:{name}" in str(said.value)


def test_shipped_readers_answer_in_their_classes() -> None:
    """Monk classes of the swatches are their own; blue is uncertain."""
    monk = registry.load("reader", "monk")
    attribute = Attribute("monk", tuple(f"monk {i}" for i in range(1, 11)), {}, reader="monk")
    for i, colour in enumerate(swatches(), 1):
        face = np.tile(colour, (32, 32, 1))
        assert pictures.read(attribute, monk, face) == ("label", f"monk {i}")
    blue = np.full((32, 32, 3), (20, 60, 200), np.uint8)
    assert pictures.read(attribute, monk, blue) == ("uncertain", None)
    kind = registry.load("reader", "skin-type")(np.tile(swatches()[0], (32, 32, 1)))
    assert kind == "very light"


def test_a_suite_names_readers(tmp_path: Path) -> None:
    """`reader` in a suite takes the place of texts; both together are a mistake."""
    text = """
name = "mine"
title = "t"
question = "q"
[[blocks]]
id = "b"
purpose = "representation"
templates = ["a photo of {a_subject}"]
subjects = ["nurse"]
seeds = 1
attributes = ["tone"]
[attributes.tone]
classes = ["monk 1", "monk 2"]
reader = "monk"
"""
    path = tmp_path / "mine.toml"
    path.write_text(text, "utf-8")
    (attribute,) = suites.read_suite(str(path)).attributes
    assert attribute.reader == "monk"
    path.write_text(text + 'templates = ["{value}"]\n', "utf-8")
    with pytest.raises(UserError, match="reader of pixels takes no"):
        suites.read_suite(str(path))


@pytest.mark.parametrize("reader", sorted(registry.READERS))
def test_a_reader_s_classes_are_checked_before_images_are_drawn(reader: str) -> None:
    """A list that lacks one of them is refused when the run is planned; the whole list is not."""
    shipped = {
        "monk": [f"monk {i}" for i in range(1, 11)], "face-gender": ["woman", "man"],
        "face-age": ["under 20", "20 to 39", "40 to 59", "60 and over"],
        "skin-type": ["very light", "light", "intermediate", "tan", "brown", "dark"],
    }  # fmt: skip
    classes = shipped["monk" if "monk" in reader else reader]
    for wrong in ([*classes[1:], "x"], [c.title() for c in classes], [f"{c}-" for c in classes]):
        suite = replace(suites.read_suite("occupations"), attributes=(
            Attribute("tone", tuple(wrong), {}, reader=reader),))  # fmt: skip
        with pytest.raises(UserError, match=f"The reader '{reader}' may return an unknown class"):
            planning.open_run(suite, Options())
    pictures.check(Attribute("tone", (*classes, "other"), {}, reader=reader), None)
