"""The bright ending: the end token's attention at the last step, and the magnitude there.

For a memorized image, the end token's cross-attention at the last step marks the copied places;
the noise magnitude is then weighted by it. (Chen et al. 2025, "Exploring local memorization in
diffusion models via bright ending attention", ICLR: mask from the two layers of the first down
block, mean over heads and layers; LD = mean_t |(e_text - e_none) o m| / mean(m).) The whole
schedule is drawn because the mask is known only at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from audit.engine.cross_attention import encoded, layers, logits, processed
from audit.engine.levels import NO_SIGNAL, noise_factor
from audit.engine.magnitude import norms
from audit.engine.model import Model
from audit.engine.probe import Call, Probe
from audit.engine.tokens import length
from audit.errors import UserError
from audit.records import Settings

NO_ATTENTION = "the model has no cross-attention to its text in a UNet's down blocks"
LAYERS = 2


@dataclass(frozen=True)
class BrightEnding:
    """Masked magnitudes, one per text and seed, with the masks that weight them."""

    texts: tuple[str, ...]
    seeds: tuple[int, ...]
    local: np.ndarray
    """float64[texts, seeds]: LD, the magnitude where the end token attends; NaN with `reason`."""
    plain: np.ndarray
    """float64[texts, seeds]: the same without a mask, over the same steps."""
    masks: np.ndarray | None
    """float32[texts, seeds, h, w] in the latent's size: the end token's share of attention."""
    reason: str = ""

    @property
    def score(self) -> np.ndarray:
        """float64[texts]: `local`, mean over seeds."""
        return np.asarray(self.local.mean(1))


@dataclass
class Recorder:
    """A layer's own processor, which also stores the end token's attention of its last use."""

    own: Any
    ends: list[int]
    """Row of the end token of each image."""
    seen: torch.Tensor | None = field(default=None, repr=False)
    """float32[n, places], mean over heads."""

    def __call__(
        self,
        attn: Any,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        temb: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """The output of the layer's own processor."""
        assert encoder_hidden_states is not None
        n = len(self.ends)
        hidden, states = hidden_states[-n:], encoder_hidden_states[-n:]
        shares = logits(attn, hidden, encoded(attn, states)).softmax(-1).mean(1)
        ends = torch.tensor(self.ends, device=shares.device)
        self.seen = shares[torch.arange(n, device=shares.device), :, ends].detach()
        return self.own(
            attn, hidden_states, encoder_hidden_states=encoder_hidden_states,
            attention_mask=attention_mask, temb=temb,
        )  # fmt: skip


def watched(model: Model) -> dict[str, Any]:
    """The first two cross-attention layers of the first down block with cross-attention."""
    found = layers(model, "down_blocks.")
    first = [n for n in found if n.split(".")[1] == next(iter(found)).split(".")[1]]
    return {n: found[n] for n in first[:LAYERS]}


def grid(seen: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Attention [n, places] as maps of the latent's size, [n, height, width], by interpolation."""
    rows = round((seen.shape[1] * height / width) ** 0.5)
    maps = seen.unflatten(1, (rows, -1))[:, None]
    if maps.shape[2:] != (height, width):
        maps = F.interpolate(maps, (height, width), mode="bilinear", align_corners=False)
    return maps[:, 0]


def masked(
    probe: Probe, calls: Sequence[Call], mask: torch.Tensor
) -> tuple[np.ndarray, np.ndarray, bool]:
    """LD and the plain magnitude, float64[n] each, over steps with signal; whether there are any.

    `mask` is float32[n, h, w].
    """
    factors = [noise_factor(probe.model.pipeline.scheduler, c.index) for c in calls]
    known = [(c, f) for c, f in zip(calls, factors, strict=True) if np.isfinite(f)]
    if not known:
        nothing = np.full(calls[0].n, np.nan)
        return nothing, nothing, False
    moved = [(probe.difference(c), f) for c, f in known]
    local = np.mean([norms(m * mask[:, None]) * f for m, f in moved], axis=0)
    plain = np.mean([norms(m) * f for m, f in moved], axis=0)
    return local / mask.double().mean((1, 2)).cpu().numpy(), plain, True


def bright_ending(
    model: Model, texts: Sequence[str], settings: Settings, seeds: Sequence[int] = (0,)
) -> BrightEnding:
    """Masked magnitudes over the whole schedule of `settings`; every text gets the same seeds.

    NaN with a reason for models without such attention (transformers). Raises ValueError if
    there is nothing to do, UserError for settings that the model refuses.
    """
    if not texts or not seeds:
        raise ValueError("bright_ending needs texts and seeds")
    shape = (len(texts), len(seeds))
    found = watched(model) if layers(model, "down_blocks.") else {}
    if not found:
        none = np.full(shape, np.nan)
        return BrightEnding(tuple(texts), tuple(seeds), none, none, None, NO_ATTENTION)
    probe = Probe(model, settings)
    rows = [(text, seed) for text in texts for seed in seeds]
    local, plain, masks, known = [], [], [], True
    for picks, real in probe.batches(len(rows)):
        words = [rows[i][0] for i in picks]
        states = probe.states(words)
        long = states["prompt_embeds"].shape[1]
        ends = [length(model, t, long) - 1 for t in words]
        with processed(found, partial(Recorder, ends=ends)) as recorders:
            calls = probe.record(states, [rows[i][1] for i in picks])
            seen = [r.seen for r in recorders.values()]
        if any(s is None for s in seen):
            raise UserError(f"The model {model.name} draws without its cross-attention layers.")
        size = calls[0].sample.shape[-2:]
        mask = torch.stack([grid(s, *size) for s in seen]).mean(0)
        one, two, known = masked(probe, calls, mask)
        local.append(one[:real])
        plain.append(two[:real])
        masks.append(mask[:real].cpu().numpy())
    return BrightEnding(
        tuple(texts), tuple(seeds), np.concatenate(local).reshape(shape),
        np.concatenate(plain).reshape(shape),
        np.concatenate(masks).reshape(*shape, *masks[0].shape[1:]), "" if known else NO_SIGNAL,
    )  # fmt: skip
