"""Personalisation: the denoiser of a model trained on a few images of one subject.

DreamBooth (Ruiz et al. 2023, arXiv 2208.12242, eq. 1 and 2) as diffusers trains it in
`examples/dreambooth/train_dreambooth.py` and `train_dreambooth_lora.py`: the autoencoder and the
text encoder stay as they are, levels of noise are drawn evenly, AdamW at a constant rate.
With prior preservation every batch has as many images of the subject's class, which the model drew
itself. A LoRA (Hu et al. 2021, arXiv 2106.09685) trains low-rank changes of attention's matrices.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from audit.engine.model import Model, precision
from audit.engine.texts import Texts
from audit.errors import UserError

KINDS = ("StableDiffusionPipeline", "StableDiffusionXLPipeline")
"""Pipelines whose denoiser can be trained here."""
LAYERS = ("to_k", "to_q", "to_v", "to_out.0", "add_k_proj", "add_v_proj")
"""Layers that a LoRA changes, as in diffusers' example."""
ADAPTER = "personal"

Deltas = Mapping[str, torch.Tensor]
"""Name of a denoiser's weight to what training added to it, float32 of its shape."""


@dataclass(frozen=True)
class Training:
    """How one model is personalised; defaults are those of diffusers' examples."""

    low_rank: bool = False
    """Train a LoRA in place of the whole denoiser."""
    prior: float = 0.0
    """Weight of the loss on images of the class; 0 is without prior preservation."""
    rate: float = 5e-6
    """Learning rate, constant."""
    rank: int = 4
    """Rank of a LoRA, whose scale is 1."""
    batch: int = 1
    """Images of the subject in a batch; with a prior as many of the class are added."""


@dataclass(frozen=True)
class Side:
    """Images of the subject or of its class, as the denoiser learns them."""

    mean: torch.Tensor
    """Of the autoencoder's distribution for each image, scaled: float32[n, c, h, w]."""
    deviation: torch.Tensor
    """Its standard deviation, of the same shape."""
    condition: Mapping[str, Any]
    """What the denoiser is given besides: states of one text, with a first axis of 1."""


def check(model: Model) -> None:
    """Raise UserError for a model that cannot be personalised here."""
    if model.kind not in KINDS:
        raise UserError(
            f"A {model.kind} cannot be personalised here. Give a Stable Diffusion 1.x, 2.x or SDXL "
            "model."
        )
    known = model.pipeline.unet.config.in_channels == model.pipeline.vae.config.latent_channels
    predicts = str(model.pipeline.scheduler.config.get("prediction_type", "epsilon"))
    if not known or predicts not in ("epsilon", "v_prediction"):
        raise UserError(
            f"The model {model.name} is not trained on noise alone, so it cannot be personalised "
            "here. Give a text-to-image model that predicts noise or velocity."
        )


def side(model: Model, images: Sequence[np.ndarray], text: str) -> Side:
    """Images uint8[h, w, 3] of any size, cropped to squares of the model's, with their text."""
    pixels = torch.stack([_square(i, side_of(model)) for i in images])
    means, deviations = [], []
    with torch.inference_mode():
        for row in pixels.to(model.device, model.pipeline.vae.dtype):
            found = model.pipeline.vae.encode(row[None]).latent_dist
            means.append(found.mean)
            deviations.append(found.std)
    scale = float(model.pipeline.vae.config.scaling_factor)
    mean, deviation = (scale * torch.cat(rows).float().clone() for rows in (means, deviations))
    return Side(mean, deviation, condition(model, text))


def side_of(model: Model) -> int:
    """Side of the model's images in pixels."""
    return int(model.pipeline.unet.config.sample_size * model.pipeline.vae_scale_factor)


def _square(image: np.ndarray, to: int) -> torch.Tensor:
    """The middle of an image as float32[3, to, to] in -1..1."""
    from PIL import Image, ImageOps

    fitted = ImageOps.fit(Image.fromarray(image), (to, to), Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(fitted)).permute(2, 0, 1).float() / 127.5 - 1


