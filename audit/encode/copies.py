"""The embedded copy descriptor as an encoder: float32[n, 128], unit length."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file

from audit.encode.copynet import DIMENSIONS, SIDE, CopyNet


class CopyEncoder:
    """A trained CopyNet from a safetensors file; pictures of other sizes are squashed to 64.

    Batches have one fixed shape, so that a picture's vector does not depend on its companions.
    """

    def __init__(self, weights: Path, batch: int = 16) -> None:
        self.weights = weights
        self.batch = batch

    @cached_property
    def key(self) -> str:
        """Hash of the weights, for file names."""
        return f"copy-{hashlib.sha256(self.weights.read_bytes()).hexdigest()[:12]}"

    @cached_property
    def _model(self) -> CopyNet:
        model = CopyNet()
        model.load_state_dict(
            {
                k: v.float() if v.is_floating_point() else v
                for k, v in load_file(self.weights).items()
            }
        )
        return model.eval()

    def images(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """uint8[h, w, 3] pictures to float32[n, 128] of unit length."""
        rows = [np.empty((0, DIMENSIONS), np.float32)]
        for start in range(0, len(pictures), self.batch):
            some = [_fit(p) for p in pictures[start : start + self.batch]]
            part = np.stack(some + some[-1:] * (self.batch - len(some)))
            x = torch.from_numpy(part).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)
            with torch.inference_mode():
                rows.append(self._model(x).numpy()[: len(some)])
        return np.concatenate(rows)


def _fit(picture: np.ndarray) -> np.ndarray:
    if picture.shape[:2] == (SIDE, SIDE):
        return picture
    return np.asarray(Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.BICUBIC))
