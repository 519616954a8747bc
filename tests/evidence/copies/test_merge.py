"""Top-k over blocks equals the top-k over everything, to the last bit and tie."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.evidence.copies import merge

SEEDS = st.integers(0, 2**32 - 1)


def coarse(rng: np.random.Generator, n: int, d: int = 16) -> np.ndarray:
    """Vectors of few values, many of them twice: all products are exact, and ties abound."""
    rows = rng.integers(-2, 3, (n, d)).astype(np.float32) / 16
    return rows[rng.integers(0, max(n // 3, 1), n)]


def unit(rng: np.random.Generator, n: int, d: int) -> np.ndarray:
    """Random directions, float32[n, d]."""
    rows = rng.standard_normal((n, d))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def truth(queries: np.ndarray, rows: np.ndarray, k: int) -> merge.Top:
    """All pairs in float64, sorted by Python: highest first, then lowest position."""
    scores, where = np.full((2, len(queries), k), np.nan)
    where[:] = -1
    every = (queries.astype(np.float64) @ rows.astype(np.float64).T).astype(np.float32)
    for i, line in enumerate(every):
        order = sorted(range(len(line)), key=lambda j: (-line[j], j))[:k]
        where[i, : len(order)], scores[i, : len(order)] = order, line[order]
    return scores.astype(np.float32), where.astype(np.int64)


def cut(rng: np.random.Generator, n: int, shards: int) -> list[np.ndarray]:
    """Positions 0..n in runs of any sizes, empty ones among them."""
    edges = np.sort(rng.integers(0, n + 1, shards - 1)) if shards > 1 else np.empty(0, int)
    return np.split(np.arange(n), edges)


def search(queries: np.ndarray, rows: np.ndarray, parts: list[np.ndarray], k: int) -> merge.Top:
    """The search of the module over such runs."""

    def blocks() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        return ((p, rows[p]) for p in parts)

    return merge.nearest(queries, blocks, lambda at: rows[at], k)


def same(left: merge.Top, right: merge.Top) -> None:
    """Equal bits of scores, equal positions."""
    np.testing.assert_array_equal(left[1], right[1])
    np.testing.assert_array_equal(left[0], right[0])


@settings(deadline=None, max_examples=60)
@given(seed=SEEDS, n=st.integers(0, 60), k=st.integers(1, 70))
def test_the_best_are_in_order_whatever_the_order_of_the_columns(seed: int, n: int, k: int) -> None:
    """Ids, scores and ties of the truth; NaN and -1 where there are fewer than k."""
    rng = np.random.default_rng(seed)
    rows, queries = coarse(rng, n), coarse(rng, 5)
    order = rng.permutation(n)
    scores = (queries @ rows[order].T).astype(np.float32)
    same(merge.best(scores, np.tile(order, (5, 1)), k), truth(queries, rows, k))


@settings(deadline=None, max_examples=60)
@given(seed=SEEDS, n=st.integers(1, 80), shards=st.integers(1, 6), k=st.integers(1, 30))
def test_blocks_and_ties_do_not_change_the_search(seed: int, n: int, shards: int, k: int) -> None:
    """With ties far beyond the spare candidates the lowest positions still win, block by block."""
    rng = np.random.default_rng(seed)
    rows, queries = coarse(rng, n), coarse(rng, 7)
    same(search(queries, rows, cut(rng, n, shards), k), truth(queries, rows, k))


@pytest.mark.parametrize("seed", range(4))
def test_near_ties_are_settled_by_the_exact_score(seed: int) -> None:
    """Hundreds of vectors closer together than float32 products can tell are in exact order."""
    rng = np.random.default_rng(seed)
    centre = unit(rng, 1, 256)
    rows = unit(rng, 900, 256)
    rows[:400] = centre + 1e-7 * rng.standard_normal((400, 256))
    rows = rows[rng.permutation(900)].astype(np.float16).astype(np.float32)
    queries = np.concatenate([unit(rng, 5, 256), centre])
    expected = truth(queries, rows, 12)
    for shards in (1, 2, 9):
        same(search(queries, rows, cut(rng, 900, shards), 12), expected)


@pytest.mark.parametrize("seed", range(3))
def test_ordinary_vectors_need_no_second_look(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing ties, the search is one pass, and equals the truth bit by bit."""
    rng = np.random.default_rng(seed)
    rows, queries = unit(rng, 3000, 64), unit(rng, 40, 64)
    monkeypatch.setattr(merge, "_above", None)
    for shards in (1, 5):
        same(search(queries, rows, cut(rng, 3000, shards), 3), truth(queries, rows, 3))


def test_scores_do_not_depend_on_what_is_scored_with_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Alone, together, and in slices of any size a pair has the same score; -1 has none."""
    rng = np.random.default_rng(3)
    rows, queries = unit(rng, 50, 96), unit(rng, 20, 96)
    places = rng.integers(-1, 50, (20, 6))
    together = merge.scored(queries, places, lambda at: rows[at])
    assert (np.isnan(together) == (places < 0)).all()
    monkeypatch.setattr(merge, "AT_ONCE", 1)
    np.testing.assert_array_equal(together, merge.scored(queries, places, lambda at: rows[at]))
    for i, j in zip(*np.nonzero(places >= 0), strict=True):
        alone = merge.products(queries[i : i + 1], rows[places[i, j]][None])
        assert alone[0] == together[i, j]


def test_no_rank_is_a_programming_error() -> None:
    """k counts from 1."""
    with pytest.raises(ValueError, match="at least 1"):
        merge.best(np.zeros((1, 2), np.float32), np.zeros((1, 2), np.int64), 0)
