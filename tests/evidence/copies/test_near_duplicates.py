"""Near-duplicates: clusters and twins against all pairs at once, however the corpus is cut."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import networkx
import numpy as np
import pytest

from audit.datasets.find import find
from audit.evidence.copies import near_duplicates
from audit.evidence.copies.index import build
from audit.evidence.copies.near_duplicates import both, clusters, copies
from tests.evidence.copies import made
from tests.evidence.copies.made import Thumbnail


class Rows:
    """Vectors in memory, in pieces like those of an index."""

    def __init__(self, vectors: np.ndarray, shard: int = 10**9) -> None:
        self.vectors, self.shard = vectors, shard
        self.dimensions = vectors.shape[1]

    def __len__(self) -> int:
        return len(self.vectors)

    def blocks(self, size: int) -> Iterator[np.ndarray]:
        """Pieces that end where a shard does, too."""
        rows = max(1, size // (4 * self.dimensions))
        for s in range(0, len(self), self.shard):
            part = self.vectors[s : s + self.shard]
            for i in range(0, len(part), rows):
                yield np.asarray(part[i : i + rows], np.float32)


def unit(rows: np.ndarray) -> np.ndarray:
    """Unit length, float32."""
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def corpus(n: int, rng: np.random.Generator) -> np.ndarray:
    """Vectors around a third as many middles, near to them and farther."""
    middles = rng.normal(size=(n // 3, 24))
    scale = rng.uniform(0.05, 0.6, (n, 1))
    return unit(middles[rng.integers(len(middles), size=n)] + scale * rng.normal(size=(n, 24)))


def partition(label: np.ndarray) -> set[frozenset[int]]:
    """Clusters as sets of positions."""
    return {frozenset(np.flatnonzero(label == v).tolist()) for v in set(label.tolist())}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("cosine", [0.6, 0.8, 0.95])
def test_clusters_are_those_of_all_pairs(
    seed: int, cosine: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """networkx's components over every pair; each is named by its first; blocks do not matter."""
    rows = corpus(150, np.random.default_rng(seed))
    near = rows.astype(float) @ rows.astype(float).T >= cosine
    expected = {
        frozenset(c) for c in networkx.connected_components(networkx.from_numpy_array(near))
    }
    assert 1 < len(expected) < 150
    whole = clusters(Rows(rows), cosine)
    assert partition(whole) == expected
    assert all(v == min(np.flatnonzero(whole == v)) for v in set(whole.tolist()))
    for cut, shard, kept in ((9, 40, 10**6), (64, 50, 100), (1000, 33, 0)):
        monkeypatch.setattr(near_duplicates, "PAIRS", kept)
        assert np.array_equal(clusters(Rows(rows, shard), cosine, cut), whole)


def test_a_chain_is_one_cluster() -> None:
    """A near B and B near C, A far from C: one cluster of three, and D alone."""
    angles = np.radians([0, 15, 30, 180])
    rows = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    assert clusters(Rows(rows), np.cos(np.radians(16))).tolist() == [0, 0, 0, 3]
    assert clusters(Rows(rows), np.cos(np.radians(14))).tolist() == [0, 1, 2, 3]
    for order in ([2, 3, 0, 1], [1, 0, 3, 2]):
        found = clusters(Rows(rows[order]), np.cos(np.radians(16)), 1)
        assert partition(found) == {frozenset(np.flatnonzero(np.array(order) != 3).tolist()),
                                    frozenset([order.index(3)])}  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