def condition(model: Model, text: str) -> dict[str, Any]:
    """The denoiser's arguments for one text, in the form of its own pipeline."""
    states = Texts(model, "", guided=False).batch([text])
    given: dict[str, Any] = {"encoder_hidden_states": _own(states["prompt_embeds"])}
    if "pooled_prompt_embeds" in states:
        at = side_of(model)
        given["added_cond_kwargs"] = {
            "text_embeds": _own(states["pooled_prompt_embeds"]),
            # Size before cropping, corner of the crop, size wanted (Podell et al. 2023, sec. 2.2).
            "time_ids": torch.tensor([[at, at, 0.0, 0.0, at, at]], device=model.device),
        }
    return given


def _own(states: torch.Tensor) -> torch.Tensor:
    """A tensor made under inference mode as one that may be part of a gradient."""
    return states.clone()


def repeated(condition: Mapping[str, Any], n: int) -> dict[str, Any]:
    """The arguments for `n` images of the same text."""
    return {
        k: repeated(v, n) if isinstance(v, Mapping) else v.expand(n, *v.shape[1:])
        for k, v in condition.items()
    }


def joined(one: Mapping[str, Any], two: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of two halves of a batch, in this order."""
    return {
        k: joined(v, two[k]) if isinstance(v, Mapping) else torch.cat([v, two[k]])
        for k, v in one.items()
    }


@dataclass(frozen=True)
class Noised:
    """One batch: with a prior its first half is the subject's, its second half the class's."""

    latents: torch.Tensor
    """float32[n, c, h, w]."""
    noise: torch.Tensor
    """Of the same shape."""
    times: torch.Tensor
    """Levels of noise, int64[n]."""
    condition: Mapping[str, Any]


def loss(denoiser: Any, scheduler: Any, batch: Noised, prior: float = 0.0) -> torch.Tensor:
    """Mean squared error of the denoiser's prediction, as diffusers' example computes it.

    With a prior, that of the first half plus `prior` times that of the second (Ruiz et al. 2023,
    eq. 2). `scheduler` is a DDPMScheduler of the model's own noise.
    """
    noisy = scheduler.add_noise(batch.latents, batch.noise, batch.times)
    predicted = denoiser(noisy, batch.times, **batch.condition).sample
    predicted = predicted[:, : batch.latents.shape[1]].float()  # without a learned variance
    if scheduler.config.prediction_type == "v_prediction":
        wanted = scheduler.get_velocity(batch.latents, batch.noise, batch.times)
    else:
        wanted = batch.noise
    if not prior:
        return F.mse_loss(predicted, wanted)
    halves = zip(predicted.chunk(2), wanted.chunk(2), strict=True)
    own, others = (F.mse_loss(a, b) for a, b in halves)
    return own + prior * others


def schedule(model: Model) -> Any:
    """The noise that the model was trained on, as a DDPMScheduler."""
    from diffusers import DDPMScheduler

    return DDPMScheduler.from_config(model.pipeline.scheduler.config)


def drawn(
    scheduler: Any, sides: Sequence[Side], n: int, chance: torch.Generator
) -> Noised:  # fmt: skip
    """A batch of `n` images of each side, with latents, noise and levels drawn by `chance`.

    Those of the first side do not depend on whether there is another.
    """
    levels = int(scheduler.config.num_train_timesteps)
    rows: list[tuple[torch.Tensor, ...]] = []
    for one in sides:
        pick = torch.randint(len(one.mean), (n,), generator=chance)
        spread, noise = torch.randn((2, n, *one.mean.shape[1:]), generator=chance)
        times = torch.randint(levels, (n,), generator=chance)
        on = one.mean.device
        rows.append(
            (one.mean[pick] + one.deviation[pick] * spread.to(on), noise.to(on), times.to(on))
        )
    given = repeated(sides[0].condition, n)
    for other in sides[1:]:
        given = joined(given, repeated(other.condition, n))
    latents, noises, levels_of = (torch.cat(parts) for parts in zip(*rows, strict=True))
    return Noised(latents, noises, levels_of, given)


def train(
    model: Model, sides: Sequence[Side], how: Training, doses: Sequence[int], seed: int
) -> Iterator[tuple[int, dict[str, torch.Tensor]]]:
    """Personalise once; after each of `doses` steps what training has added to the weights.

    `sides` are the subject's and, with a prior, its class's. `model` is loaded at float32 and left
    as it was. Batches depend on `seed` and step alone: a longer training begins like a shorter one.
    Raises UserError for a model that cannot be trained, and where the loss is not a number.
    """
    check(model)
    scheduler, unet = schedule(model), model.pipeline.unet
    half = precision("auto", model.device) == "bfloat16"
    with _trained(unet, how, seed) as (weights, added):
        optimiser = torch.optim.AdamW(weights, how.rate, weight_decay=1e-2, eps=1e-8)
        for step in range(max(doses)):
            chance = torch.Generator().manual_seed(seed * 1_000_003 + step)
            batch = drawn(scheduler, sides, how.batch, chance)
            with torch.autocast(model.device.type, torch.bfloat16, enabled=half):
                value = loss(unet, scheduler, batch, how.prior)
            if not math.isfinite(value.item()):
                raise UserError(
                    f"The loss is not a number after {step} steps. Give a smaller --rate."
                )
            optimiser.zero_grad(set_to_none=True)
            value.backward()
            torch.nn.utils.clip_grad_norm_(weights, 1.0)
            optimiser.step()
            if step + 1 in doses:
                yield step + 1, added()


@contextmanager
def _trained(unet: Any, how: Training, seed: int) -> Iterator[tuple[list[Any], Any]]:
    """The weights to train and a function that says what was added; undone when the block ends."""
    unet.train()
    block = _low_rank(unet, how.rank, seed) if how.low_rank else _whole(unet)
    try:
        with block as trained:
            yield trained
    finally:
        unet.eval().requires_grad_(False)


@contextmanager
def _whole(unet: Any) -> Iterator[tuple[list[Any], Any]]:
    own = {n: p.detach().clone() for n, p in unet.named_parameters()}
    unet.requires_grad_(True)

    def added() -> dict[str, torch.Tensor]:
        return {n: (p.detach() - own[n]).float().cpu() for n, p in unet.named_parameters()}

    try:
        yield list(unet.parameters()), added
    finally:
        unet.requires_grad_(False)
        with torch.no_grad():
            for n, p in unet.named_parameters():
                p.copy_(own[n])


@contextmanager
def _low_rank(unet: Any, rank: int, seed: int) -> Iterator[tuple[list[Any], Any]]:
    try:
        from peft import LoraConfig
    except ImportError as error:
        raise UserError(
            'Training a LoRA needs the package peft. Install it with `pip install "t2i-audit[hub]"`'
            ", or give --arms without LoRA."
        ) from error
    unet.requires_grad_(False)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # the first matrices are drawn on the processor, by no generator
        unet.add_adapter(
            LoraConfig(r=rank, lora_alpha=rank, init_lora_weights="gaussian",
                       target_modules=list(LAYERS)),
            adapter_name=ADAPTER,
        )  # fmt: skip

    def added() -> dict[str, torch.Tensor]:
        return {
            f"{n}.weight": m.get_delta_weight(ADAPTER).detach().float().cpu().clone()
            for n, m in unet.named_modules()
            if ADAPTER in getattr(m, "lora_A", ())
        }

    try:
        yield [p for p in unet.parameters() if p.requires_grad], added
    finally:
        unet.delete_adapters(ADAPTER)
        unet.unload_lora()
