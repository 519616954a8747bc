"""A UNet's cross-attention layers, observed or changed for the duration of a `with` block."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from audit.engine.model import Model


def layers(model: Model, part: str = "") -> dict[str, Any]:
    """Cross-attention layers by name, in the UNet's order; empty for models without a UNet.

    `part` is the beginning of their names, e.g. "down_blocks.".
    """
    unet = getattr(model.pipeline, "unet", None)
    if unet is None:
        return {}
    return {
        name: module
        for name, module in unet.named_modules()
        if name.startswith(part) and name.split(".")[-1] == "attn2"
        and hasattr(module, "set_processor")
    }  # fmt: skip


@contextmanager
def processed(found: Mapping[str, Any], make: Callable[[Any], Any]) -> Iterator[dict[str, Any]]:
    """Give each layer the processor that `make` builds from its own, and restore it afterwards.

    Yields the new processors by layer.
    """
    own = {name: layer.processor for name, layer in found.items()}
    new = {name: make(processor) for name, processor in own.items()}
    try:
        for name, layer in found.items():
            layer.set_processor(new[name])
        yield new
    finally:
        for name, layer in found.items():
            layer.set_processor(own[name])


def heads(attn: Any, rows: torch.Tensor) -> torch.Tensor:
    """[n, length, heads * d] to [n, heads, length, d]."""
    return rows.unflatten(-1, (attn.heads, -1)).transpose(1, 2)


def encoded(attn: Any, states: torch.Tensor) -> torch.Tensor:
    """Text states as the layer uses them for keys and values."""
    return attn.norm_encoder_hidden_states(states) if attn.norm_cross else states


def logits(attn: Any, hidden: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
    """Scaled products of queries and keys before the softmax: float32[n, heads, places, tokens].

    `hidden` is [n, places, channels], `states` is from `encoded`: [n, tokens, channels].
    """
    query, key = heads(attn, attn.to_q(hidden)), heads(attn, attn.to_k(states))
    if attn.norm_q is not None:
        query = attn.norm_q(query)
    if attn.norm_k is not None:
        key = attn.norm_k(key)
    return query.float() @ key.float().transpose(-1, -2) * attn.scale
