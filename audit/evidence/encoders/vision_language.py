"""A vision-language model in a local folder, by transformers: safetensors only, no remote code.

The image reaches the model through its processor alone. The text of the question is the same for
every image, so words inside an image can act on the answer only as pixels do.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from audit.errors import UserError
from audit.files import content


class LocalJudge:
    """A folder written by `save_pretrained`, with its processor; loaded at the first question.

    `revision` is the hash of its files. Raises UserError for a folder that does not exist or cannot
    be loaded.
    """

    def __init__(self, folder: str) -> None:
        self.path = Path(folder).expanduser()
        if not (self.path / "config.json").is_file():
            raise UserError(
                f"{folder!r} is not the folder of a vision-language model. Give one that "
                "transformers saved, or the `url` of an endpoint that knows this name."
            )
        self.revision = content(self.path)

    @cached_property
    def _parts(self) -> tuple[Any, Any]:
        from transformers import AutoModelForImageTextToText, AutoProcessor
        from transformers.utils import logging

        logging.disable_progress_bar()  # images are counted by the meter
        here = {"local_files_only": True, "trust_remote_code": False}
        try:
            processor = AutoProcessor.from_pretrained(self.path, **here)
            model, found = AutoModelForImageTextToText.from_pretrained(
                self.path, use_safetensors=True, dtype="auto", output_loading_info=True, **here
            )
        except Exception as error:  # transformers raises many kinds
            why = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise UserError(f"{self.path} cannot be loaded: {why.rstrip('.')[:300]}.") from error
        if found["missing_keys"]:  # transformers would draw them at random
            raise UserError(
                f"{self.path} lacks {len(found['missing_keys'])} of its weights. Save it again."
            )
        return processor, model.eval().to("cuda" if torch.cuda.is_available() else "cpu")

    def prompt(self, text: str) -> str:
        """The question in the model's own chat template, with a place for one image."""
        processor, _ = self._parts
        message = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": text}]}]
        try:
            return str(
                processor.apply_chat_template(message, tokenize=False, add_generation_prompt=True)
            )
        except Exception as error:  # the template is a program of the folder's author
            raise UserError(f"The chat template of {self.path} fails: {error}.") from error

    def answer(self, text: str, picture: np.ndarray, tokens: int) -> tuple[str, bool]:
        """Its greedy answer about uint8[h, w, 3], and whether it was cut off at `tokens`."""
        processor, model = self._parts
        given = processor(
            images=Image.fromarray(picture), text=self.prompt(text), return_tensors="pt",
            add_special_tokens=False,
        ).to(model.device)  # fmt: skip
        with torch.inference_mode():
            made = model.generate(
                **given, max_new_tokens=tokens, do_sample=False, temperature=None, top_p=None,
                top_k=None,
            )  # fmt: skip
        new = made[0, given["input_ids"].shape[1] :]
        ends = model.generation_config.eos_token_id
        ended = ends is not None and int(new[-1]) in (ends if isinstance(ends, list) else [ends])
        words = processor.decode(new, skip_special_tokens=True)
        return str(words), not ended and len(new) >= tokens
