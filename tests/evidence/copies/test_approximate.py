"""Lists of codes say where to look; what is found there is scored exactly, and kept whole."""

from __future__ import annotations

import dataclasses
import itertools
import os
import random
from collections.abc import Callable
from pathlib import Path

import faiss
import numpy as np
import pytest

from audit.errors import UserError
from audit.evidence.copies import approximate, chooser
from audit.evidence.copies.chooser import choose
from audit.evidence.copies.index import Index
from audit.evidence.copies.manifest import Descriptor
from audit.evidence.copies.side import Side
from tests.evidence.copies import stored

IVF = ("ivf-sq8", "ivf-rabitq")
D = 48


def vectors(seed: int, n: int = 3000) -> np.ndarray:
    """Clustered vectors."""
    return stored.clustered(np.random.default_rng(seed), n, D)


def made(folder: Path, rows: np.ndarray, name: str = "train", dtype: str = "float16") -> Side:
    """A side of shards of 700 rows."""
    return stored.side(folder, (rows[i : i + 700] for i in range(0, len(rows), 700)), dtype, name)


def all_lists(choice: chooser.Choice) -> chooser.Choice:
    """The same lists, every one of which is looked into."""
    return dataclasses.replace(choice, nprobe=choice.nlist)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", IVF)
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_what_is_found_has_its_exact_score(
    kind: str, seed: int, dtype: str, tmp_path: Path
) -> None:
    """Wherever a neighbour agrees with the exact search, its score does to the last bit."""
    side = made(tmp_path, vectors(seed), dtype=dtype)
    queries = np.concatenate([vectors(seed + 10, 100), side.rows(np.arange(5, 3000, 30))])
    exact, where = side.nearest(queries, 5)
    lists = approximate.build(side, tmp_path, choose(3000, D, 1 << 30, kind))
    scores, found = side.through(lists).nearest(queries, 5)
    assert np.array_equal(found[100:, 0], np.arange(5, 3000, 30))  # the vectors themselves
    assert (scores <= exact).all()
    assert np.array_equal(scores[found == where], exact[found == where])
    assert (found == where).mean() > 0.8
    np.testing.assert_array_equal(scores, side.score(queries, found))


@pytest.mark.parametrize("kind", IVF)
def test_few_vectors_in_all_lists_are_the_exact_search(kind: str, tmp_path: Path) -> None:
    """With no more vectors than candidates nothing is approximate: ids, scores, ties, the end."""
    rows = vectors(1, 90)
    rows[40:60] = rows[7]
    side = made(tmp_path, rows)
    lists = approximate.build(side, tmp_path, all_lists(choose(90, D, 1 << 30, kind)))
    queries = np.concatenate([vectors(2, 20), rows[:10]])
    for k in (1, 12, 95):
        for mine, exact in zip(side.through(lists).nearest(queries, k), side.nearest(queries, k),
                               strict=True):  # fmt: skip
            np.testing.assert_array_equal(mine, exact)


@pytest.mark.parametrize("kind", IVF)
def test_only_positions_leave_and_none_that_is_left_out(kind: str, tmp_path: Path) -> None:
    """Candidates are integers, and what a side leaves out is not among them, in any number."""
    side = made(tmp_path, vectors(3))
    lists = approximate.build(side, tmp_path, all_lists(choose(3000, D, 1 << 30, kind)))
    out = np.random.default_rng(4).random(3000) < 0.97
    queries = vectors(5, 30)
    assert lists.candidates(queries, 1).dtype == np.int64
    found = lists.candidates(queries, 1, ~out)
    assert set(found[found >= 0]) == set(np.flatnonzero(~out))
    less = side.without(out)
    mine, exact = less.through(lists).nearest(queries, 3), less.nearest(queries, 3)
    np.testing.assert_array_equal(mine[1], exact[1])
    np.testing.assert_array_equal(mine[0], exact[0])


