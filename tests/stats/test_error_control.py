"""Copies at a stated error rate: planted ones found, false ones counted, over many replicates."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import kstest

from audit.stats.error_control import Selection, conformal, fixed, twin

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
