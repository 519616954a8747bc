"""Optimisation of a text's states, to make them steer the noise less (Wen et al. 2024)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from audit.engine.batch import Batch, Engine, own_states
from audit.engine.levels import noise_factor
from audit.engine.probe import Call, Probe, States
from audit.engine.tokens import tokens
from audit.errors import UserError

TARGET = 1.5 / 128
"""The authors' target for each image, divided by the root of their latent's size, 4 x 64 x 64."""


@dataclass(frozen=True)
class Optimisation:
    """How far and how fast states are moved."""

    target: float = TARGET
    """Magnitude over the root of the latent's size at which an image is done."""
    rate: float = 0.05
    iterations: int = 10


@dataclass(frozen=True)
class Optimised:
    """Moved states, and their effect per image."""

    states: dict[str, Any]
    before: np.ndarray
    """float64[n]: magnitude over the root of the latent's size with the states as given."""
    after: np.ndarray
    iterations: np.ndarray
    """int64[n]: steps that each image took."""


def first_telling(probe: Probe, states: States, seeds: Sequence[int], most: int = 3) -> Call:
    """The first evaluation whose noise level carries signal: x_T itself for most models.

    Raises UserError if none of the first `most` carries any.
    """
    for call in probe.record(states, seeds, most):
        if np.isfinite(noise_factor(probe.model.pipeline.scheduler, call.index)):
            return call
    raise UserError(
        f"The first {most} steps of {probe.model.name} start from pure noise, where a text makes "
        "no difference. Use more --steps, or another scheduler."
    )


def optimise(
    probe: Probe, states: States, seeds: Sequence[int], how: Optimisation | None = None
) -> Optimised:
    """States of a batch, one image per seed, moved until each is at its target or out of steps.

    Only `prompt_embeds` moves; pooled states, if any, stay. An image that is at its target from the
    start keeps exactly the same bits.
    """
    how = how or Optimisation()
    call = first_telling(probe, states, seeds)
    base, e = probe.without_text(call), states["prompt_embeds"]
    unit = noise_factor(probe.model.pipeline.scheduler, call.index) / call.sample[0].numel() ** 0.5
    start = int(tokens(probe.model, "", e.shape[1])[0].role == "begin")

    def magnitudes(moving: torch.Tensor) -> torch.Tensor:
        whole = torch.cat([e[:, :start].to(moving), moving], 1)
        moved = probe.repeat(call, {"prompt_embeds": whole}) - base
        return moved.flatten(1).norm(dim=1) * unit

    free = e[:, start:].to(torch.promote_types(e.dtype, torch.float32)).clone().requires_grad_()
    optimizer = torch.optim.AdamW([free], lr=how.rate)
    kept, taken = free.detach().clone(), torch.zeros(len(seeds), dtype=torch.int64)
    done = torch.zeros(len(seeds), dtype=torch.bool, device=free.device)
    for _ in range(how.iterations):
        with torch.enable_grad():
            now = magnitudes(free)
            (gradient,) = torch.autograd.grad(now.sum(), free)
        done |= now.detach() <= how.target
        if bool(done.all()):
            break
        free.grad = gradient
        optimizer.step()
        kept = torch.where(done[:, None, None], kept, free.detach())
        taken += (~done).cpu()
    with torch.no_grad():
        before, after = magnitudes(e[:, start:].to(kept)), magnitudes(kept)
    whole = torch.cat([e[:, :start], kept.to(e.dtype)], 1)
    return Optimised(
        {**states, "prompt_embeds": whole}, before.double().cpu().numpy(),
        after.double().cpu().numpy(), taken.numpy(),
    )  # fmt: skip


@contextmanager
def optimise_states(
    engine: Engine, batch: Batch, *, target: float, rate: float, iterations: int
) -> Iterator[States]:
    """Move a text's states until they steer the noise no more than a target allows.

    Wen et al. 2024, the mitigation at inference time: AdamW on the text encoder's output, with the
    loss |e(x_T, text) - e(x_T, no text)|, the begin token unchanged, at most ten iterations. Their
    code takes one norm over a whole batch, so its target of 3 for four images is 1.5 for each; here
    every image has its own norm, target and end, independent of its batch.
    """
    own = own_states(engine, batch, "optimise-states")
    how = Optimisation(target, rate, iterations)
    yield optimise(engine.probe, own, batch.seeds, how).states
