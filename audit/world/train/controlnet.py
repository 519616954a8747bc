"""A ControlNet for the world's generator: pictures of where a person is, from the renderer.

Zhang, Rao & Agrawala 2023 ("Adding conditional control to text-to-image diffusion models"): a copy
of the denoiser's first half, whose outputs begin as zeros; the generator itself stays as it is.
Half of the captions are empty (section 3.3), so the picture is heeded as well as the words.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL, ControlNetModel, UNet2DConditionModel
from torch.nn import functional as F
from transformers import CLIPTextModel, CLIPTokenizer

from audit.world import conditions
from audit.world.dataset import Item
from audit.world.train import unet
from audit.world.train.loop import Schedule, fit, half_precision, prepared
from audit.world.truth import EMBEDDED, World

SEED = 61
BATCH = 16
EMPTY = 0.5
"""Share of the captions that are left out."""
CHANNELS = (16, 32, 96, 256)
"""Widths of the layers that read a picture; each but the first halves its sides."""


@dataclass(frozen=True)
class Generator:
    """The parts of a generator, which are not trained."""

    vae: Any
    tokenizer: Any
    text: Any
    unet: Any

    @classmethod
    def read(cls, folder: Path) -> Generator:
        """Those of a diffusers folder, at full precision."""
        found = cls(
            AutoencoderKL.from_pretrained(folder / "vae").float(),
            CLIPTokenizer.from_pretrained(folder / "tokenizer"),
            CLIPTextModel.from_pretrained(folder / "text_encoder").float(),
            UNet2DConditionModel.from_pretrained(folder / "unet").float(),
        )
        for part in (found.vae, found.text, found.unet):
            part.eval().requires_grad_(False)
        return found


def build(generator: Generator) -> ControlNetModel:
    """An untrained ControlNet: it reads pictures at the autoencoder's factor, and adds zeros."""
    torch.manual_seed(SEED)
    many = len(generator.vae.config.block_out_channels)
    copied = ControlNetModel.from_unet(
        generator.unet, conditioning_embedding_out_channels=CHANNELS[:many]
    )
    # The copy has a default of its own for the heads that read the text into the time embedding.
    heads = generator.unet.config.addition_embed_type_num_heads
    config = {k: v for k, v in copied.config.items() if not k.startswith("_")}
    made: ControlNetModel = ControlNetModel.from_config(
        {**config, "addition_embed_type_num_heads": heads}
    )
    made.load_state_dict(copied.state_dict())
    return made


def pictures(kind: str, items: list[Item], step: int, world: World) -> torch.Tensor:
    """Conditions of a batch, float32[n, 3, 64, 64] in 0..1; the same step draws the same."""
    rng = np.random.default_rng((SEED, step))
    shown = np.stack([conditions.picture(kind, rng, item.scene, world) for item in items])
    return torch.from_numpy(shown).permute(0, 3, 1, 2).float() / 255


def train(
    generator: Generator, items: tuple[Item, ...], kind: str, work: Path, schedule: Schedule,
    world: World = EMBEDDED,
) -> ControlNetModel:  # fmt: skip
    """Train from the recipe's seed, every image as often as it occurs in the set.

    The loss is the generator's own, of v at levels of noise as it was trained (`unet.tune`).
    """
    net = build(generator)
    latents = unet.encode_items(generator.vae, items)
    ids = unet.token_ids(generator.tokenizer, [item.caption for item in items])
    nothing = unet.token_ids(generator.tokenizer, [""])[0]
    places = torch.tensor(np.repeat(np.arange(len(items)), [item.repeats for item in items]))
    alphas = unet.scheduler().alphas_cumprod
    read = prepared(net, schedule)

    def loss(step: int) -> tuple[torch.Tensor, dict[str, float]]:
        chance = torch.Generator().manual_seed(SEED * 1_000_003 + step)
        pick = places[torch.randint(len(places), (BATCH,), generator=chance)]
        x, words = latents[pick], ids[pick].clone()
        words[torch.rand(BATCH, generator=chance) < EMPTY] = nothing
        t = unet.times(chance, BATCH)
        noise = torch.randn(x.shape, generator=chance)
        a = alphas[t].sqrt().view(-1, 1, 1, 1)
        s = (1 - alphas[t]).sqrt().view(-1, 1, 1, 1)
        shown = pictures(kind, [items[int(i)] for i in pick], step, world)
        with half_precision():
            with torch.no_grad():
                context = generator.text(input_ids=words).last_hidden_state
            noisy = (a * x + s * noise).to(memory_format=torch.channels_last)
            down, mid = read(noisy, t, context, shown, return_dict=False)
            v = generator.unet(
                noisy, t, context, down_block_additional_residuals=down,
                mid_block_additional_residual=mid,
            ).sample  # fmt: skip
        return F.mse_loss(v.float(), a * noise - s * x), {}

    fit(net, loss, schedule, work)
    return net
