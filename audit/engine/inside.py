"""What an arm changes inside the engine, batch by batch: text states, attention, or predictions.

`Sample.how` names the method and its options; the methods are those of `mitigate.methods`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from audit.engine.model import Model
from audit.errors import UserError
from audit.records import Settings

STATES = ("noise", "token-noise", "optimise-states")
ATTENTION = ("rescale-attention",)
PREDICTIONS = ("fair-guidance",)


@dataclass(frozen=True)
class Inside:
    """A method on a model, under the settings that the batch is drawn with."""

    model: Model
    settings: Settings
    method: str
    options: Mapping[str, Any]

    @contextmanager
    def changed(
        self, states: Mapping[str, Any], texts: Sequence[str], seeds: Sequence[int]
    ) -> Iterator[Mapping[str, Any]]:
        """The states to draw with while the block lasts, one text and seed per image.

        An image's change depends on its own text and seed alone. Raises UserError for a method that
        is not known, or that the model has no place for.
        """
        if self.method in ATTENTION:
            from audit.engine.rescaling import rescaled

            with rescaled(self.model, texts, float(self.options["factor"])):
                yield states
        elif self.method in PREDICTIONS:
            from audit.engine.latent_guidance import steered

            with steered(self._probe, self._guide, len(seeds)):
                yield states
        elif self.method in STATES:
            if "prompt_embeds" not in states:
                raise UserError(
                    f"A {self.model.kind} is given texts, not states, so that {self.method} has "
                    "nothing to change. Leave this mitigation out."
                )
            yield self._moved(states, seeds)
        else:
            raise UserError(f"The engine knows no {self.method!r}.")

    @cached_property
    def _probe(self) -> Any:
        from audit.engine.probe import Probe

        return Probe(self.model, self.settings)

    @property
    def _guide(self) -> Any:
        from audit.engine.latent_guidance import Guide

        texts = {k: tuple(self.options[k]) for k in ("towards", "away")}
        return Guide(**{**self.options, **texts})

    def _moved(self, states: Mapping[str, Any], seeds: Sequence[int]) -> Mapping[str, Any]:
        from audit.engine import embedding_noise as noise
        from audit.engine.embedding_optimisation import Optimisation, optimise

        own = {k: v.clone() if isinstance(v, torch.Tensor) else v for k, v in states.items()}
        if self.method == "optimise-states":
            how = Optimisation(**self.options)
            return optimise(self._probe, own, seeds, how).states
        drawn = noise.noise_generators(seeds)
        if self.method == "noise":
            return noise.gaussian(own, drawn, float(self.options["level"]))
        return noise.fine_grained(
            own, drawn, float(self.options["probability"]), float(self.options["width"])
        )


Change = Callable[
    [Mapping[str, Any], Sequence[str], Sequence[int]], AbstractContextManager[Mapping[str, Any]]
]
"""States, texts and seeds of a batch to the states that it is drawn with while a block lasts."""


def change(model: Model, settings: Settings, how: Mapping[str, Any]) -> Change:
    """All that `Sample.how` does inside the engine, which may be nothing.

    Methods on states come before those on attention and predictions, which then hold for the
    drawing alone; each kind keeps its order.
    """
    given = how.get("stack", [how] if "inside" in how else [])
    ordered = sorted(given, key=lambda one: one["inside"] not in STATES)
    steps = [Inside(model, settings, one["inside"], one["options"]) for one in ordered]

    @contextmanager
    def changed(
        states: Mapping[str, Any], texts: Sequence[str], seeds: Sequence[int]
    ) -> Iterator[Mapping[str, Any]]:
        with ExitStack() as stack:
            for step in steps:
                states = stack.enter_context(step.changed(states, texts, seeds))
            yield states

    return changed
