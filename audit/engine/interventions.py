"""Interventions inside the engine, batch by batch: on text states, attention, or predictions.

The row of each mitigation names its context manager, which is imported only when it is used. It
yields the text states to draw with, and undoes whatever it did to the model when the block ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace

from audit import registry
from audit.design.mitigations.in_engine import CONTROL
from audit.design.mitigations.methods import method
from audit.engine.batch import Batch, Engine
from audit.engine.model import Model
from audit.engine.probe import States
from audit.engine.texts import OUTPUTS
from audit.errors import UserError
from audit.records import Intervention, Settings

Handler = Callable[..., AbstractContextManager[States]]
"""An engine, a batch, and the intervention's parameters by name, to the states to draw with."""

Intervening = Callable[[Batch], AbstractContextManager[States]]
"""A batch to the text states that it is drawn with while a block lasts."""


def intervening(
    model: Model, settings: Settings, interventions: Sequence[Intervention]
) -> Intervening:
    """All interventions of an arm as one; without any, it changes nothing.

    Those on states come before those on attention and predictions, which then affect only the
    drawing; each group keeps its order, and a ControlNet, which others do not draw with, is last.
    An image's change depends only on its own text and seed. Raises UserError for an unknown kind,
    and for a pipeline that takes texts only; the block raises it for a model that does not support
    one.
    """
    if interventions and model.kind not in OUTPUTS:
        raise UserError(
            f"A {model.kind} is given texts, not states, so {interventions[0].kind} has nothing to "
            "change. Leave this mitigation out."
        )
    engine = Engine(model, settings)
    ordered = sorted(
        interventions, key=lambda one: (method(one.kind).changes != "states", one.kind == CONTROL)
    )
    handlers: list[tuple[Handler, Intervention]] = [
        (registry.handler(one.kind), one) for one in ordered
    ]

    @contextmanager
    def changed(batch: Batch) -> Iterator[States]:
        with ExitStack() as stack:
            for handler, one in handlers:
                block = handler(engine, batch, **one.parameters)
                batch = replace(batch, states=stack.enter_context(block))
            yield batch.states

    return changed
