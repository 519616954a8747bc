"""The copy descriptor's network: a small residual net with generalised-mean pooling.

The layout of SSCD (Pizzi et al. 2022, sec. 3: ResNet trunk, GeM pooling, linear projection, unit
length) at the size of 64-pixel images. Weights: `audit.world.train.descriptor`.
"""

from __future__ import annotations

import itertools

import torch
from torch import nn
from torch.nn import functional as F

SIDE = 64
DIMENSIONS = 128


class Block(nn.Module):
    """Two 3x3 convolutions with a shortcut (He et al. 2016)."""

    def __init__(self, inner: int, outer: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inner, outer, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outer)
        self.conv2 = nn.Conv2d(outer, outer, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outer)
        self.skip = nn.Conv2d(inner, outer, 1, stride, bias=False) if stride > 1 else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """float[n, inner, h, w] to float[n, outer, h / stride, w / stride]."""
        y = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.norm2(self.conv2(y)) + self.skip(x))


class CopyNet(nn.Module):
    """float[n, 3, 64, 64] in -1..1 to float[n, 128] of unit length."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU()
        )
        widths = (32, 64, 128, 256)
        self.blocks = nn.Sequential(
            Block(32, 32, 1), *(Block(a, b, 2) for a, b in itertools.pairwise(widths))
        )
        self.power = nn.Parameter(torch.tensor(3.0))
        self.project = nn.Linear(widths[-1], DIMENSIONS)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Descriptors of a batch of images."""
        y = self.blocks(self.stem(x)).clamp(min=1e-6)  # (n, 256, 4, 4)
        pooled = y.pow(self.power).mean((2, 3)).pow(1 / self.power)
        return F.normalize(self.project(pooled), dim=-1)
