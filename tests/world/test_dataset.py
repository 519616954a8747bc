"""The planted world: its sets, its captions and its truth."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from audit.world import truth
from audit.world.captions import TITLES
from audit.world.dataset import Item, balanced, planted, quota, training_set, twin_set
from audit.world.export import render_set, truth_table
from audit.world.models import training_shares


@pytest.fixture(scope="module")
def people() -> list[Item]:
    """Unplanted training images with a person."""
    return [i for i in training_set() if i.title is None and i.scene.sprite]


def test_the_training_set_fills_its_places() -> None:
    """Distinct images and their repeats add up to 8,000, 64 of them planted at four levels."""
    assert sum(i.repeats for i in training_set()) == 8_000
    assert Counter(i.repeats for i in planted()) == {1: 16, 4: 16, 16: 16, 64: 16}
    assert len({i.id for i in training_set()}) == len(training_set())


@pytest.mark.parametrize("occupation", truth.OCCUPATIONS, ids=lambda o: o.noun)
def test_planted_shares_are_met_to_rounding(
    occupation: truth.Occupation, people: list[Item]
) -> None:
    """Women and skin tones of every occupation follow the planted shares within one image."""
    mine = [
        i.scene.sprite for i in people if i.scene.sprite and i.scene.sprite.noun == occupation.noun
    ]
    assert abs(sum(p.gender == "woman" for p in mine) - occupation.p_woman * len(mine)) <= 1
    for tone, share in zip(truth.TONES, truth.BY_NOUN[occupation.noun].tones, strict=True):
        assert abs(sum(p.tone == tone for p in mine) - share * len(mine)) <= 1


def test_shares_from_labour_statistics_equal_the_source() -> None:
    """Every share that names a BLS row is that row's, where the source table is at hand."""
    source = Path(__file__).parents[3] / "shared" / "data" / "bls_table11_2022.csv"
    if not source.exists():
        pytest.skip("the labour statistics are outside the repository")
    table = pd.read_csv(source).drop_duplicates("occupation").set_index("occupation")
    for o in truth.OCCUPATIONS:
        if o.source != "declared":
            assert o.p_woman == pytest.approx(table.loc[o.source, "pct_women"] / 100)


def test_the_twin_is_as_large_and_shares_no_scene() -> None:
    """The held-out set has one image for every distinct training image, none of them the same."""
    train, twin = training_set(), twin_set()
    assert len(train) == len(twin)
    assert not {repr(i.scene) for i in train} & {repr(i.scene) for i in twin}


def test_the_twin_is_exchangeable_with_the_training_set() -> None:
    """Occupation, gender and colour are distributed alike on both sides (chi-square)."""
    from scipy.stats import chi2_contingency

    def counts(items: tuple[Item, ...], of: str) -> Counter[str]:
        scenes = [i.scene for i in items if i.title is None]
        return Counter(
            s.colour if of == "colour" else getattr(s.sprite, of, "nobody") for s in scenes
        )

    for of in ("noun", "gender", "colour"):
        a, b = counts(training_set(), of), counts(twin_set(), of)
        table = [[c[k] for k in sorted(a | b)] for c in (a, b)]
        assert chi2_contingency(table).pvalue > 0.001


def test_a_seed_gives_the_same_picture_and_another_seed_another() -> None:
    """Balanced renders are a function of their seed alone."""
    first, again, other = (balanced((s,), 5) for s in (1, 1, 2))
    assert all(np.array_equal(a.pixels(), b.pixels()) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0].pixels(), other[0].pixels())


def test_captions_state_attributes_as_often_as_declared(people: list[Item]) -> None:
    """A third of the captions names a gender; the word is always the right one."""
    words = {"woman": r"\b(woman|female)\b", "man": r"\b(man|male)\b"}
    stated = 0
    for item in people:
        assert item.scene.sprite
        other = "man" if item.scene.sprite.gender == "woman" else "woman"
        assert not re.search(words[other], item.caption)
        stated += bool(re.search(words[item.scene.sprite.gender], item.caption))
    assert abs(stated / len(people) - truth.P_STATED_GENDER) < 0.015


def test_planted_captions_are_their_own() -> None:
    """Each planted image has a title that is in no other caption."""
    text = Counter(word for i in training_set() for word in set(re.findall(r"\w+", i.caption)))
    assert len(set(TITLES)) == 64
    assert all(text[title] == 1 for title in TITLES)


def test_training_shares_are_those_the_generator_saw() -> None:
    """Shares count repeats, sum to one and stay near the planted ones."""
    shares = training_shares()
    for o in truth.OCCUPATIONS:
        assert shares[o.noun, "gender", "woman"] + shares[o.noun, "gender", "man"] == pytest.approx(
            1
        )
        assert abs(shares[o.noun, "gender", "woman"] - o.p_woman) < 0.25


@pytest.mark.parametrize("n", [0, 1, 7, 506])
def test_quota_is_exact(n: int) -> None:
    """Quotas are whole, sum to n and are within one of the share."""
    shares = (0.5, 0.2, 0.15, 0.1, 0.05)
    counts = quota(shares, n)
    assert sum(counts) == n
    assert all(abs(c - s * n) < 1 for c, s in zip(counts, shares, strict=True))


def test_rendering_a_set_writes_what_it_says(tmp_path: Path) -> None:
    """Images, masks, captions and labels are side by side, and a second call changes nothing."""
    table = pd.read_csv(render_set("planted", tmp_path, 3))
    files = sorted(p.name for p in (tmp_path / "images").glob("*.png"))
    assert list(table.id) == [f.removesuffix(".png") for f in files]
    times = [p.stat().st_mtime_ns for p in sorted(tmp_path.rglob("*.png"))]
    render_set("planted", tmp_path, 3)
    assert times == [p.stat().st_mtime_ns for p in sorted(tmp_path.rglob("*.png"))]


def test_the_truth_table_is_what_was_planted() -> None:
    """Each occupation's shares sum to one per attribute, and name their source."""
    sums = truth_table().groupby(["subject", "attribute"]).share.sum()
    assert np.allclose(sums, 1)
    assert set(truth_table().subject) == {o.noun for o in truth.OCCUPATIONS}


def test_the_embedded_world_is_drawn_once() -> None:
    """By default or by name, the same sets: neither is made, nor kept, twice."""
    assert training_set() is training_set(truth.EMBEDDED)
    assert twin_set() is twin_set(truth.EMBEDDED)
