"""Where words are in an image, by a UNet's own cross-attention, without training.

DAAM (Tang et al. 2023, "What the DAAM: interpreting Stable Diffusion using cross attention", ACL)
adds up the attention of a prompt's words over heads, layers and steps. OVAM (Marcos-Manchon et al.
2024, "Open-vocabulary attention maps with token optimization for semantic segmentation in diffusion
models", CVPR, section 3.1) compares the same queries with the keys of a second text, which gives a
map for any word, also one that is not in the prompt. Here each word is a text of its own; shares of
attention are averaged as logarithms, because a few places would outweigh all others, and each
layer's map is standardised over its places, because layers differ in how far theirs spread. Both
differ from these papers, and both were chosen on the embedded world: see docs/segments.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from PIL import Image

from audit.engine.arguments import fixed
from audit.engine.bright_ending import grid
from audit.engine.cross_attention import encoded, layers, logits, processed
from audit.engine.model import Model
from audit.engine.probe import Call, Probe
from audit.engine.sampler import called
from audit.engine.texts import truncated
from audit.engine.tokens import tokens
from audit.errors import UserError
from audit.records import Settings

DECODER = "up_blocks."
SIDE = 8
"""Places along the shorter side of a layer below which a map is too coarse to locate a person."""
SMALLEST = 1e-12
LEVELS = (0.15, 0.3, 0.5)
"""Shares of the schedule at which a given image is noised, each once: in between, the UNet still
sees the image's parts and no longer its texture."""


@dataclass(frozen=True)
class Maps:
    """How much each place attends to each word, standardised over the places of an image.

    A map says where a word fits best, not whether it is there at all.
    """

    words: tuple[str, ...]
    values: np.ndarray
    """float32[n, words, h, w] in the latent's size, mean over layers: mean 0 and standard deviation
    1 at a layer's own places."""
    contrast: np.ndarray
    """float32[n, words]: standard deviation over places of the log share of attention (in nats),
    mean over layers; 0 where a word is everywhere alike."""
    layers: tuple[str, ...]
    """Names of the layers."""


@dataclass(frozen=True)
class Where:
    """Which of a model's layers are read, and how given images are noised."""

    part: str = DECODER
    """Beginning of the layers' names: of these, those of SIDE places or more, else the finest."""
    levels: tuple[float, ...] = LEVELS
    """Shares of the schedule, 0 to 1; only for given images."""


