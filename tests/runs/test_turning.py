"""Conversations that are drawn: their order, captions, interruptions, shards and refusals."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from audit.design import suites
from audit.engine.model import Model
from audit.engine.sampler import draw
from audit.errors import UserError
from audit.records import Sample, Settings, Suite
from audit.runs import line, planning, shards, turning
from audit.runs.context import Plan, Run
from audit.runs.draw import generate
from audit.runs.options import Options
from audit.store import RunFolder
from tests.engine import small
from tests.engine.test_bright_ending import model

SUITE = """
name = "talks"
title = "Talks"
question = "Who stays?"
[[turns]]
id = "talk"
subjects = ["nurse", "judge"]
seeds = 3
attributes = ["gender"]
turns = [
  { draw = "a photo of {a_subject}" },
  { edit = "{a_subject} on a blue background", strength = 0.5 },
  { caption = "a photo of {a_gender}", rounds = 2 },
]
[attributes.gender]
classes = ["woman", "man"]
templates = ["{value}"]
"""
SETTINGS = Settings("m", "r", 2, 3.0, 4)


class Eyes:
    """A classifier that reads a class in an image's lowest bits, as if at random."""

    key, name, scale = "eyes", "eyes", 1.0

    def images(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """float32[n, 2]: the first axis for a woman, the second for a man."""
        return np.stack([np.eye(2, dtype=np.float32)[int(p.sum()) % 2] for p in pictures])

    def texts(self, texts: Sequence[str]) -> np.ndarray:
        """float32[n, 2]."""
        return np.stack([np.eye(2, dtype=np.float32)[int(t == "man")] for t in texts])


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A small model, loaded once."""
    return model("sd1", tmp_path_factory.mktemp("model"))


def opened(folder: Path, engine: Model) -> Run:
    """A run of the conversations, planned; twenty-four images of four turns."""
    folder.mkdir(exist_ok=True)
    (folder / "talks.toml").write_text(SUITE, "utf-8")
    suite = suites.read_suite(str(folder / "talks.toml"))
    samples = tuple(suites.expand(suite, SETTINGS, {}))
    return Run(Plan(suite, Options(), SETTINGS, samples), RunFolder(folder), _engine=engine)


def images(run: Run) -> dict[str, bytes]:
    """Every image of a run."""
    return {s.id: run.folder.image_path(s.id).read_bytes() for s in run.samples}


@pytest.fixture(scope="module")
def calm(engine: Model, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The conversations without interruption."""
    run = opened(tmp_path_factory.mktemp("calm"), engine)
    generate(run, [Eyes()])
    return run


def by_turn(run: Run) -> dict[int, list[Sample]]:
    """Samples by the number of their turn."""
    numbers = {p.id: p.turn.number for p in run.suite.prompts if p.turn}
    found: dict[int, list[Sample]] = {}
    for s in run.samples:
        found.setdefault(numbers[s.prompt], []).append(s)
    return found


def test_captions_say_what_is_read_in_the_image_before(calm: Run) -> None:
    """The text that is drawn is that of the last image; the plan keeps its id."""
    texts, read = calm.folder.texts(), set()
    for number in (3, 4):
        for s in by_turn(calm)[number]:
            value = ("woman", "man")[int(calm.folder.read_image(s.last).sum()) % 2]
            assert texts[s.id] == f"a photo of a {value}"
            read.add(value)
    assert read == {"woman", "man"}
    assert {s.text for s in calm.folder.final(by_turn(calm)[3])} == set(texts.values())


def test_who_reads_captions_is_part_of_their_images(calm: Run) -> None:
    """Another classifier, or other texts for it, draw other images after captions, and no others.

    Otherwise captions and images of one classifier would count as another one's.
    """

    def ids(suite: Suite, classifier: str) -> list[str]:
        suite = turning.with_reader(suite, Options(classifier=classifier))
        return [s.id for s in suites.expand(suite, SETTINGS, {})]

    suite = calm.suite
    other = replace(suite, attributes=tuple(
        replace(a, texts={c: ("a " + c,) for c in a.classes}) for a in suite.attributes
    ))  # fmt: skip
    one, two, three = ids(suite, "a/b"), ids(suite, "a/c"), ids(other, "a/b")
    numbers = [s.change.turn.read if s.change.turn else () for s in calm.samples]
    for mine, *others, read in zip(one, two, three, numbers, strict=True):
        assert all((mine == id) == (not read) for id in others)


def test_each_turn_is_what_the_sampler_draws_of_it_alone(calm: Run, engine: Model) -> None:
    """An edit of the image on disk, and a caption from noise, one sample at a time."""
    for number in (2, 3):
        s = calm.folder.final(by_turn(calm)[number])[-1]
        (alone,) = draw(engine, [s], SETTINGS, image=calm.folder.read_image)
        assert np.abs(alone.pictures[0].astype(int) - calm.folder.read_image(s.id)).max() <= 1


@pytest.mark.parametrize("seed", range(2))
def test_interrupted_conversations_end_alike(
    calm: Run, engine: Model, tmp_path: Path, seed: int
) -> None:
    """Whichever images are there already, of any turn, the rest is the same."""
    run = opened(tmp_path, engine)
    chance = random.Random(seed)
    for s in run.samples:
        if chance.random() < 0.5:
            run.folder.write_image(s.id, calm.folder.read_image(s.id))
    generate(run, [Eyes()])
    assert images(run) == images(calm)


def test_shards_hold_whole_conversations_and_draw_the_same(
    calm: Run, engine: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each shard alone, in any order, has all that its samples go on from."""
    monkeypatch.setattr(shards, "TOGETHER", 4)
    run = opened(tmp_path, engine)
    parts = shards.of(run)
    assert len(parts) > 1
    for part in reversed(parts):
        ids = {s.id for s in part.samples}
        assert all(not s.last or s.last in ids for s in part.samples)
        plan = Plan(run.suite, run.options, SETTINGS, part.samples)
        own = shards.Part(tmp_path, part)
        worker = Run(plan, own, shard=part.name, _engine=engine)
        shards.begin(worker, part, own.present())
        generate(worker, [Eyes()])
    assert images(run) == images(calm)
    assert run.folder.texts() == calm.folder.texts()


def test_what_follows_a_missing_image_is_missing_for_its_reason(
    calm: Run, engine: Model, tmp_path: Path
) -> None:
    """A conversation whose first image was blocked has no other; all others are drawn."""
    run = opened(tmp_path, engine)
    first = by_turn(run)[1][0]
    run.folder.write_blocked(first.id, "blocked")
    generate(run, [Eyes()])
    blocked = run.folder.blocked()
    assert len(blocked) == 4
    assert set(blocked.values()) == {"blocked"}
    drawn = {i: x for i, x in images_of(run).items() if i not in blocked}
    assert drawn == {i: x for i, x in images(calm).items() if i not in blocked}


def images_of(run: Run) -> dict[str, bytes]:
    """Every image that is there."""
    paths = {s.id: run.folder.image_path(s.id) for s in run.samples}
    return {i: p.read_bytes() for i, p in paths.items() if p.exists()}


def chain(*links: tuple[str, str]) -> list[Sample]:
    """Samples by id and what each goes on from."""
    return [Sample(id, "p", "none", 1, "t", last=last) for id, last in links]


def test_levels_follow_the_images() -> None:
    """Each list needs images of earlier ones alone; what is there already needs none."""
    samples = chain(("a", ""), ("b", "a"), ("c", "b"), ("x", ""), ("y", "x"), ("z", "gone"))
    assert [[s.id for s in rows] for rows in turning.levels(samples)] == [
        ["a", "x", "z"], ["b", "y"], ["c"]
    ]  # fmt: skip
    assert turning.levels([]) == []


def test_roots_gather_all_that_goes_on_from_them() -> None:
    """At any distance, in the order of the plan."""
    first, later = turning.roots(chain(("a", ""), ("x", ""), ("b", "a"), ("y", "x"), ("c", "b")))
    assert [s.id for s in first] == ["a", "x"]
    assert {k: [s.id for s in v] for k, v in later.items()} == {"a": ["b", "c"], "x": ["y"]}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"images": Path("folder")}, "--images: the turns of talk go on from each other's images"),
        ({"labels": Path("labels.csv")}, "--labels: the turns of talk"),
        ({"precision": 0.1}, "--precision decides how many images blocks get"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, given: dict[str, Any], message: str) -> None:
    """In one sentence, before anything is drawn."""
    (tmp_path / "talks.toml").write_text(SUITE, "utf-8")
    suite = suites.read_suite(str(tmp_path / "talks.toml"))
    none: Any = {"images": None, "labels": None, "precision": None}
    with pytest.raises(UserError, match=message):
        turning.refuse(suite, SimpleNamespace(**{**none, **given}))  # type: ignore[arg-type]
    plain = suites.read_suite("world")
    turning.refuse(plain, SimpleNamespace(**{**none, **given}))  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_run_of_conversations_has_findings_and_a_report(tmp_path: Path) -> None:
    """From the suite to the page: claims by turn, images turn by turn, no shares of subjects."""
    (tmp_path / "talks.toml").write_text(SUITE, "utf-8")
    options = Options(
        model=str(small.save("sd1", tmp_path)), out=tmp_path / "out", steps=2, batch=4,
        dtype="float32", device="cpu", classifier="embedded-classifier", validation=20,
    )  # fmt: skip
    report = line.execute(planning.open_run(_readable(tmp_path), options))
    found = {f.id for f in RunFolder(report.parent).findings()}
    for number in (2, 3, 4):
        assert f"conversation/talk/changed/gender/turn-{number}" in found
        assert f"conversation/talk/shift/gender/turn-{number}=woman" in found
    assert not any(i.startswith("representation/none") for i in found)
    page = report.read_text("utf-8")
    assert "Conversations: talk" in page
    assert page.count("<b>turn 2, edit</b>") == 3
    with pytest.raises(UserError, match="their caption needs gender"):
        planning.open_run(_readable(tmp_path), Options(
            model=options.model, out=options.out, readers=("gender=face-gender",),
        ))  # fmt: skip


def _readable(folder: Path) -> Any:
    return suites.read_suite(str(folder / "talks.toml"))
