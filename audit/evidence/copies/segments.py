"""Images cut in two, each part described alone: the person, and the background without the person.

A generator may copy a person into another scene, or a scene around another person. A descriptor of
whole images misses most of these, and does not say which part of an image came back (Wen et al.
2024, sec. 3, call them template memorization; FB-Mem, arXiv 2508.12148, counts four classes: both
parts, the person alone, the background alone, neither).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from scipy.ndimage import binary_dilation, binary_erosion

from audit.datasets import pixels
from audit.evidence.copies.making import Encoder
from audit.keys import digest

FOREGROUND, BACKGROUND = "foreground", "background"
PARTS = (FOREGROUND, BACKGROUND)
LEAST = 0.02
"""Share of an image that a part needs to be described."""
GREY = 128
"""Level around a person. A colour taken from the whole image would tell of its background."""
MARGIN = 1 / 32
"""Width of the rim on either side of a person's outline that belongs to neither part, as a share of
the shorter side: outlines are blurred, and masks err there."""
CUTS = (LEAST, GREY, MARGIN)
REMEMBERED = 1 << 26
"""Bytes of masks that are kept, because both parts of an image need its mask."""

Find = Callable[[Sequence[np.ndarray]], Sequence[np.ndarray]]
"""Masks of people, bool[h, w] each, of images uint8[h, w, 3]."""


class Masks:
    """Where people are in images, by what `find` returns for them; `key` names it."""

    def __init__(self, key: str, find: Find) -> None:
        self.key, self._find = key, find
        self._known: OrderedDict[object, np.ndarray] = OrderedDict()
        self._bytes = 0

    def of(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """bool[h, w] for each uint8[h, w, 3]; those of the last REMEMBERED bytes are kept."""
        names = [(i.shape, blake2b(i.tobytes(), digest_size=16).digest()) for i in images]
        todo = {n: i for n, i in zip(names, images, strict=True) if n not in self._known}
        for name, mask in zip(todo, self._find(list(todo.values())) if todo else (), strict=True):
            self._known[name] = np.packbits(mask, axis=1)
            self._bytes += self._known[name].nbytes
        masks = [
            np.unpackbits(self._known[n], axis=1, count=i.shape[1]).astype(bool)
            for n, i in zip(names, images, strict=True)
        ]
        while self._bytes > REMEMBERED:
            self._bytes -= self._known.popitem(last=False)[1].nbytes
        return masks


def kept(person: np.ndarray, part: str) -> np.ndarray:
    """The pixels of one part, bool[h, w], where those of `person`, bool[h, w], belong to people."""
    width = max(1, round(MARGIN * min(person.shape)))
    if part == FOREGROUND:
        return np.asarray(binary_erosion(person, iterations=width))
    return np.asarray(~binary_dilation(person, iterations=width))


def cut(image: np.ndarray, keep: np.ndarray, part: str) -> np.ndarray:
    """One part of uint8[h, w, 3], the pixels bool[h, w] that are `kept`, with the rest filled.

    Around a person is GREY. Into the place of a person the background is continued: a plain patch
    would show the person's outline.
    """
    if part == FOREGROUND:
        return np.where(keep[..., None], image, np.uint8(GREY))
    return continued(image, keep)


def continued(image: np.ndarray, known: np.ndarray) -> np.ndarray:
    """uint8[h, w, 3] whose pixels outside of `known`, bool[h, w], are continued from the others.

    Push and pull (Gortler et al. 1996, "The lumigraph", sec. 3.4): means of known pixels at ever
    coarser scales, each scale filling what the finer one leaves open.
    """
    filled = _pulled(image * known[..., None].astype(np.float64), known.astype(np.float64))
    return np.where(known[..., None], image, np.rint(filled).clip(0, 255).astype(np.uint8))


def _pulled(sums: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Colours of every pixel, from float[h, w, 3] times weights 0..1 and the weights."""
    height, width = weights.shape
    if height == width == 1:
        return sums / np.maximum(weights, 1e-9)[..., None]
    even = ((0, height % 2), (0, width % 2))
    total, count = np.pad(weights, even), np.pad(sums, (*even, (0, 0)))
    total, count = (
        x[::2, ::2] + x[1::2, ::2] + x[::2, 1::2] + x[1::2, 1::2] for x in (total, count)
    )
    over = np.maximum(total, 1)
    coarse = _pulled(count / over[..., None], total / over)
    near = coarse.repeat(2, 0).repeat(2, 1)[:height, :width]
    return sums + (1 - weights)[..., None] * near


@dataclass(frozen=True)
class Segment:
    """An encoder of one part of images; a part that an image does not have is a row of zeros.

    An index leaves rows of zeros out.
    """

    encoder: Encoder
    masks: Masks
    part: str

    @property
    def key(self) -> str:
        """Hash of the encoder, the masks and how parts are cut."""
        return f"{self.part}-{digest([self.encoder.key, self.masks.key, *CUTS], 12)}"

    def images(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """uint8[h, w, 3] images to float32[n, d] of unit length, or of zeros."""
        rows = [self.encoder.images([])]
        for some in pixels.parts(iter(pictures), lambda p: p.nbytes):
            keeps = [kept(m, self.part) for m in self.masks.of(some)]
            there = np.array([k.mean() >= LEAST for k in keeps])
            parts = [cut(i, k, self.part)
                     for i, k, t in zip(some, keeps, there, strict=True) if t]  # fmt: skip
            made = np.zeros((len(some), rows[0].shape[1]), np.float32)
            made[there] = self.encoder.images(parts)
            rows.append(made)
        return np.concatenate(rows)
