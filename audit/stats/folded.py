"""Distances of shares from targets, whose noise always looks like distance.

The distance of an estimated share from its target exceeds that of the true share on average, most
where the share is at its target. A change of distances is therefore distorted where the two sides
differ in noise, or in how near to the target they are: an arm that reaches it seems to gain less
than it does, and one whose prompts differ less than before seems to gain what it does not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Bounds:
    """Total variation of each group's shares from its target, float[G]; NaN without images."""

    above: np.ndarray
    """As it is: at least the true distance on average."""
    below: np.ndarray
    """With directions from other prompts: at most the true distance on average, and at most
    `above` in every sample."""


def bounds(
    value: np.ndarray, group: np.ndarray, unit: np.ndarray, targets: np.ndarray
) -> Bounds:  # fmt: skip
    """Distances of groups from `targets` float[G, K], bounded from both sides.

    Each image has a class `value`, a `group` (subject) and a `unit` (prompt, of one group), all
    int[n]. The total variation is half the sum of deviations, each times its own sign, and a sign
    taken from the same data agrees with their noise. `below` takes the sign for each unit from the
    group's other units, which are independent of it: a wrong sign can only lower the mean, and
    where all agree the two bounds are equal. The idea is that of cross-fitting (Chernozhukov et al.
    2018, Econometrics Journal 21:C1). The images of a group's only unit are units themselves, for
    what is said of this unit alone.
    """
    size, k = targets.shape
    unit = _units(group, unit)
    counts = np.zeros((int(unit.max(initial=-1)) + 1, k))
    np.add.at(counts, (unit, value), 1.0)
    of = np.zeros(len(counts), int)
    of[unit] = group
    own = counts - counts.sum(1, keepdims=True) * targets[of]
    whole = np.zeros((size, k))
    np.add.at(whole, of, own)
    others = whole[of] - own
    signs = np.where(np.abs(others) > 1e-9, np.sign(others), 0.0)  # 1e-9: rounding of a tie
    images = np.bincount(group, minlength=size)
    each = np.bincount(of, weights=(signs * own).sum(1), minlength=size)
    with np.errstate(invalid="ignore", divide="ignore"):
        above, below = np.abs(whole).sum(1) / 2 / images, each / 2 / images
    return Bounds(above, below)


def _units(group: np.ndarray, unit: np.ndarray) -> np.ndarray:
    """Units int[n] from 0, in which the images of a group's only unit stand alone."""
    pairs = np.unique(np.stack([group, unit]), axis=1)
    units = np.bincount(pairs[0], minlength=int(group.max(initial=-1)) + 1)
    alone = units[group] == 1
    names = np.where(alone, unit.max(initial=0) + 1 + np.arange(len(unit)), unit)
    return np.asarray(np.unique(names, return_inverse=True)[1])
