"""A second look at flagged copies: pixels, and SSCD where it is installed.

A published threshold knows nothing of this training set, so neither decides anything. Both say how
many of the flagged copies count as copies by the measures that others use.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from audit.datasets import pixels
from audit.evidence.copies.single import tiled_l2

MOST = 200
"""Most pairs that are looked at, the nearest by the descriptor first."""
PIXELS, SSCD = 0.15, 0.75
"""Tiled l2 of Carlini et al. 2023, sec. 4.1, and cosine of Pizzi et al. 2022, sec. 4, beyond which
an image counts as a copy."""

Load = Callable[[str], np.ndarray]


def looks(
    pairs: Sequence[tuple[str, str]], load: tuple[Load, Load], second: Any = None
) -> dict[str, np.ndarray]:
    """Tiled l2 (`tiled`) and SSCD cosine (`sscd`) of pairs of images by name, float64[n] each.

    `load` returns the pixels of either; NaN where one is not available, and for `sscd` without a
    `second` descriptor.
    """
    out = {name: np.full(len(pairs), np.nan) for name in ("tiled", "sscd")}
    for i, names in enumerate(pairs):
        with suppress(pixels.Unreadable, KeyError):
            both = [f(name) for f, name in zip(load, names, strict=True)]
            out["tiled"][i] = tiled_l2(both[0], both[1])
            if second is not None:
                one, other = second.images(both).astype(float)
                out["sscd"][i] = float(one @ other)
    return out
