"""Drawing on a given image: diffusers' own image-to-image pipeline of a model's parts.

The image is noised to a part of the sampler's schedule and denoised from there (SDEdit, Meng et al.
2022, "SDEdit: guided image synthesis and editing with stochastic differential equations", ICLR,
section 3.2). `strength` is that part: at 1 little is left of the image, near 0 all of it.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

from audit.engine.model import Model
from audit.errors import UserError


def drawing_on(model: Model) -> Model:
    """The model with the image-to-image pipeline of the same parts, and a sampler of its own.

    Raises UserError for a kind of pipeline that has none with a strength.
    """
    from diffusers import AutoPipelineForImage2Image

    own = model.pipeline
    try:
        # The sampler keeps where it began, which must not reach images drawn from noise alone.
        made = AutoPipelineForImage2Image.from_pipe(own, scheduler=copy.deepcopy(own.scheduler))
    except (ValueError, TypeError, AttributeError) as error:
        raise _without(model) from error
    if not {"image", "strength"} <= set(inspect.signature(made.__call__).parameters):
        raise _without(model)
    made.set_progress_bar_config(disable=True)
    return replace(model, pipeline=made)


def _without(model: Model) -> UserError:
    return UserError(
        f"diffusers cannot draw on an image with a {model.kind}, so no turn can edit the last "
        "image. Take edits out of the suite's turns, or use a Stable Diffusion 1.x, 2.x or SDXL "
        "model."
    )


def enough(strength: float, steps: int) -> float:
    """The strength, unchanged; UserError where not one of the steps would be made on the image."""
    if int(steps * strength) < 1:
        raise UserError(
            f"A turn of strength {strength:g} makes none of {steps} steps. Give more --steps, or a "
            "higher strength in the suite's turns."
        )
    return strength


def given(images: Sequence[np.ndarray]) -> dict[str, Any]:
    """Arguments of the pipeline's call for images uint8[h, w, 3], one for each row of a batch."""
    return {"image": [Image.fromarray(i) for i in images]}
