"""Arguments of a pipeline's call, and the error for settings that it refuses."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import torch

from audit.engine.model import Model
from audit.errors import UserError
from audit.records import Settings


def generators(seeds: Sequence[int]) -> list[torch.Generator]:
    """One generator per image, for its noise and everything that a sampler draws later."""
    return [torch.Generator("cpu").manual_seed(s) for s in seeds]


def fixed(model: Model, settings: Settings) -> dict[str, Any]:
    """Arguments of the pipeline's call that are the same for every batch.

    Raises UserError for a size that the model cannot draw.
    """
    takes = inspect.signature(model.pipeline.__call__).parameters
    given: dict[str, Any] = {
        "num_inference_steps": settings.steps,
        "guidance_scale": settings.guidance,
        "output_type": "pt",
    }
    if settings.size:
        width, _, height = settings.size.partition("x")
        given |= {"width": int(width), "height": int(height)}
    if "use_resolution_binning" in takes:
        given["use_resolution_binning"] = False
    if "clean_caption" in takes:
        given["clean_caption"] = False
    return {k: v for k, v in given.items() if k in takes}


def refused(model: Model, error: Exception) -> UserError:
    """The user-facing error for a pipeline that does not accept its arguments, or cannot draw."""
    first = (str(error).strip().splitlines() or [type(error).__name__])[0][:200].rstrip(".")
    if isinstance(error, ValueError):
        return UserError(
            f"The model {model.name} refuses these settings: {first}. Change --size, --steps or "
            "--scheduler."
        )
    return UserError(
        f"The {model.kind} of {model.name} failed while drawing: {first}. Its parts may not fit "
        "together, or not with --size, --steps or --scheduler."
    )
