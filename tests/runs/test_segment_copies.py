"""`--segments` in a run: both parts searched and decided, and refused where it cannot be done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from audit.datasets.find import find
from audit.datasets.source import Entry
from audit.errors import UserError
from audit.evidence.copies.index import build
from audit.evidence.copies.segments import PARTS, Masks, Segment
from audit.evidence.copies.training_set import TrainingSet, of_corpus
from audit.evidence.encoders.pixel_space import Pixels
from audit.evidence.encoders.tiles import Tiled
from audit.findings import segments
from audit.records import Prompt, Sample
from audit.runs import segment_copies, segmenting
from audit.runs.context import Run
from audit.runs.draw import vectors
from audit.runs.options import Options
from tests.builders import running
from tests.evidence.copies.made import embeddings

SIDE, N, COPIES = 32, 70, 25
HERE = "tests.runs.test_segment_copies"


def square(images: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Every person is in the middle; a white image shows nobody."""
    found = []
    for image in images:
        inside = np.zeros(image.shape[:2], bool)
        inside[8:24, 8:24] = image.min() < 255
        found.append(inside)
    return found


def nobody(images: Sequence[np.ndarray]) -> list[np.ndarray]:
    """No image shows a person."""
    return [np.zeros(i.shape[:2], bool) for i in images]


@dataclass
class Noise:
    """A training set, and a twin, of coarse noise."""

    name: str = "noise"
    key: str = "noise-1"
    coverage: float = float("nan")

    def entries(self, held_out: bool = False) -> list[Entry]:
        """N images of each side."""
        return [Entry(f"{'held' if held_out else 'train'}-{i}", "") for i in range(N)]

    def image(self, id: str) -> np.ndarray:
        """One of them."""
        side, _, number = id.partition("-")
        rng = np.random.default_rng([side == "held", int(number)])
        return rng.integers(0, 250, (8, 8, 3), np.uint8).repeat(4, 0).repeat(4, 1)


