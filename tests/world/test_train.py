"""The recipes: resumable to the bit, and true to the formats they write."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import open_clip
import pandas as pd
import pytest
import torch
from torch import nn
from transformers import CLIPTokenizer
from typer.testing import CliRunner

from audit.cli.world import app
from audit.errors import UserError
from audit.world import dataset, seen, truth
from audit.world.models import CLASSIFIER, GENERATOR
from audit.world.train import classifier, descriptor, recipes, redraw, unet, vae
from audit.world.train.loop import Schedule, fit


def test_the_text_tower_keeps_its_numbers_in_the_other_layout() -> None:
    """transformers' model gives open_clip's text vectors, to rounding."""
    tokenizer = CLIPTokenizer.from_pretrained(CLASSIFIER)
    ours = unet.text_encoder(CLASSIFIER, tokenizer).eval()
    clip, _ = open_clip.create_model_from_pretrained(f"local-dir:{CLASSIFIER}")
    clip = clip.float().eval()
    texts = ["a photo of a nurse", "a man technologist with dark skin", ""]
    ids = unet.token_ids(tokenizer, texts)
    with torch.inference_mode():
        hidden = ours(input_ids=ids).last_hidden_state
        ends = (ids == tokenizer.eos_token_id).int().argmax(1)
        mine = hidden[torch.arange(len(ids)), ends] @ clip.text_projection
        theirs = clip.encode_text(open_clip.get_tokenizer(f"local-dir:{CLASSIFIER}")(texts))
    torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-4)


def line(steps: int, work: Path) -> nn.Linear:
    """Fit a line for some steps; batches come from the step alone."""
    torch.manual_seed(0)
    model = nn.Linear(3, 1)

    def loss(step: int) -> tuple[torch.Tensor, dict[str, float]]:
        x = torch.randn(8, 3, generator=torch.Generator().manual_seed(step))
        return (model(x) - x.sum(1, keepdim=True)).pow(2).mean(), {}

    schedule = Schedule(steps=steps, rate=0.05, warmup=2, save_every=5, decay=0.5)
    fit(model, loss, schedule, work, say=lambda _: None)
    return model


def test_an_interrupted_training_ends_where_an_uninterrupted_one_does(tmp_path: Path) -> None:
    """Stopped in the constant part and continued from its checkpoint: the same weights."""
    whole = line(40, tmp_path / "whole")

    class Stopped(Exception):
        pass

    def stop(text: str) -> None:
        if "step 10 " in text:
            raise Stopped

    torch.manual_seed(0)
    model = nn.Linear(3, 1)

    def loss(step: int) -> tuple[torch.Tensor, dict[str, float]]:
        x = torch.randn(8, 3, generator=torch.Generator().manual_seed(step))
        return (model(x) - x.sum(1, keepdim=True)).pow(2).mean(), {}

    schedule = Schedule(steps=40, rate=0.05, warmup=2, save_every=5, decay=0.5)
    with pytest.raises(Stopped):
        fit(model, loss, schedule, tmp_path / "torn", say=stop)
    resumed = line(40, tmp_path / "torn")
    for a, b in zip(whole.parameters(), resumed.parameters(), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.slow
@pytest.mark.parametrize(
    "part",
    ["classifier", *(pytest.param(p, marks=pytest.mark.nightly) for p in ("vae", "descriptor"))],
)
def test_a_minute_of_each_recipe_lowers_its_loss(part: str, tmp_path: Path) -> None:
    """A handful of steps of the real recipe: the loss falls and everything is finite."""
    lines: list[dict[str, float]] = []
    module = {"vae": vae, "classifier": classifier, "descriptor": descriptor}[part]
    schedule = Schedule(steps=12, rate=2e-3, warmup=1, save_every=3, compiled=False)
    model = module.train(tmp_path, schedule)
    lines += [json.loads(t) for t in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert lines[-1]["loss"] < lines[0]["loss"]
    assert all(bool(p.isfinite().all()) for p in model.parameters())


def test_parts_are_asked_for_in_order(tmp_path: Path) -> None:
    """The generator needs the autoencoder and a text tower, what judges it the generator."""
    with pytest.raises(UserError, match="Train the part `vae` first"):
        recipes.train("unet", tmp_path)
    for part in ("classifier", "descriptor"):
        with pytest.raises(UserError, match="Train the part `unet` first"):
            recipes.train(part, tmp_path)
    assert list(recipes.PARTS) == ["vae", "text", "unet", "classifier", "descriptor"]


@pytest.mark.slow
def test_redrawn_renders_keep_their_labels_and_are_kept(tmp_path: Path) -> None:
    """Renders with what the generator makes of them; the same call reads them back."""
    file = tmp_path / "bank.npz"
    made = redraw.kept(GENERATOR, 8, 3, file)
    assert made.originals.shape == made.pictures.shape == (8, 64, 64, 3)
    assert [i.scene for i in made.items] == [i.scene for i in redraw.people(8, 3)]
    assert len(made.shown) == 8
    assert ((made.strengths == 0) | (made.strengths >= redraw.STRENGTHS[0])).all()
    assert made.own[made.strengths == 0].all()
    far = np.abs(made.originals.astype(int) - made.pictures).mean()
    assert 0 < far < 40
    stamp = file.stat().st_mtime_ns
    again = redraw.kept(GENERATOR, 8, 3, file)
    assert np.array_equal(again.pictures, made.pictures)
    assert file.stat().st_mtime_ns == stamp


def test_a_caption_that_is_not_its_own_differs_in_gender_alone() -> None:
    """Opposed captions make the blends; a scene without a marked gender keeps its caption."""
    for item in redraw.people(40, 5):
        own, other = redraw.stated(item.scene), redraw.stated(item.scene, own=False)
        person = item.scene.sprite
        marked = person is not None and person.gender in truth.GENDERS
        assert (own != other) == marked
        swap = {"woman": "man", "man": "woman"}
        assert other == (" ".join(swap.get(w, w) for w in own.split()) if marked else own)


def bank(n: int) -> redraw.Redrawn:
    """Renders that nothing has redrawn, in the form of a bank."""
    items = dataset.balanced((5,), n)
    pixels = np.stack([item.pixels() for item in items])
    return redraw.Redrawn(items, pixels, pixels, np.zeros(n), np.ones(n, bool))


def test_blends_show_half_of_either() -> None:
    """A blended picture belongs to no class alone; the rest of a batch to one or none."""
    drawn = classifier.renders(np.random.default_rng(1), 40)
    for attribute in ("gender", "skin_tone", "noun"):
        shares = drawn.targets(attribute)
        assert set(shares.sum(1).tolist()) <= {0.0, 1.0}
        assert set(shares[classifier.BLENDED :].flatten().tolist()) <= {0.0, 1.0}
    mixed = [
        classifier.renders(np.random.default_rng(k), 12).targets("skin_tone") for k in range(9)
    ]
    assert any(0.5 in m.flatten().tolist() for m in mixed), "of a light and a dark skin"
    blended = [i for i in range(classifier.BLENDED) if drawn.scenes[i] is not drawn.others[i]]
    assert blended
    assert any(0.5 in drawn.targets(a)[i].tolist() for i in blended for a in ("gender", "noun"))


def test_half_of_each_batch_is_the_generators(monkeypatch: pytest.MonkeyPatch) -> None:
    """The classifier sees renders and redrawn ones; the descriptor copies that begin from them."""
    monkeypatch.setattr(classifier, "HELD", 20)
    some = bank(60)
    drawn = classifier.batch(np.random.default_rng(2), some)
    known = {id(one) for one, _ in some.shown}
    redrawn = [id(s) in known for s in drawn.scenes]
    assert sum(redrawn) == classifier.BATCH // 2 - classifier.READ
    assert sum(redrawn[: classifier.BATCH // 2]) == 0
    assert drawn.labelled == classifier.READ
    held = {id(one) for one, _ in some.shown[-20:]}
    assert not {id(s) for s in drawn.scenes} & held
    originals, copies = descriptor._originals(np.random.default_rng(2), some)
    assert len(originals) == len(copies) == descriptor.PEOPLE * descriptor.SCENES
    one = replace(some, own=np.arange(60) == 7)
    originals, _ = descriptor._originals(np.random.default_rng(2), one)
    assert all(np.array_equal(o, some.originals[7]) for o in originals[: len(originals) // 3])


def test_labels_of_two_readers_teach_what_both_of_them_saw() -> None:
    """Shares by reader; nothing for an attribute that one of them could not read, or a scene."""
    said = {
        "gender_a": ["woman", "man", "man"], "gender_b": ["woman", "woman", "unreadable"],
        "skin_tone_a": ["medium-light", "light", "dark"], "occupation_a": ["nurse"] * 3,
        "skin_tone_b": ["medium", "dark", "dark"], "occupation_b": ["nurse", "judge", "nurse"],
    }  # fmt: skip
    some = seen.Seen(pd.DataFrame(said), np.zeros((3, 64, 64, 3), np.uint8))
    scenes, others = zip(*classifier.as_scenes(some), strict=True)
    batch = classifier.Batch(some.pictures, list(scenes), list(others), 3)
    assert batch.targets("gender").tolist() == [[1, 0], [0.5, 0.5], [0, 0]]
    assert batch.targets("skin_tone").tolist() == [[0.5, 0.5], [0.5, 0.5], [0, 1]]
    nurse, judge = (classifier.CLASSES["noun"].index(n) for n in ("nurse", "judge"))
    nouns = batch.targets("noun")
    assert nouns[:, nurse].tolist() == [1, 0.5, 1]
    assert nouns[:, judge].tolist() == [0, 0.5, 0]
    for attribute in ("artist", "colour", "pattern"):
        assert not batch.targets(attribute).any()
    assert not batch.whole.any()


def test_labelled_images_that_teach_are_not_those_that_validate() -> None:
    """The two sets have no image, no prompt and no noise in common."""
    taught, kept = seen.seen(seen.LABELLED), seen.seen()
    assert not {p.tobytes() for p in taught.pictures} & {p.tobytes() for p in kept.pictures}
    assert not set(taught.table.text) & set(kept.table.text)
    assert not set(taught.table.seed) & set(kept.table.seed)


def test_what_a_reader_could_not_tell_needs_no_caption() -> None:
    """Labels without a class of skin tone, or of gender, are in a batch without a caption."""
    said = {f"{a}_{r}": ["uncertain"] for a in ("gender", "skin_tone") for r in "ab"}
    said |= {"occupation_a": ["nurse"], "occupation_b": ["nurse"]}
    ((one, two),) = classifier.as_scenes(
        seen.Seen(pd.DataFrame(said), np.zeros((1, 64, 64, 3), np.uint8))
    )
    plain = classifier.renders(np.random.default_rng(3), classifier.BLENDED + 4)
    scenes, others = [*plain.scenes, one], [*plain.others, two]
    drawn = classifier.Batch(np.concatenate([plain.pixels, plain.pixels[:1]]), scenes, others, 1)
    classes = sum(len(c) for c in classifier.CLASSES.values())
    captions = [classifier.full_caption(s) for s, w in zip(scenes, drawn.whole, strict=True) if w]
    logits = torch.zeros(len(scenes), classes + len(captions))
    loss, _ = classifier._loss(logits, drawn)
    assert torch.isfinite(loss)


def test_a_classifier_begins_with_another_ones_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each beginning has checkpoints of its own; other weights are refused."""
    logs = []

    def noted(log: Path, *_: object) -> nn.Module:
        logs.append(log)
        (log / "model").mkdir(parents=True)
        (log / "log.jsonl").write_text('{"step": 1}\n', "utf-8")
        return nn.Linear(2, 2)

    monkeypatch.setattr(recipes, "_bank", lambda work: None)
    with pytest.raises(UserError, match="is missing"):
        recipes.classifier_from(tmp_path / "none", tmp_path / "work")
    model = nn.Linear(3, 3)
    starts = [
        recipes.save_half(nn.Linear(2, n), tmp_path / str(n) / classifier.WEIGHTS) for n in (2, 3)
    ]
    with pytest.raises(UserError, match="do not fit this classifier"):
        classifier._begin(model, starts[0].parent)
    starts[1].write_bytes(b"not weights")
    with pytest.raises(UserError, match="do not fit this classifier"):
        classifier._begin(model, starts[1].parent)
    monkeypatch.setattr(classifier, "train", noted)
    for start in starts:
        made = recipes.classifier_from(start.parent, tmp_path / "work", 1)
        assert json.loads((made / "recipe.json").read_text("utf-8"))["command"].endswith(
            "--start FOLDER"
        )
    assert len({log.name for log in logs}) == 2


