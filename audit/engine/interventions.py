"""Interventions inside the engine, batch by batch: on text states, attention, or predictions.

Each kind of `records.Intervention` has one context manager. It yields the text states to draw with
and undoes whatever it did to the model when the block ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch

from audit.engine import embedding_noise
from audit.engine.embedding_optimisation import Optimisation, optimise
from audit.engine.latent_guidance import Guide, steered
from audit.engine.model import Model
from audit.engine.probe import Probe, States
from audit.engine.rescaling import rescaled
from audit.errors import UserError
from audit.records import Intervention, Settings


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


def _own_states(engine: Engine, batch: Batch, kind: str) -> dict[str, Any]:
    """A copy of the batch's states; UserError for a pipeline that takes none."""
    if "prompt_embeds" not in batch.states:
        raise UserError(
            f"A {engine.model.kind} is given texts, not states, so {kind} has nothing to change. "
            "Leave this mitigation out."
        )
    return {k: v.clone() if isinstance(v, torch.Tensor) else v for k, v in batch.states.items()}


@contextmanager
def _noise(engine: Engine, batch: Batch, *, level: float) -> Iterator[States]:
    own = _own_states(engine, batch, "noise")
    yield embedding_noise.gaussian(own, embedding_noise.noise_generators(batch.seeds), level)


@contextmanager
def _token_noise(
    engine: Engine, batch: Batch, *, probability: float, width: float
) -> Iterator[States]:
    own = _own_states(engine, batch, "token-noise")
    drawn = embedding_noise.noise_generators(batch.seeds)
    yield embedding_noise.fine_grained(own, drawn, probability, width)


@contextmanager
def _optimise_states(engine: Engine, batch: Batch, **how: Any) -> Iterator[States]:
    own = _own_states(engine, batch, "optimise-states")
    yield optimise(engine.probe, own, batch.seeds, Optimisation(**how)).states


@contextmanager
def _rescale_attention(engine: Engine, batch: Batch, *, factor: float) -> Iterator[States]:
    with rescaled(engine.model, batch.texts, factor):
        yield batch.states


@contextmanager
def _fair_guidance(engine: Engine, batch: Batch, **how: Any) -> Iterator[States]:
    with steered(engine.probe, Guide(**how), len(batch.seeds)):
        yield batch.states


Handler = Callable[..., AbstractContextManager[States]]
"""An engine, a batch, and the intervention's parameters by name, to the states to draw with."""
ON_STATES: Mapping[str, Handler] = {
    "noise": _noise,
    "token-noise": _token_noise,
    "optimise-states": _optimise_states,
}
WHILE_DRAWING: Mapping[str, Handler] = {
    "rescale-attention": _rescale_attention,
    "fair-guidance": _fair_guidance,
}
HANDLERS: Mapping[str, Handler] = {**ON_STATES, **WHILE_DRAWING}
"""Kind of intervention to its context manager."""

Intervening = Callable[[Batch], AbstractContextManager[States]]
"""A batch to the text states that it is drawn with while a block lasts."""


def intervening(
    model: Model, settings: Settings, interventions: Sequence[Intervention]
) -> Intervening:
    """All interventions of an arm as one; without any, it changes nothing.

    Those on states come before those on attention and predictions, which then affect only the
    drawing; each group keeps its order. An image's change depends only on its own text and seed.
    Raises UserError for an unknown kind; the block raises it for a model that does not support one.
    """
    for one in interventions:
        if one.kind not in HANDLERS:
            raise UserError(f"The engine knows no {one.kind!r}. Known: {', '.join(HANDLERS)}.")
    engine = Engine(model, settings)
    ordered = sorted(interventions, key=lambda one: one.kind not in ON_STATES)

    @contextmanager
    def changed(batch: Batch) -> Iterator[States]:
        with ExitStack() as stack:
            for one in ordered:
                block = HANDLERS[one.kind](engine, batch, **one.parameters)
                batch = replace(batch, states=stack.enter_context(block))
            yield batch.states

    return changed
