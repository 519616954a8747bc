"""Token attribution: how much each token of a text moves the predicted noise, by gradients.

The significance score of Wen et al. 2024 ("Detecting, explaining, and mitigating memorization in
diffusion models", the section on trigger tokens): the l2 norm, over dimensions, of the gradient of
|e(x_t, text) - e(x_t, no text)| by each token's row of the text encoder's output, mean over steps
and seeds. Rows of causal encoders also contain what precedes them, so a late row can represent an
early word. Here the gradient can be carried through the encoder to the words' own embeddings: in
the embedded world, whose repeated images depend on one word each, that word then ranks first.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from audit.engine.levels import NO_SIGNAL, noise_factor
from audit.engine.magnitude import SEEDS
from audit.engine.model import Model
from audit.engine.probe import Call, Probe, States
from audit.engine.tokens import TOKENIZERS, Token, tokens
from audit.errors import UserError
from audit.records import Settings


@dataclass(frozen=True)
class Attribution:
    """A text's tokens in order, including padding, with how much each moves the noise."""

    text: str
    tokens: tuple[Token, ...]
    scores: np.ndarray
    """float64[tokens], >= 0: mean over steps and seeds; NaN with a `reason`."""
    reason: str = ""
    by: str = "states"
    """Whether scores are of "words" (the encoder's input) or "states" (its output)."""

    @property
    def spoken(self) -> list[float]:
        """Scores of the text's tokens in order, as the model's first text encoder reads them."""
        first = itertools.takewhile(
            lambda pair: pair[0].role != "end", zip(self.tokens, self.scores, strict=True)
        )
        return [float(score) for token, score in first if token.role == "word"]

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
        # Rows are independent, so the gradient of the sum is each image's own.
        (found,) = torch.autograd.grad(moved.flatten(1).norm(dim=1).sum(), e)
    return found * factor


def carried(probe: Probe, text: str, by_state: torch.Tensor) -> torch.Tensor:
    """Gradients by states [n, tokens, d] carried through the text encoder to its word embeddings.

    Returns [n, tokens, width]. Raises UserError for a model with several text encoders.
    """
    pipeline = probe.model.pipeline
    if not single(probe):
        raise UserError(
            f"A {probe.model.kind} reads a text with several encoders, so words have no single "
            "gradient. Ask for scores by states."
        )
    read: list[torch.Tensor] = []

    def open_up(_: Any, __: Any, output: torch.Tensor) -> torch.Tensor:
        read.append(output.detach().clone().requires_grad_())
        return read[-1]

    handles = [m.register_forward_hook(open_up) for m in word_tables(pipeline.text_encoder)]
    try:
        with torch.enable_grad():
            states = pipeline.encode_prompt(
                text, do_classifier_free_guidance=False, num_images_per_prompt=1,
                device=probe.model.execution_device,
            )[0]  # fmt: skip
    finally:
        for handle in handles:
            handle.remove()
    pulled = [
        torch.autograd.grad(states, read[0], row[None].to(states), retain_graph=True)[0]
        for row in by_state
    ]
    return torch.cat(pulled)


def word_tables(encoder: Any) -> list[torch.nn.Module]:
    """Modules that look up words; some encoders have two names for a table and use only one."""
    shape = encoder.get_input_embeddings().weight.shape
    return [
        m for m in encoder.modules()
        if isinstance(m, torch.nn.Embedding) and m.weight.shape == shape
    ]  # fmt: skip


def single(probe: Probe) -> bool:
    """Whether a single text encoder produces the states, one row per token that it reads."""
    second = getattr(probe.model.pipeline, "text_encoder_2", None)
    return len(TOKENIZERS[probe.model.kind]) == 1 and second is None


def attribute(
    model: Model,
    text: str,
    settings: Settings,
    seeds: Sequence[int] = SEEDS,
    steps: int = 5,
    by: str = "",
) -> Attribution:
    """Scores of a text's tokens over the first `steps` evaluations of the model's own sampling.

    `by` is "words", "states" (the paper's), or empty for words if the model has one encoder.
    Raises UserError for a model that cannot be inspected, ValueError if there is nothing to do.
    """
    if not seeds or steps < 1 or by not in ("", "words", "states"):
        raise ValueError("attribution needs a seed, at least one step, and words or states")
    probe = Probe(model, settings)
    by = by or ("words" if single(probe) else "states")
    found = []
    for picks, real in probe.batches(len(seeds)):
        states = probe.states([text] * len(picks))
        for call in probe.record(states, [seeds[i] for i in picks], steps):
            moved = gradients(probe, call, states)[:real]
            moved = carried(probe, text, moved) if by == "words" else moved
            found.append(moved.double().norm(dim=-1).cpu().numpy())
    each = np.concatenate(found)
    known = each[np.isfinite(each).all(1)]
    scores = known.mean(0) if len(known) else np.full(each.shape[1], np.nan)
    reason = "" if len(known) else NO_SIGNAL
    return Attribution(text, tokens(model, text, each.shape[1]), scores, reason, by)
