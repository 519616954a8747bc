"""Whether a later image keeps the class of an earlier one, against images of other seeds."""

from __future__ import annotations

import math

import numpy as np


def redrawn(first: np.ndarray, later: np.ndarray, strata: np.ndarray) -> float:
    """Share of pairs with different classes where nothing links the later image to the first.

    `first`, `later` and `strata` are int[n]: the classes of n pairs, and the prompt of each. Every
    later image is compared with the first images of all other pairs of its prompt, which have other
    seeds: without bias, whatever the shares. Prompts count by their pairs; NaN where none has two.
    """
    total, n = 0.0, 0
    for at in _groups(strata):
        a, b, m = first[at], later[at], int(at.sum())
        same = float((a[:, None] == b[None, :]).sum() - (a == b).sum())
        total += m * (1 - same / (m * (m - 1)))
        n += m
    return total / n if n else math.nan


def linked(
    first: np.ndarray, later: np.ndarray, strata: np.ndarray, rng: np.random.Generator,
    draws: int = 4999,
) -> float:  # fmt: skip
    """Two-sided p of no link between the two classes of a pair; arrays as for `redrawn`.

    The later images are exchanged at random within prompts, which leaves the shares of both as they
    are (a permutation test in strata; never 0, Phipson & Smyth 2010, eq. 2). The statistic is the
    number of pairs that differ, by its distance from its mean over all exchanges. NaN where no
    prompt has two pairs.
    """
    seen = middle = 0.0
    made, known = np.zeros(draws), False
    for at in _groups(strata):
        a, b = first[at], later[at]
        known = True
        seen += float((a != b).sum())
        middle += float((a[:, None] != b[None, :]).sum() / len(a))
        made += (rng.permuted(np.tile(b, (draws, 1)), axis=1) != a).sum(1)
    if not known:
        return math.nan
    hits = int((np.abs(made - middle) >= abs(seen - middle) - 1e-9).sum())
    return (1 + hits) / (draws + 1)


def _groups(strata: np.ndarray) -> list[np.ndarray]:
    """Where each stratum of two or more is, bool[n]."""
    found = (strata == g for g in np.unique(strata))
    return [at for at in found if at.sum() > 1]
