"""Near-duplicates against brute force, and search without what is left out."""

from __future__ import annotations

from pathlib import Path

import networkx as nx
import numpy as np
import pytest

from audit.replication import near_duplicates, shards, side
from audit.replication.corpus import Entry
from audit.replication.near_duplicates import across, clusters, pairs
from audit.replication.pieces import Unit
from audit.replication.side import Side


def vectors(seed: int, groups: int, most: int, d: int = 24) -> np.ndarray:
    """Groups of one to `most` near-duplicates in random order, unit length."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((groups, d))
    rows = [c + 0.1 * rng.standard_normal((int(rng.integers(1, most + 1)), d)) for c in centres]
    whole = rng.permutation(np.concatenate(rows))
    return np.asarray(whole / np.linalg.norm(whole, axis=1, keepdims=True), np.float32)


def stored(folder: Path, rows: np.ndarray, size: int = 7) -> Side:
    """A side of several shards."""
    parts = []
    for k in range(0, len(rows), size):
        some = rows[k : k + size]
        entries = [(Entry(f"i{k + j}", ""), "") for j in range(len(some))]
        parts.append(shards.write(folder, f"train-{k:03}", [Unit(str(k), "")], entries, some))
    return Side(parts, rows.shape[1])


@pytest.mark.parametrize("seed", range(4))
def test_pairs_and_clusters_are_those_of_brute_force(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the blocks: every pair once, and networkx's connected components."""
    monkeypatch.setattr(near_duplicates, "BLOCK", 4 * 24 * 5)
    rows = vectors(seed, 30, 4)
    made = stored(tmp_path, rows)
    i, j = np.nonzero(np.triu(rows @ rows.T >= 0.9, 1))
    found = [np.stack(p, 1) for p in pairs(made, 0.9)]
    assert {tuple(p) for p in np.concatenate(found)} == set(zip(i, j, strict=True))
    assert sum(map(len, found)) == len(i)
    graph = nx.Graph([(int(a), int(b)) for a, b in zip(i, j, strict=True)])
    graph.add_nodes_from(range(len(rows)))
    got = clusters(made, 0.9)
    assert {frozenset(np.flatnonzero(got == c)) for c in set(got)} == {
        frozenset(c) for c in nx.connected_components(graph)
    }
    assert [int(c) for c in dict.fromkeys(got)] == list(range(got.max() + 1))


def test_a_chain_is_one_cluster(tmp_path: Path) -> None:
    """A is like B and B like C: one cluster, though A is not like C."""
    angles = np.array([0.0, 0.4, 0.8, 2.0])
    rows = np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32)
    assert clusters(stored(tmp_path, rows), np.cos(0.5)).tolist() == [0, 0, 0, 1]


@pytest.mark.parametrize("seed", range(3))
def test_what_stands_on_both_sides(tmp_path: Path, seed: int) -> None:
    """Held-out pictures with a training picture at least that near, as brute force has them."""
    rows = vectors(seed, 40, 3)
    train, held = rows[::2], rows[1::2]
    got = across(stored(tmp_path / "a", train), stored(tmp_path / "b", held), 0.9)
    assert got.any()
    assert got.tolist() == ((held @ train.T).max(axis=1) >= 0.9).tolist()
    nothing = Side([], 24)
    assert across(nothing, stored(tmp_path / "c", held), 0.9).tolist() == [False] * len(held)
    assert len(across(stored(tmp_path / "d", train), nothing, 0.9)) == 0


@pytest.mark.parametrize("memory", [0, 1 << 30])
def test_what_is_left_out_is_never_found(
    tmp_path: Path, memory: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Positions stay; the search is that of the rest, from memory and streamed."""
    monkeypatch.setattr(side, "IN_MEMORY", memory)
    monkeypatch.setattr(side, "BLOCK", 4 * 24 * 5)
    rows = vectors(5, 40, 2)
    gone = np.random.default_rng(0).random(len(rows)) < 0.3
    gone[:9] = True  # a whole block
    part = stored(tmp_path, rows).without(gone)
    score, where = part.nearest(rows, 2)
    cosine = np.where(gone, -2, rows @ rows.T)
    assert where[:, 0].tolist() == cosine.argmax(axis=1).tolist()
    assert score[:, 0] == pytest.approx(cosine.max(axis=1), abs=1e-6)
    assert not gone[where].any()
    score, where = part.without(np.ones(len(rows), bool)).nearest(rows[:3])
    assert np.isnan(score).all()
    assert (where == -1).all()