def made(folder: Path, **options: object) -> Run:
    """Ordinary prompts whose images have their person, their background, both or neither of an
    image of the training set; the last one shows nobody, and one before it is gone."""
    inside, noise = square([np.zeros((SIDE, SIDE, 3), np.uint8)])[0][..., None], Noise()
    prompts = [Prompt(f"p{i}", "a", "s", "b", "representation", 1) for i in range(3 * COPIES + 32)]
    samples = [Sample(f"{i:04d}" * 5, p.id, "none", 0, "a") for i, p in enumerate(prompts)]
    chosen = Options(out=folder, segments=f"{HERE}:square", **options)  # type: ignore[arg-type]
    run = running.run(folder / "run", SimpleNamespace(prompts=prompts), samples, chosen,
                      corpus=of_corpus(noise), pictures=None)  # fmt: skip
    for i, s in enumerate(samples[:-1]):
        own = np.random.default_rng([7, i]).integers(0, 250, (8, 8, 3), np.uint8)
        own, source = own.repeat(4, 0).repeat(4, 1), noise.image(f"train-{i % COPIES}")
        kind = segments.CLASSES[list(segments.CLASSES)[min(i // COPIES, 3)]]
        image = np.where(inside, source if kind[0] else own, source if kind[1] else own)
        run.folder.write_image(s.id, image if i < len(samples) - 2 else np.full_like(image, 255))
    run.folder.write_blocked(samples[-1].id, "blocked")
    return run


@pytest.mark.slow
def test_both_parts_are_searched_and_decided(tmp_path: Path) -> None:
    """Every planted class is read back, with the source, and what is missing has its reason."""
    run = made(tmp_path)
    segment_copies.fits(run)
    table, decided = segment_copies.search(run, Pixels(16), partial(vectors))
    assert table.outcome.tolist()[-2:] == ["no person", "blocked"]
    assert (table.outcome[:-2] == "label").all()
    for i, (name, kind) in enumerate(segments.CLASSES.items()):
        rows = table[i * COPIES : (i + 1) * COPIES] if name != "neither" else table[75:-2]
        for part, copied in zip(PARTS, kind, strict=True):
            right = (rows[part].fillna(False) == copied).mean()
            assert right >= (1 if copied else 0.9), (name, part)
            if copied:
                assert rows[f"{part}_train"].tolist() == [f"train-{j}" for j in range(COPIES)]
    for part in PARTS:
        assert decided[part].q == run.options.q / 2
        assert not decided[part].doubt
        assert "q = 0.05" in decided[part].words
    again, _ = segment_copies.search(run, Pixels(16), partial(vectors))
    assert again.equals(table)
    prompts = {p.id: p for p in run.suite.prompts}
    found = {f.key.detail: f for f in segments.findings(table, prompts, 0, decided)}
    assert found["both"].references["same"] == COPIES
    assert found["foreground"].n == len(table) - 2
    assert sum(f.estimate for f in found.values()) == pytest.approx(1)


def test_attention_is_that_of_the_runs_own_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Masks are segments of the word by the engine that the run has loaded, not by another one."""
    given: list[object] = []

    class Fake:
        def __init__(self, _: Options, words: Sequence[str], part: str, loaded: object) -> None:
            given.append((words, part, loaded))

        def given(self, images: Sequence[np.ndarray]) -> list[SimpleNamespace]:
            return [SimpleNamespace(labels=np.where(m, 0, -1)) for m in square(images)]

    monkeypatch.setattr(segmenting, "Segmenter", Fake)
    run = made(tmp_path)
    run = replace(run, plan=replace(run.plan, options=replace(run.options, segments="attention")))
    run = replace(run, _engine="engine")
    found = segment_copies.masks_of(run)
    assert given == [(("person",), "up_blocks.", ("engine", run.settings))]
    dark = [np.zeros((SIDE, SIDE, 3), np.uint8)]
    np.testing.assert_array_equal(found.of(dark), square(dark))


def test_a_training_set_without_people_costs_no_other_result(tmp_path: Path) -> None:
    """Nothing is searched, and a note says why, where an error would end the run after drawing."""
    run = made(tmp_path)
    options = replace(run.options, segments=f"{HERE}:nobody")
    run = replace(run, plan=replace(run.plan, options=options))
    table, decided = segment_copies.search(run, Pixels(16), partial(vectors))
    assert not len(table)
    assert not decided
    assert any("no training image shows people" in note for note in run.notes)


def test_embeddings_have_no_parts(tmp_path: Path) -> None:
    """A descriptor of parts would take their vectors of whole images for those of parts."""
    rows = np.random.default_rng(0).normal(size=(4, 193)).astype(np.float32)
    source = find(embeddings(tmp_path / "e", rows))
    masks = Masks("square", square)
    with pytest.raises(UserError, match="leave out --segments"):
        build({"train": source}, Segment(Pixels(8), masks, "foreground"), tmp_path / "index")


def shares(images: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Not masks, but how much of each pixel a person covers."""
    return [np.ones(i.shape[:2]) for i in images]


def flat(images: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Masks without a shape."""
    return [np.ones(i.size, bool) for i in images]


def none(images: Sequence[np.ndarray]) -> list[np.ndarray]:
    """No mask at all."""
    return []


def broken(images: Sequence[np.ndarray]) -> list[np.ndarray]:
    """A function that fails."""
    raise RuntimeError("no weights")


def test_it_is_refused_before_anything_is_drawn(tmp_path: Path) -> None:
    """Without images of both sides, without a rate, without a model for its attention."""
    run = made(tmp_path)
    for plan, words in (
        ({"corpus": None}, "they are not there"),
        ({"corpus": TrainingSet("x", {"train": None})}, "--held-out"),  # type: ignore[dict-item]
        ({"options": replace(run.options, copies="fixed:0.7")}, "--copies twin"),
        ({"options": replace(run.options, descriptor="local:sscd")}, "whole images"),
        ({"options": replace(run.options, segments="attention")}, "there is no model"),
    ):
        with pytest.raises(UserError, match=words):
            segment_copies.fits(replace(run, plan=replace(run.plan, **plan)))
    with pytest.raises(UserError, match="whole images"):
        segment_copies.search(run, Tiled(Pixels(8)), partial(vectors))
    without = replace(run, plan=replace(run.plan, options=Options(), corpus=None))
    segment_copies.fits(without)
    assert not len(segment_copies.search(without, Pixels(8), vectors)[0])


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("fingers", "Unknown value of --segments 'fingers'.*figures"),
        ("atention", "mean attention"),
        ("os:nowhere", "cannot be imported"),
        *((f"{HERE}:{name}", "list of bool") for name in ("shares", "flat", "none", "broken", "N")),
        ("os:getcwd", "list of bool"),
    ],
)
def test_what_makes_no_masks_is_refused_before_anything_is_drawn(
    tmp_path: Path, value: str, words: str
) -> None:
    """Unknown names, with all known ones; objects that make something else of images."""
    run = made(tmp_path)
    asked = replace(run.plan, options=replace(run.options, segments=value))
    with pytest.raises(UserError, match=words):
        segment_copies.fits(replace(run, plan=asked))
