"""The recipe of the world's ControlNet, on a tiny generator, and nightly on the embedded one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import diffusers
import numpy as np
import pytest
import torch
from transformers import CLIPTextConfig, CLIPTextModel
from typer.testing import CliRunner

from audit.cli.world import app
from audit.engine import controlnet as loader
from audit.engine import model as models
from audit.engine.controlnet import Conditioning
from audit.engine.source import find
from audit.errors import UserError
from audit.world import dataset, tokens
from audit.world.models import GENERATOR
from audit.world.train import controlnet, recipes, unet
from audit.world.train.loop import Schedule
from audit.world.truth import EMBEDDED
from tests.engine import small

SHORT = Schedule(steps=6, rate=2e-3, warmup=1, save_every=2, compiled=False)


@pytest.fixture(scope="module")
def generator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random generator of the world's form with a hundredth of its weights."""
    root = tmp_path_factory.mktemp("tiny")
    torch.manual_seed(0)
    words = small.clip_tokenizer(root)
    text = CLIPTextModel(CLIPTextConfig(
        vocab_size=len(words), hidden_size=16, intermediate_size=32, num_hidden_layers=1,
        num_attention_heads=2, max_position_embeddings=tokens.CONTEXT,
        eos_token_id=words.eos_token_id, bos_token_id=words.bos_token_id, pad_token_id=0,
    ))  # fmt: skip
    vae = diffusers.AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 3, up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(8, 8, 8), norm_num_groups=4, latent_channels=4, sample_size=64,
    )  # fmt: skip
    denoiser = diffusers.UNet2DConditionModel(
        sample_size=16, in_channels=4, out_channels=4, block_out_channels=(8, 16),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), layers_per_block=1,
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), cross_attention_dim=16,
        attention_head_dim=4, norm_num_groups=4, addition_embed_type="text",
        addition_embed_type_num_heads=4, resnet_time_scale_shift="scale_shift",
    )  # fmt: skip
    diffusers.StableDiffusionPipeline(
        vae=vae, text_encoder=text, tokenizer=words, unet=denoiser, scheduler=unet.scheduler(),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    ).save_pretrained(root / "generator")  # fmt: skip
    return root


@pytest.mark.slow
def test_the_recipe_makes_a_controlnet_for_the_generator_in_the_folder(
    generator: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It begins without an effect, learns, goes on where it ended, and fits the audit's loader."""
    some = dataset.training_set()[:40]
    monkeypatch.setattr(recipes, "training_set", lambda _: some)
    monkeypatch.setitem(recipes.SCHEDULES, "controlnet", SHORT)
    parts = controlnet.Generator.read(generator / "generator")
    fresh = controlnet.build(parts)
    shown = controlnet.pictures("silhouette", list(some[:2]), 0, EMBEDDED)
    assert shown.shape == (2, 3, 64, 64)
    down, mid = fresh(
        torch.randn(2, 4, 16, 16), torch.tensor([5, 700]), torch.randn(2, 32, 16), shown,
        return_dict=False,
    )  # fmt: skip
    assert not any(bool(x.any()) for x in (*down, mid))
    made = recipes.controlnet(generator, "figure")
    assert made == generator / "controlnet-figure"
    card = json.loads((made / "recipe.json").read_text("utf-8"))
    assert card["command"] == "t2i-audit world train controlnet --condition figure"
    assert card["last_log"]["step"] == 6
    monkeypatch.setitem(recipes.SCHEDULES, "controlnet", replace(SHORT, steps=8))
    recipes.controlnet(generator, "figure")
    log = (generator / "controlnet-figure-training" / "log.jsonl").read_text("utf-8")
    steps = [json.loads(line)["step"] for line in log.splitlines()]
    assert steps == [2, 4, 6, 8]
    given = Conditioning(loader.find(str(made)), lambda _: np.zeros((64, 64, 3), np.uint8))
    how = models.Loading(dtype="float32", device="cpu", control=given)
    loaded = models.load(find(str(generator / "generator")), how)
    assert loaded.control is not None
    weights = loaded.control.pipeline.controlnet.controlnet_mid_block.weight
    assert float(weights.abs().max()) > 0


@pytest.mark.slow
@pytest.mark.nightly
@pytest.mark.parametrize("kind", ["silhouette", "figure"])
def test_the_loss_falls_on_the_embedded_generator(kind: str, tmp_path: Path) -> None:
    """A few hundred steps beat the generator alone, which does not know where the person is."""
    some = dataset.training_set()[:600]
    parts = controlnet.Generator.read(GENERATOR)
    schedule = Schedule(steps=240, rate=3e-4, warmup=20, save_every=40)
    controlnet.train(parts, some, kind, tmp_path, schedule)
    lines = [json.loads(t) for t in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert lines[-1]["loss"] < 0.95 * lines[0]["loss"]


def test_kinds_and_parts_are_checked(tmp_path: Path) -> None:
    """An unknown kind, and a kind for another part, are one sentence."""
    with pytest.raises(UserError, match="Unknown condition 'silhouete'"):
        recipes.controlnet(tmp_path, "silhouete")
    got = CliRunner().invoke(app, ["train", "vae", "--condition", "figure"])
    assert isinstance(got.exception, UserError)
    assert "the part `controlnet` only" in str(got.exception)
