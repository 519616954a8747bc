"""The generator: text encoder and denoiser, trained together on the world's training set.

Latent diffusion (Rombach et al. 2022) with v-prediction (Salimans & Ho 2022, app. D), the cosine
schedule (Nichol & Dhariwal 2021, eq. 17) and 10 % empty captions for guidance (Ho & Salimans 2022).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, DPMSolverMultistepScheduler, UNet2DConditionModel
from torch import nn
from torch.nn import functional as F
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from audit.world import tokens
from audit.world.dataset import Item, training_set
from audit.world.train.loop import Schedule, fit
from audit.world.train.vae import to_tensor

SEED = 23
BATCH = 32
WIDTH = 192
"""Width of the text encoder and of cross-attention."""


def scheduler() -> DPMSolverMultistepScheduler:
    """The sampler that the model folder names: DPM-Solver++ (Lu et al. 2022), second order."""
    return DPMSolverMultistepScheduler(
        num_train_timesteps=1000,
        beta_schedule="squaredcos_cap_v2",
        prediction_type="v_prediction",
        timestep_spacing="trailing",
        steps_offset=1,
    )


def build(latent_channels: int, tokenizer: CLIPTokenizer) -> nn.ModuleDict:
    """Untrained text encoder (1.6 M parameters) and denoiser (16 M)."""
    torch.manual_seed(SEED)
    text = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=WIDTH,
            intermediate_size=4 * WIDTH,
            num_hidden_layers=3,
            num_attention_heads=4,
            max_position_embeddings=tokens.CONTEXT,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    unet = UNet2DConditionModel(
        sample_size=16,
        in_channels=latent_channels,
        out_channels=latent_channels,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=(96, 160, 224),
        layers_per_block=1,
        cross_attention_dim=WIDTH,
        attention_head_dim=4,
        norm_num_groups=16,
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


def train(
    vae: AutoencoderKL, tokenizer: CLIPTokenizer, work: Path, schedule: Schedule
) -> nn.ModuleDict:
    """Train from the recipe's seed; every image is drawn as often as it stands in the set."""
    items = training_set()
    latents = encode_items(vae.eval(), items)
    ids = token_ids(tokenizer, [item.caption for item in items])
    nothing = token_ids(tokenizer, [""])[0]
    places = torch.tensor(np.repeat(np.arange(len(items)), [item.repeats for item in items]))
    noise_schedule = scheduler()
    alphas = noise_schedule.alphas_cumprod
    model = build(latents.shape[1], tokenizer)

    def loss(step: int) -> tuple[torch.Tensor, dict[str, float]]:
        chance = torch.Generator().manual_seed(SEED * 1_000_003 + step)
        pick = places[torch.randint(len(places), (BATCH,), generator=chance)]
        x, text = latents[pick], ids[pick].clone()
        text[torch.rand(BATCH, generator=chance) < 0.1] = nothing
        t = torch.randint(1000, (BATCH,), generator=chance)
        noise = torch.randn(x.shape, generator=chance)
        a = alphas[t].sqrt().view(-1, 1, 1, 1)
        s = (1 - alphas[t]).sqrt().view(-1, 1, 1, 1)
        with torch.autocast("cpu", torch.bfloat16):
            context = model["text"](input_ids=text).last_hidden_state
            v = model["unet"](a * x + s * noise, t, context).sample
        return F.mse_loss(v.float(), a * noise - s * x), {}

    fit(model, loss, schedule, work)
    return model