def test_a_beginning_is_for_the_classifier_of_the_embedded_world(tmp_path: Path) -> None:
    """Other parts, and worlds of one's own, are refused in a sentence."""
    for asked, words in (
        (["unet", "--start", "x"], "applies to the part `classifier` only"),
        (["classifier", "--start", "x", "--truth", "t.toml"], "is for the embedded world"),
    ):
        got = CliRunner().invoke(app, ["train", *asked, "--work", str(tmp_path)])
        assert isinstance(got.exception, UserError)
        assert words in str(got.exception)


def test_without_repeats_every_image_occurs_once() -> None:
    """The set keeps its images, captions and order, and loses its repeats."""
    whole = dataset.training_set()
    single = unet.once(whole)
    assert max(i.repeats for i in whole) == 64
    assert {i.repeats for i in single} == {1}
    assert [i.caption for i in single] == [i.caption for i in whole]


@pytest.mark.slow
def test_a_generator_without_repeats_is_a_model_like_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that draws, with its recipe; a longer training goes on where it ended."""
    from diffusers import StableDiffusionPipeline

    some = dataset.training_set()[:12]
    monkeypatch.setattr(recipes, "training_set", lambda: some)
    short = replace(recipes.WITHOUT_REPEATS, steps=2, warmup=1, save_every=1, compiled=False)
    monkeypatch.setattr(recipes, "WITHOUT_REPEATS", short)
    made = recipes.without_repeats(tmp_path)
    card = json.loads((made / "recipe.json").read_text("utf-8"))
    assert card["command"].endswith("unet --without-repeats")
    assert card["last_log"]["step"] == 2
    pipe = StableDiffusionPipeline.from_pretrained(made, torch_dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    assert pipe("a photo of a cook", num_inference_steps=1).images[0].size == (64, 64)
    longer = replace(short, steps=3)
    monkeypatch.setattr(recipes, "WITHOUT_REPEATS", longer)
    recipes.without_repeats(tmp_path)
    log = (tmp_path / "without-repeats-training" / "log.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["step"] for line in log][-1] == 3
    steps = [json.loads(line)["step"] for line in log]
    assert steps == sorted(set(steps))  # no step was made twice


def test_repeats_can_be_left_out_of_the_generator_alone() -> None:
    """Another part has no repeats to leave out, and the command says so."""
    from typer.testing import CliRunner

    from audit.cli.world import app

    got = CliRunner().invoke(app, ["train", "vae", "--without-repeats"])
    assert isinstance(got.exception, UserError)
    assert "the part `unet` only" in str(got.exception)


def test_edits_of_the_descriptors_training_keep_the_format() -> None:
    """Every edit gives uint8 pixels of the same size, and most change the picture."""
    rng = np.random.default_rng(0)
    picture, other = rng.integers(0, 256, (2, 64, 64, 3), np.uint8)
    edits = [descriptor.edit(rng, picture, other) for _ in range(40)]
    assert all(e.shape == picture.shape and e.dtype == np.uint8 for e in edits)
    assert np.mean([not np.array_equal(e, picture) for e in edits]) > 0.8
