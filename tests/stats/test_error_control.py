"""Copies at a stated error rate: planted ones found, false ones counted, over many replicates."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import kstest

from audit.stats.error_control import Selection, conformal, fixed, subsets, twin

Q = 0.1


def replicate(seed: int, scale: float, copies: int, n: int = 600) -> dict[str, tuple[int, int]]:
    """True and false calls of both rules on a Gaussian generator of a scale with copies planted."""
    rng = np.random.default_rng(seed)
    train, held, null = rng.standard_normal((3, n, 32))
    made = scale * rng.standard_normal((n, 32))
    made[:copies] = train[rng.permutation(n)[:copies]] + 0.3 * rng.standard_normal((copies, 32))
    near, far, base = cdist(made, train), cdist(made, held), cdist(null, train)
    w = np.log(far.min(1) / near.min(1))
    matched = np.where(w > 0, near.argmin(1), -1 - far.argmin(1)).astype(str)
    found = {"twin": twin(w, matched, Q), "conformal": conformal(-near.min(1), -base.min(1), Q)}
    return {k: (int(s.selected[:copies].sum()), int(s.selected[copies:].sum()))
            for k, s in found.items()}  # fmt: skip


def rates(scale: float, copies: int, rule: str, runs: int = 40) -> tuple[float, float, float]:
    """Power, false discovery rate, and share of runs that call anything."""
    found = [replicate(s, scale, copies)[rule] for s in range(runs)]
    power = np.mean([t / max(copies, 1) for t, _ in found])
    fdr = np.mean([f / max(1, t + f) for t, f in found])
    return float(power), float(fdr), float(np.mean([t + f > 0 for t, f in found]))


@pytest.mark.parametrize("scale", [1.0, 0.9, 1.2])
def test_the_twin_holds_its_rate_and_finds_two_percent_of_copies(scale: float) -> None:
    """At q = .1 the false discovery rate is at most .13, power at least .9, at any scale."""
    power, fdr, _ = rates(scale, 12, "twin")
    assert fdr <= 0.13
    assert power >= 0.9


def test_a_shrunk_generator_deceives_the_null_and_not_the_twin() -> None:
    """Without a single copy, the null alone flags a generator shrunk by .9 as copying."""
    assert rates(0.9, 0, "twin")[2] <= 0.1
    assert rates(0.8, 0, "conformal")[2] > 0.5
    assert rates(0.9, 12, "conformal")[1] > rates(0.9, 12, "twin")[1]


def test_the_null_holds_where_its_assumption_does() -> None:
    """A generator of the right scale: power, and a rate near q."""
    power, fdr, _ = rates(1.0, 12, "conformal")
    assert power >= 0.9
    assert fdr <= 0.14


def test_p_is_uniform_without_copies() -> None:
    """Scores and null from one distribution."""
    rng = np.random.default_rng(0)
    p = conformal(rng.normal(size=2000), rng.normal(size=2000), Q).p
    assert kstest(p, "uniform").pvalue > 0.01


def test_what_it_would_take_is_said() -> None:
    """Too few held-out images, and too few that stand out."""
    scores = np.linspace(0.1, 0.9, 100)
    few = conformal(scores, np.full(50, 0.95), Q)
    assert not few.selected.any()
    assert few.need == "50 held-out images cannot single out one image of 100; 999 could"
    alone = twin(np.array([2.0, 1.5, -0.1]), np.array(["a", "b", "c"]), Q)
    assert math.isinf(alone.threshold)
    assert alone.need == "at least 10 images must stand out"
    assert conformal(scores, np.full(2000, 0.0), Q).need == ""


def test_missing_images_are_never_called() -> None:
    """NaN scores and evidence stay out of all three rules."""
    scores = np.array([np.nan, 0.99, 0.2])
    for got in (
        fixed(scores, 0.5), conformal(scores, np.zeros(1000), Q),
        twin(np.array([np.nan] + [3.0] * 12), np.array([None, *"abcdefghijkl"], object), Q),
    ):  # fmt: skip
        assert isinstance(got, Selection)
        assert not got.selected[0]
        assert got.selected[1]


def test_images_of_one_match_are_one_piece_of_evidence() -> None:
    """Twelve images of one training image do not make twelve pieces of evidence."""
    w = np.full(12, 2.0)
    assert not twin(w, np.full(12, "t"), Q).selected.any()
    assert twin(w, np.array(list("abcdefghijkl")), Q).selected.all()
    assert twin(w, np.full(12, "t"), Q).evidence == 1


def test_a_line_is_a_cosine() -> None:
    """A fixed threshold calls what reaches it, and only a cosine is one."""
    assert fixed(np.array([0.5, 0.49]), 0.5).selected.tolist() == [True, False]
    with pytest.raises(ValueError, match="not a cosine"):
        fixed(np.array([0.5]), 5)


def draws_of(
    rng: np.random.Generator, train: np.ndarray, held: np.ndarray, made: np.ndarray, count: int
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """W and matches of images against windows of the larger side as large as the smaller one."""
    size, ws, names = min(len(train), len(held)), [], []
    orders = [rng.permutation(len(s)) for s in (train, held)]
    for k in range(count):
        pick = [np.take(o, np.arange(size) + k * len(o) // count, mode="wrap") for o in orders]
        near, far = cdist(made, train[pick[0]]), cdist(made, held[pick[1]])
        w = np.log(far.min(1) / near.min(1))
        mine, other = (p[d.argmin(1)] for p, d in zip(pick, (near, far), strict=True))
        ws.append(w)
        names.append(np.where(w > 0, mine, -1 - other).astype(str).astype(object))
    return ws, names


@pytest.mark.parametrize("sizes", [(250, 200), (200, 400)])
def test_several_subsets_hold_the_rate_over_matches(sizes: tuple[int, int]) -> None:
    """Without copies and with 60: false matched training images at most q of all selected."""
    false, found, something = [], [], []
    for seed in range(16):
        rng = np.random.default_rng(seed)
        train, held = (rng.standard_normal((n, 12)) for n in sizes)
        made = 0.9 * rng.standard_normal((240, 12))
        plain = subsets(*draws_of(rng, train, held, made, 6), Q)
        something.append(bool(plain.selected.any()))
        made[:60] = train[:60] + 0.01 * rng.standard_normal((60, 12))
        got = subsets(*draws_of(rng, train, held, made, 6), Q)
        found.append(got.selected[:60].mean())
        near = cdist(made, train).argmin(1)
        units = {*near[got.selected]}
        false.append(len(units - set(range(60))) / max(1, len(units)))
        assert not got.unsettled.any()
    assert np.mean(false) <= 0.13
    assert np.mean(found) > 0.9
    assert np.mean(something) <= 0.15


@pytest.mark.parametrize("q", [0.1, 0.05])
def test_equal_subsets_are_the_twin_at_half_the_rate(q: float) -> None:
    """With one subset that is drawn again and again, what is selected at q / 2 is selected."""
    rng = np.random.default_rng(4)
    w = np.concatenate([rng.normal(2, 0.3, 80), rng.normal(0, 0.3, 300)])
    names = np.arange(380).astype(str).astype(object)
    got = subsets([w] * 3, [names] * 3, q)
    assert np.array_equal(got.selected, twin(w, names, q / 2).selected)
    assert got.threshold == pytest.approx(w[got.selected].min())


@pytest.mark.parametrize(("copies", "n"), [(1, 200), (5, 200), (9, 500), (12, 500)])
def test_what_stands_out_and_cannot_be_flagged_is_open(copies: int, n: int) -> None:
    """Fewer than ten: open, not rejected; with fewer than ten images in all, each that may be."""
    rng = np.random.default_rng(copies)
    w = np.concatenate([np.full(copies, 3.0), rng.normal(0, 0.2, n)])
    names = np.arange(len(w)).astype(str).astype(object)
    got = twin(w, names, Q)
    assert got.selected[:copies].all() == (copies >= 10)
    assert got.unsettled[:copies].all() == (copies < 10) or copies == 1
    assert twin(w[:8], names[:8], Q).unsettled.tolist() == (w[:8] > 0).tolist()
    scores = np.concatenate([np.full(copies, 0.99), rng.normal(0.4, 0.02, n)])
    few = conformal(scores, rng.normal(0.4, 0.02, 50), Q)
    assert (few.unsettled | few.selected)[:copies].all()
    ample = conformal(scores, rng.normal(0.4, 0.02, 40 * n), Q)
    assert ample.selected[:copies].all()
    assert not ample.unsettled.any()


def test_images_of_a_few_modes_are_counted_by_match() -> None:
    """Three modes of 200 images: whatever is selected, the rate is over matches, which are few."""
    false = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        train, held = rng.standard_normal((2, 300, 8))
        modes = rng.standard_normal((3, 8))
        made = modes[rng.integers(3, size=224)] + 0.01 * rng.standard_normal((224, 8))
        made[:24] = train[:24] + 0.01 * rng.standard_normal((24, 8))
        near, far = cdist(made, train), cdist(made, held)
        w = np.log(far.min(1) / near.min(1))
        names = np.where(w > 0, near.argmin(1), -1 - far.argmin(1)).astype(str)
        units = {*names[twin(w, names, Q).selected]}
        false.append(len(units - set(map(str, range(24)))) / max(1, len(units)))
    assert np.mean(false) <= 0.13
