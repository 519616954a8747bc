"""The sampling loop: text and noise in, pictures out, in micro-batches of one fixed shape.

Each image has a CPU generator of its own, seeded from its sample, so that batch, order, shard and
interruption never change its noise. Kernels round differently for different batch shapes, so the
last batch is padded: an image's bits then depend on nothing but its sample and the settings.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from audit.generate.model import Model
from audit.records import Sample, Settings


def noise(shape: tuple[int, ...], seeds: Sequence[int]) -> torch.Tensor:
    """Standard normal latents float32[n, *shape], one CPU generator per seed."""
    rows = (torch.randn((1, *shape), generator=torch.Generator().manual_seed(s)) for s in seeds)
    return torch.cat(list(rows))


def encode_text(model: Model, texts: Sequence[str]) -> torch.Tensor:
    """The text encoder's last hidden states, float[n, tokens, width].

    One text at a time: a text's bits must not depend on its companions.
    """
    pipeline, rows = model.pipeline, []
    for text in texts:
        ids = pipeline.tokenizer(
            text, padding="max_length", truncation=True,
            max_length=pipeline.tokenizer.model_max_length, return_tensors="pt",
        ).input_ids  # fmt: skip
        with torch.inference_mode():
            rows.append(pipeline.text_encoder(ids)[0])
    return torch.cat(rows)


def truncated(model: Model, text: str) -> bool:
    """Whether the text is longer than the encoder reads."""
    tokenizer = model.pipeline.tokenizer
    return len(tokenizer(text).input_ids) > int(tokenizer.model_max_length)


@torch.inference_mode()
def denoise(
    model: Model, context: torch.Tensor, nothing: torch.Tensor, latents: torch.Tensor,
    settings: Settings, generators: list[torch.Generator] | None = None,
) -> torch.Tensor:  # fmt: skip
    """Classifier-free guidance (Ho & Salimans 2022) from noise to latents, float[n, c, h, w].

    `context` and `nothing` are float[n, tokens, width]; guidance of 1 or less skips the empty text.
    """
    pipeline = model.pipeline
    scheduler = type(pipeline.scheduler).from_config(pipeline.scheduler.config)
    scheduler.set_timesteps(settings.steps)
    guided = settings.guidance > 1
    both = torch.cat([nothing, context]) if guided else context
    x = latents.to(model.dtype) * scheduler.init_noise_sigma
    extra: dict[str, Any] = {}
    if "generator" in inspect.signature(scheduler.step).parameters:
        extra["generator"] = generators
    for t in scheduler.timesteps:
        doubled = scheduler.scale_model_input(torch.cat([x, x]) if guided else x, t)
        out = pipeline.unet(doubled, t, encoder_hidden_states=both).sample
        if guided:
            without, with_text = out.chunk(2)
            out = without + settings.guidance * (with_text - without)
        x = scheduler.step(out, t, x, **extra, return_dict=False)[0]
    return x


@torch.inference_mode()
def decode(model: Model, latents: torch.Tensor) -> np.ndarray:
    """Latents to pictures, uint8[n, h, w, 3]."""
    vae = model.pipeline.vae
    pictures = vae.decode(latents / vae.config.scaling_factor).sample.float()
    scaled = (pictures / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1)
    return (scaled * 255).round().to(torch.uint8).numpy()


def draw(
    model: Model, samples: Sequence[Sample], settings: Settings
) -> Iterator[tuple[list[str], np.ndarray]]:
    """Draw samples batch by batch: ids and uint8[n, h, w, 3].

    Each distinct text is encoded once; batches are filled across prompts and padded to
    `settings.batch` with repeats that are thrown away.
    """
    texts = sorted({s.text for s in samples})
    states = dict(zip(texts, encode_text(model, texts), strict=True))
    empty = encode_text(model, [settings.negative]).expand(settings.batch, -1, -1)
    for start in range(0, len(samples), settings.batch):
        rows = list(samples[start : start + settings.batch])
        full = rows + [rows[-1]] * (settings.batch - len(rows))
        context = torch.stack([states[s.text] for s in full])
        seeds = [s.seed for s in full]
        later = [torch.Generator().manual_seed(s ^ 0x5DEECE66D) for s in seeds]
        x = denoise(model, context, empty, noise(model.latent_shape, seeds), settings, later)
        yield [s.id for s in rows], decode(model, x)[: len(rows)]
