"""Draw attributes towards a declared target by quota, without sampling error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def generator(seed: int) -> np.random.Generator:
    """numpy's generator from a seed; numpy is loaded here because listing suites needs none."""
    import numpy as np

    return np.random.default_rng(seed)


def phases(count: int, rng: np.random.Generator) -> np.ndarray:
    """One phase in [0, 1) for each of `count` prompts that share a target, float64[count].

    They are evenly spaced and shuffled, so the prompts' remainders add up to the target.
    """
    import numpy as np

    return np.asarray((rng.permutation(count) + rng.random()) / max(count, 1))


def counts(target: Mapping[str, float], n: int, phase: float) -> np.ndarray:
    """How many of `n` images get each value, int[k]: `n` times the shares, rounded up or down.

    Whole parts are exact. Remainders go by systematic sampling (Madow 1949): over phases, a value
    gets one more with a probability equal to its remainder.
    """
    import numpy as np

    exact = np.array(list(target.values()), float)
    exact = exact / exact.sum() * n
    whole = np.floor(exact + 1e-9).astype(int)
    over = n - int(whole.sum())
    if over:
        rest = np.clip(exact - whole, 0, None)
        edges = np.cumsum(rest * over / rest.sum())
        points = np.minimum(np.arange(over) + phase, edges[-1] * (1 - 1e-12))
        np.add.at(whole, np.searchsorted(edges, points, side="right"), 1)
    return whole


def quota(
    target: Mapping[str, float], n: int, rng: np.random.Generator, phase: float | None = None
) -> list[str]:
    """`n` values in random order, with counts within one of `n` times the target's shares.

    The order follows the ranks of `n` uniform numbers, so from the same seed a larger `n` keeps
    most of the values that a smaller one gave. Without a `phase`, remainders are drawn by `rng`.
    """
    import numpy as np

    order = rng.random(n).argsort(kind="stable").argsort(kind="stable")
    phase = float(rng.random()) if phase is None else phase
    values = np.repeat(np.array(list(target), dtype=object), counts(target, n, phase))
    return [str(v) for v in values[order]]
