"""A causal language model in a local folder, by transformers: safetensors only, no remote code."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig
from transformers.utils import logging

from audit.design.language_model.questions import Question
from audit.design.language_model.replies import Malformed, Reply
from audit.errors import UserError
from audit.files import content

if TYPE_CHECKING:
    from transformers import BatchEncoding, PreTrainedModel, PreTrainedTokenizerBase


class Local:
    """A folder written by `save_pretrained`, with its tokenizer; loaded at the first question.

    `revision` is the hash of its files, so other weights are another model. Raises UserError
    for a folder that does not exist or cannot be loaded.
    """

    def __init__(self, folder: str) -> None:
        self.path = Path(folder).expanduser()
        if not (self.path / "config.json").is_file():
            raise UserError(
                f"{folder!r} is not the folder of a language model. Give one that transformers "
                "saved, or the `url` of an endpoint that knows this name."
            )
        self.revision = content(self.path)

    @cached_property
    def _parts(self) -> tuple[PreTrainedTokenizerBase, PreTrainedModel]:
        """Tokenizer and model, on a GPU if there is one."""
        logging.disable_progress_bar()  # texts are counted by the meter
        here = {"local_files_only": True, "trust_remote_code": False}
        try:
            tokenizer = AutoTokenizer.from_pretrained(self.path, **here)
            model = AutoModelForCausalLM.from_pretrained(
                self.path, use_safetensors=True, dtype="auto", **here
            )
        except Exception as error:  # transformers raises many kinds
            why = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise UserError(f"{self.path} cannot be loaded: {why.rstrip('.')[:300]}.") from error
        return tokenizer, model.eval().to("cuda" if torch.cuda.is_available() else "cpu")

    def __call__(self, question: Question) -> Reply:
        """Its continuation of the message: greedy at temperature 0, else sampled from the seed."""
        tokenizer, model = self._parts
        tokens = self._tokens(question.message).to(model.device)
        config = _generation(model, tokenizer, question)
        most = getattr(model.config, "max_position_embeddings", None)
        if most and tokens.input_ids.shape[1] + question.tokens > most:
            raise Malformed(f"question and answer are longer than the {most} tokens that it reads")
        with torch.random.fork_rng(), torch.inference_mode():
            torch.manual_seed(question.seed or 0)
            made = model.generate(**tokens, generation_config=config)
        new = made[0, tokens.input_ids.shape[1] :]
        ends = config.eos_token_id
        ended = ends is not None and int(new[-1]) in (ends if isinstance(ends, list) else [ends])
        words = tokenizer.decode(new, skip_special_tokens=True)
        return Reply(words, cut=not ended and len(new) >= question.tokens)

    def _tokens(self, message: str) -> BatchEncoding:
        """The message in the model's own chat template, if it has one."""
        tokenizer, _ = self._parts
        if not tokenizer.chat_template:
            return tokenizer(message, return_tensors="pt", return_token_type_ids=False)
        try:
            text = tokenizer.apply_chat_template(
                [{"role": "user", "content": message}], tokenize=False, add_generation_prompt=True
            )
        except Exception as error:  # the template is a program of the folder's author
            raise UserError(f"The chat template of {self.path} fails: {error}.") from error
        return tokenizer(
            text, return_tensors="pt", add_special_tokens=False, return_token_type_ids=False
        )


def _generation(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, question: Question
) -> GenerationConfig:
    """Plain sampling or greedy decoding, whatever the folder's own configuration prefers."""
    own = model.generation_config
    ends = own.eos_token_id if own.eos_token_id is not None else tokenizer.eos_token_id
    pad = own.pad_token_id if own.pad_token_id is not None else tokenizer.pad_token_id
    if pad is None:
        pad = ends[0] if isinstance(ends, list) else ends
    drawn = {"do_sample": True, "temperature": question.temperature, "top_k": 0, "top_p": 1.0}
    return GenerationConfig(
        max_new_tokens=question.tokens, eos_token_id=ends, pad_token_id=pad,
        **(drawn if question.temperature > 0 else {"do_sample": False}),
    )  # fmt: skip
