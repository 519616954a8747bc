"""Copies beyond obedience: what obeying captions explains is never flagged, copies are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from audit.evidence.copies import decision, obedience, sides
from audit.evidence.copies.facts import HELD, TRAINING, Control
from audit.evidence.copies.index import Index
from audit.evidence.copies.manifest import Descriptor
from audit.evidence.copies.rule import CopyRule
from audit.records import Prompt
from audit.stats.exchange import beyond, exchanged
from audit.stats.likeness import Likeness
from tests.evidence.copies import stored
from tests.sizes import at_most, draws

D = 48


@dataclass(frozen=True)
class Drawn:
    """A run's images: of captions of both sides, whose images they resemble, and of others."""

    table: pd.DataFrame
    vectors: np.ndarray
    index: Index
    by: sides.Sides
    prompts: list[Prompt]

    def near(self, seed: int = 0) -> obedience.Nearness:
        """Nearness to equal numbers of images of both sides."""
        found = obedience.captions(self.prompts, self.index, self.by)
        return obedience.nearness(found, self.table.prompt, self.vectors, self.index, self.by, seed)

    def judged(self, rule: str = "twin") -> tuple[np.ndarray, np.ndarray, Control]:
        """Flagged and open images of training captions, bool[n] both, and their control."""
        asked = decision.Asked(CopyRule.parse(rule), 0.1, 0, self.table.kind.to_numpy(object))
        made, controls = obedience.beyond_obedience(
            self.table, self.vectors, (self.index, self.by), asked, self.near()
        )
        mine = (self.table.kind == TRAINING).to_numpy()
        return made.selection.selected[mine], made.unsettled[mine], controls["none"]


def drawn(  # noqa: PLR0913 - what a case varies
    folder: Path, seed: int, copies: int, held: int = 300, controls: int = 60,
    seeds: tuple[int, int] = (2, 2), obey: float = 1.0,
) -> Drawn:  # fmt: skip
    """300 training images, 60 of whose captions are asked for; the first images are copies.

    How well a caption is obeyed differs from caption to caption, alike on both sides.
    """
    rng = np.random.default_rng(seed)
    both = [stored.unit(rng.standard_normal((n, D))) for n in (300, held)]
    rows: list[tuple[str, str, str]] = []
    vectors, prompts = [], []
    for kind, source, n, times in zip((TRAINING, HELD), both, (60, controls), seeds, strict=True):
        for i, level in zip(rng.permutation(len(source))[:n], rng.gamma(2, obey / 2, n),
                            strict=True):  # fmt: skip
            name = f"{kind}/{i}"
            prompts.append(Prompt(name, f"{kind}, {i}!", "", "b", "replication", times,
                                  repeats=1 if kind == TRAINING else 0))  # fmt: skip
            rows += [(name, "none", kind)] * times
            vectors += [level * source[i] + rng.standard_normal(D) / D**0.5 for _ in range(times)]
    for i in range(30):
        prompts.append(Prompt(f"o/{i}", "a dog", "", "b", "representation", 1))
        rows.append((f"o/{i}", "none", "ordinary"))
        vectors.append(rng.standard_normal(D))
    table = pd.DataFrame(rows, columns=["prompt", "arm", "kind"])
    made = stored.unit(np.array(vectors))
    own = [int(p.split("/")[1]) for p in table.prompt[:copies]]
    made[:copies] = stored.unit(both[0][own] + 0.02 * rng.standard_normal((copies, D)))
    pair = [stored.side(folder, [v], "float32", k, k)
            for k, v in zip((TRAINING, HELD), both, strict=True)]  # fmt: skip
    index = Index(folder, "k", "n", Descriptor("d", "k"), D, pair[0], pair[1], 1.0, {})
    by = sides.Sides(np.ones(300, bool), np.ones(held, bool), Likeness(0.5, 0.5), True,
                     np.arange(300), np.zeros(held, bool))  # fmt: skip
    (score, where), (chance, there) = index.nearest(made), index.nearest(made, True)
    table = table.assign(score=score, held_score=chance, train=where, held=there)
    return Drawn(table, made, index, by, prompts)


@draws(4, 200)
@pytest.mark.parametrize("rule", ["twin", "fixed:0.75"])
def test_obedience_alone_is_no_copying(tmp_path: Path, rule: str, runs: int) -> None:
    """Full obedience and no copy: something is flagged in at most one of twenty runs."""
    wrong = 0
    for seed in range(runs):
        case = drawn(tmp_path / str(seed), seed, 0)
        picked, _, control = case.judged(rule)
        wrong += bool(picked.any())
        assert control.prompts == 60
        assert not control.doubt
        near = case.near()
        assert all((near.toward[near.of == side] > 0).mean() > 0.7 for side in (TRAINING, HELD))
    assert at_most(wrong, runs, 0.05)


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("held", "controls", "seeds"),
    [(150, 60, (2, 2)), (300, 30, (2, 2)), (300, 60, (4, 2)), (300, 60, (2, 4)), (600, 60, (2, 2))],
)
def test_obedience_alone_at_other_sizes(
    tmp_path: Path, held: int, controls: int, seeds: tuple[int, int]
) -> None:
    """The same with sides, numbers of captions or of their images that differ."""
    wrong = sum(
        bool(drawn(tmp_path / str(s), s, 0, held, controls, seeds).judged()[0].any())
        for s in range(100)
    )
    assert at_most(wrong, 100, 0.05)


