"""Noise on a text's states: on all of them, or strong noise on some of the tokens.

Both change only the states of the text, never those of the empty text, and draw from one generator
per image. An image's noise therefore depends neither on its batch nor on its place in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from audit.engine.batch import Batch, Engine, own_states
from audit.engine.probe import States
from audit.keys import digest

LEVEL = 0.1
"""Somepalli et al. 2023's level, which mitigates very little (Chen et al. 2024, table 1)."""
PROBABILITY, WIDTH = 0.6, 1.7


def noise_generators(seeds: Sequence[int], purpose: str = "states") -> list[torch.Generator]:
    """One generator per image, other than that of its latents, which uses the seed itself."""
    drawn = (int(digest([purpose, int(s)], 15), 16) for s in seeds)
    return [torch.Generator("cpu").manual_seed(s) for s in drawn]


def _normal(states: torch.Tensor, generators: Sequence[torch.Generator]) -> torch.Tensor:
    """Standard normal noise of the shape of `states` [n, tokens, dimensions], row by row."""
    if len(generators) != len(states):
        raise ValueError(f"{len(generators)} generators for {len(states)} images")
    rows = [torch.randn(states.shape[1:], generator=g) for g in generators]
    return torch.stack(rows).to(device=states.device, dtype=states.dtype)


def gaussian(
    states: Mapping[str, Any], generators: Sequence[torch.Generator], level: float = LEVEL
) -> dict[str, Any]:
    """States with `level` times standard normal noise on every number of `prompt_embeds`.

    Raises ValueError if generators and images differ in number.
    """
    e = states["prompt_embeds"]
    return {**states, "prompt_embeds": e + level * _normal(e, generators)}


def fine_grained(
    states: Mapping[str, Any],
    generators: Sequence[torch.Generator],
    probability: float = PROBABILITY,
    width: float = WIDTH,
) -> dict[str, Any]:
    """States with `width` times standard normal noise on each token with a `probability`.

    Raises ValueError if generators and images differ in number.
    """
    e = states["prompt_embeds"]
    noise = _normal(e, generators)
    hit = torch.stack([torch.rand(e.shape[1], generator=g) < probability for g in generators])
    return {**states, "prompt_embeds": e + width * noise * hit.to(e)[..., None]}


@contextmanager
def noise(engine: Engine, batch: Batch, *, level: float) -> Iterator[States]:
    """Gaussian noise on every number of a text's states.

    "GNI" of Somepalli et al. 2023 ("Understanding and mitigating copying in diffusion models"),
    whose code also moves the states of the empty text.
    """
    own = own_states(engine, batch, "noise")
    yield gaussian(own, noise_generators(batch.seeds), level)


@contextmanager
def token_noise(
    engine: Engine, batch: Batch, *, probability: float, width: float
) -> Iterator[States]:
    """Gaussian noise on the states of some of a text's tokens.

    "FPAN" (Xu et al. 2025, "Mitigating replication in diffusion models through the fine-grained
    probabilistic addition of noise to token embeddings"), which its authors apply in training; here
    it is applied to the states of a finished model.
    """
    own = own_states(engine, batch, "token-noise")
    yield fine_grained(own, noise_generators(batch.seeds), probability, width)
