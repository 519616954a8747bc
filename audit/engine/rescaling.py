"""Rescaling of the attention to a text's tokens, in every cross-attention layer of a UNet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from audit.engine.batch import Batch, Engine
from audit.engine.cross_attention import encoded, heads, layers, logits, processed
from audit.engine.model import Model
from audit.engine.probe import States
from audit.engine.tokens import length
from audit.errors import UserError

FACTOR = 1.25
"""The authors' C1; they sweep 1.1 to 1.5."""


@dataclass(frozen=True)
class Rescaled:
    """A cross-attention processor that masks rows after each text and scales the first logit."""

    own: Any
    """The layer's own processor, which is not used."""
    lengths: tuple[int, ...]
    """Rows of each image's text that are kept."""
    factor: float

    def __call__(
        self,
        attn: Any,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        temb: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """[n, places, channels], like diffusers' own processor for an unchanged softmax.

        Raises ValueError for a batch of another size, and for a given attention mask.
        """
        if len(hidden_states) not in (len(self.lengths), 2 * len(self.lengths)):
            raise ValueError(f"{len(hidden_states)} rows for {len(self.lengths)} texts")
        if encoder_hidden_states is None or attention_mask is not None:
            raise ValueError("only cross-attention without a mask is rescaled")
        states = encoded(attn, encoder_hidden_states)
        shares = self.changed(logits(attn, hidden_states, states)).softmax(-1)
        value = heads(attn, attn.to_v(states))
        out = (shares.to(value.dtype) @ value).transpose(1, 2).flatten(2)
        out = attn.to_out[1](attn.to_out[0](out))
        out = out + hidden_states if attn.residual_connection else out
        return out / attn.rescale_output_factor

    def changed(self, plain: torch.Tensor) -> torch.Tensor:
        """Logits float32[n or 2 n, heads, places, tokens]; the half without text is unchanged."""
        n = len(self.lengths)
        kept = torch.tensor(self.lengths, device=plain.device)
        behind = torch.arange(plain.shape[-1], device=plain.device) >= kept[:, None]
        text = plain[-n:].masked_fill(behind[:, None, None], -torch.inf)
        first = text[..., :1] * self.factor
        return torch.cat([plain[:-n], torch.cat([first, text[..., 1:]], -1)])


@contextmanager
def rescaled(
    model: Model, texts: Sequence[str], factor: float = FACTOR, keep_end: bool = True
) -> Iterator[None]:
    """While the block lasts, the model draws these texts, one per image of a batch, rescaled.

    `keep_end=False` masks the end token too. Raises UserError for a model without a UNet's
    cross-attention to a single text encoder.
    """
    found = layers(model)
    if not found:
        raise UserError(
            f"A {model.kind} has no cross-attention that could be rescaled. Use another mitigation."
        )
    reach = int(model.pipeline.tokenizer.model_max_length)
    lengths = tuple(max(1, length(model, t, reach) - (not keep_end)) for t in texts)
    with processed(found, partial(Rescaled, lengths=lengths, factor=factor)):
        yield


@contextmanager
def rescale_attention(engine: Engine, batch: Batch, *, factor: float) -> Iterator[States]:
    """Attention rescaling: text without its padding, and more attention for the begin token.

    A memorized text attracts attention to its last tokens; rescaling moves it to the begin token,
    which says nothing. (Ren et al. 2024, "Unveiling and mitigating memorization in text-to-image
    diffusion models through cross attention", ECCV: tokens after the text are masked, and the begin
    token's logit is multiplied by C1 > 1, only on the half with the text.) It takes no additional
    time.
    """
    with rescaled(engine.model, batch.texts, factor):
        yield batch.states
