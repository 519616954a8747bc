"""Copies planted by hand in the world: what the twin's error rate and power really are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from audit import copying
from audit.replication.edits import EDITS as ALL
from audit.replication.training_set import of_corpus
from audit.world import models, planting

REPLICATES, SIZE, SHARE, Q = 20, 2000, 0.02, 0.1


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> tuple[object, planting.Pool]:
    """The world's index, and pictures for all replicates."""
    encoder = models.copy_descriptor()
    root: Path = tmp_path_factory.mktemp("indexes")
    index = of_corpus(models.corpus()).index(encoder, root, lambda done, total: None)
    fresh = round(REPLICATES * SIZE * (1 - SHARE))
    return index, planting.pool(encoder, 11, fresh, 60)


def selected(index: object, vectors: np.ndarray, rule: str) -> np.ndarray:
    """What a rule calls copies."""
    score, where = index.nearest(vectors)  # type: ignore[attr-defined]
    held, there = index.nearest(vectors, held_out=True)  # type: ignore[attr-defined]
    table = pd.DataFrame({"score": score, "held_score": held, "train": where, "held": there})
    return copying.decide(table, index, rule, Q, 0)[1].selected


def test_error_rate_and_power_where_copies_are_known(
    planted: tuple[object, planting.Pool],
) -> None:
    """At 2 % noisy, cropped and recompressed copies: false discoveries <= .13, power >= .9."""
    index, pool = planted
    false, found = [], []
    for i in range(REPLICATES):
        vectors, copies = pool.batch(i, SIZE, SHARE)
        called = selected(index, vectors, "twin")
        false.append((called & ~copies).sum() / max(called.sum(), 1))
        found.append((called & copies).sum() / copies.sum())
    assert np.mean(false) <= 0.13
    assert np.mean(found) >= 0.9


def test_nothing_is_found_where_nothing_was_copied(planted: tuple[object, planting.Pool]) -> None:
    """Batches of fresh pictures alone: at most one in ten has anything called a copy."""
    index, pool = planted
    batches = [pool.batch(i, 900, 0.0) for i in range(20)]
    assert not any(copies.any() for _, copies in batches)
    assert np.mean([selected(index, v, "twin").any() for v, _ in batches]) <= 0.1


def test_a_pool_has_its_batches_and_no_more() -> None:
    """Batches are disjoint in their fresh pictures; one too many is refused."""
    pool = planting.Pool(
        np.arange(40.0)[:, None], {"a": -np.ones((2, 1)), "b": -2 * np.ones((2, 1))}
    )
    (one, copies), (two, _) = pool.batch(0, 20, 0.1), pool.batch(1, 20, 0.1)
    assert copies.sum() == 2
    assert one[:2, 0].tolist() == [-1, -2]
    assert not set(one[2:, 0]) & set(two[2:, 0])
    with pytest.raises(ValueError, match="no batch 2"):
        pool.batch(2, 20, 0.1)


def test_the_edits_are_known() -> None:
    """Every edit of the plan is one that the house can make."""
    assert {*planting.EDITS, *planting.HARDER} <= set(ALL)
