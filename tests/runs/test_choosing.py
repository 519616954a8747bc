"""What was made for the embedded world stays there, over every kind of model, images and option."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audit import registry
from audit.design import suites
from audit.errors import Untrusted, UserError
from audit.evidence.encoders import named, pinned
from audit.evidence.measured import Labelled
from audit.records import Attribute, Suite
from audit.runs import choosing, line, planning, reader_errors
from audit.runs.options import Options
from audit.world import models
from tests.builders import running
from tests.builders.suites import small

MODELS = ("embedded", str(models.GENERATOR), "organisation/model@main", "own.module:model")
IMAGES = (None, Path("pictures"))
LABELS = (None, Path("labels.csv"))
LORAS = ((), ("style.safetensors@0.5",))
CORPORA = (None, Path("training"))
NAMED: tuple[dict[str, Any], ...] = (
    {}, {"classifier": "ViT-B-32/openai"}, {"descriptor": "sscd:FILE"}, {"validation": 40},
    {"classifier": "none"}, {"readers": ("gender=face-gender",)}, {"drawn": True},
    {"people": "first"}, {"people": "each"}, {"tone": True}, {"people": "each", "tone": True},
    {"guidance": 1.0, "negative": "blur", "scheduler": "ddim"},
)  # fmt: skip
GRID = list(product(MODELS, IMAGES, LABELS, LORAS, CORPORA, NAMED))


class Renders:
    """An encoder that brings its own images, as the embedded classifier does."""

    drawn_by, key = "embedded", "renders"

    def __init__(self) -> None:
        self.asked = 0

    def validation(self, n: int, classes: Any) -> Labelled:
        """Count the call; nothing is known."""
        self.asked += 1
        return Labelled([np.zeros((4, 4, 3), np.uint8)], {}, "renders")

    def images(self, pictures: Any) -> np.ndarray:
        """A vector for each."""
        return np.ones((len(pictures), 2), np.float32)

    def texts(self, texts: Any) -> np.ndarray:
        """A vector for each."""
        return np.ones((len(texts), 2), np.float32)

    scale = 1.0


def options(case: tuple[Any, ...]) -> Options:
    """The options of one case of the grid."""
    model, images, labels, loras, corpus, more = case
    return Options(model=model, images=images, labels=labels, loras=loras, corpus=corpus, **more)


@pytest.mark.parametrize("suite", ["world", "occupations"])
def test_nothing_of_the_embedded_world_is_used_outside_of_it(suite: str, tmp_path: Path) -> None:
    """Classifier, descriptor, planted truth and errors on renders: 768 cases a suite."""
    asked = suites.read_suite(suite)
    inside = 0
    for case in GRID:
        chosen, encoder = options(case), Renders()
        own = chosen.model == "embedded" and not (chosen.images or chosen.labels or chosen.loras)
        inside += own
        reader = choosing.classifier_name(chosen)
        descriptor = choosing.descriptor_name(chosen, asked)
        run = running.run(tmp_path / str(inside), asked, options=chosen)
        reader_errors.brought(run, encoder)
        if not own:
            assert reader != choosing.OWN_CLASSIFIER, case
            assert descriptor != choosing.OWN_DESCRIPTOR, case
            assert not encoder.asked, case
            assert chosen.loras == () or planning._truth(chosen) is None, case
            assert choosing.drawn_by(chosen) == "", case
        elif chosen.corpus:
            assert descriptor != choosing.OWN_DESCRIPTOR, case
        if "classifier" not in case[-1]:
            assert reader == (choosing.OWN_CLASSIFIER if own else pinned.NAME), case
    assert inside == len(NAMED) * len(CORPORA)


def test_errors_on_renders_are_measured_where_the_model_drew_them(tmp_path: Path) -> None:
    """The same encoder, asked by the embedded model as it is."""
    encoder = Renders()
    reader_errors.brought(running.run(tmp_path, suites.read_suite("world")), encoder)
    assert encoder.asked == 1


@pytest.mark.parametrize(
    ("registered", "name"), [(True, "embedded-copy"), (False, "phash")], ids=["world", "folder"]
)
def test_an_index_is_made_by_a_descriptor_of_its_kind(registered: bool, name: str) -> None:
    """The world by its own, anything else by the hash; a named one is taken."""
    assert choosing.index_descriptor("auto", registered) == name
    assert choosing.index_descriptor("pixels", registered) == "pixels"


def test_the_embedded_classifier_is_known_by_its_weights() -> None:
    """Under any name; on its own images and for other classifiers there is nothing to say."""
    elsewhere = Options(model="organisation/model")
    for encoder in (models.classifier(), named.named(f"local-dir:{models.CLASSIFIER}")):
        assert choosing.foreign(elsewhere, encoder)
        assert not choosing.foreign(Options(), encoder)
    assert not choosing.foreign(elsewhere, named.named(pinned.NAME))
    assert not choosing.foreign(elsewhere, registry.load("encoder", "phash")())


def test_without_the_checkpoint_one_sentence_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is written: the command that fetches it, and the three other ways."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    (pictures / "a.png").write_bytes(
        (Path(__file__).parents[1] / "cases" / "black" / "0.png").read_bytes()
    )
    (pictures / "a.txt").write_text("a photo of a nurse")
    suite = suites.read_suite("occupations", quick=True)
    run = planning.open_run(suite, Options(images=pictures, out=tmp_path / "out"))
    with pytest.raises(UserError) as failed:
        line.execute(run)
    said = str(failed.value)
    for part in (pinned.FETCH, "vlm:MODEL", "face-gender", "--labels"):
        assert part in said
    assert said.count(". ") == 0
    assert not (tmp_path / "out").exists()


def test_another_file_is_not_the_pinned_one(tmp_path: Path) -> None:
    """The checkpoint is known by its content."""
    path = tmp_path / "weights"
    path.write_bytes(b"other")
    with pytest.raises(UserError, match="is not the pinned checkpoint"):
        pinned.check(path)


def occupations(*readers: str, **more: Any) -> tuple[Suite, list[str]]:
    """The suite as it is read with these readers."""
    given = Options(model="organisation/model", readers=readers, **more)
    return planning._read_by(suites.read_suite("occupations"), given)


def test_a_reader_replaces_the_suites_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes the classes and leaves texts and threshold; others are unchanged."""
    monkeypatch.setattr(registry, "load", lambda kind, name, outside="": len)
    suite, told = occupations("gender=face-gender")
    by = {a.name: a for a in suite.attributes}
    assert (by["gender"].reader, by["gender"].classes) == ("face-gender", ("woman", "man"))
    assert (by["gender"].texts, by["gender"].threshold) == ({}, 0.0)
    assert by["skin_tone"].reader == "clip"
    assert told == []


