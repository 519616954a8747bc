"""Which tokens of a text move the predicted noise most: gradients of the noise magnitude.

The significance score of Wen et al. 2024 ("Detecting, explaining, and mitigating memorization in
diffusion models", the section on trigger tokens): the l2 norm, over dimensions, of the gradient of
|e(x_t, text) - e(x_t, no text)| by each token's row of the text encoder's output, mean over steps
and seeds. Rows of causal encoders gather what stands before them, so that a late row, or the
padding, may answer for an early word.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from audit.generate.levels import NO_SIGNAL, noise_factor
from audit.generate.magnitude import SEEDS
from audit.generate.model import Model
from audit.generate.probe import Call, Probe, States
from audit.generate.tokens import Token, tokens
from audit.records import Settings


@dataclass(frozen=True)
class Attribution:
    """A text's tokens in order, padding included, with how much each moves the noise."""

    text: str
    tokens: tuple[Token, ...]
    scores: np.ndarray
    """float64[tokens], >= 0: mean over steps and seeds; NaN where `reason` says why."""
    reason: str = ""

    def top(self, n: int = 5) -> list[tuple[str, float]]:
        """The `n` words with the highest scores; begin, end and padding do not count."""
        words = [
            (t.text, float(s))
            for t, s in zip(self.tokens, self.scores, strict=True)
            if t.role == "word" and np.isfinite(s)
        ]
        return sorted(words, key=lambda w: -w[1])[:n]


def gradients(probe: Probe, call: Call, states: States) -> torch.Tensor:
    """Gradient of each image's magnitude by its own text states: float[n, tokens, dimensions].

    NaN at a step without signal (see `levels`).
    """
    factor = noise_factor(probe.model.pipeline.scheduler, call.index)
    e = states["prompt_embeds"].detach().clone().requires_grad_()
    base = probe.without_text(call)
    with torch.enable_grad():
        moved = probe.repeat(call, {"prompt_embeds": e}) - base
        # Rows do not touch each other, so the gradient of the sum is each image's own.
        (found,) = torch.autograd.grad(moved.flatten(1).norm(dim=1).sum(), e)
    return found * factor


def attribute(
    model: Model, text: str, settings: Settings, seeds: Sequence[int] = SEEDS, steps: int = 5
) -> Attribution:
    """Scores of a text's tokens over the first `steps` evaluations of the model's own sampling.

    Raises UserError for a model that cannot be looked into, ValueError if there is nothing to do.
    """
    if not seeds or steps < 1:
        raise ValueError("attribution needs a seed and at least one step")
    probe = Probe(model, settings)
    found = []
    for picks, real in probe.batches(len(seeds)):
        states = probe.states([text] * len(picks))
        for call in probe.record(states, [seeds[i] for i in picks], steps):
            moved = gradients(probe, call, states)[:real].double()
            found.append(moved.norm(dim=-1).cpu().numpy())
    each = np.concatenate(found)
    known = each[np.isfinite(each).all(1)]
    scores = known.mean(0) if len(known) else np.full(each.shape[1], np.nan)
    reason = "" if len(known) else NO_SIGNAL
    return Attribution(text, tokens(model, text, each.shape[1]), scores, reason)
