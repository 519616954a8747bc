"""Images and texts to one space by an open_clip model: float32[n, d], unit length."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from audit import registry
from audit.errors import UserError
from audit.evidence.encoders import hub
from audit.evidence.measured import Labelled

Validation = Callable[[int, Mapping[str, Sequence[str]]], Labelled]
"""A number of images and classes by attribute, to images with the indices of their classes."""


class ClipEncoder:
    """An open_clip model by name (`ViT-B-32/laion2b_s34b_b79k`) or folder (`local-dir:/path`).

    Loaded on first use; `key` names the model and its preprocessing in file names. Batches have
    one fixed shape: an image's vector does not depend on the rest of its batch.
    """

    semantic = True
    """It describes what an image shows; images of one caption are near whether or not copied."""

    def __init__(
        self, name: str, batch: int = 16, device: str = "cpu",
        validation: tuple[str, Validation] | None = None,
        weights: Callable[[], Path] | None = None,
    ) -> None:  # fmt: skip
        self.name = name
        self.batch = batch
        self.device = device
        self.drawn_by = validation[0] if validation else ""
        """The registered model that drew the images of `validation`."""
        self.validation = validation[1] if validation else None
        """Images with known labels that measure the model's errors, if it comes with any."""
        self.weights = weights
        """The file of the weights where the name, `architecture@revision`, does not decide it."""

    @cached_property
    def key(self) -> str:
        """Hash of the name; of a folder its own name, wherever it is, and its files."""
        prefix, local, place = self.name.partition(registry.LOCAL)
        if not local or prefix:
            return f"clip-{hashlib.sha256(self.name.encode()).hexdigest()[:12]}"
        digest = hashlib.sha256(Path(place).name.encode())
        for path in sorted(Path(place).iterdir()):
            digest.update(path.read_bytes())
        return f"clip-{digest.hexdigest()[:12]}"

    @cached_property
    def _parts(self) -> tuple[Any, Any, Any]:
        import logging

        import open_clip

        logging.getLogger().setLevel(logging.ERROR)
        local = self.name.startswith(registry.LOCAL)
        architecture, _, weights = self.name.partition("/")
        if self.weights is not None:
            architecture, weights = self.name.partition("@")[0], str(self.weights())
        if not local:
            hub.ready()
        try:
            model, preprocess = open_clip.create_model_from_pretrained(
                self.name if local else architecture, None if local else weights or None
            )
        except (RuntimeError, OSError, ValueError, FileNotFoundError) as error:
            raise UserError(
                f"The classifier {self.name!r} cannot be loaded: {error}. Give an open_clip name "
                "as `architecture/weights` or `local-dir:FOLDER`."
            ) from error
        tokenizer = open_clip.get_tokenizer(self.name if local else architecture)
        return model.float().eval().to(self.device), preprocess, tokenizer

    @property
    def scale(self) -> float:
        """The factor between cosine and logit that the model was trained with."""
        return float(self._parts[0].logit_scale.detach().exp())

    def images(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """uint8[h, w, 3] images to float32[n, d] of unit length."""
        model, preprocess, _ = self._parts
        rows = [np.empty((0, self._width), np.float32)]
        for start in range(0, len(pictures), self.batch):
            part = pictures[start : start + self.batch]
            some = [preprocess(Image.fromarray(p)) for p in part]
            x = torch.stack(some + some[-1:] * (self.batch - len(some))).to(self.device)
            with torch.inference_mode():
                rows.append(model.encode_image(x, normalize=True)[: len(some)].cpu().numpy())
        return np.concatenate(rows)

    def texts(self, texts: Sequence[str]) -> np.ndarray:
        """Texts to float32[n, d] of unit length."""
        model, _, tokenizer = self._parts
        with torch.inference_mode():
            tokens = tokenizer(list(texts)).to(self.device)
            return np.asarray(model.encode_text(tokens, normalize=True).cpu().numpy())

    @cached_property
    def _width(self) -> int:
        return int(self.texts(["a photo"]).shape[1])
