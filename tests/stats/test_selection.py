"""Selection of copies against its definition and against planted copies."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.spatial.distance import cdist
from scipy.stats import kstest

from audit.stats import selection
from audit.stats.multiplicity import benjamini_hochberg

W = arrays.arrays(float, st.integers(0, 60), elements=st.integers(-6, 12).map(lambda i: i / 2))


@given(W, st.sampled_from([0.05, 0.1, 0.2, 0.29, 0.5]))
def test_the_threshold_is_the_one_of_the_definition(w: np.ndarray, q: float) -> None:
    """Equal to trying every t > 0 among |w|, ties, zeros and empty arrays included."""
    tried = [t for t in np.abs(w) if t > 0 and (1 + np.sum(w <= -t)) / max(1, np.sum(w >= t)) <= q]
    assert selection.barber_candes(w, q) == min(tried, default=math.inf)


def test_nothing_is_selected_from_too_little() -> None:
    """No evidence, or fewer than 1 / q selections, gives an infinite threshold."""
    assert selection.barber_candes(np.empty(0), 0.1) == math.inf
    assert selection.barber_candes(np.zeros(50), 0.1) == math.inf
    assert selection.barber_candes(np.ones(9), 0.1) == math.inf
    assert selection.barber_candes(np.ones(10), 0.1) == 1.0


def test_missing_evidence_does_not_count_and_infinite_evidence_is_refused() -> None:
    """NaN changes no threshold; an infinite W would pass an infinite threshold."""
    w = np.array([3.0] * 12 + [-1.0])
    assert selection.barber_candes(np.append(w, [np.nan] * 30), 0.1) == 3.0
    for bad in (np.inf, -np.inf):
        with pytest.raises(ValueError, match="finite"):
            selection.barber_candes(np.append(w, bad), 0.1)


@given(W, W)
def test_conformal_p_counts_the_null(scores: np.ndarray, null: np.ndarray) -> None:
    """p = (1 + #{null >= s}) / (n + 1), by counting."""
    expected = [(1 + np.sum(null >= s)) / (len(null) + 1) for s in scores]
    assert selection.conformal_p(scores, null) == pytest.approx(np.array(expected))


def test_conformal_p_is_uniform_under_the_null() -> None:
    """Scores from the null have uniform p (Kolmogorov-Smirnov); none is ever 0."""
    rng = np.random.default_rng(7)
    p = selection.conformal_p(rng.standard_normal(400), rng.standard_normal(4000))
    assert kstest(p, "uniform").pvalue > 0.001
    assert p.min() >= 1 / 4001


def test_a_missing_score_is_not_the_strongest_evidence() -> None:
    """NaN stays NaN, missing null scores do not count, and without a null nothing is unusual."""
    p = selection.conformal_p(np.array([np.nan, 5.0]), np.array([1.0, np.nan, 6.0]))
    assert math.isnan(p[0])
    assert p[1] == pytest.approx(2 / 3)
    assert selection.conformal_p(np.array([9.0]), np.empty(0)).tolist() == [1.0]


@given(W.flatmap(lambda w: st.tuples(st.just(w), st.lists(st.integers(0, 5), min_size=len(w),
                                                          max_size=len(w)))))  # fmt: skip
def test_collapse_keeps_the_strongest_of_each_reference(case: tuple[np.ndarray, list[int]]) -> None:
    """One per reference, of the largest |w|, the first of equals."""
    w, references = case[0], np.array(case[1], int)
    keep = selection.collapse(w, references)
    assert keep.shape == w.shape
    for r in set(case[1]):
        rows = np.flatnonzero(references == r)
        assert np.flatnonzero(keep & (references == r)).tolist() == [
            rows[np.argmax(np.abs(w[rows]))]
        ]
    assert keep.sum() == len(set(case[1]))


def test_collapse_prefers_anything_to_a_missing_value() -> None:
    """A NaN stays only where its reference has nothing else."""
    keep = selection.collapse(np.array([np.nan, 0.1, np.nan]), np.array([1, 1, 2]))
    assert keep.tolist() == [False, True, True]


@dataclass(frozen=True)
class Toy:
    """Distances of generated points to training and held-out points, copies first."""

    near: np.ndarray
    far: np.ndarray
    null: np.ndarray
    copies: int


def toy(rng: np.random.Generator, copies: int, scale: float) -> Toy:
    """300 points of 32 Gaussian dimensions, a generator of another scale, and noisy copies."""
    train, held = rng.standard_normal((2, 300, 32))
    made = scale * rng.standard_normal((300, 32))
    made[:copies] = train[:copies] + 0.05 * rng.standard_normal((copies, 32))
    return Toy(cdist(made, train), cdist(made, held), cdist(held, train).min(1), copies)


def outcome(chosen: np.ndarray, copies: int) -> tuple[float, float]:
    """Share of copies found, and share of what was chosen that is not a copy."""
    return chosen[:copies].sum() / max(copies, 1), chosen[copies:].sum() / max(chosen.sum(), 1)


def twin(t: Toy) -> np.ndarray:
    """Selection by the twin design, one W per matched reference of either side."""
    w = np.log(t.far.min(1) / t.near.min(1))
    keep = selection.collapse(w, np.where(w > 0, t.near.argmin(1), 300 + t.far.argmin(1)))
    return keep & (w >= selection.barber_candes(w[keep], 0.1))


def conformal(t: Toy) -> np.ndarray:
    """Selection by conformal p-values against held-out points, Benjamini-Hochberg at .1."""
    return benjamini_hochberg(selection.conformal_p(-t.near.min(1), -t.null)) <= 0.1


@pytest.mark.parametrize("scale", [1.0, 0.9])
def test_the_twin_design_keeps_its_rate_whatever_the_generators_scale(scale: float) -> None:
    """All 20 copies found, false discovery rate near q = .1, with and without copies to find."""
    rng = np.random.default_rng(6)
    runs = [outcome(twin(toy(rng, 20, scale)), 20) for _ in range(40)]
    assert np.mean([found for found, _ in runs]) >= 0.95
    assert np.mean([false for _, false in runs]) <= 0.14
    assert np.mean([outcome(twin(toy(rng, 0, scale)), 0)[1] for _ in range(40)]) <= 0.18


def test_the_conformal_null_breaks_where_the_generator_shrinks() -> None:
    """Held-out points are not a valid null for a generator of scale .9: over twice the rate."""
    rng = np.random.default_rng(8)
    right, shrunk = (
        np.mean([outcome(conformal(toy(rng, 20, s)), 20)[1] for _ in range(40)]) for s in (1.0, 0.9)
    )
    assert right <= 0.14
    assert shrunk >= 0.2
