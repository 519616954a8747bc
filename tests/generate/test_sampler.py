"""The sampling loop against the pipeline's own call, on small models built from configurations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    PNDMScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from audit.errors import UserError
from audit.generate import model as models
from audit.generate import sampler
from audit.records import Sample, Settings
from audit.world import tokens

SCHEDULERS = {
    "ddim-epsilon": DDIMScheduler(clip_sample=False, set_alpha_to_one=False),
    "dpm-v": DPMSolverMultistepScheduler(prediction_type="v_prediction"),
    "pndm": PNDMScheduler(skip_prk_steps=True),
    "euler-ancestral": EulerAncestralDiscreteScheduler(),
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Small random-weight Stable Diffusion folders, one for each scheduler."""
    torch.manual_seed(0)
    root = tmp_path_factory.mktemp("models")
    tokenizer = CLIPTokenizer.from_pretrained(tokens.build(root / "tokenizer"))
    text = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer), hidden_size=16, intermediate_size=32, num_hidden_layers=1,
            num_attention_heads=2, max_position_embeddings=tokens.CONTEXT,
            eos_token_id=tokenizer.eos_token_id, bos_token_id=tokenizer.bos_token_id,
            pad_token_id=0,
        )
    )  # fmt: skip
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
        block_out_channels=(8, 8), norm_num_groups=4, latent_channels=4, sample_size=16,
    )  # fmt: skip
    unet = UNet2DConditionModel(
        sample_size=8, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), block_out_channels=(8, 16),
        layers_per_block=1, cross_attention_dim=16, attention_head_dim=2, norm_num_groups=4,
    )  # fmt: skip
    out = {}
    for name, scheduler in SCHEDULERS.items():
        StableDiffusionPipeline(
            vae=vae, text_encoder=text, tokenizer=tokenizer, unet=unet, scheduler=scheduler,
            safety_checker=None, feature_extractor=None, requires_safety_checker=False,
        ).save_pretrained(root / name)  # fmt: skip
        out[name] = root / name
    return out


def settings(**changes: object) -> Settings:
    """Small settings with changes."""
    base: dict[str, object] = {
        "model": "m",
        "revision": "r",
        "steps": 4,
        "guidance": 3.0,
        "batch": 3,
    }
    return Settings(**(base | changes))  # type: ignore[arg-type]


def plan(n: int) -> list[Sample]:
    """Samples of two texts with seeds of their own."""
    texts = ("a photo of a nurse", "a welder")
    return [Sample(f"s{i}", "p", "none", 2**62 + 7 * i, texts[i % 2]) for i in range(n)]


@pytest.mark.parametrize("name", SCHEDULERS)
@pytest.mark.parametrize("guidance", [1.0, 5.0])
def test_the_loop_equals_the_pipelines_own_call(
    folders: dict[str, Path], name: str, guidance: float
) -> None:
    """Same embeddings, noise and steps give the pipeline's latents, to rounding."""
    model = models.load(folders[name])
    context = sampler.encode_text(model, ["a nurse", "a cook on a red background"])
    empty = sampler.encode_text(model, [""]).expand(2, -1, -1)
    latents = sampler.noise(model.latent_shape, [5, 6])

    def later() -> list[torch.Generator]:
        return [torch.Generator().manual_seed(i) for i in (1, 2)]

    ours = sampler.denoise(model, context, empty, latents, settings(guidance=guidance), later())
    theirs = model.pipeline(
        prompt_embeds=context, negative_prompt_embeds=empty, latents=latents.clone(),
        num_inference_steps=4, guidance_scale=guidance, generator=later(), output_type="latent",
    ).images  # fmt: skip
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


def test_decoding_equals_the_pipelines_own_pictures(folders: dict[str, Path]) -> None:
    """The same latents give the same 8-bit pixels as diffusers' image processor."""
    model = models.load(folders["ddim-epsilon"])
    latents = sampler.noise(model.latent_shape, [1, 2])
    with torch.inference_mode():
        raw = model.pipeline.vae.decode(latents / model.pipeline.vae.config.scaling_factor).sample
    theirs = model.pipeline.image_processor.postprocess(raw, output_type="pil")
    assert np.array_equal(sampler.decode(model, latents), np.stack([np.asarray(i) for i in theirs]))


def test_noise_does_not_depend_on_companions() -> None:
    """A sample's noise is bit-equal alone, in a batch and in another order."""
    together = sampler.noise((4, 8, 8), [11, 12, 13])
    alone = torch.cat([sampler.noise((4, 8, 8), [s]) for s in (13, 11)])
    assert torch.equal(together[[2, 0]], alone)


def test_pictures_do_not_depend_on_the_path_taken(folders: dict[str, Path]) -> None:
    """Order, interruption and padding leave every picture's bits alone."""
    model = models.load(folders["dpm-v"])
    samples = plan(5)
    whole = {
        i: p
        for ids, px in sampler.draw(model, samples, settings())
        for i, p in zip(ids, px, strict=True)
    }
    resumed: dict[str, np.ndarray] = {}
    for part in (samples[4:], samples[2:4][::-1], samples[:2]):
        for ids, pictures in sampler.draw(model, part, settings()):
            resumed.update(zip(ids, pictures, strict=True))
    assert whole.keys() == resumed.keys()
    assert all(np.array_equal(whole[i], resumed[i]) for i in whole)


def test_guidance_changes_the_picture(folders: dict[str, Path]) -> None:
    """The guidance scale reaches the model: more of it gives another picture."""
    model = models.load(folders["dpm-v"])
    first = next(iter(sampler.draw(model, plan(1), settings(guidance=1.0))))[1]
    second = next(iter(sampler.draw(model, plan(1), settings(guidance=8.0))))[1]
    assert not np.array_equal(first, second)


def test_revision_follows_the_files(folders: dict[str, Path], tmp_path: Path) -> None:
    """A changed configuration is another revision."""
    import shutil

    shutil.copytree(folders["pndm"], tmp_path / "copy")
    before = models.revision(tmp_path / "copy")
    assert before == models.revision(folders["pndm"])
    index = tmp_path / "copy" / "scheduler" / "scheduler_config.json"
    index.write_text(index.read_text().replace("0.02", "0.03"))
    assert models.revision(tmp_path / "copy") != before


def test_a_folder_that_is_no_model_is_named(tmp_path: Path) -> None:
    """The message says which folder, and what to give instead."""
    with pytest.raises(UserError, match=r"no model_index\.json"):
        models.load(tmp_path)


def test_long_texts_are_noticed(folders: dict[str, Path]) -> None:
    """A text beyond the encoder's length is reported as truncated."""
    model = models.load(folders["pndm"])
    assert sampler.truncated(model, "a nurse " * 40)
    assert not sampler.truncated(model, "a nurse")
