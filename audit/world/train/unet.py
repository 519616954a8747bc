"""The generator: a denoiser on the text tower of the embedded CLIP model, as Stable Diffusion's.

Latent diffusion (Rombach et al. 2022); the text tower is trained along, v-prediction (Salimans &
Ho 2022, app. D), cosine schedule (Nichol & Dhariwal 2021, eq. 17), 10 % empty captions for guidance
(Ho & Salimans 2022).
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, DPMSolverMultistepScheduler, UNet2DConditionModel
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from audit.world import tokens
from audit.world.dataset import Item, training_set
from audit.world.train.classifier import WEIGHTS
from audit.world.train.loop import Schedule, fit, half_precision, prepared
from audit.world.train.vae import to_tensor

SEED = 23
BATCH = 16


def scheduler() -> DPMSolverMultistepScheduler:
    """The sampler that the model folder names: DPM-Solver++ (Lu et al. 2022), second order."""
    return DPMSolverMultistepScheduler(
        num_train_timesteps=1000,
        beta_schedule="squaredcos_cap_v2",
        prediction_type="v_prediction",
        timestep_spacing="trailing",
        steps_offset=1,
    )


def text_encoder(classifier: Path, tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """The text tower of an open_clip folder as transformers' CLIPTextModel (0.5 M parameters).

    The same numbers in another layout: open_clip keeps query, key and value in one matrix.
    """
    config = json.loads((classifier / "open_clip_config.json").read_text("utf-8"))
    tower = config["model_cfg"]["text_cfg"]
    model = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=tower["vocab_size"],
            hidden_size=tower["width"],
            intermediate_size=4 * tower["width"],
            num_hidden_layers=tower["layers"],
            num_attention_heads=tower["heads"],
            max_position_embeddings=tower["context_length"],
            hidden_act="gelu",
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    weights = load_file(classifier / WEIGHTS)
    state = {k: v.float() for k, v in _as_transformers(weights, tower["layers"]).items()}
    prefix = "text_model." if any(k.startswith("text_model.") for k in model.state_dict()) else ""
    model.load_state_dict({prefix + k: v for k, v in state.items()}, strict=True)
    return model


def _as_transformers(weights: dict[str, torch.Tensor], layers: int) -> dict[str, torch.Tensor]:
    out = {
        "embeddings.token_embedding.weight": weights["token_embedding.weight"],
        "embeddings.position_embedding.weight": weights["positional_embedding"],
    }
    for kind in ("weight", "bias"):
        out[f"final_layer_norm.{kind}"] = weights[f"ln_final.{kind}"]
    for i in range(layers):
        old, new = f"transformer.resblocks.{i}", f"encoder.layers.{i}"
        for kind in ("weight", "bias"):
            joint = weights[f"{old}.attn.in_proj_{kind}"].chunk(3)
            for name, part in zip(("q", "k", "v"), joint, strict=True):
                out[f"{new}.self_attn.{name}_proj.{kind}"] = part
            for theirs, ours in (
                ("attn.out_proj", "self_attn.out_proj"), ("ln_1", "layer_norm1"),
                ("ln_2", "layer_norm2"), ("mlp.c_fc", "mlp.fc1"), ("mlp.c_proj", "mlp.fc2"),
            ):  # fmt: skip
                out[f"{new}.{ours}.{kind}"] = weights[f"{old}.{theirs}.{kind}"]
    return out


def build(latent_channels: int, text: CLIPTextModel) -> nn.ModuleDict:
    """The text encoder as it comes, and an untrained denoiser (17 M parameters)."""
    torch.manual_seed(SEED)
    unet = UNet2DConditionModel(
        sample_size=16,
        in_channels=latent_channels,
        out_channels=latent_channels,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=(96, 160, 224),
        layers_per_block=1,
        cross_attention_dim=text.config.hidden_size,
        attention_head_dim=4,
        norm_num_groups=16,
        # The text also scales and shifts every block through the time embedding (Saharia et al.
        # 2022, sec. D.1): who is drawn is learned in a fraction of the steps.
        addition_embed_type="text",
        addition_embed_type_num_heads=8,
        resnet_time_scale_shift="scale_shift",
    )
    return nn.ModuleDict({"text": text, "unet": unet})


def encode_items(vae: AutoencoderKL, items: tuple[Item, ...], batch: int = 64) -> torch.Tensor:
    """Scaled latents of the pictures, float32[n, c, 16, 16]."""
    out = []
    with torch.no_grad():
        for i in range(0, len(items), batch):
            x = to_tensor(np.stack([item.pixels() for item in items[i : i + batch]]))
            out.append(vae.encode(x).latent_dist.mode())
    return torch.cat(out) * vae.config.scaling_factor


def token_ids(tokenizer: CLIPTokenizer, texts: list[str]) -> torch.Tensor:
    """Padded token ids, int64[n, 32]."""
    padded = tokenizer(texts, padding="max_length", truncation=True, max_length=tokens.CONTEXT)
    return torch.tensor(padded["input_ids"])


def times(chance: torch.Generator, batch: int = BATCH) -> torch.Tensor:
    """Noise levels of one batch, int64[batch] in 0 to 999: half of them among the noisiest 400.

    Who is drawn is settled there, and it weighs little in a loss over all levels: drawn evenly, a
    stated gender was followed in two of five pictures of a woman.
    """
    t = torch.randint(1000, (batch,), generator=chance)
    return torch.where(torch.arange(batch) % 2 == 0, t, 600 + t * 2 // 5)


def once(items: tuple[Item, ...]) -> tuple[Item, ...]:
    """The set with each image once: what de-duplication leaves of it (Carlini et al. 2023, 7.1)."""
    return tuple(replace(item, repeats=1) for item in items)


def train(
    vae: AutoencoderKL,
    tokenizer: CLIPTokenizer,
    text: CLIPTextModel,
    work: Path,
    schedule: Schedule,
    items: tuple[Item, ...] | None = None,
) -> nn.ModuleDict:
    """Train from the recipe's seed; every image is drawn as often as it occurs in the set."""
    model = build(vae.config.latent_channels, text)
    items = training_set() if items is None else items
    return tune(model, vae, tokenizer, items, work, schedule)


