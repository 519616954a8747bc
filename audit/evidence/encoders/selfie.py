"""Masks of people: MediaPipe's selfie segmenter (general model), written out as a plain network.

A MobileNetV3 (Howard et al. 2019) of 110,000 weights with a light decoder (Google, *Model card:
MediaPipe selfie segmentation*, 2021), trained on photographs of people at up to a few metres. The
weights are those of the npm package `@mediapipe/selfie_segmentation`, at the half precision in
which that ships them (THIRD_PARTY.md); `docs/making/selfie.py` took them out of its file. One mask
covers everybody in an image: it does not tell people apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F

SIDE = 256
WEIGHTS = Path(__file__).with_name("selfie.safetensors")
PERSON = 0.5
"""Probability above which a pixel belongs to a person."""


class Conv(nn.Conv2d):
    """A convolution that pads as TensorFlow's `SAME` does: the odd pixel at the end."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """float[n, c, h, w] to float[n, d, h / stride, w / stride]."""
        gap = max(self.kernel_size[0] - self.stride[0], 0)
        return super().forward(F.pad(x, (gap // 2, gap - gap // 2) * 2))


class Gate(nn.Module):
    """Scales for channels from their means (squeeze and excitation, Hu et al. 2018)."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.down, self.up = Conv(width, inner, 1), Conv(inner, width, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """float[n, c, h, w] to float[n, c, 1, 1] in 0..1."""
        return torch.sigmoid(self.up(F.relu(self.down(x.mean((2, 3), keepdim=True)))))


class Block(nn.Module):
    """An inverted bottleneck, with a gate where `squeezed` is above 0."""

    def __init__(
        self, widths: tuple[int, int, int], kernel: int, stride: int, squeezed: int, hard: bool
    ) -> None:
        super().__init__()
        into, inner, out = widths
        self.expand = Conv(into, inner, 1)
        self.depth = Conv(inner, inner, kernel, stride, groups=inner)
        self.gate = Gate(inner, squeezed) if squeezed else None
        self.project = Conv(inner, out, 1)
        self.act = F.hardswish if hard else F.relu
        self.same = into == out and stride == 1

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """float[n, into, h, w] to float[n, out, h / stride, w / stride]."""
        y = self.act(self.depth(self.act(self.expand(x))))
        y = y if self.gate is None else y * self.gate(y)
        y = self.project(y)
        return x + y if self.same else y


class Up(nn.Module):
    """A step of the decoder: features of twice the size, gated by both, then smoothed."""

    def __init__(self, coarse: int, fine: int) -> None:
        super().__init__()
        self.fit = Conv(coarse, fine, 1)
        self.gate = Gate(fine, fine)
        self.mix = Conv(fine, fine, 1)
        self.depth = Conv(fine, fine, 3, groups=fine)

    def forward(self, coarse: torch.Tensor, fine: torch.Tensor) -> torch.Tensor:
        """float[n, c, h, w] and float[n, f, 2h, 2w] to float[n, f, 2h, 2w]."""
        y = self.fit(F.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False))
        x = F.relu(self.mix(fine * self.gate(fine + y) + y))
        return x + F.relu(self.depth(x))


class Segmenter(nn.Module):
    """float[n, 3, 256, 256] in 0..1 to the probability of a person, float[n, 256, 256]."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = Conv(3, 16, 3, 2)
        self.early = Block((16, 16, 16), 3, 2, 8, False)
        self.quarter = nn.Sequential(
            Block((16, 72, 24), 3, 2, 0, False), Block((24, 88, 24), 3, 1, 0, False)
        )
        self.deep = nn.Sequential(
            Block((24, 96, 32), 5, 2, 24, True),
            Block((32, 128, 32), 5, 1, 32, True),
            Block((32, 128, 32), 5, 1, 32, True),
            Block((32, 96, 32), 5, 1, 24, True),
            Block((32, 96, 32), 5, 1, 24, True),
        )
        self.head, self.scale = Conv(32, 128, 1), Conv(32, 128, 1)
        self.ups = nn.ModuleList([Up(128, 24), Up(24, 16), Up(16, 16)])
        self.last = nn.ConvTranspose2d(16, 1, 2, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Masks of a batch of images."""
        stem = F.hardswish(self.stem(x))
        early = self.early(stem)
        quarter = self.quarter(early)
        deep = self.deep(quarter)
        y = F.relu(self.head(deep)) * torch.sigmoid(self.scale(deep.mean((2, 3), keepdim=True)))
        for up, fine in zip(self.ups, (quarter, early, stem), strict=True):
            y = up(y, fine)
        return torch.sigmoid(self.last(y))[:, 0]


@cache
def segmenter() -> Segmenter:
    """The network with its weights, on the CPU; loaded once."""
    net = Segmenter()
    net.load_state_dict({k: v.float() for k, v in load_file(WEIGHTS).items()})
    return net.eval()


def person(picture: np.ndarray) -> np.ndarray:
    """Which pixels of uint8[h, w, 3] belong to people, bool[h, w].

    The image is resized to 256 x 256 whatever its sides, as the network was trained, and the mask
    back to the image's size.
    """
    h, w = picture.shape[:2]
    small = Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    pixels = torch.from_numpy(np.array(small)).permute(2, 0, 1)[None].float() / 255
    with torch.inference_mode():
        mask = segmenter()(pixels)[0].numpy()
    back = Image.fromarray(mask).resize((w, h), Image.Resampling.BILINEAR)
    return np.asarray(np.asarray(back) > PERSON)


def people(pictures: Sequence[np.ndarray]) -> list[np.ndarray]:
    """`person` of each image."""
    return [person(p) for p in pictures]