@pytest.mark.parametrize("kind", IVF)
def test_pieces_give_the_candidates_of_one_go(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Where codes exceed the memory given to them, several files say the same as one."""
    side, queries = made(tmp_path / "s", vectors(6)), vectors(7, 40)
    choice = choose(3000, D, 1 << 30, kind)
    once = approximate.build(side, tmp_path / "a", choice)
    size = once.pieces[0].code_size + 8
    monkeypatch.setattr(approximate, "PIECE", 1400 * size)
    lists = approximate.build(side, tmp_path / "b", choice)
    assert [p.ntotal for p in lists.pieces] == [1400, 1400, 200]
    expected = once.candidates(queries, 1)
    (tmp_path / "b").rename(tmp_path / "c")
    for found in (lists, approximate.build(side, tmp_path / "c", choice)):
        mine = found.candidates(queries, 1)
        assert mine.shape == expected.shape
        assert [len(set(m) - set(e)) for m, e in zip(mine, expected, strict=True)] == [0] * 40
    assert capfd.readouterr().out == ""  # which is for results


def test_lists_are_made_once_and_read_from_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second time nothing is trained, and lists stay on disk; what is damaged is remade."""
    side, choice = made(tmp_path, vectors(8)), choose(3000, D, 1 << 30, "ivf-sq8")
    monkeypatch.setattr(approximate, "PIECE", 1400 * (D + 8))
    first = approximate.build(side, tmp_path, choice)
    with monkeypatch.context() as patch:
        patch.setattr(approximate, "_trained", None)
        second = approximate.build(side, tmp_path, choice)
        assert second.paths == first.paths
    for piece in second.pieces:
        kept = faiss.downcast_InvertedLists(piece.invlists)
        assert isinstance(kept, faiss.OnDiskInvertedLists)
    for damage in (lambda p: p.write_bytes(p.read_bytes()[:1000]), Path.unlink):
        damage(first.paths[1])
        third = approximate.build(side, tmp_path, choice)
        assert sum(p.ntotal for p in third.pieces) == 3000


@pytest.mark.parametrize("kind", IVF)
def test_a_flipped_bit_anywhere_in_the_lists_is_noticed(kind: str, tmp_path: Path) -> None:
    """Codes and centroids alike: damaged lists are made again, and give the same candidates."""
    side, choice = made(tmp_path, vectors(7)), choose(3000, D, 1 << 30, kind)
    first, chance = approximate.build(side, tmp_path, choice), random.Random(kind)
    right, own = first.candidates(vectors(17, 20), 3), approximate.name(side, choice)
    whole = first.paths[0].read_bytes()
    for _ in range(30):
        torn = bytearray(whole)
        torn[chance.randrange(len(torn))] ^= 1 << chance.randrange(8)
        first.paths[0].unlink()  # the old lists are still mapped into memory
        first.paths[0].write_bytes(torn)
        assert approximate._read(tmp_path, own, side, choice) is None
    again = approximate.build(side, tmp_path, choice)
    assert np.array_equal(again.candidates(vectors(17, 20), 3), right)


def test_lists_of_other_vectors_are_never_read(tmp_path: Path) -> None:
    """The name hashes vectors and recipe; lists of vectors that are gone go, of the twin stay."""
    old, held = made(tmp_path, vectors(9)), made(tmp_path, vectors(9, 2000), "held")
    sq8, bits = (choose(3000, D, 1 << 30, kind) for kind in IVF)
    paths = [approximate.build(s, tmp_path, sq8).paths[0] for s in (held, old)]
    assert len({approximate.name(old, c, s) for c in (sq8, bits) for s in (0, 1)}) == 4
    new = made(tmp_path, vectors(10))
    assert approximate.name(new, sq8) != approximate.name(old, sq8)
    found = approximate.build(new, tmp_path, sq8)
    assert set(tmp_path.glob("*.lists")) == {paths[0], *found.paths}


@pytest.mark.parametrize("step", range(1, 10))  # three pieces, each written, flushed and named
def test_a_build_that_dies_leaves_nothing_that_is_read(
    step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk is one sentence at whichever step it comes, and the next build is as ever."""
    side, choice = made(tmp_path, vectors(11)), choose(3000, D, 1 << 30, "ivf-rabitq")
    monkeypatch.setattr(approximate, "PIECE", 1400 * 22)
    calls = itertools.count(1)

    def failing(real: Callable[..., None]) -> Callable[..., None]:
        def run(*given: object) -> None:
            if next(calls) == step:
                raise OSError(28, "No space left on device")
            real(*given)

        return run

    with monkeypatch.context() as patch:
        places = (faiss, "write_index"), (approximate, "_flush"), (os, "replace")
        for place, name in places:
            patch.setattr(place, name, failing(getattr(place, name)))
        with pytest.raises(UserError, match=r"No space left.*index itself is kept"):
            approximate.build(side, tmp_path, choice)
        assert next(calls) == step + 1
    assert not list(tmp_path.glob("*.tmp"))
    assert approximate._read(tmp_path, approximate.name(side, choice), side, choice) is None
    assert len(approximate.build(side, tmp_path, choice).paths) == 3


def test_the_sample_is_bounded_spread_and_seeded() -> None:
    """Distinct positions, one in each stratum, no more than asked for, from the seed alone."""
    for n, size in ((10, 20), (1000, 999), (10**9, 5000)):
        sample = approximate._sample(n, size, 3)
        assert len(sample) == min(n, size)
        assert (np.diff(sample) > 0).all()
        assert sample[0] >= 0
        assert sample[-1] < n
        assert np.array_equal(sample, approximate._sample(n, size, 3))
    wide = approximate._sample(10**9, 5000, 3)
    assert np.abs(wide - (np.arange(5000) + 0.5) * 10**9 / 5000).max() <= 10**9 / 5000
    assert not np.array_equal(wide, approximate._sample(10**9, 5000, 4))


def test_an_index_is_prepared_by_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small sets stay exact; beyond, each side by its own size, the twin never before the set."""
    train, held = made(tmp_path, vectors(12)), made(tmp_path, vectors(13, 2100), "held")
    index = Index(tmp_path, "k", "n", Descriptor("d", "d"), D, train, held, np.nan, {})
    assert approximate.prepared(index).train.finder is None
    monkeypatch.setattr(chooser, "FLAT_UNASKED", 2500)
    for memory, kind in ((1 << 30, "ivf-sq8"), (1, "ivf-rabitq")):
        ready = approximate.prepared(index, memory=memory)
        assert isinstance(ready.train.finder, approximate.Lists)
        assert ready.train.finder.choice.kind == kind
        assert ready.held.finder is None
    monkeypatch.setattr(chooser, "FLAT_UNASKED", 2000)
    assert approximate.prepared(index).held.finder is not None
    assert approximate.prepared(ready, "flat").train.finder is None
    one = dataclasses.replace(index, train=held, held=train)
    monkeypatch.setattr(chooser, "FLAT_UNASKED", 2500)
    assert approximate.prepared(one).held.finder is None


def test_lists_of_nothing_are_a_programming_error(tmp_path: Path) -> None:
    """An exact choice has no lists to build."""
    side = made(tmp_path, vectors(1, 50))
    with pytest.raises(ValueError, match="Lists need vectors"):
        approximate.build(side, tmp_path, choose(50, D, 1))
