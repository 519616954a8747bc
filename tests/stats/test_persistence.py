"""What later images keep, against every exchange of them, and the level of the test."""

from __future__ import annotations

import math
from itertools import permutations, product

import numpy as np
import pytest

from audit.stats.persistence import linked, redrawn
from tests.sizes import at_most

FIRST = np.array([0, 0, 1, 2, 0, 1])
LATER = np.array([0, 1, 1, 2, 0, 0])
STRATA = np.array([0, 0, 0, 0, 1, 1])


def exchanged() -> list[np.ndarray]:
    """All exchanges of later images within both strata."""
    return [
        np.array([*(LATER[:4][list(p)]), *(LATER[4:][list(q)])])
        for p, q in product(permutations(range(4)), permutations(range(2)))
    ]


def test_another_seed_is_every_other_pair() -> None:
    """The mean over pairs of different conversations, prompt by prompt, counted by hand."""
    shares, sizes = [], []
    for g in (0, 1):
        a, b = FIRST[g == STRATA], LATER[g == STRATA]
        pairs = [(i, j) for i in range(len(a)) for j in range(len(a)) if i != j]
        shares.append(np.mean([a[i] != b[j] for i, j in pairs]))
        sizes.append(len(a))
    assert redrawn(FIRST, LATER, STRATA) == pytest.approx(np.average(shares, weights=sizes))


def test_p_is_that_of_all_exchanges() -> None:
    """The share of all 48 exchanges that are as far from their mean, which random ones estimate."""
    counts = np.array([(b != FIRST).sum() for b in exchanged()])
    far = np.abs(counts - counts.mean()) >= abs((FIRST != LATER).sum() - counts.mean()) - 1e-9
    found = linked(FIRST, LATER, STRATA, np.random.default_rng(0), 20_000)
    assert found == pytest.approx(far.mean(), abs=0.02)


def test_single_pairs_say_nothing() -> None:
    """A prompt with one conversation has no other seed; without any pair of two all is unknown."""
    alone = np.arange(6)
    rng = np.random.default_rng(0)
    assert math.isnan(redrawn(FIRST, LATER, alone))
    assert math.isnan(linked(FIRST, LATER, alone, rng))
    kept = redrawn(FIRST[:4], LATER[:4], STRATA[:4])
    more = np.append(STRATA[:4], 9)
    assert redrawn(np.append(FIRST[:4], 0), np.append(LATER[:4], 1), more) == kept


def test_the_test_keeps_its_level_and_finds_links() -> None:
    """Independent images of prompts with different shares are linked in at most 5 % of cases."""
    rng, runs, wrong, right = np.random.default_rng(1), 200, 0, 0
    strata = np.repeat(np.arange(5), 8)
    shares = np.array([0.1, 0.3, 0.5, 0.8, 0.95])[strata]
    for _ in range(runs):
        first, other = (rng.random((2, 40)) < shares).astype(int)
        kept = np.where(rng.random(40) < 0.7, first, other)
        wrong += linked(first, other, strata, rng, 199) < 0.05
        right += linked(first, kept, strata, rng, 199) < 0.05
    assert at_most(wrong, runs, 0.05)
    assert right > 0.8 * runs