def test_without_a_classifier_what_it_alone_reads_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A note names it; with nothing left there is a sentence."""
    monkeypatch.setattr(registry, "load", lambda kind, name, outside="": len)
    suite, (told,) = occupations("gender=face-gender", classifier="none")
    assert [a.name for a in suite.attributes] == ["gender"]
    assert {a for p in suite.prompts for a in p.attributes} == {"gender"}
    assert suite.subject_attribute is None
    assert not any(suite.gates)
    assert "skin tone, occupation" in told
    with pytest.raises(UserError, match="nothing reads gender and skin_tone and occupation"):
        occupations(classifier="none")


@pytest.mark.parametrize(
    ("readers", "message"),
    [
        (("gendre=face-gender",), "Did you mean gender"),
        (("gender",), "Give ATTRIBUTE=READER"),
        (("gender=face-gendr",), "Did you mean face-gender"),
        (("gender=vlm:/nowhere",), "is not the folder of a vision-language model"),
        (("gender=vlm:m,url=ftp://h",), "url must begin with http"),
        (("gender=vlm:m,link=x",), "Unknown option of a judge"),
        (("gender=vlm:m,url=http://h,parallel=0",), "parallel must be a number of at least 1"),
        (("skin_tone=monk",), "may return an unknown class"),
    ],
)
def test_a_wrong_reader_is_refused_before_anything_is_drawn(
    readers: tuple[str, ...], message: str
) -> None:
    """With near names, and what was wrong."""
    with pytest.raises(UserError, match=message):
        occupations(*readers)


def test_classes_of_drawn_skin_are_refused_for_photographs() -> None:
    """The sentence says why; the embedded model, and images that are said to be drawn, may."""
    suite = suites.read_suite("occupations")
    tones = tuple(f"monk {i}" for i in range(1, 11))
    attribute = Attribute("monk", tones, {}, reader="monk")
    asked = replace(suite, attributes=(attribute,), associations=())
    for given in (Options(images=Path("x")), Options(model="organisation/model")):
        with pytest.raises(UserError, match="the light decides more than the skin"):
            planning._read_by(asked, given)
    for given in (Options(), Options(images=Path("x"), drawn=True)):
        assert planning._read_by(asked, given)[0].attributes == (attribute,)


def test_max_cost_needs_prices() -> None:
    """Without them nothing could be counted."""
    with pytest.raises(UserError, match="needs the prices of m"):
        occupations("gender=vlm:m,url=http://localhost:1/v1", max_cost=1.0)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (",url=http://localhost:8000/v1", ""),
        (",url=http://[::1]/v1,answers=mine.jsonl", ""),
        ("", ""),
        (",url=https://example.org/v1", "sends images to"),
        (",url=http://localhost:80@example.org/v1", "sends images to"),
        (", url=http://localhost.example.org", "sends images to"),
        (",answers=../../x.jsonl", "keeps answers in"),
        (",answers=/etc/x.jsonl", "keeps answers in"),
    ],
)
def test_a_suite_may_name_a_judge_but_not_where_images_are_sent(
    more: str, message: str, tmp_path: Path
) -> None:
    """An address on this machine, and files below the reader's own folder, alone."""
    path = small(tmp_path)
    old = 'templates = ["a photo of {a_value}", "a portrait of {a_value}"]'
    path.write_text(path.read_text().replace(old, f'reader = "vlm:model{more}"'))
    if not message:
        assert suites.read_suite(str(path)).attributes[0].reader == f"vlm:model{more}"
        return
    with pytest.raises(Untrusted, match=message):
        suites.read_suite(str(path))
    assert suites.read_suite(str(path), trust_code=True)
