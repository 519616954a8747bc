"""What one group of prompts shows beyond another, by exchanging whole prompts between the two.

The second group is a control: its values say how large those of the first are without the effect.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

Passing = Callable[[np.ndarray, np.ndarray], float]
"""Values float[n] of a group and float[m] of the control to the value from which they pass."""


def beyond(q: float) -> Passing:
    """Smallest value of a group that passes Benjamini-Hochberg at `q` against the control.

    The p-values are conformal, (1 + #{control >= v}) / (m + 1) (Bates et al. 2023, eq. 2); infinite
    where nothing passes, which with m values takes n / (q (m + 1)) of n.
    """

    def line(values: np.ndarray, control: np.ndarray) -> float:
        falling = np.sort(values)[::-1]
        above = len(control) - np.searchsorted(np.sort(control), falling, side="left")
        ranks = np.arange(1, len(falling) + 1)
        enough = np.flatnonzero((1 + above) * len(falling) <= q * ranks * (len(control) + 1))
        return float(falling[enough[-1]]) if len(enough) else math.inf

    return line


def exchanged(
    values: np.ndarray, prompts: np.ndarray, groups: np.ndarray, passing: Passing,
    rng: np.random.Generator, draws: int = 999,
) -> tuple[np.ndarray, float]:  # fmt: skip
    """The value from which each group's values pass, float[g], and p of as many in all by chance.

    `values` float[n] of `prompts` int[n]; `groups` int[p] is each prompt's: 0 is the control, 1 to
    g are judged, each against the control. p is exact where without an effect prompts might as
    well be in any group, however their values depend on each other inside a prompt:
    (1 + as many) / (draws + 1); 1 where nothing passes.
    """

    def lines(which: np.ndarray) -> tuple[np.ndarray, int]:
        parts = [values[which == g] for g in range(int(groups.max(initial=0)) + 1)]
        found = np.array([passing(part, parts[0]) for part in parts[1:]])
        return found, sum(int((v >= t).sum()) for v, t in zip(parts[1:], found, strict=True))

    line, seen = lines(groups[prompts])
    if not seen:
        return line, 1.0
    hits = sum(lines(rng.permutation(groups)[prompts])[1] >= seen for _ in range(draws))
    return line, (1 + hits) / (draws + 1)
