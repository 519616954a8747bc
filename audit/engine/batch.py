"""One batch as an intervention receives it: a model with settings, and the texts to be drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from audit.engine.model import Model
from audit.engine.probe import Probe, States
from audit.errors import UserError
from audit.records import Settings


@dataclass(frozen=True)
class Engine:
    """A model, and the settings that its batches are drawn with."""

    model: Model
    settings: Settings

    @cached_property
    def probe(self) -> Probe:
        """Access to the denoiser's evaluations, created for the interventions that need it."""
        return Probe(self.model, self.settings)


@dataclass(frozen=True)
class Batch:
    """Text states by the names of the pipeline's call, with one text and one seed per image."""

    states: States
    texts: Sequence[str]
    seeds: Sequence[int]
    pictures: Sequence[str] = ()
    """Names of the conditions of images that are drawn with a ControlNet (`control`)."""


def own_states(engine: Engine, batch: Batch, mitigation: str) -> dict[str, Any]:
    """A copy of the batch's states that a mitigation may change.

    Raises UserError for a pipeline that takes texts only.
    """
    if "prompt_embeds" not in batch.states:
        raise UserError(
            f"A {engine.model.kind} is given texts, not states, so {mitigation} has nothing to "
            "change. Leave this mitigation out."
        )
    return {k: v.clone() if isinstance(v, torch.Tensor) else v for k, v in batch.states.items()}
