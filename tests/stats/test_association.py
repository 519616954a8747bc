"""Association is Caliskan's, and its p is that of brute force and of scipy."""

from __future__ import annotations

import itertools
import math
from typing import Literal

import numpy as np
import pytest
from scipy.stats import permutation_test, ttest_ind
from statsmodels.stats.effect_size import _noncentrality_t
from statsmodels.stats.weightstats import CompareMeans

from audit.stats import association as assoc

X, Y = np.array([8, 15, 16, 17, 17, 19.0]), np.array([5, 8, 12, 13, 14, 16.0])
"""A toy whose one-sided p is that of 59 of 924 partitions, .0638528."""


def how(seed: int, draws: int = 9999) -> assoc.Draws:
    """Chance from a seed."""
    return assoc.Draws(np.random.default_rng(seed), draws)


def unit(rng: np.random.Generator, n: int, d: int = 16) -> np.ndarray:
    """Random unit vectors float[n, d]."""
    v = rng.normal(size=(n, d))
    return np.asarray(v / np.linalg.norm(v, axis=1, keepdims=True))


def brute(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """One- and two-sided p by looking at every partition with the definition itself."""
    both, seen = np.concatenate([x, y]), x.mean() - y.mean()
    found = []
    for chosen in itertools.combinations(range(len(both)), len(x)):
        others = [i for i in range(len(both)) if i not in chosen]
        found.append(both[list(chosen)].mean() - both[others].mean())
    d = np.array(found)
    return float((d >= seen - 1e-9).mean()), float((abs(d) >= abs(seen) - 1e-9).mean())


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_association_is_the_mean_cosine_with_a_less_that_with_b(seed: int) -> None:
    """Pair by pair, as the definition has it; an image without a vector has no association."""
    rng = np.random.default_rng(seed)
    items, a, b = unit(rng, 7), unit(rng, 3), unit(rng, 5)
    ours = assoc.associations(items, a, b)
    for w, s in zip(items, ours, strict=True):
        assert s == pytest.approx(np.mean([w @ v for v in a]) - np.mean([w @ v for v in b]))
    assert np.allclose(assoc.associations(items, b, a), -ours)
    items[2] = np.nan
    assert np.flatnonzero(np.isnan(assoc.associations(items, a, b))).tolist() == [2]


def test_vectors_of_another_length_are_refused() -> None:
    """A dot product of other lengths is not a cosine; an empty A has no mean."""
    rng = np.random.default_rng(0)
    v = unit(rng, 4)
    for items, a, b in ((2 * v, v, v), (v, 2 * v, v), (v, v, v[:0]), (v, v, v * np.nan)):
        with pytest.raises(ValueError, match=r"unit length|missing"):
            assoc.associations(items, a, b)


def test_toy_has_59_of_924_partitions() -> None:
    """p .0638528 over 924 partitions, as scipy and brute force have it."""
    greater, either, partitions, exact = assoc.permutation_p(X, Y, how(0))
    assert (partitions, exact) == (924, True)
    assert greater == pytest.approx(0.0638528, abs=5e-8)
    assert (greater, either) == pytest.approx(brute(X, Y))


def mean_difference(x: np.ndarray, y: np.ndarray, axis: int = -1) -> np.ndarray:
    """The statistic, for scipy."""
    return np.asarray(x.mean(axis) - y.mean(axis))


def size_of_difference(x: np.ndarray, y: np.ndarray, axis: int = -1) -> np.ndarray:
    """The two-sided statistic, for scipy."""
    return np.abs(mean_difference(x, y, axis))


@pytest.mark.parametrize("seed", range(6))
def test_exact_p_is_scipy_s_and_brute_force_s(seed: int) -> None:
    """Groups of any sizes, with ties and without, either of them the smaller."""
    rng = np.random.default_rng(seed)
    nx, ny = (int(n) for n in rng.integers(2, 7, 2))
    x, y = rng.normal(0.6, 1, nx), rng.normal(0, 1, ny)
    if seed % 2:
        x, y = np.round(x), np.round(y)
        x[0] += 0.5  # never all the same
    greater, either, partitions, exact = assoc.permutation_p(x, y, how(seed))
    assert exact
    assert partitions == math.comb(nx + ny, nx)
    assert (greater, either) == pytest.approx(brute(x, y))
    kinds: list[tuple[object, Literal["greater"], float]] = [
        (mean_difference, "greater", greater), (size_of_difference, "greater", either)]  # fmt: skip
    for statistic, side, ours in kinds:
        theirs = permutation_test(
            (x, y), statistic, vectorized=True, n_resamples=np.inf, alternative=side
        )
        assert ours == pytest.approx(theirs.pvalue)


@pytest.mark.parametrize(("nx", "ny"), [(14, 14), (9, 20), (20, 9)])
def test_drawn_p_is_near_the_exact_one_and_never_0(nx: int, ny: int) -> None:
    """Too many partitions: drawn, with one added to hits and draws."""
    rng = np.random.default_rng(nx)
    x, y = rng.normal(0.7, 1, nx), rng.normal(0, 1, ny)
    greater, either, partitions, exact = assoc.permutation_p(x, y, how(3, 19_999))
    assert (partitions, exact) == (19_999, False)
    theirs = permutation_test(
        (x, y), mean_difference, vectorized=True, n_resamples=50_000, alternative="greater",
        rng=np.random.default_rng(5),
    )  # fmt: skip
    assert greater == pytest.approx(theirs.pvalue, abs=0.012)
    assert either == pytest.approx(ttest_ind(x, y).pvalue, abs=0.03)
    far = assoc.permutation_p(x + 50, y, how(1, 99))
    assert far[:2] == (0.01, 0.01)


def test_p_is_uniform_where_prompts_are_exchangeable() -> None:
    """Images of one prompt resemble each other: prompts keep the error rate, images do not."""
    rng = np.random.default_rng(11)
    ps, naive = [], []
    for _ in range(400):
        prompts = np.repeat(np.arange(12), 8)
        scores = np.repeat(rng.normal(0, 1, 12), 8) + rng.normal(0, 0.5, 96)
        of_x = prompts < 6
        x, y = (assoc.prompt_means(scores[at], prompts[at])[1] for at in (of_x, ~of_x))
        ps.append(assoc.permutation_p(x, y, how(0))[1])
        naive.append(ttest_ind(scores[of_x], scores[~of_x]).pvalue)
    assert np.mean(np.array(ps) <= 0.05) <= 0.08
    assert np.mean(np.array(naive) <= 0.05) > 0.3
    assert np.mean(ps) == pytest.approx(0.5, abs=0.05)


def test_effect_size_is_hand_computed_and_bounded() -> None:
    """d of 1, 2 against 3, 5 by hand in both conventions; groups without spread reach the bound."""
    x, y = np.array([3.0, 5.0]), np.array([1.0, 2.0])
    # Means 4 and 1.5; the four values' mean 2.75, squares 8.75.
    assert assoc.effect_size(x, y, 0) == pytest.approx(2.5 / math.sqrt(8.75 / 4))
    assert assoc.effect_size(x, y) == pytest.approx(2.5 / math.sqrt(8.75 / 3))
    assert assoc.effect_size(y, x) == pytest.approx(-assoc.effect_size(x, y))
    for nx, ny, ddof in ((3, 3, 0), (2, 6, 1)):
        n = nx + ny
        found = assoc.effect_size(np.ones(nx), np.zeros(ny), ddof)
        assert found == pytest.approx(math.sqrt(n * (n - ddof) / (nx * ny)))


def test_whole_line_from_vectors_to_claim() -> None:
    """Planted directions are found; swapping the concepts or A and B turns the sign."""
    rng = np.random.default_rng(2)
    a, b = unit(rng, 4), unit(rng, 4)
    lean = a.mean(0) - b.mean(0)
    prompts = np.repeat([f"p{i}" for i in range(14)], 5)
    of_x = np.repeat(np.arange(14) < 7, 5)
    items = unit(rng, 70) + np.where(of_x, 1.0, -1.0)[:, None] * lean
    items /= np.linalg.norm(items, axis=1, keepdims=True)
    scores = assoc.associations(items, a, b)
    scores[3] = np.nan
    found = assoc.differential_association(scores, prompts, of_x, how(4))
    assert found.exact
    assert found.p_greater == pytest.approx(1 / math.comb(14, 7))
    assert found.p_two_sided == found.smallest_p == pytest.approx(2 / math.comb(14, 7))
    assert found.missing == 1
    assert found.prompts == (7, 7)
    assert 0 < found.effect.low <= found.effect.estimate < found.effect.high
    assert 0 < found.difference.low < found.difference.estimate
    back = assoc.differential_association(scores, prompts, ~of_x, how(4))
    assert back.effect_of_images == pytest.approx(-found.effect_of_images)
    assert back.p_greater > 0.99
    other = assoc.differential_association(assoc.associations(items, b, a), prompts, of_x, how(4))
    assert other.difference.estimate == pytest.approx(-found.difference.estimate, abs=0.05)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_effect_s_limits_are_statsmodels_noncentral_t_s(seed: int) -> None:
    """Those of Cohen's delta, put in deviations of the mixture; they turn with the groups."""
    rng = np.random.default_rng(seed)
    x, y = rng.normal(1, 1, 6 + seed), rng.normal(0, 1, 9)
    nx, ny = len(x), len(y)
    low, high = _noncentrality_t(ttest_ind(x, y).statistic, nx + ny - 2, 0.05).confint
    scale = math.sqrt(1 / nx + 1 / ny)
    theirs = [
        e * scale / math.sqrt(1 + (e * scale) ** 2 * nx * ny / (nx + ny) ** 2) for e in (low, high)
    ]
    ours = assoc.effect_limits(x, y)
    assert [ours.low, ours.high] == pytest.approx(theirs, abs=1e-5)
    turned = assoc.effect_limits(y, x)
    assert (turned.low, turned.high) == pytest.approx((-ours.high, -ours.low))


@pytest.mark.parametrize("seed", [1, 2])
def test_difference_s_limits_are_statsmodels_for_unequal_deviations(seed: int) -> None:
    """One image a prompt, six prompts against fifteen that spread far less: Welch's limits."""
    rng = np.random.default_rng(seed)
    scores = np.concatenate([rng.normal(1, 2, 6), rng.normal(0, 0.3, 15)])
    of_x = np.arange(21) < 6
    found = assoc.differential_association(scores, np.arange(21), of_x, how(0, 9)).difference
    theirs = CompareMeans.from_data(scores[of_x], scores[~of_x]).tconfint_diff(usevar="unequal")
    assert (found.low, found.high) == pytest.approx(theirs)


@pytest.mark.parametrize(("n", "shift"), [(4, 0.8), (5, 2.0), (10, 0.0), (20, 2.0)])
def test_limits_hold_the_truth(n: int, shift: float) -> None:
    """Few prompts or many, no effect or a large one: about 95 % of limits hold it."""
    rng = np.random.default_rng(n)
    truth = shift / math.sqrt(1 + shift**2 / 4)
    held, welch = [], []
    for _ in range(300):
        scores = np.concatenate([rng.normal(shift, 1, n), rng.normal(0, 1, n)])
        found = assoc.differential_association(
            scores, np.arange(2 * n), np.arange(2 * n) < n, assoc.Draws(rng, 9)
        )
        held.append(found.effect.low <= truth <= found.effect.high)
        welch.append(found.difference.low <= shift <= found.difference.high)
    assert np.mean(held) > 0.92
    assert np.mean(welch) > 0.92


def test_without_information_it_is_unknown_with_a_reason() -> None:
    """One concept without a known image, or the same value everywhere: NaN with a reason."""
    prompts, of_x = np.arange(6), np.arange(6) < 3
    one = assoc.differential_association(np.where(of_x, 1, np.nan), prompts, of_x, how(0))
    assert math.isnan(one.p_two_sided)
    assert math.isnan(one.smallest_p)
    assert "no prompt of Y" in one.reason
    assert one.missing == 3
    same = assoc.differential_association(np.ones(6), prompts, of_x, how(0))
    assert math.isnan(same.p_greater)
    assert math.isnan(same.effect.estimate)
    assert "same association" in same.reason
    few = assoc.differential_association(prompts.astype(float), prompts, of_x, how(0))
    assert few.smallest_p == few.p_two_sided == pytest.approx(2 / 20)
    two = assoc.differential_association(np.arange(2.0), np.arange(2), np.arange(2) < 1, how(0))
    assert math.isnan(two.effect.low)
    assert math.isnan(two.difference.high)
    apart = assoc.differential_association(of_x * 0.7 + 0.1, prompts, of_x, how(0))
    assert apart.p_greater == pytest.approx(1 / 20)
    assert math.isnan(apart.effect.low)
    assert math.isnan(apart.difference.low)
    with pytest.raises(ValueError, match="one of the two concepts"):
        assoc.differential_association(np.ones(6), np.zeros(6), of_x, how(0))