def test_held_out_duplicates_are_those_of_all_pairs(seed: int) -> None:
    """Planted edits of training vectors are found among unrelated vectors, in any blocks."""
    rng = np.random.default_rng(seed)
    train, held = corpus(90, rng), corpus(60, rng)
    planted = rng.choice(60, 12, replace=False)
    held[planted] = unit(train[rng.choice(90, 12)] + 0.03 * rng.normal(size=(12, 24)))
    expected = (held.astype(float) @ train.astype(float).T).max(axis=1) >= 0.95
    assert expected[planted].all()
    assert expected.sum() < 60
    for cut in (5, 13, 1000):
        mine, other = both(Rows(train, 41), Rows(held, 17), 0.95, cut)
        assert np.array_equal(other, expected)
        assert np.array_equal(mine, both(Rows(held, 17), Rows(train, 41), 0.95, cut)[1])


@pytest.mark.parametrize("kind", [np.float32, np.float16])
def test_equal_images_are_duplicates_at_a_cosine_of_one(kind: type) -> None:
    """Rounding costs no identical pair, in either precision of storage."""
    rng = np.random.default_rng(1)
    rows: np.ndarray = corpus(40, rng)[rng.integers(40, size=120)].astype(kind)
    found = clusters(Rows(rows), 1.0, 16)
    assert partition(found) == partition(np.unique(rows, axis=0, return_inverse=True)[1])
    assert both(Rows(rows), Rows(rows[:9]), 1.0)[1].all()


def test_pairs_at_the_limit_do_not_depend_on_the_blocks() -> None:
    """The limit is some pair's own cosine: the pair counts, however the corpus is cut."""
    rows = corpus(80, np.random.default_rng(4))
    wide = rows.astype(float)
    wide /= np.linalg.norm(wide, axis=1, keepdims=True)
    for i, j in ((3, 70), (10, 11), (40, 64)):
        limit = float(wide[i] @ wide[j])
        parts = [partition(clusters(Rows(rows), limit, cut)) for cut in (3, 33, 80)]
        assert all(p == parts[0] for p in parts)
        assert any({i, j} <= c for c in parts[0])


def test_copies_count_every_repeat_of_a_cluster() -> None:
    """Repeats of all members are added up; lengths must agree."""
    label = np.array([0, 1, 0, 3, 1, 0])
    assert copies(label, [1, 4, 2, 16, 1, 1]).tolist() == [4, 5, 4, 16, 5, 4]
    with pytest.raises(ValueError, match="repeats"):
        copies(label, [1])


def test_nothing_is_near_to_nothing() -> None:
    """Empty sides give empty answers; impossible cosines and other descriptors are errors."""
    rows = corpus(9, np.random.default_rng(0))
    none = Rows(np.empty((0, 24), np.float32))
    assert clusters(none, 0.9).shape == (0,)
    assert both(none, Rows(rows), 0.9)[1].tolist() == [False] * 9
    assert both(Rows(rows), none, 0.9)[1].shape == (0,)
    with pytest.raises(ValueError, match="between -1 and 1"):
        clusters(Rows(rows), 1.5)
    with pytest.raises(ValueError, match="no cosine"):
        both(Rows(rows[:, :8]), Rows(rows), 0.9)


@pytest.mark.usefixtures("small_shards")
def test_an_index_of_pictures_knows_its_duplicates(tmp_path: Path) -> None:
    """Pictures in several shards, three of them the same, one of which is held out as well."""
    train, held = made.pictures(30, 1), made.pictures(20, 2)
    train[11] = train[25] = train[4]
    held[6] = train[4]
    made.folder(tmp_path / "train", train)
    made.folder(tmp_path / "held", held)
    sides = {"train": find(tmp_path / "train"), "held": find(tmp_path / "held")}
    index = build(sides, Thumbnail(), tmp_path / "idx")
    place = {e.id: i for i, e in enumerate(index.train.entries)}
    found = clusters(index.train, 0.99)
    same = {place[f"{i:03d}.png"] for i in (4, 11, 25)}
    assert [c for c in partition(found) if len(c) > 1] == [frozenset(same)]
    mine, twins = both(index.train, index.held, 0.99)
    assert set(np.flatnonzero(mine)) == same
    assert [index.held.entry(int(i)).id for i in np.flatnonzero(twins)] == ["006.png"]
