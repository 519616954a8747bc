"""Latent guidance: a concept is added to every step of the denoising, another is subtracted.

Semantic guidance (SEGA; Brack et al. 2023, arXiv 2301.12247, section 3) as Fair Diffusion uses it
(Friedrich et al. 2023, arXiv 2302.10893). With u the prediction without text, c with the image's
text and e_k with concept k, the pipeline's u + g (c - u) gains a term

    sum_k w_k mask(s d_k (e_k - u)) + m v,    v <- b v + (1 - b) (that term)

with d_k = 1 towards a concept and -1 away from it. The mask keeps, per channel, what is at least
the threshold's quantile of absolute values. v starts at 0 and grows from the first step; the term
is added once the warm-up is over. That is the formula of diffusers' own
SemanticStableDiffusionPipeline. Pipelines here stay unchanged: the term divided by g is added to
the denoiser's output for the text. Their own guidance then gives the sum above, whatever the model
predicts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from audit.engine.batch import Batch, Engine
from audit.engine.model import Model
from audit.engine.probe import Call, Probe, States
from audit.engine.texts import OUTPUTS
from audit.errors import UserError


@dataclass(frozen=True)
class Guide:
    """Concepts as texts, and how strongly they steer; names and units are the paper's."""

    towards: tuple[str, ...]
    away: tuple[str, ...] = ()
    """Together they weigh as much as one, so two classes give the paper's pair."""
    scale: float = 4.0
    threshold: float = 0.95
    """Share of each channel, in [0, 1), that stays unchanged."""
    warmup: float = 0.1
    """Share of the steps before the term is added."""
    momentum: float = 0.5
    beta: float = 0.6

    @property
    def concepts(self) -> list[tuple[str, float]]:
        """Each text with its signed weight."""
        pairs = (self.towards, 1.0), (self.away, -1.0)
        return [(text, sign / len(texts)) for texts, sign in pairs for text in texts]


def refusal(model: Model, guidance: float) -> str:
    """Why a model cannot be steered, or empty text."""
    part = getattr(model.pipeline, "unet", None) or getattr(model.pipeline, "transformer", None)
    config = getattr(part, "config", {})
    embedded = config.get("guidance_embeds") or config.get("time_cond_proj_dim") is not None
    if embedded or "negative_prompt_embeds" not in OUTPUTS.get(model.kind, ()):
        return (
            f"A {model.kind} has no classifier-free guidance that fair-guidance could add to. "
            "Leave this mitigation out."
        )
    if guidance <= 1:
        return (
            f"fair-guidance adds to classifier-free guidance, which is off at {guidance:g}. Give a "
            "--guidance above 1."
        )
    return ""


def masked(term: torch.Tensor, threshold: float) -> torch.Tensor:
    """A term float32[n, channels, ...] without what is below each channel's quantile of |term|."""
    flat = term.abs().flatten(2)
    # Image by image: torch.quantile takes no more than 16 million numbers at once.
    least = torch.stack([torch.quantile(row, threshold, dim=1) for row in flat])
    return torch.where(flat >= least[..., None], term.flatten(2), 0.0).view_as(term)


@dataclass
class Steering:
    """A hook on the denoiser for one batch of `n` images; it tracks the step and the momentum."""

    probe: Probe
    guide: Guide
    states: Sequence[States]
    """Text states of each concept, for the whole batch."""
    n: int
    step: int = 0
    _momentum: torch.Tensor | None = None
    _asking: bool = field(default=False)

    def __call__(self, _: Any, args: Any, kwargs: Any, output: Any) -> Any:
        """The denoiser's output with the text half moved; its own calls pass through unchanged."""
        if self._asking:
            return None
        first = output[0] if isinstance(output, tuple) else output.sample
        call = Call(self.step, self.n, args, kwargs, first)
        if not call.doubled:
            raise UserError(
                f"A {self.probe.model.kind} does not ask with and without text at once, so "
                "fair-guidance cannot add to its guidance. Leave this mitigation out."
            )
        term = self._term(call)
        self.step += 1
        if self.step <= round(self.guide.warmup * len(self._scheduler.timesteps)):
            return None
        moved = first.clone()
        half = moved[self.n :, : term.shape[1]]
        half += (term / self.probe.settings.guidance).to(half.dtype)
        return (moved, *output[1:]) if isinstance(output, tuple) else replace(output, sample=moved)

    @property
    def _scheduler(self) -> Any:
        return self.probe.model.pipeline.scheduler

    def _term(self, call: Call) -> torch.Tensor:
        """The term that is added to the guided prediction: float32[n, channels, ...]."""
        base = self.probe.without_text(call)
        self._asking = True
        try:
            asked = [self.probe.repeat(call, states) for states in self.states]
        finally:
            self._asking = False
        before = torch.zeros_like(base) if self._momentum is None else self._momentum
        term = self.guide.momentum * before
        for found, (_, weight) in zip(asked, self.guide.concepts, strict=True):
            sign = 1.0 if weight > 0 else -1.0
            apart = sign * self.guide.scale * (found - base)
            term = term + abs(weight) * masked(apart, self.guide.threshold)
        self._momentum = self.guide.beta * before + (1 - self.guide.beta) * term
        return term


@contextmanager
def steered(probe: Probe, guide: Guide, n: int) -> Iterator[None]:
    """While the block lasts, the pipeline's next call draws `n` images along the guide.

    An image depends only on its own text and seed. Raises UserError for a model or settings
    without classifier-free guidance.
    """
    why = refusal(probe.model, probe.settings.guidance)
    if why:
        raise UserError(why)
    states: list[Mapping[str, Any]] = [probe.states([text] * n) for text, _ in guide.concepts]
    handle = probe.denoiser.register_forward_hook(
        Steering(probe, guide, states, n), with_kwargs=True
    )
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def fair_guidance(engine: Engine, batch: Batch, **guide: Any) -> Iterator[States]:
    """Semantic guidance towards the class drawn for an image, and away from the other classes.

    Fair Diffusion (Friedrich et al. 2023) with the formula of SEGA (Brack et al. 2023).
    """
    with steered(engine.probe, Guide(**guide), len(batch.seeds)):
        yield batch.states