@pytest.mark.parametrize("rule", ["twin", "fixed:0.9"])
def test_copies_are_found_in_spite_of_obedience(tmp_path: Path, rule: str) -> None:
    """Thirty copies among 120 images that obey: nearly all are flagged, and few others.

    A fixed line flags the most obedient, too; the control says how many.
    """
    picked, _, control = drawn(tmp_path, 1, 30).judged(rule)
    assert picked[:30].mean() > 0.9
    assert picked[30:].mean() <= max(0.1, 2 * control.alike)
    assert control.alike < 0.15
    assert control.p <= 0.05


def test_few_copies_are_open(tmp_path: Path) -> None:
    """Six copies cannot be flagged at one in ten, and are not said to be none."""
    picked, still, _ = drawn(tmp_path, 2, 6, obey=0.5).judged()
    assert not picked.any()
    assert still[:6].all()


@pytest.mark.parametrize("controls", [0, 4])
def test_without_a_control_nothing_is_decided(tmp_path: Path, controls: int) -> None:
    """Training captions alone, or with four others: all open, with a way out."""
    for rule in ("twin", "fixed:0.75"):
        picked, still, control = drawn(tmp_path, 3, 30, controls=controls).judged(rule)
        assert not picked.any()
        assert still.all()
        assert "t2i-audit captions" in control.doubt


def test_sides_that_differ_are_no_control(tmp_path: Path) -> None:
    """Held-out images of another source, or captions of more images than a side has."""
    case = drawn(tmp_path, 4, 30)
    other = replace(case, by=replace(case.by, found=Likeness(0.001, 0.5)))
    assert "do not look like" in other.judged()[2].doubt
    few = np.arange(300) < 55
    small = replace(case, by=replace(case.by, held=few))
    assert "more images than the 55" in small.judged()[2].doubt


def test_only_captions_of_one_side_count(tmp_path: Path) -> None:
    """By words alone; a caption of both sides is neither's, a declared one is training's."""
    case = drawn(tmp_path, 5, 0)

    def prompt(text: str, purpose: str, repeats: int | None) -> Prompt:
        return Prompt(f"{text} {purpose} {repeats}", text, "", "b", purpose, 1, repeats=repeats)

    asked = [
        prompt("TRAINING... 7", "representation", None), prompt("held out 7", "replication", None),
        prompt("held-out 8", "replication", 2), prompt("elsewhere", "replication", None),
        prompt("elsewhere", "replication", 0), prompt("elsewhere", "representation", None),
        prompt("!", "representation", None),
    ]  # fmt: skip
    found = obedience.captions(asked, case.index, case.by)
    assert list(found.of.values()) == [TRAINING, HELD, TRAINING]
    assert [np.flatnonzero(own).tolist() for own in found.own] == [[7], [7]]
    shared = replace(case.by, shared=np.arange(300) == 7)
    assert HELD not in obedience.captions(asked, case.index, shared).of.values()


def test_every_caption_finds_its_own_image(tmp_path: Path) -> None:
    """Of 300 held-out images 150 are compared with as many training images, each asked-for one."""
    case = drawn(tmp_path, 6, 0, held=150, obey=30.0)
    near = case.near()
    there = near.of != ""
    assert (near.toward[there] > 0).all()
    ids = {f"{'train' if k == TRAINING else 'held'}/{n}" for k, n in
           (p.split("/") for p in case.table.prompt[there])}  # fmt: skip
    assert set(near.matched[there]) == ids


@draws(40, 1000)
def test_exchanging_prompts_is_exact(runs: int) -> None:
    """Values that depend on their prompt, no effect: p of .05 or less in one of twenty."""
    rng, small = np.random.default_rng(0), 0
    for _ in range(runs):
        prompts = np.repeat(np.arange(40), 3)
        values = rng.standard_exponential(40)[prompts] + 0.1 * rng.standard_normal(120)
        groups = np.repeat([0, 1, 2], [20, 10, 10])
        small += exchanged(values, prompts, groups, lambda v, c: 1.5, rng, 99)[1] <= 0.05
    assert at_most(small, runs, 0.05)


def test_the_line_is_benjamini_and_hochbergs() -> None:
    """Against a control of 99, three of four pass; without values nothing does."""
    control = np.arange(99.0)
    values = np.array([98.5, 97.5, 95.5, 10.0])
    assert beyond(0.1)(values, control) == 95.5
    assert beyond(0.1)(values, np.empty(0)) == np.inf
    assert beyond(0.1)(np.empty(0), control) == np.inf
