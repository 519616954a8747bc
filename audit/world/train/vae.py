"""The autoencoder: 64 by 64 pixels to 16 by 16 by 8 latents and back (Rombach et al. 2022).

L1 in pixels and in their differences (sharp edges without an adversary) and a faint KL term.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch.nn import functional as F

from audit.world import art
from audit.world.render import draw_scene, render
from audit.world.train.loop import Schedule, fit, half_precision

SEED = 11
BATCH = 8
KL_WEIGHT = 1e-6


def build() -> AutoencoderKL:
    """An untrained autoencoder of the shipped shape (0.9 M parameters)."""
    torch.manual_seed(SEED)
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(32, 64, 64),
        layers_per_block=1,
        latent_channels=8,
        norm_num_groups=8,
        mid_block_add_attention=False,
        sample_size=64,
    )


def balanced_images(seed: tuple[int, ...], count: int) -> np.ndarray:
    """uint8[count, 64, 64, 3]: every sprite equally often, one picture in ten without a person."""
    rng = np.random.default_rng(seed)
    everyone = art.sprites()
    picks = [everyone[int(i)] for i in rng.integers(len(everyone), size=count)]
    empty = rng.random(count) < 0.1
    scenes = (
        draw_scene(rng, None if nobody else p) for p, nobody in zip(picks, empty, strict=True)
    )
    return np.stack([render(scene) for scene in scenes])


def to_tensor(images: np.ndarray) -> torch.Tensor:
    """uint8[n, h, w, 3] in 0..255 to float32[n, 3, h, w] in -1..1."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)


def _edges(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return x[..., 1:] - x[..., :-1], x[..., 1:, :] - x[..., :-1, :]


def train(work: Path, schedule: Schedule) -> AutoencoderKL:
    """Train from the recipe's seed and return the model with its latent scale measured and set."""
    model = build()

    def loss(step: int) -> tuple[torch.Tensor, dict[str, float]]:
        x = to_tensor(balanced_images((SEED, step), BATCH))
        torch.manual_seed(SEED * 1_000_003 + step)
        with half_precision():
            posterior = model.encode(x).latent_dist
            y = model.decode(posterior.sample()).sample
        y = y.float()
        pixel = F.l1_loss(y, x)
        edge = sum(F.l1_loss(a, b) for a, b in zip(_edges(y), _edges(x), strict=True))
        kl = posterior.kl().float().mean()
        return pixel + 0.5 * edge + KL_WEIGHT * kl, {
            "mae": float(pixel.detach()) / 2,
            "kl": float(kl.detach()),
        }

    fit(model, loss, schedule, work)
    with torch.no_grad():
        z = model.encode(to_tensor(balanced_images((SEED, 10**9), 512))).latent_dist.mode()
    model.register_to_config(scaling_factor=round(float(1 / z.std()), 4))
    return model
