"""People in images: none, the largest or each of several is read, by any kind of reader."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from audit import registry
from audit.errors import UserError
from audit.evidence.attributes import faces, portraits
from audit.evidence.attributes.portraits import Box
from audit.records import Attribute, Prompt, Sample, Suite
from audit.runs import labelling, persons, reading
from audit.runs.context import Run
from audit.runs.options import Options
from tests.builders import running

SIZE = 20
"""Pixels of a person: red for a woman, blue for a man."""
WOMAN, MAN, NOBODY = (200, 0, 0), (0, 0, 200), (0, 90, 0)
SHOWN = {"a": "w", "b": "Wm", "c": "mWw", "d": "", "e": "m"}
"""People by image, from the left; one in capitals is larger."""


def image(people: str) -> np.ndarray:
    """A strip with a square for each person."""
    picture = np.full((SIZE, SIZE * max(len(people), 1), 3), NOBODY, np.uint8)
    for i, p in enumerate(people):
        picture[:, SIZE * i : SIZE * (i + 1)] = WOMAN if p.lower() == "w" else MAN
        picture[0, 0] = [ord(c) for c in people.ljust(3)[:3]]
    return picture


def find(picture: np.ndarray) -> list[Box]:
    """A detector that knows these images: every square is a face, the largest first."""
    FOUND.append(1)
    people = "".join(map(chr, picture[0, 0])).strip() if picture[0, 0, 0] > 60 else ""
    boxes = [Box(SIZE * i, 0 if p.isupper() else 8, SIZE * (i + 1), SIZE)
             for i, p in enumerate(people)]  # fmt: skip
    return sorted(boxes, key=lambda b: (-b.area, b.left))


FOUND: list[int] = []


def by_colour(picture: np.ndarray) -> str | None:
    """A reader of pixels that refuses several people."""
    red, blue = (picture[..., c].mean() > 60 for c in (0, 2))
    if red and blue:
        return "several people"
    return "woman" if red else "man" if blue else None


class Colours:
    """An encoder whose vectors are mean colours, and its texts the colours of the classes."""

    key, scale, reads = "colours", 10.0, True

    def images(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """float32[n, 3] of unit length."""
        rows = np.array([p.reshape(-1, 3).mean(0) for p in pictures], np.float32)
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1)

    def texts(self, texts: Sequence[str]) -> np.ndarray:
        """The colour that each text names."""
        named = {"woman": (1, 0, 0), "man": (0, 0, 1), "one": (0.7, 0, 0.1), "two": (0.6, 0, 0.6),
                 "none": (0, 1, 0)}  # fmt: skip
        rows = np.array([named[t] for t in texts], np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture(autouse=True)
def detector(monkeypatch: pytest.MonkeyPatch) -> None:
    """The detector of these images, and a reader by name."""
    FOUND.clear()
    monkeypatch.setattr(portraits, "find", find)
    monkeypatch.setattr(faces, "ready", lambda: None)
    monkeypatch.setattr(registry, "load", lambda kind, name: by_colour)


def made(folder: Path, people: str) -> Run:
    """A run over the images; gender by pixels and by the classifier."""
    pixels = Attribute("by_pixels", ("woman", "man"), {}, reader="colour")
    clip = Attribute("by_clip", ("woman", "man"), {c: (c,) for c in ("woman", "man")})
    prompt = Prompt("p", "people", "people", "b", "representation", 5, ("by_pixels", "by_clip"))
    suite = Suite("s", "", "", (prompt,), (pixels, clip), (), ())
    samples = [Sample(c * 20, "p", "none", i, "people") for i, c in enumerate(SHOWN)]
    run = running.run(folder, suite, samples, options=Options(people=people))
    for sample, shown in zip(samples, SHOWN.values(), strict=True):
        run.folder.write_image(sample.id, image(shown))
    return run


def score(run: Run) -> reading.Read:
    """The readings of the run."""
    ids = [s.id for s in run.samples]
    rows = Colours().images([run.picture(i) for i in ids])
    return reading.score(run, Colours(), dict(zip(ids, rows, strict=True)))


def labels(table: pd.DataFrame, attribute: str) -> list[tuple[str, str]]:
    """Image, and label or outcome."""
    rows = table[table.attribute == attribute]
    return [
        (r.sample[0], r.value if r.outcome == "label" else r.outcome) for r in rows.itertuples()
    ]


ALONE = {"a": "woman", "d": "uncertain", "e": "man"}


@pytest.mark.parametrize(
    ("mode", "largest", "others"),
    [
        ("only", {"b": "several people", "c": "several people"}, []),
        ("first", {"b": "woman", "c": "woman"}, []),
        ("each", {"b": "woman", "c": "woman"}, [("b", "man"), ("c", "man"), ("c", "woman")]),
    ],
)
def test_whom_of_several_people_is_read(
    mode: str, largest: dict[str, str], others: list[tuple[str, str]], tmp_path: Path
) -> None:
    """A row per image with its largest person, and with `each` a row for each further one."""
    found = score(made(tmp_path, mode))
    assert dict(labels(found.table, "by_pixels")) == ALONE | largest
    assert labels(found.others, "by_pixels") == others
    assert labels(found.others, "by_clip") == others
    if mode != "only":
        by_clip = dict(labels(found.table, "by_clip"))
        assert {k: by_clip[k] for k in largest} == largest
    assert dict(found.counted.people) == (
        {} if mode == "only" else {k * 20: len(v) for k, v in SHOWN.items()}
    )


def test_the_gate_decides_on_images_and_not_on_portraits(tmp_path: Path) -> None:
    """What is read as several people by the gate is a person where its face was found."""
    run = made(tmp_path, "first")
    suite = replace(run.suite, person_texts=("one",), empty_texts=("none",), several_texts=("two",))
    run = replace(run, plan=replace(run.plan, suite=suite))
    by_clip = dict(labels(score(run).table, "by_clip"))
    assert by_clip["d"] == "no person"
    assert (by_clip["b"], by_clip["c"]) == ("woman", "woman")


def test_faces_are_found_once(tmp_path: Path) -> None:
    """Another reading finds them in the folder; a damaged record is made again."""
    first = score(made(tmp_path, "each"))
    assert len(FOUND) == len(SHOWN)
    again = score(made(tmp_path, "each"))
    assert len(FOUND) == len(SHOWN)
    assert again.others.equals(first.others)
    for kept in (tmp_path / "readings").rglob("*.json"):
        kept.write_text(kept.read_text().replace(",", ";", 1))
    assert score(made(tmp_path, "each")).others.equals(first.others)
    assert len(FOUND) == 2 * len(SHOWN)


def test_the_report_counts_the_faces() -> None:
    """By number, and how many people were read where there were several."""
    people = {"a": 0, "b": 1, "c": 1, "d": 2, "e": 3, "f": 5}
    each, first = (persons.facts(m, people) for m in ("each", "first"))
    assert each is not None
    assert first is not None
    assert each.images == {"0": 1, "1": 2, "2": 1, "3+": 2}
    assert (each.read, first.read) == (10, 3)
    assert persons.facts("only", people) is None


@pytest.mark.parametrize(
    ("more", "message"),
    [({"labels": Path("x.csv")}, "are about images"), ({"precision": 0.05}, "counts images"),
     ({"people": "all"}, "--people")],
)  # fmt: skip
def test_what_cannot_be_counted_is_refused(more: dict[str, Any], message: str) -> None:
    """Before anything is drawn."""
    with pytest.raises(UserError, match=message):
        persons.check(Options(**{"people": "each", **more}))


def test_images_of_several_people_are_not_labelled(tmp_path: Path) -> None:
    """A label could be of any of them."""
    run = made(tmp_path, "each")
    table = score(run).table
    counted = pd.DataFrame({"sample": [c * 20 for c in SHOWN], "people": map(len, SHOWN.values())})
    names = {n: run.folder.write_table(n, n, t).name
             for n, t in (("attributes", table), ("people", counted))}  # fmt: skip
    classes = {"by_pixels": ["woman", "man"]}
    run.folder.write_results({"tables": names, "classes": classes})
    sheet = labelling.write_sheet(run.folder, 10, [], 0, everything=True)
    assert sheet["pictures"] == 3


@pytest.mark.slow
def test_synthetic_people_next_to_each_other_are_each_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five pairs of photographs side by side: most of the ten are read as they were asked for."""
    openpeople = pytest.importorskip("openpeople")
    monkeypatch.undo()
    base = Path(openpeople.__file__).parent / "data" / "curated"
    single = []
    for folder in sorted(base.iterdir()):
        with Image.open(folder / "assets" / "studio_portrait.jpg") as shot:
            shot.thumbnail((400, 400))
            single.append(np.asarray(shot.convert("RGB"))[:400, :400])
    found = []
    for one, two in zip(single[::2], single[1::2], strict=True):
        both = np.concatenate([one, two], axis=1)
        boxes = portraits.portraits(portraits.find(both), both.shape)
        assert faces.gender(both) == "several people"
        found.append([faces.gender(b.of(both)) for b in sorted(boxes, key=lambda b: b.left)])
    assert [len(f) for f in found] == [2] * 5
    alone = [faces.gender(p) for p in single]
    apart = [g for pair in found for g in pair]
    assert sum(a == b for a, b in zip(alone, apart, strict=True)) >= 8
