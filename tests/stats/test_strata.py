"""Labels drawn by what was read give the errors of all images, and intervals that cover."""

from __future__ import annotations

import numpy as np
import pytest

from audit.stats.correction import lang_reiczigel
from audit.stats.strata import weighted_confusion


def population(
    rng: np.random.Generator, n: int, share: float, right: float
) -> tuple[np.ndarray, np.ndarray]:
    """True and read classes (0 is the class of interest) of n images, errors symmetric."""
    true = (rng.random(n) >= share).astype(int)
    return true, np.where(rng.random(n) < right, true, 1 - true)


def drawn(
    rng: np.random.Generator, true: np.ndarray, read: np.ndarray, n: int
) -> tuple[np.ndarray, np.ndarray]:
    """Counts and weights of n labels, half from each class that was read."""
    counts, weights = np.zeros((2, 2), int), np.zeros(2)
    for c in (0, 1):
        at = np.flatnonzero(read == c)
        pick = rng.permutation(at)[: n // 2]
        np.add.at(counts, (true[pick], read[pick]), 1)
        weights[c] = len(at) / len(pick) if len(pick) else 0.0
    return counts, weights


def test_equal_weights_change_nothing() -> None:
    """A draw in which every image counts alike is its own confusion."""
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 30, (4, 4))
    assert weighted_confusion(counts, np.full(4, 7.0)) == pytest.approx(counts)


def test_rates_are_those_of_the_whole_population() -> None:
    """Weighted sensitivity is unbiased where the plain one is far off."""
    rng = np.random.default_rng(1)
    plain, weighted = [], []
    for _ in range(400):
        true, read = population(rng, 2000, 0.1, 0.9)
        counts, weights = drawn(rng, true, read, 200)
        fixed = weighted_confusion(counts, weights)
        plain.append(counts[0, 0] / counts[0].sum())
        weighted.append(fixed[0, 0] / fixed[0].sum())
    assert np.mean(weighted) == pytest.approx(0.9, abs=0.015)
    assert np.mean(plain) > 0.95


@pytest.mark.parametrize("share", [0.5, 0.1])
def test_corrected_intervals_from_stratified_labels_cover(share: float) -> None:
    """A hundred labels, half from each class that was read, give a 95 % interval its coverage."""
    rng = np.random.default_rng(int(100 * share))
    held, runs = 0, 600
    for _ in range(runs):
        true, read = population(rng, 1000, share, 0.93)
        (a, b), (c, d) = weighted_confusion(*drawn(rng, true, read, 100))
        ci = lang_reiczigel(int((read == 0).sum()), 1000, a, a + b, d, c + d)
        held += ci.low <= (true == 0).mean() <= ci.high
    assert held / runs >= 0.93


def test_rows_without_images_stay_empty_and_shapes_are_checked() -> None:
    """Nothing is invented for a class that nobody saw."""
    fixed = weighted_confusion(np.array([[0, 0], [3, 5]]), np.array([2.0, 1.0]))
    assert fixed[0].tolist() == [0, 0]
    with pytest.raises(ValueError, match="must fit"):
        weighted_confusion(np.zeros((2, 3)), np.ones(2))