def tune(  # noqa: PLR0913 - the three parts of a pipeline, and how they are trained
    model: nn.ModuleDict, vae: AutoencoderKL, tokenizer: CLIPTokenizer, items: tuple[Item, ...],
    work: Path, schedule: Schedule, batch: int = BATCH,
) -> nn.ModuleDict:  # fmt: skip
    """Train a text encoder and a denoiser on, in place, from the state that they come in."""
    latents = encode_items(vae.eval(), items)
    ids = token_ids(tokenizer, [item.caption for item in items])
    nothing = token_ids(tokenizer, [""])[0]
    places = torch.tensor(np.repeat(np.arange(len(items)), [item.repeats for item in items]))
    alphas = scheduler().alphas_cumprod
    denoise = prepared(model["unet"], schedule)

    def loss(step: int) -> tuple[torch.Tensor, dict[str, float]]:
        chance = torch.Generator().manual_seed(SEED * 1_000_003 + step)
        pick = places[torch.randint(len(places), (batch,), generator=chance)]
        x, words = latents[pick], ids[pick].clone()
        words[torch.rand(batch, generator=chance) < 0.1] = nothing
        t = times(chance, batch)
        noise = torch.randn(x.shape, generator=chance)
        a = alphas[t].sqrt().view(-1, 1, 1, 1)
        s = (1 - alphas[t]).sqrt().view(-1, 1, 1, 1)
        with half_precision():
            context = model["text"](input_ids=words).last_hidden_state
            noisy = (a * x + s * noise).to(memory_format=torch.channels_last)
            v = denoise(noisy, t, context).sample
        return F.mse_loss(v.float(), a * noise - s * x), {}

    fit(model, loss, schedule, work)
    return model
