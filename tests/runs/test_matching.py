"""Decision rules for copies: twin, conformal and fixed, on an index with planted copies."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from audit.datasets.find import find
from audit.evidence.copies import decision
from audit.evidence.copies.index import Descriptor, Index, build
from audit.evidence.copies.rule import CopyRule
from audit.evidence.copies.side import Side
from audit.evidence.encoders import named
from audit.records import Prompt, Suite
from audit.runs import matching
from tests.builders import running
from tests.evidence.copies import made, stored


def unit(x: np.ndarray) -> np.ndarray:
    """Rows of unit length."""
    return np.asarray(x / np.linalg.norm(x, axis=1, keepdims=True), np.float32)


class _Side:
    """A side of an index in memory, searched by brute force."""

    def __init__(self, vectors: np.ndarray) -> None:
        self.vectors = vectors
        self.left_out = np.zeros(len(vectors), bool)

    def __len__(self) -> int:
        return len(self.vectors)

    def blocks(self) -> list[np.ndarray]:
        return [self.vectors]


def planted(seed: int, copies: int, made: int = 500) -> tuple[pd.DataFrame, Any]:
    """A table of matches that begins with that many noisy copies, and its index."""
    rng = np.random.default_rng(seed)
    train, held = (_Side(unit(rng.standard_normal((600, 64)))) for _ in range(2))
    made_ = unit(rng.standard_normal((made, 64)))
    made_[:copies] = unit(train.vectors[:copies] + 0.05 * rng.standard_normal((copies, 64)))

    def nearest(v: np.ndarray, held_out: bool = False) -> tuple[np.ndarray, np.ndarray]:
        cosine = v @ (held if held_out else train).vectors.T
        return cosine.max(axis=1), cosine.argmax(axis=1)

    (score, where), (chance, there) = nearest(made_), nearest(made_, True)
    table = pd.DataFrame({"score": score, "held_score": chance, "train": where, "held": there})
    return table, SimpleNamespace(train=train, held=held, nearest=nearest, crops=1)


@pytest.mark.parametrize("rule", ["twin", "conformal"])
@pytest.mark.parametrize("seed", range(3))
def test_planted_copies_are_found(rule: str, seed: int) -> None:
    """Every noisy copy, and few others."""
    table, index = planted(seed, 30)
    table.loc[499, ["score", "held_score"]] = np.nan
    words, got = decision.decide(table, index, CopyRule(rule), 0.1, seed)
    assert got.selected[:30].all()
    assert got.selected[30:].sum() <= 8
    assert not got.selected[499]
    assert "q = 0.1" in words
    assert not got.need


def test_too_few_to_stand_out() -> None:
    """A few copies cannot pass the twin at one in ten; the message says how many could."""
    table, index = planted(1, 4)
    _, got = decision.decide(table, index, CopyRule("twin"), 0.1, 0)
    assert not got.selected.any()
    assert "at least 10" in got.need


@pytest.mark.parametrize("rule", ["twin", "conformal"])
def test_nothing_is_called_without_a_held_out_set(rule: str) -> None:
    """Without held-out images there is no error rate and no copies, except by a fixed threshold."""
    table, index = planted(2, 30)
    index.held = _Side(np.empty((0, 64), np.float32))
    words, got = decision.decide(table, index, CopyRule(rule), 0.1, 0)
    assert not got.selected.any()
    assert "--held-out" in got.need
    assert words.startswith("none")
    words, got = decision.decide(table, index, CopyRule("fixed", 0.7), 0.1, 0)
    assert got.selected[:30].all()
    assert "unknown" in words


def test_the_null_is_drawn_from_the_held_out_images() -> None:
    """Nearest training image of each held-out image, drawn by seed where there are many."""
    _, index = planted(3, 0)
    every = decision.null(index, 0)
    assert np.allclose(np.sort(every), np.sort(index.nearest(index.held.vectors)[0]))
    assert np.array_equal(decision.null(index, 5, 50), decision.null(index, 5, 50))
    assert len(decision.null(index, 5, 50)) == 50


@pytest.mark.parametrize("asked", ["auto", "ivf-sq8"])
def test_a_search_says_how_and_what_it_finds(tmp_path: Path, asked: str) -> None:
    """A small set is compared completely; lists on demand have a recall of planted copies."""
    rng = np.random.default_rng(0)
    side = stored.side(tmp_path, [unit(rng.standard_normal((2000, 16)))], "float32")
    index = Index(tmp_path, "k", "n", Descriptor("d", "k"), 16, side, Side([], 16), 1.0, {})
    made, how = decision.prepared_search(index, asked, 0)
    assert how.kind == ("flat" if asked == "auto" else asked)
    assert (how.recall is None) == (asked == "auto")
    score, where = made.nearest(unit(np.ones((1, 16))))
    want = np.concatenate(list(side.blocks())) @ unit(np.ones((1, 16)))[0]
    assert where[0] == want.argmax()
    assert score[0] == pytest.approx(want.max(), abs=1e-6)
    if how.recall is not None:
        assert 0.9 < how.recall[1] <= how.recall[0] <= 1
        far, near = (decision.recall_at(made, 0, c)[0] for c in (0.3, 0.99))
        assert far <= near


def test_what_copying_may_go_with_is_joined(tmp_path: Path) -> None:
    """Complexity of the nearest image, words of the prompt, captions with the same words."""
    side = stored.side(tmp_path, [unit(np.eye(4))], "float32")
    index = Index(tmp_path, "k", "n", Descriptor("d", "k"), 4, side, Side([], 4), 1.0, {})
    flat, busy = np.zeros((8, 8, 3), np.uint8), np.arange(192, dtype=np.uint8).reshape(8, 8, 3)
    prompt = Prompt("p", "a photo of a nurse", "nurse", "b", "representation", 1)
    suite = Suite("s", "t", "q", (prompt,), (), (), ())
    corpus = SimpleNamespace(image={"0-0": flat, "0-1": busy}.__getitem__)
    run = running.run(tmp_path, suite, corpus=corpus)
    table = pd.DataFrame({"prompt": "p", "train": ["0-0", "0-1", "0-1"], "outcome": "label",
                          "arm": ["none", "none", "m"]})  # fmt: skip
    made = matching.with_factors(run, table, index, None)
    assert made.train.tolist() == ["0-0", "0-1"]
    assert made.entropy.tolist()[0] == 0 < made.entropy.tolist()[1]
    assert made.tokens.tolist() == [5, 5]
    assert made.captions.tolist() == [0, 0]


@pytest.mark.parametrize("seed", range(3))
def test_near_duplicates_are_listed_and_become_a_factor(tmp_path: Path, seed: int) -> None:
    """Planted clusters of images with a little noise: all listed, nothing else, all counted.

    Then the nearest image's count is joined to matches, and absent where nothing is repeated.
    """
    rng = np.random.default_rng(seed)
    some = made.pictures(24, seed)
    planted = {1: 3, 7: 2, 15: 4}
    for original, times in planted.items():
        near = rng.integers(-2, 3, (times - 1, *some[original].shape))
        some += list(np.clip(some[original] + near, 0, 255).astype(np.uint8))
    made.folder(tmp_path / "train", some)
    source, encoder = find(tmp_path / "train"), named.named("pixels")
    index = build({"train": source}, encoder, tmp_path / "idx")
    table, facts = decision.duplicates(index, encoder, source.image, seed)
    assert facts["clusters"] == 3
    assert sorted(table.images.unique().tolist()) == [2, 3, 4]
    assert table.images.is_monotonic_decreasing
    assert set(table.image) == {f"{i:03}.png" for i in (*planted, *range(24, 30))}
    assert (table.groupby("cluster").repeats.sum() == table.groupby("cluster").held.first()).all()
    rows = pd.DataFrame({"train": ["001.png", "015.png", "003.png"]})
    joined = decision.with_duplicates(
        rows, index, decision.duplicate_clusters(index, facts["cosine"])
    )
    assert joined.duplicates.tolist() == [3, 4, 1]
    assert "duplicates" not in decision.with_duplicates(rows, index, None)
    bare = build({"train": find(made.folder(tmp_path / "bare", made.pictures(9, seed + 9)))},
                 encoder, tmp_path / "bare-idx")  # fmt: skip
    assert "duplicates" not in decision.with_duplicates(
        rows, bare, decision.duplicate_clusters(bare, 0.99)
    )
