"""Copies planted by hand in the world: what the twin's error rate and power really are."""

from __future__ import annotations

import numpy as np
import pytest

from audit.evidence.copies.edits import EDITS as ALL
from audit.evidence.copies.match import twin_evidence
from audit.evidence.copies.training_set import of_corpus
from audit.stats.error_control import twin
from audit.world import models, planting

SIZE, SHARE, Q = 2000, 0.02, 0.1


@pytest.fixture(scope="module", params=[6, pytest.param(20, marks=pytest.mark.nightly)])
def pool(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[planting.Pool, int]:
    """Images for all replicates, and how many of these there are."""
    encoder = models.copy_descriptor()
    place = tmp_path_factory.mktemp("index")
    index = of_corpus(models.corpus()).index(encoder, place, lambda done, total: None)
    fresh = round(request.param * SIZE * (1 - SHARE))
    made = planting.pool(encoder, planting.references(index), 0, fresh, 1000)
    return made, request.param


def called(made: planting.Replicate) -> np.ndarray:
    """What the twin flags as copies."""
    table = made.table
    w = twin_evidence(table.score.to_numpy(), table.held_score.to_numpy())
    return twin(w, np.where(w > 0, table.train, table.held), Q).selected


@pytest.mark.slow
def test_error_rate_and_power_where_copies_are_known(pool: tuple[planting.Pool, int]) -> None:
    """At 2 % noisy, cropped and recompressed copies: false discoveries <= .13, power >= .9."""
    false, found = [], []
    for i in range(pool[1]):
        made = pool[0].replicate(i, SIZE, SHARE)
        got = called(made)
        false.append((got & ~made.copies).sum() / max(got.sum(), 1))
        found.append((got & made.copies).sum() / made.copies.sum())
    assert np.mean(false) <= 0.13
    assert np.mean(found) >= 0.9


@pytest.mark.slow
def test_nothing_is_found_where_nothing_was_copied(pool: tuple[planting.Pool, int]) -> None:
    """Batches of fresh pictures alone: at most one in ten has anything flagged as a copy."""
    batches = [pool[0].replicate(i, 900, 0.0) for i in range(2 * pool[1])]
    assert not any(made.copies.any() for made in batches)
    assert np.mean([called(made).any() for made in batches]) <= 0.1


def small() -> planting.Pool:
    """Forty fresh vectors, ten references and copies of all of them."""
    rng = np.random.default_rng(0)
    made = [rng.standard_normal((n, 5)).astype(np.float32) for n in (10, 40)]
    one, two = (m / np.linalg.norm(m, axis=1, keepdims=True) for m in made)
    return planting.Pool(one, two, one, np.arange(10), ("none",) * 10)


def test_copies_are_of_the_training_half() -> None:
    """An unedited copy has a cosine of 1 with its source, which is never in the twin."""
    pool = small()
    made = pool.replicate(1, 20, 0.1)
    assert made.copies.sum() == 2
    rows = made.table[made.copies]
    assert rows.score.to_numpy() == pytest.approx(1, abs=1e-6)
    assert rows.train.tolist() == pool.sources[made.chosen].tolist()
    assert not set(made.table.train) & set(made.table.held)


def test_replicates_share_no_fresh_picture() -> None:
    """One too many is refused."""
    pool = small()
    one, two = (pool.replicate(i, 20, 0.0).table.score for i in (0, 1))
    best = (pool.fresh @ pool.references.T).max(axis=1)
    assert (one <= best[:20] + 1e-6).all()
    assert (two <= best[20:] + 1e-6).all()
    with pytest.raises(ValueError, match="too small"):
        pool.replicate(2, 20, 0.0)


def test_the_edits_are_known() -> None:
    """Every edit of the plan is one that the house can make."""
    assert {*planting.EDITS, *planting.HARDER} <= set(ALL)
