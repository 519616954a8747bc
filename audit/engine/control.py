"""Images of a given composition: a ControlNet sees a picture while the model draws."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from audit.design.mitigations.control import interventions
from audit.engine.batch import Batch, Engine
from audit.engine.model import Model
from audit.engine.probe import States
from audit.errors import UserError
from audit.records import Change


def drawing(model: Model, change: Change) -> Model:
    """The model with the pipeline that draws under a change: with its ControlNet, or its own.

    Raises UserError where the change is of another ControlNet than the model was loaded with.
    """
    found = interventions(change)
    if not found:
        return model
    wanted, loaded = str(found[0].parameters["revision"]), model.control
    if loaded is None or loaded.conditioning.source.revision != wanted:
        raise UserError(
            f"The ControlNet {found[0].parameters['net']} of the plan is not loaded. Give it again "
            "with --controlnet, and its pictures with --control."
        )
    return replace(model, pipeline=loaded.pipeline)


@contextmanager
def control(engine: Engine, batch: Batch, *, scale: float, **named: str) -> Iterator[States]:
    """A ControlNet sees the condition of each image, and its outputs are added times `scale`.

    Zhang, Rao & Agrawala 2023 ("Adding conditional control to text-to-image diffusion models"), by
    the pipelines of diffusers. At a scale of 0 the image is that of the model alone.
    """
    assert engine.model.control is not None  # `drawing` has refused a model without
    shown: dict[str, Any] = {
        "image": engine.model.control.batch(list(batch.pictures), engine.settings.size),
        "controlnet_conditioning_scale": float(scale),
    }
    yield {**batch.states, **shown}
