"""The copy descriptor, trained in the manner of SSCD (Pizzi et al. 2022) on the world's renders.

Contrastive (InfoNCE) between two strong edits of one picture, against other pictures of the same
person (a new scene with the same sprite is not a copy), with differential-entropy regularisation
(Sablayrolles et al. 2019, eq. 2), which spreads descriptors and keeps the cosines of different
pictures near 0.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageEnhance, ImageFilter
from torch.nn import functional as F

from audit.evidence.encoders.copynet import SIDE, CopyNet
from audit.world.art import sprites
from audit.world.render import draw_scene, render
from audit.world.train.loop import Schedule, fit, half_precision, prepared
from audit.world.train.redraw import Redrawn
from audit.world.train.vae import to_tensor

SEED = 53
PEOPLE = 32
SCENES = 3
"""Scenes per person in a batch: hard negatives, alike in everything but the picture."""
TEMPERATURE = 0.05
ENTROPY_WEIGHT = 0.6


def _crop(rng: np.random.Generator, image: Image.Image) -> Image.Image:
    side = SIDE * float(rng.uniform(0.65, 1.0))
    left, top = (float(v) for v in rng.uniform(0, SIDE - side, 2))
    box = (left, top, left + side, top + side)
    return image.resize((SIDE, SIDE), Image.Resampling.BILINEAR, box=box)


def _recompress(rng: np.random.Generator, image: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=int(rng.integers(15, 80)))
    return Image.open(buffer, formats=["JPEG"]).convert("RGB")


def _overlay(rng: np.random.Generator, image: Image.Image, other: np.ndarray) -> Image.Image:
    """Paste a piece of another picture over a corner, as DISC's manipulations do."""
    side = int(rng.integers(12, 28))
    patch = Image.fromarray(other).resize((side, side))
    place = (int(rng.integers(0, SIDE - side)), int(rng.integers(0, SIDE - side)))
    image.paste(patch, place)
    return image


def _recolour(rng: np.random.Generator, image: Image.Image) -> Image.Image:
    for kind in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        image = kind(image).enhance(float(rng.uniform(0.7, 1.35)))
    return image


def _blur(rng: np.random.Generator, image: Image.Image) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.4, 1.4))))


def _noise(rng: np.random.Generator, pixels: np.ndarray) -> np.ndarray:
    grain = np.float32(rng.uniform(2, 16)) * rng.standard_normal(pixels.shape, np.float32)
    return np.clip(pixels.astype(np.float32) + grain, 0, 255).astype(np.uint8)


def edit(rng: np.random.Generator, pixels: np.ndarray, other: np.ndarray) -> np.ndarray:
    """A strong random edit of uint8[64, 64, 3]; most pictures get two or three changes."""
    image = Image.fromarray(pixels)
    chance = rng.random(7)
    if chance[0] < 0.5:
        image = _crop(rng, image)
    if chance[1] < 0.3:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if chance[2] < 0.5:
        image = _recolour(rng, image)
    if chance[3] < 0.4:
        image = _blur(rng, image)
    if chance[4] < 0.3:
        image = _overlay(rng, image, other)
    if chance[5] < 0.3:
        image = _recompress(rng, image)
    out = np.asarray(image)
    return _noise(rng, out) if chance[6] < 0.3 else out.copy()


def _one(change: Callable[[np.random.Generator, Image.Image], Image.Image]) -> Edit:
    return lambda rng, pixels: np.asarray(change(rng, Image.fromarray(pixels)))


Edit = Callable[[np.random.Generator, np.ndarray], np.ndarray]
SINGLE: dict[str, Edit] = {
    "flip": lambda rng, pixels: np.ascontiguousarray(pixels[:, ::-1]),
    "colour": _one(_recolour),
    "blur": _one(_blur),
    "JPEG": _one(_recompress),
    "noise": _noise,
}
"""One edit at a time, as strong as in training, without crops."""


def entropy_loss(z: torch.Tensor, copies: torch.Tensor) -> torch.Tensor:
    """Minus the mean log distance to the nearest descriptor that is not a copy (KoLeo)."""
    similarity = (z @ z.T).masked_fill(copies, -2.0)
    nearest = similarity.max(1).values.clamp(max=1 - 1e-4)
    return -torch.log((2 - 2 * nearest).sqrt()).mean()


def _originals(
    rng: np.random.Generator, bank: Redrawn | None
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Renders of few people in several scenes each, and what a copy of each begins from.

    That is the render itself, or, for a third of them with a bank, what the generator makes of it.
    """
    everyone = sprites()
    people = [everyone[int(i)] for i in rng.integers(len(everyone), size=PEOPLE)]
    scenes = [draw_scene(rng, p if rng.random() > 0.05 else None) for p in people * SCENES]
    originals = [render(s) for s in scenes]
    copies = list(originals)
    if bank is not None:
        for row, i in enumerate(rng.choice(np.flatnonzero(bank.own), len(scenes) // 3)):
            originals[row], copies[row] = bank.originals[i], bank.pictures[i]
    return originals, copies


def train(work: Path, schedule: Schedule, bank: Redrawn | None = None) -> CopyNet:
    """Train from the recipe's seed; a bank adds copies as the generator really makes them."""
    torch.manual_seed(SEED)
    model = CopyNet()
    describe = prepared(model, schedule)

    def loss(step: int) -> tuple[torch.Tensor, dict[str, float]]:
        rng = np.random.default_rng((SEED, step))
        originals, again = _originals(rng, bank)
        n = len(originals)
        views = [edit(rng, p, originals[int(rng.integers(n))]) for p in [*originals, *again]]
        with half_precision():
            z = describe(to_tensor(np.stack(views)).to(memory_format=torch.channels_last))
        z = z.float()
        which = torch.arange(2 * n) % n
        copies = which[:, None] == which[None, :]
        itself = torch.eye(2 * n, dtype=torch.bool)
        logits = (z @ z.T / TEMPERATURE).masked_fill(itself, -1e4)
        target = (torch.arange(2 * n) + n) % (2 * n)
        contrast = F.cross_entropy(logits, target)
        spread = entropy_loss(z, copies)
        hit = float((logits.argmax(1) == target).float().mean())
        pairs = float((z[:n] * z[n:]).sum(1).detach().mean())
        stranger = float((z @ z.T).masked_fill(copies, -2.0).max(1).values.detach().mean())
        figures = {"hit": hit, "copy_cosine": pairs, "nearest_stranger": stranger}
        return contrast + ENTROPY_WEIGHT * spread, figures

    fit(model, loss, schedule, work)
    return model
