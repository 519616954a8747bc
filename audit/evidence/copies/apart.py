"""Decisions on groups of images apart, as one: the rate of false flags holds for each group.

Pooled, many copies in one group allow as many false flags as a tenth of them in another that has
none: of twelve ordinary images a third could be flagged because captions of repeated training
images gave back forty.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from audit.stats.error_control import Selection


def rows(groups: np.ndarray | None, n: int) -> list[np.ndarray]:
    """bool[n] of each group of object[n], in the order in which they occur; of all without any."""
    if groups is None or n == 0:
        return [np.ones(n, bool)]
    return [groups == name for name in dict.fromkeys(groups.tolist())]


def selection(parts: Sequence[Selection], where: Sequence[np.ndarray]) -> Selection:
    """The selections of the groups `where`, bool[n] each, in the order of all images.

    The threshold is the lowest of a group that has one.
    """
    if len(parts) == 1:
        return parts[0]
    lines = [p.threshold for p in parts if math.isfinite(p.threshold)]
    chances = [p.p for p in parts if p.p is not None]
    needs = [p.need for p in parts]
    return Selection(
        spread([p.selected for p in parts], where), min(lines, default=math.inf),
        sum(p.evidence for p in parts), needs[0] if all(needs) else "",
        spread(chances, where) if len(chances) == len(parts) else None,
        spread([p.unsettled for p in parts], where), spread([p.mirrored for p in parts], where),
    )  # fmt: skip


def spread(values: Sequence[np.ndarray], where: Sequence[np.ndarray]) -> np.ndarray:
    """Values of the groups in the order of all images; an empty array is False throughout."""
    out = np.zeros(len(where[0]), values[0].dtype)
    for value, here in zip(values, where, strict=True):
        if len(value):
            out[here] = value
    return out
