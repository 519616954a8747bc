"""Decision rules for copies: twin, conformal and fixed, on an index with planted copies."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from audit.datasets.find import find
from audit.evidence.copies import decision, sides
from audit.evidence.copies.index import Index, build
from audit.evidence.copies.manifest import Descriptor
from audit.evidence.copies.rule import CopyRule
from audit.evidence.copies.side import Side
from audit.evidence.encoders import named
from audit.records import Prompt, Suite
from audit.runs import matching
from audit.stats.likeness import Likeness
from tests.builders import running
from tests.evidence.copies import made, stored


def unit(x: np.ndarray) -> np.ndarray:
    """Rows of unit length."""
    return np.asarray(x / np.linalg.norm(x, axis=1, keepdims=True), np.float32)


@dataclass(frozen=True)
class Planted:
    """Generated vectors that begin with copies, with their table of matches, index and sides."""

    table: pd.DataFrame
    made: np.ndarray
    index: Index
    by: sides.Sides

    def decide(self, rule: CopyRule, q: float = 0.1) -> decision.Decided:
        """The decision of a rule."""
        asked = decision.Asked(rule, q, 0)
        return decision.decide(self.table, self.made, self.index, self.by, asked)


def planted(
    folder: Path, seed: int, copies: int, held: int = 600, shift: float = 0.0, made: int = 500
) -> Planted:
    """600 training images, held-out ones of a source with its mean moved, noisy copies first."""
    rng = np.random.default_rng(seed)
    train = unit(rng.standard_normal((600, 64)))
    away = shift * np.where(np.arange(64) % 2, 1, -1)
    other = unit(rng.standard_normal((held, 64)) + away)
    made_ = unit(rng.standard_normal((made, 64)))
    made_[:copies] = unit(train[:copies] + 0.01 * rng.standard_normal((copies, 64)))
    both = [
        stored.side(folder, [rows] if len(rows) else [], "float32", name)
        for name, rows in (("train", train), ("held", other))
    ]
    index = Index(folder, "k", "n", Descriptor("d", "k"), 64, both[0], both[1], 1.0, {})
    by = sides.sides(index, 0.97, seed)
    (score, where), (chance, there) = index.nearest(made_), index.nearest(made_, True)
    table = pd.DataFrame({"score": score, "held_score": chance, "train": where, "held": there})
    return Planted(table, made_, index, by)


@pytest.mark.parametrize("held", [600, 480, 300, 120])
@pytest.mark.parametrize("seed", range(2))
def test_planted_copies_are_found_whatever_the_sizes(tmp_path: Path, held: int, seed: int) -> None:
    """Every noisy copy, and few others: by the twin on equal sides, or against a null."""
    case = planted(tmp_path, seed, 60, held)
    case.table.loc[499, ["score", "held_score"]] = np.nan
    case.made[499] = np.nan
    got = case.decide(CopyRule("twin"))
    assert case.by.sizes == (600, held)
    assert case.by.choice in ({600: "twin", 480: "subsets"}.get(held, "conformal"), "none")
    if case.by.choice == "none":
        assert got.doubt
        return
    assert got.selection.selected[:60].all()
    assert got.selection.selected[60:].sum() <= 14
    assert not got.selection.selected[499]
    assert not got.unsettled.any()
    assert "q = 0.1" in got.words
    assert f"{held:,} distinct held-out" in case.by.words


@pytest.mark.slow
@pytest.mark.parametrize("shift", [0.0, 0.1])
@pytest.mark.parametrize("held", [600, 480, 300, 120, 60])
def test_nothing_copied_is_nothing_flagged(tmp_path: Path, held: int, shift: float) -> None:
    """At any size of the held-out set, false flags in at most one of four runs, or no decision."""
    wrong = 0
    for seed in range(4):
        got = planted(tmp_path / str(seed), 10 + seed, 0, held, shift).decide(CopyRule("twin"))
        wrong += bool(got.selection.selected.any())
        assert got.selection.selected.mean() < 0.1
    assert wrong <= 1


@pytest.mark.parametrize("shift", [0.3, 1.0])
@pytest.mark.parametrize("held", [600, 480, 300, 120])
def test_sides_of_two_sources_decide_nothing(tmp_path: Path, shift: float, held: int) -> None:
    """Images from elsewhere say nothing about these: every image is open, with the reason."""
    case = planted(tmp_path, 0, 30, held, shift)
    for rule in ("twin", "conformal"):
        got = case.decide(CopyRule(rule))
        assert not got.selection.selected.any()
        assert got.unsettled.all()
        assert "do not look like" in got.doubt
        assert got.doubt in case.by.words


def test_what_is_on_both_sides_is_on_neither(tmp_path: Path) -> None:
    """A near-duplicate of a held-out image does not match one side alone; groups count once."""
    rng = np.random.default_rng(3)
    train, held = (unit(rng.standard_normal((n, 32))) for n in (120, 100))
    train[50:60] = unit(train[40] + 0.01 * rng.standard_normal((10, 32)))
    held[:7] = unit(train[:7] + 0.01 * rng.standard_normal((7, 32)))
    train[7] = train[6]
    both = [stored.side(tmp_path, [rows], "float32", name)
            for name, rows in (("train", train), ("held", held))]  # fmt: skip
    index = Index(tmp_path, "k", "n", Descriptor("d", "k"), 32, both[0], both[1], 1.0, {})
    by = sides.sides(index, 0.97, 0)
    assert np.flatnonzero(by.shared).tolist() == list(range(7))
    assert by.sizes == (120 - 10 - 8, 93)
    assert not by.train[:8].any()
    assert not decision.without_shared_images(index, by).held.left_out[7:].any()
    for mine, other in by.subsets(1):
        assert mine.sum() == other.sum() == 93
        assert not (mine & ~by.train).any()


@pytest.mark.parametrize("sizes", [(500, 400), (400, 900)])
def test_subsets_contain_every_image_equally_often(sizes: tuple[int, int]) -> None:
    """Windows of one order: counts differ by one at most, and the smaller side is whole."""
    masks = np.ones(sizes[0], bool), np.ones(sizes[1], bool)
    by = sides.Sides(masks[0], masks[1], Likeness(0.5, 0.5), True, np.arange(sizes[0]), ~masks[1])
    assert by.choice == "subsets"
    counts = np.sum([m[np.argmax(sizes)] for m in by.subsets(4)], axis=0)
    expected = sides.DRAWS * min(sizes) / max(sizes)
    assert np.abs(counts - expected).max() <= 1 + expected / 4


@pytest.mark.parametrize("held", [600, 120])
@pytest.mark.parametrize("copies", [1, 4, 9])
def test_too_few_to_be_flagged_are_open(tmp_path: Path, copies: int, held: int) -> None:
    """A few copies cannot pass at one in ten; none of them is said to be no copy."""
    case = planted(tmp_path, 5, copies, held)
    got = case.decide(CopyRule("twin"))
    assert got.selection.need
    assert not got.selection.selected[:copies].any()
    assert got.unsettled[:copies].all() or copies == 1
    assert got.unsettled.sum() < 60


@pytest.mark.parametrize("rule", ["twin", "conformal"])
@pytest.mark.parametrize("held", [0, 20])
def test_nothing_is_flagged_without_a_held_out_set(tmp_path: Path, rule: str, held: int) -> None:
    """Without enough held-out images there is no error rate, except none by a fixed threshold."""
    case = planted(tmp_path, 2, 30, held)
    got = case.decide(CopyRule(rule))
    assert not got.selection.selected.any()
    assert ("--held-out" if not held else "50 distinct") in got.selection.need
    assert got.words.startswith("none")
    assert got.unsettled.all()
    got = case.decide(CopyRule("fixed", 0.7))
    assert got.selection.selected[:30].all()
    assert "unknown" in got.words


def test_a_generator_that_leans_to_the_training_set_decides_nothing(tmp_path: Path) -> None:
    """Images that are a little nearer to the training set, none of them a copy: nothing is said."""
    case = planted(tmp_path, 7, 0, 120)
    rng = np.random.default_rng(1)
    made = unit(case.index.train.rows(np.arange(500)) + 2.5 * unit(rng.standard_normal((500, 64))))
    score, where = case.index.nearest(made)
    table = case.table.assign(score=score, train=where)
    asked = decision.Asked(CopyRule("twin"), 0.001, 0)
    got = decision.decide(table, made, case.index, case.by, asked)
    assert not got.selection.selected.any()
    assert "nearer to the training set" in got.doubt
    assert got.lean is not None
    assert got.lean.share > 0.6


def test_the_null_is_drawn_from_the_held_out_images(tmp_path: Path) -> None:
    """Nearest training image of each held-out image, drawn by seed where there are many."""
    index = planted(tmp_path, 3, 0).index
    every = decision.null(index, 0)
    held = np.concatenate(list(index.held.blocks()))
    assert np.allclose(np.sort(every), np.sort(index.nearest(held)[0]))
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
    by = sides.sides(index, facts["cosine"], 0)
    joined = decision.with_duplicates(rows, index, decision.duplicate_clusters(by, facts["cosine"]))
    assert joined.duplicates.tolist() == [3, 4, 1]
    assert "duplicates" not in decision.with_duplicates(rows, index, None)
    bare = build({"train": find(made.folder(tmp_path / "bare", made.pictures(9, seed + 9)))},
                 encoder, tmp_path / "bare-idx")  # fmt: skip
    assert "duplicates" not in decision.with_duplicates(
        rows, bare, decision.duplicate_clusters(sides.sides(bare, 0.99, 0), 0.99)
    )
