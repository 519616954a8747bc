"""Paraphrased captions: the right word is replaced, once per text, and results are kept."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from audit.design import suites
from audit.design.mitigations import in_engine as given
from audit.design.mitigations.changes import change
from audit.engine.attribution import attribute
from audit.engine.model import Model
from audit.engine.tokens import spelling
from audit.evidence.encoders.copies import CopyEncoder
from audit.records import Change, Mitigation, Paraphrase, Sample, Settings
from audit.runs import draw, paraphrasing, planning
from audit.runs.context import silent
from audit.runs.options import Options
from audit.runs.paraphrasing import paraphrased, reworded
from audit.store import RunFolder
from audit.world import models
from tests.engine import small

TEXT = "silver, a portrait of a mechanic"
KINDS = ("sd1", "sdxl", "sd3", "pixart")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the tokenizer, made once."""
    return tmp_path_factory.mktemp("paraphrasing")


def model(name: str, root: Path) -> Model:
    """A small model of an architecture, ready to draw."""
    torch.manual_seed(4)
    pipe = small.ARCHITECTURES[name](root)
    pipe.set_progress_bar_config(disable=True)
    for part in pipe.components.values():
        if isinstance(part, torch.nn.Module):
            part.eval().requires_grad_(False)
    return Model(name, "r", pipe, torch.float32, torch.device("cpu"))


def settings(batch: int = 2) -> Settings:
    """Small settings."""
    return Settings("m", "r", 6, 3.0, batch)


def options(**changes: Any) -> Paraphrase:
    """The method's options with changes."""
    return Paraphrase(**given.Paraphrase(**changes).model_dump())


def reads_only(it: Model, row: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the denoiser's output depend only on one row of the text's states."""
    part = getattr(it.pipeline, "unet", None) or it.pipeline.transformer
    doubled = 2 if it.name == "pixart" else 1

    def forward(*args: Any, **given: Any) -> tuple[torch.Tensor]:
        x = args[0] if args else given["hidden_states"]
        moved = x + given["encoder_hidden_states"][:, row, :4, None, None]
        return (torch.cat([moved] * doubled, 1),)

    monkeypatch.setattr(part, "forward", forward)


@pytest.mark.parametrize("name", KINDS)
def test_the_word_that_the_model_reads_goes(
    root: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a denoiser reads only one word's tokens, this word is replaced, whatever the batch.

    Where scores are assigned to words, rows of a random encoder mix the preceding ones.
    """
    it, text = model(name, root), "silver portrait of a mechanic"
    ends = np.cumsum(spelling(it, text))
    begins = int(name != "pixart")  # a T5 text has no begin token
    for word in (0,) if name == "sd1" else (0, 1, 4):
        with monkeypatch.context() as patched:
            reads_only(it, begins + int(ends[word]) - 1, patched)
            found = {paraphrased(it, text, settings(b), options()) for b in (1, 3)}
        words = text.split()
        assert found == {" ".join(words[:word] + words[word + 1 :])}


@pytest.mark.parametrize("name", KINDS)
def test_words_and_tokens_agree(root: Path, name: str) -> None:
    """Words have as many tokens alone as in their text, so scores reach the right words."""
    it = model(name, root)
    for text in (TEXT, "Émile's café: three 35mm photos -- one, two!", "a b  c"):
        spoken = attribute(it, text, settings(1), (0,), 2).spoken
        assert spoken
        assert sum(spelling(it, text)) >= len(spoken)
        assert sum(spelling(it, text)) == len(spoken) or len(spoken) >= 20  # truncated


def test_words_may_be_given(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The replacement comes from the options; a text of one word is unchanged."""
    it = model("sd1", root)
    reads_only(it, 1, monkeypatch)
    given = options(words={"Silver": "golden"})
    assert paraphrased(it, TEXT, settings(), given) == "golden, a portrait of a mechanic"
    assert paraphrased(it, "silver", settings(), given) == "silver"


def sample(id: str, text: str, how: Paraphrase | None = None) -> Sample:
    """A planned image."""
    return Sample(id, "p", "arm", 1, text, change=Change(paraphrase=how))


def test_each_text_is_changed_once_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Images of a text share its paraphrase; a second run redoes missing or damaged ones."""
    asked: list[str] = []

    def made(_: Any, text: str, *rest: Any) -> str:
        asked.append(text)
        return text.upper()

    monkeypatch.setattr(paraphrasing, "paraphrased", made)
    how, folder = options(), RunFolder(tmp_path)
    rows = [sample("1", "a cook", how), sample("2", "a cook", how), sample("3", "a cook"),
            sample("4", "a judge 🧑", how),
            sample("5", "a cook", options(count=2))]  # fmt: skip
    for again in range(2):
        found = reworded(rows, folder, None, settings(), silent)
        assert [s.text for s in found] == ["A COOK", "A COOK", "a cook", "A JUDGE 🧑", "A COOK"]
        assert [replace(s, text="") for s in found] == [replace(s, text="") for s in rows]
        assert sorted(asked) == ["a cook", "a cook", "a judge 🧑"], again
    first = next(p for p in (tmp_path / "texts").glob("*.json") if "1" in json.loads(p.read_text()))
    first.write_text("{")
    assert reworded(rows, folder, None, settings(), silent)[1].text == "A COOK"
    assert asked[3:] == ["a cook"]
    folder.write_plan(rows[:3])
    assert [s.text for s in folder.plan()] == ["A COOK", "A COOK", "a cook"]


@pytest.mark.slow
def test_the_embedded_models_copies_go(tmp_path: Path) -> None:
    """Without its most informative word no caption of an image repeated 64 times reproduces it."""
    suite = suites.read_suite("world_lab")
    prompts = [replace(p, seeds=1) for p in suite.prompts if p.repeats == 64][:3]
    arm = Mitigation("paraphrase", "paraphrase", {}, ("captions",))
    assert "paraphrase" in change(arm, settings(), {}, {}).as_json()
    suite = replace(suite, prompts=tuple(prompts), mitigations=(arm,))
    run = planning.open_run(suite, Options(out=tmp_path, steps=8, batch=3, dtype="float32"))
    draw.generate(run)
    encoder, corpus = CopyEncoder(models.DESCRIPTOR), models.corpus()
    train = {e.caption: e.id for e in corpus.entries()}
    alike: dict[str, list[float]] = {"none": [], "paraphrase": []}
    texts = {p.id: p.text for p in prompts}
    for s in run.folder.final(run.samples):
        pair = encoder.images([run.picture(s.id), corpus.image(train[texts[s.prompt]])])
        alike[s.arm].append(float(pair[0] @ pair[1]))
        whole = texts[s.prompt]
        assert s.text == (whole if s.arm == "none" else whole.partition(" ")[2])
    assert min(alike["none"]) > 0.75
    assert max(alike["paraphrase"]) < 0.5