@dataclass
class Watch:
    """A layer's own processor, which also adds up how much each place attends to each word."""

    own: Any
    words: Sequence[tuple[torch.Tensor, list[int]]]
    """States [1, tokens, channels] of each word as a text of its own, and the rows of its word."""
    n: int
    """Images of a batch; of two halves the second has the text."""
    total: torch.Tensor | None = field(default=None, repr=False)
    """float32[n, words, places]: log shares of attention, added up over uses."""
    uses: int = 0

    def __call__(
        self,
        attn: Any,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        temb: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """The output of the layer's own processor."""
        shares = [
            shared(attn, hidden_states[-self.n :], states, rows) for states, rows in self.words
        ]
        seen = torch.stack(shares, 1).detach().clamp_min(SMALLEST).log()
        self.total = seen if self.total is None else self.total + seen
        self.uses += 1
        return self.own(
            attn, hidden_states, encoder_hidden_states=encoder_hidden_states,
            attention_mask=attention_mask, temb=temb,
        )  # fmt: skip


def shared(
    attn: Any, hidden: torch.Tensor, states: torch.Tensor, rows: Sequence[int]
) -> torch.Tensor:
    """Attention of each place to some rows of a text: float32[n, places], mean over heads.

    `hidden` is [n, places, channels], `states` [1, tokens, channels].
    """
    found = logits(attn, hidden, encoded(attn, states)).softmax(-1).mean(1)
    return found[..., list(rows)].sum(-1)


def watched(model: Model, part: str) -> dict[str, Any]:
    """Cross-attention layers by the beginning of their names; UserError for a model without."""
    found = layers(model, part)
    if not found and (others := layers(model)):
        raise UserError(
            f"No cross-attention layer begins with {part!r}. There are: {', '.join(others)}."
        )
    if not found:
        raise UserError(
            f"A {model.kind} has no UNet with cross-attention, so words have no places in it. Use "
            "a Stable Diffusion 1.x, 2.x or SDXL model."
        )
    return found


def read(probe: Probe, words: Sequence[str]) -> list[tuple[torch.Tensor, list[int]]]:
    """States of each word as a text of its own, and the rows of its tokens.

    Raises UserError for a word that is not a token of the model, or longer than it reads.
    """
    found = []
    for word in words:
        if truncated(probe.model, word):
            raise UserError(f"{word[:40]!r}... is longer than the model reads. Give a word.")
        states = probe.states([word])["prompt_embeds"]
        rows = [i for i, t in enumerate(tokens(probe.model, word, states.shape[1]))
                if t.role == "word"]  # fmt: skip
        if not rows:
            raise UserError(f"The model's tokenizer has no token for {word!r}. Give another word.")
        found.append((states, rows))
    return found


def gathered(watches: Mapping[str, Watch], words: Sequence[str], size: tuple[int, int]) -> Maps:
    """Maps from what the layers have seen: those of SIDE places or more, else the finest.

    Raises UserError where the denoiser did not use its layers.
    """
    # Where numbers run out of range the image has failed too; it gets a map without any place.
    seen = {
        k: (w.total / w.uses).nan_to_num(0, 0, 0)
        for k, w in watches.items() if w.total is not None
    }  # fmt: skip
    if not seen:
        raise UserError("The model draws without its cross-attention layers, so no map is known.")
    enough = SIDE**2 * max(size) / min(size)
    finest = max(t.shape[-1] for t in seen.values())
    chosen = {k: t for k, t in seen.items() if t.shape[-1] >= min(enough, finest)}
    maps, contrast = [], []
    for logs in chosen.values():
        spread = logs.std(-1, keepdim=True, correction=0)
        contrast.append(spread[..., 0])
        level = (logs - logs.mean(-1, keepdim=True)) / spread.clamp_min(SMALLEST)
        maps.append(grid(level.flatten(0, 1), *size).unflatten(0, logs.shape[:2]))
    return Maps(
        tuple(words), torch.stack(maps).mean(0).cpu().numpy(),
        torch.stack(contrast).mean(0).cpu().numpy(), tuple(chosen),
    )  # fmt: skip


@torch.no_grad()
def of_drawn(
    model: Model, texts: Sequence[str], seeds: Sequence[int], words: Sequence[str],
    settings: Settings, where: Where = Where(),
) -> tuple[np.ndarray, list[str], Maps]:  # fmt: skip
    """Images drawn by the pipeline itself, why some are missing, and maps over all of its steps.

    One image, uint8[h, w, 3], per text and seed, all in one batch; reasons are those of
    `sampler.Drawn`. Raises UserError for models without a UNet and for settings that they refuse.
    """
    found, probe = watched(model, where.part), Probe(model, settings)
    watch = partial(Watch, words=read(probe, words), n=len(texts))
    sizes: list[tuple[int, int]] = []
    handle = probe.denoiser.register_forward_pre_hook(
        lambda _, args, given: sizes.append((args[0] if args else given["sample"]).shape[-2:]),
        with_kwargs=True,
    )
    try:
        with processed(found, watch) as watches:
            states, rest = probe.states(texts), fixed(model, settings)
            images, missing = called(model, states, seeds, rest)
    finally:
        handle.remove()
    return images, missing, gathered(watches, words, sizes[0])


@torch.no_grad()
def of_given(
    model: Model, images: Sequence[np.ndarray], words: Sequence[str], settings: Settings,
    text: str = "", where: Where = Where(),
) -> Maps:  # fmt: skip
    """Maps of given images, each noised and denoised once at every level.

    Images are uint8[h, w, 3] of any size, and are scaled to the model's. `text` says what they
    show; without it the UNet sees the image alone. The noise is the same for all images and calls.
    Raises UserError for models without a UNet, or whose sampler knows no noise by time step.
    """
    found, probe = watched(model, where.part), Probe(model, settings)
    kept = getattr(model.pipeline.scheduler, "alphas_cumprod", None)
    if kept is None:
        raise UserError(
            f"The sampler {type(model.pipeline.scheduler).__name__} has no levels of noise by time "
            "step, so given images cannot be noised. Choose another with --scheduler."
        )
    n = len(images)
    states = probe.states([text] * n)
    (call,) = probe.record(states, [0] * n, 1)
    clean = encode(model, images, call.sample.shape[-2:])
    noise = torch.randn(clean.shape[1:], generator=torch.Generator().manual_seed(0)).to(clean)
    with processed(found, partial(Watch, words=read(probe, words), n=n)) as watches:
        for level in where.levels:
            step = min(int(level * len(kept)), len(kept) - 1)
            a = kept[step].to(clean)
            _again(probe, call, a.sqrt() * clean + (1 - a).sqrt() * noise, step)
    return gathered(watches, words, (clean.shape[-2], clean.shape[-1]))


def encode(
    model: Model, images: Sequence[np.ndarray], size: tuple[int, int]
) -> torch.Tensor:  # fmt: skip
    """The most likely latents of images, float32[n, channels, *size], scaled for the denoiser.

    Images are uint8[h, w, 3] of any size.
    """
    vae = model.pipeline.vae
    factor = 2 ** (len(vae.config.block_out_channels) - 1)
    sides = (size[1] * factor, size[0] * factor)
    scaled = [
        np.asarray(Image.fromarray(i).resize(sides, Image.Resampling.LANCZOS)) for i in images
    ]
    # SDXL's autoencoder overflows at half precision, and its pipeline also decodes at float32.
    upcast = bool(getattr(vae.config, "force_upcast", False)) and vae.dtype == torch.float16
    dtype = torch.float32 if upcast else vae.dtype
    if upcast:
        vae.to(dtype)
    pixels = torch.from_numpy(np.stack(scaled)).permute(0, 3, 1, 2)
    x = (pixels.float() / 127.5 - 1).to(device=model.execution_device, dtype=dtype)
    # One by one: an autoencoder needs more memory for an image than the denoiser.
    found = torch.cat([vae.encode(one).latent_dist.mode() for one in x.split(1)])
    if upcast:
        vae.to(torch.float16)
    shift = getattr(vae.config, "shift_factor", None) or 0.0
    return (found.float() - shift) * vae.config.scaling_factor


def _again(probe: Probe, call: Call, noisy: torch.Tensor, step: int) -> None:
    """One more evaluation like a recorded one, for other latents at another time step."""
    args, kwargs = call.halved()
    own = args[0] if args else kwargs["sample"]
    at = torch.tensor(step, device=own.device)
    latents = noisy.to(own)
    if len(args) > 1:
        probe.denoiser(latents, at, *args[2:], **kwargs)
    else:
        probe.denoiser(latents, **(kwargs | {"sample": latents, "timestep": at}))
