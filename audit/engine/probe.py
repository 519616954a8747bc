"""Access to the denoiser's evaluations during a pipeline's own call.

Detectors observe the pipeline's own evaluations through hooks, so they see exactly what its users
get: any scheduler, any architecture of `texts.OUTPUTS`, no separate sampling loop. An evaluation
can be repeated with other text states, with gradients if needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from audit.engine.arguments import fixed, generators, refused
from audit.engine.model import Model
from audit.engine.texts import OUTPUTS, Texts
from audit.errors import UserError
from audit.records import Settings

States = Mapping[str, Any]
"""Text states by the names of the pipeline's call: tensors with one row per image, or None."""


class _Enough(Exception):
    """Raised inside the pipeline's call once it has made the requested evaluations."""


@dataclass(frozen=True)
class Call:
    """One evaluation of the denoiser on a batch of `n` images, as the pipeline made it."""

    index: int
    n: int
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    output: torch.Tensor
    """The denoiser's output; guided pipelines ask for [no text, text] at once, in this order."""

    @property
    def sample(self) -> torch.Tensor:
        """Noisy latents [n, ...] that the denoiser received, for the text half."""
        given = self.args[0] if self.args else self.kwargs.get("hidden_states")
        return (self.kwargs["sample"] if given is None else given)[-self.n :]

    @property
    def doubled(self) -> bool:
        """Whether the same evaluation includes the empty text."""
        return len(self.output) == 2 * self.n

    def prediction(self, output: torch.Tensor) -> torch.Tensor:
        """An output [m, ...] without the variance that some models predict with it.

        At least float32, to preserve small differences.
        """
        mean = output[:, : self.sample.shape[1]] if output.ndim == 4 else output
        return mean.to(torch.promote_types(mean.dtype, torch.float32))

    def halved(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Arguments of only the text half."""

        def half(value: Any) -> Any:
            if isinstance(value, Mapping):
                return {k: half(v) for k, v in value.items()}
            rows = isinstance(value, torch.Tensor) and value.ndim and len(value) == 2 * self.n
            return value[self.n :] if rows and self.doubled else value

        return tuple(half(a) for a in self.args), {k: half(v) for k, v in self.kwargs.items()}


class Probe:
    """A model with settings whose denoiser can be observed; every text is encoded once.

    A negative prompt of the settings is ignored: a text is compared with the empty text.
    Raises UserError for a model whose text states have unknown names.
    """

    def __init__(self, model: Model, settings: Settings) -> None:
        denoiser = getattr(model.pipeline, "unet", None)
        denoiser = denoiser or getattr(model.pipeline, "transformer", None)
        if denoiser is None or model.kind not in OUTPUTS:
            raise UserError(
                f"A {model.kind} cannot be looked into. Leave detectors that do so out, or use one "
                f"of: {', '.join(OUTPUTS)}."
            )
        self.model, self.denoiser, self.settings = model, denoiser, settings
        self.texts = Texts(model, "", guided=True)
        self._rest = fixed(model, settings) | {"output_type": "latent"}

    def states(self, texts: Sequence[str]) -> dict[str, Any]:
        """Text states of a batch, and those of the empty text if the pipeline takes them."""
        # Clones, because tensors from inference mode cannot take part in gradients.
        found = self.texts.batch(texts)
        return {k: v.clone() if isinstance(v, torch.Tensor) else v for k, v in found.items()}

    def nothing(self, n: int) -> dict[str, Any]:
        """States of the empty text under the names of a text's, as the pipeline encodes them."""
        given = self.states([""] * n)
        negative = {k[9:]: v for k, v in given.items() if k.startswith("negative_p")}
        found = negative if negative.get("prompt_embeds") is not None else given
        return {k: v for k, v in found.items() if v is not None}

    def record(self, states: States, seeds: Sequence[int], calls: int = 0) -> list[Call]:
        """The denoiser's first evaluations on a batch, one image per seed; 0 for all of them.

        Raises UserError for settings that the pipeline refuses.
        """
        found: list[Call] = []

        def keep(_: Any, args: Any, kwargs: Any, output: Any) -> None:
            first = output[0] if isinstance(output, tuple) else output.sample
            found.append(Call(len(found), len(seeds), args, dict(kwargs), first.detach()))
            if len(found) == calls:
                raise _Enough

        handle = self.denoiser.register_forward_hook(keep, with_kwargs=True)
        try:
            self.model.pipeline(**states, generator=generators(seeds), **self._rest)
        except _Enough:
            self.model.pipeline.maybe_free_model_hooks()
        except ValueError as error:
            raise refused(self.model, error) from error
        finally:
            handle.remove()
        return found

    def repeat(self, call: Call, states: States) -> torch.Tensor:
        """The prediction [n, ...] for the same noisy latents under other text states.

        Gradients flow to those `states` that require them.
        """
        args, kwargs = call.halved()
        out = self.denoiser(*args, **swapped(kwargs, states))
        return call.prediction(out[0] if isinstance(out, tuple) else out.sample)

    def without_text(self, call: Call) -> torch.Tensor:
        """The prediction [n, ...] for the empty text."""
        if call.doubled:
            return call.prediction(call.output[: call.n])
        with torch.no_grad():
            return self.repeat(call, self.nothing(call.n))

    def difference(self, call: Call) -> torch.Tensor:
        """Prediction with the text minus prediction without, [n, ...]."""
        return call.prediction(call.output[-call.n :]) - self.without_text(call)

    def batches(self, n: int) -> Iterator[tuple[list[int], int]]:
        """Row numbers of each batch, padded to the settings' batch, and how many are real.

        Kernels round differently for different shapes, so every batch has the same one.
        """
        size = self.settings.batch
        for start in range(0, n, size):
            rows = list(range(start, min(start + size, n)))
            yield rows + [rows[-1]] * (size - len(rows)), len(rows)


def swapped(kwargs: Mapping[str, Any], states: States) -> dict[str, Any]:
    """A denoiser's arguments with other text states in the places where it takes them."""
    new = dict(kwargs)

    def put(into: dict[str, Any], key: str, name: str) -> None:
        old, value = into.get(key), states.get(name)
        if isinstance(old, torch.Tensor) and value is not None:
            into[key] = value.to(device=old.device, dtype=old.dtype)

    put(new, "encoder_hidden_states", "prompt_embeds")
    put(new, "encoder_attention_mask", "prompt_attention_mask")
    put(new, "pooled_projections", "pooled_prompt_embeds")
    if isinstance(new.get("added_cond_kwargs"), Mapping):
        new["added_cond_kwargs"] = dict(new["added_cond_kwargs"])
        put(new["added_cond_kwargs"], "text_embeds", "pooled_prompt_embeds")
    return new
