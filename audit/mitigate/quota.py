"""Draw attributes towards a declared target by quota, so that sampling adds no error of its own."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np


def quota(target: Mapping[str, float], n: int, rng: np.random.Generator) -> list[str]:
    """`n` values in random order whose counts lie within one of `n` times the target's shares.

    Whole parts are exact; the remainders go to values with probability proportional to them, so
    that over many prompts the target is met on average too.
    """
    names = list(target)
    exact = np.array([target[k] for k in names], float)
    exact = exact / exact.sum() * n
    counts = np.floor(exact + 1e-9).astype(int)
    rest, over = np.clip(exact - counts, 0, None), n - int(counts.sum())
    if over:
        extra = rng.choice(len(names), over, replace=False, p=rest / rest.sum())
        counts[extra] += 1
    return [str(v) for v in rng.permutation(np.repeat(names, counts))]
