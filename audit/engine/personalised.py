"""Personalised models as interventions: other weights of the denoiser while a batch is drawn.

What training added to each weight is kept in a file of its own, in bfloat16, whose relative error
is below 0.4 %. A batch is drawn with the sum, and the model is as it was when the block ends.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from audit.engine.batch import Batch, Engine
from audit.engine.probe import States
from audit.errors import UserError
from audit.files import write_atomic


def path_of(folder: Path, key: str) -> Path:
    """The file of what training added to a model."""
    return folder / f"{key}.safetensors"


def keep(folder: Path, key: str, deltas: Mapping[str, torch.Tensor]) -> Path:
    """Write what training added to each weight; returns the file."""
    from safetensors.torch import save

    path = path_of(folder, key)
    write_atomic(path, save({k: v.to(torch.bfloat16).contiguous() for k, v in deltas.items()}))
    return path


@lru_cache(maxsize=1)  # arms are drawn one after another
def _read(path: Path) -> dict[str, torch.Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise UserError(
            f"The personalised weights {path} cannot be read. Run `t2i-audit personalize` again, "
            "which trains them."
        ) from error


@dataclass
class Weights:
    """A denoiser's own weights, and those with what training added."""

    own: dict[str, torch.Tensor]
    tuned: dict[str, torch.Tensor]
    names: Mapping[str, torch.Tensor]
    """Its parameters by name."""

    def lay(self, which: Mapping[str, torch.Tensor]) -> None:
        """Put weights into the denoiser, in place."""
        with torch.no_grad():
            for name, value in which.items():
                self.names[name].copy_(value)


@contextmanager
def laid(denoiser: Any, deltas: Mapping[str, torch.Tensor]) -> Iterator[Weights]:
    """While the block lasts, the denoiser has its weights plus `deltas`.

    Raises UserError where names or shapes are those of another model.
    """
    names = dict(denoiser.named_parameters())
    if any(n not in names or names[n].shape != d.shape for n, d in deltas.items()):
        raise UserError(
            "The personalised weights are those of another model. Run `t2i-audit personalize` with "
            "this one."
        )
    own = {n: names[n].detach().clone() for n in deltas}
    tuned = {n: (own[n].float() + d.to(own[n].device).float()).to(own[n].dtype)
             for n, d in deltas.items()}  # fmt: skip
    weights = Weights(own, tuned, names)
    weights.lay(tuned)
    try:
        yield weights
    finally:
        weights.lay(own)


@contextmanager
def extrapolated(denoiser: Any, weights: Weights, scale: float) -> Iterator[None]:
    """Predictions beyond the tuned model's, away from the base model's.

    With b and t the predictions of base and tuned model for the same input, t + scale (t - b), with
    and without text alike, before the pipeline's own guidance (FineXtract, Wu et al. 2025, arXiv
    2410.03039, sec. 4: the scores of a density that weighs what training added more).
    """
    asking = False

    def hook(module: Any, args: Any, kwargs: Any, output: Any) -> Any:
        nonlocal asking
        if asking:
            return None
        asking = True
        weights.lay(weights.own)
        try:
            base = module(*args, **kwargs)
        finally:
            weights.lay(weights.tuned)
            asking = False
        whole = isinstance(output, tuple)
        t, b = (output[0], base[0]) if whole else (output.sample, base.sample)
        moved = t + scale * (t - b)
        return (moved, *output[1:]) if whole else replace(output, sample=moved)

    handle = denoiser.register_forward_hook(hook, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def personalised(
    engine: Engine, batch: Batch, *, weights: str, extrapolate: float = 0.0
) -> Iterator[States]:
    """The model after personalisation on one subject (`t2i-audit personalize`).

    `weights` names a file of the run's folder of personalised models; `extrapolate` above 0
    exaggerates what it learned (FineXtract, Wu et al. 2025). Raises UserError where it is missing.
    """
    folder, denoiser = engine.model.tuned, getattr(engine.model.pipeline, "unet", None)
    if folder is None or denoiser is None:
        raise UserError(
            "Personalised models are drawn by `t2i-audit personalize`, which trains them. Use it "
            "in place of this command."
        )
    with laid(denoiser, _read(path_of(folder, weights))) as both:
        if not extrapolate:
            yield batch.states
            return
        with extrapolated(denoiser, both, extrapolate):
            yield batch.states
