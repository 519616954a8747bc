"""The embedded copy descriptor as an encoder: float32[n, 128], unit length."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file

from audit.evidence.encoders.copynet import DIMENSIONS, SIDE, CopyNet


class CopyEncoder:
    """A trained CopyNet from a safetensors file; images of other sizes are squashed to 64.

    Batches have one fixed shape: an image's vector does not depend on the rest of its batch.
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
        """uint8[h, w, 3] images to float32[n, 128] of unit length."""
        starts = range(0, len(pictures), self.batch)
        rows = self._workers.map(lambda s: self._batch(pictures[s : s + self.batch]), starts)
        return np.concatenate([np.empty((0, DIMENSIONS), np.float32), *rows])

    @cached_property
    def _workers(self) -> ThreadPoolExecutor:
        """A thread for each core, a batch for each thread: small layers share a batch poorly."""
        self._model  # noqa: B018 - read once, before two threads ask for it
        count = torch.get_num_threads()
        pool = ThreadPoolExecutor(count, "copies", torch.set_num_threads, (1,))
        wait([pool.submit(time.sleep, 0.05) for _ in range(count)])  # each thread has begun
        torch.set_num_threads(count)  # of every thread that begins later
        return pool

    def _batch(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        some = [_fit(p) for p in pictures]
        part = np.stack(some + some[-1:] * (self.batch - len(some)))
        x = torch.from_numpy(part).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)
        with torch.inference_mode():
            return np.asarray(self._model(x).numpy()[: len(some)])


def _fit(picture: np.ndarray) -> np.ndarray:
    if picture.shape[:2] == (SIDE, SIDE):
        return picture
    return np.asarray(Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.BICUBIC))
