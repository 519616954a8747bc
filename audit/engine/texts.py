"""Text encoding: from texts to a pipeline's text states, once per distinct text.

Pipelines return their text states in different orders and take them under different names, listed
in a table. A pipeline that is not in it receives the texts themselves.
"""

from __future__ import annotations

import inspect
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from audit.engine.model import Model
from audit.errors import UserError

_PAIR = ("prompt_embeds", "negative_prompt_embeds")
_POOLED = (*_PAIR, "pooled_prompt_embeds", "negative_pooled_prompt_embeds")
_MASKED = (
    "prompt_embeds", "prompt_attention_mask",
    "negative_prompt_embeds", "negative_prompt_attention_mask",
)  # fmt: skip
OUTPUTS: dict[str, tuple[str | None, ...]] = {
    "StableDiffusionPipeline": _PAIR,
    "LatentConsistencyModelPipeline": ("prompt_embeds", None),
    "StableDiffusionXLPipeline": _POOLED,
    "StableDiffusion3Pipeline": _POOLED,
    "FluxPipeline": ("prompt_embeds", "pooled_prompt_embeds", None),
    "PixArtAlphaPipeline": _MASKED,
    "PixArtSigmaPipeline": _MASKED,
}
"""Outputs of each pipeline's `encode_prompt`, by the names of its call's arguments."""
KEPT = 512
"""Texts whose states are kept: plans are drawn text by text, so few are needed again."""

Row = Mapping[str, torch.Tensor]


class Texts:
    """Text states of one model, encoded on first use; rows are stacked per batch."""

    def __init__(self, model: Model, negative: str, guided: bool) -> None:
        self.model, self.negative, self.guided = model, negative, guided
        self.names = OUTPUTS.get(model.kind)
        self._kept: OrderedDict[str, Row] = OrderedDict()
        self._nothing: Row | None = None
        self.encoded = 0
        """Number of texts encoded so far, not counting the empty one."""
        if negative and not takes_negative(model):
            raise UserError(f"A {model.kind} takes no negative prompt. Leave --negative out.")

    def batch(self, texts: Sequence[str]) -> dict[str, Any]:
        """Keyword arguments of the pipeline's call for a batch of texts."""
        if self.names is None:
            words: dict[str, Any] = {"prompt": list(texts)}
            if takes_negative(self.model) and self.negative:
                words["negative_prompt"] = [self.negative] * len(texts)
            return words
        rows = [self._row(t) for t in texts]
        states = {name: torch.cat([r[name] for r in rows]) for name in rows[0]}
        if self.guided and any(n and n.startswith("negative_") for n in self.names):
            if self._nothing is None:
                self._nothing = self._encode("", guided=True)
            for name, row in self._nothing.items():
                states[name] = row.expand(len(texts), *row.shape[1:])
        on = self.model.execution_device
        given: dict[str, Any] = {k: v.to(on) for k, v in states.items()}
        if takes_negative(self.model):
            given["negative_prompt"] = None  # one pipeline's default is a text, not None
        return given

    def _row(self, text: str) -> Row:
        if text in self._kept:
            self._kept.move_to_end(text)
            return self._kept[text]
        row = self._kept[text] = self._encode(text, guided=False)
        self.encoded += 1
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return row

    def _encode(self, text: str, guided: bool) -> Row:
        """States of one text alone (its bits must not depend on others), or of the empty text."""
        pipeline = self.model.pipeline
        takes = inspect.signature(pipeline.encode_prompt).parameters
        given: dict[str, Any] = {
            "prompt": text, "prompt_2": None, "prompt_3": None, "num_images_per_prompt": 1,
            "device": self.model.execution_device, "do_classifier_free_guidance": guided,
        }  # fmt: skip
        if guided and self.negative:
            given["negative_prompt"] = self.negative
        with torch.inference_mode():
            out = pipeline.encode_prompt(**{k: v for k, v in given.items() if k in takes})
        states = zip(self.names or (), out, strict=True)
        return {
            name: state.cpu()
            for name, state in states
            if name and state is not None and name.startswith("negative_") == guided
        }


def takes_negative(model: Model) -> bool:
    """Whether a negative prompt has an effect: guidance against a text, not a learned scale."""
    names = OUTPUTS.get(model.kind)
    if names is not None:
        return "negative_prompt_embeds" in names
    if model.kind.startswith("Kandinsky") and hasattr(model.pipeline, "prior_pipe"):
        return False  # its prior draws twice as many, for which there are no generators
    return "negative_prompt" in inspect.signature(model.pipeline.__call__).parameters


def truncated(model: Model, text: str) -> bool:
    """Whether the text is too long for all of the model's text encoders."""
    limits = []
    for name in ("tokenizer", "tokenizer_2", "tokenizer_3"):
        tokenizer = getattr(model.pipeline, name, None)
        if tokenizer is not None:
            reach = int(tokenizer.model_max_length)
            limits.append(len(tokenizer(text, truncation=False).input_ids) > reach)
    return bool(limits) and all(limits)
