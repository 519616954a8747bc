"""The tokens in the rows of a text's states."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from audit.engine.model import Model

TOKENIZERS: dict[str, tuple[str, ...]] = {
    "StableDiffusionPipeline": ("tokenizer",),
    "LatentConsistencyModelPipeline": ("tokenizer",),
    "StableDiffusionXLPipeline": ("tokenizer",),
    "StableDiffusion3Pipeline": ("tokenizer", "tokenizer_3"),
    "FluxPipeline": ("tokenizer_2",),
    "PixArtAlphaPipeline": ("tokenizer",),
    "PixArtSigmaPipeline": ("tokenizer",),
}
"""Tokenizers of the rows of `prompt_embeds`, one after the other; the last fills the rest.

Two encoders that share rows (as SDXL's do, side by side) read the same tokens.
"""
LOWERED = ("PixArtAlphaPipeline", "PixArtSigmaPipeline")
"""Pipelines that lowercase and strip a text before they read it."""


@dataclass(frozen=True)
class Token:
    """One row of the states: its readable text, and its role in the prompt."""

    text: str
    role: str
    """"begin", "word", "end" or "padding"."""


def tokens(model: Model, text: str, rows: int) -> tuple[Token, ...]:
    """The tokens of `rows` rows of text states, including padding.

    Raises ValueError for a model that TOKENIZERS does not know, and for fewer rows than its
    encoders give.
    """
    if model.kind not in TOKENIZERS:
        raise ValueError(f"the tokens of a {model.kind} are not known")
    text = text.lower().strip() if model.kind in LOWERED else text
    found: list[Token] = []
    *first, last = (getattr(model.pipeline, n, None) for n in TOKENIZERS[model.kind])
    for tokenizer in first:
        assert tokenizer is not None  # only the last encoder can be left out
        found += _read(tokenizer, text, int(tokenizer.model_max_length))
    if len(found) >= rows:
        raise ValueError(f"{rows} rows are too few for the tokens of a {model.kind}")
    return (*found, *_read(last, text, rows - len(found)))


def spelling(model: Model, text: str) -> list[int]:
    """Number of tokens of each word between white space, by the model's first tokenizer.

    Raises ValueError for a model that TOKENIZERS does not know.
    """
    if model.kind not in TOKENIZERS:
        raise ValueError(f"the tokens of a {model.kind} are not known")
    tokenizer = getattr(model.pipeline, TOKENIZERS[model.kind][0])
    words = (text.lower() if model.kind in LOWERED else text).split()
    reach = int(tokenizer.model_max_length)
    return [sum(t.role == "word" for t in _read(tokenizer, w, reach)) for w in words]


def _read(tokenizer: Any, text: str, rows: int) -> list[Token]:
    """Tokens of one tokenizer, padded to `rows`; an encoder that is left out has only padding."""
    if tokenizer is None:
        return [Token("", "padding")] * rows
    ids = tokenizer(text, truncation=True, max_length=rows).input_ids
    names = tokenizer.convert_ids_to_tokens(ids)
    roles = ["word"] * len(ids)
    if ids and ids[0] == tokenizer.bos_token_id:
        roles[0] = "begin"
    if ids and ids[-1] == tokenizer.eos_token_id:
        roles[-1] = "end"
    plain = [n.replace("</w>", "").replace("▁", "") for n in names]
    found = [Token(n, r) for n, r in zip(plain, roles, strict=True)]
    return found + [Token("", "padding")] * (rows - len(found))


def length(model: Model, text: str, rows: int) -> int:
    """Number of tokens of a text before its padding, including begin and end.

    Raises ValueError for a model whose rows come from several encoders.
    """
    if len(TOKENIZERS.get(model.kind, ())) != 1:
        raise ValueError(f"a {model.kind} has no single text encoder")
    return sum(t.role != "padding" for t in tokens(model, text, rows))
