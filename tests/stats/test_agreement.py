"""Agreement is that of sklearn, statsmodels and Krippendorff's own example; limits cover."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import aggregate_raters, cohens_kappa, fleiss_kappa

from audit.stats import agreement as agree
from audit.stats.proportions import wilson

Measure = Callable[[np.ndarray, agree.Resampling], agree.Agreement]
ALL: list[Measure] = [
    agree.percent_agreement, agree.cohen_kappa, agree.krippendorff_alpha,
]  # fmt: skip
OBSERVERS = """
1 2 3 3 2 1 4 1 2 . . .
1 2 3 3 2 2 4 1 2 5 . 3
. 3 3 3 2 3 4 2 2 5 1 .
1 2 3 3 2 4 4 1 2 5 1 .
"""
"""Four observers and twelve units of Krippendorff (2011), sec. C; the last unit has one value."""


def how(seed: int = 0, draws: int = 200, clusters: np.ndarray | None = None) -> agree.Resampling:
    """Few resamples from a seed."""
    return agree.Resampling(np.random.default_rng(seed), clusters, draws)


def value(measure: Measure, ratings: np.ndarray) -> float:
    """The coefficient alone."""
    return measure(ratings, how(draws=1)).interval.estimate


def noisy(rng: np.random.Generator, n: int, raters: int, classes: int = 3) -> np.ndarray:
    """Ratings int[n, raters]: the truth in two of three cases, else anything."""
    truth = rng.integers(0, classes, n)[:, None]
    guess = rng.integers(0, classes, (n, raters))
    return np.where(rng.random((n, raters)) < 2 / 3, truth, guess)


def by_definition(ratings: np.ndarray) -> float:
    """Alpha pair by pair: disagreement within units against that of all pairable values."""
    units = [[v for v in u if v >= 0] for u in ratings.tolist()]
    units = [u for u in units if len(u) > 1]
    pool = [v for u in units for v in u]
    seen = sum(
        sum(a != b for a, b in itertools.permutations(u, 2)) / (len(u) - 1) for u in units
    ) / len(pool)
    chance = np.mean([a != b for a, b in itertools.permutations(pool, 2)])
    return float(1 - seen / chance)


def test_alpha_of_the_textbook() -> None:
    """Four observers, twelve units, values missing: .743; one unit has nothing to pair."""
    rows = [line.split() for line in OBSERVERS.strip().splitlines()]
    ratings = np.array([[-1 if c == "." else int(c) - 1 for c in row] for row in rows]).T
    found = agree.krippendorff_alpha(ratings, how())
    assert found.interval.estimate == pytest.approx(0.743, abs=5e-4)
    assert found.interval.estimate == pytest.approx(by_definition(ratings))
    assert (found.units, found.left_out) == (11, 1)
    assert 0.3 < found.interval.low < 0.743 < found.interval.high <= 1


@pytest.mark.parametrize("seed", range(5))
def test_coefficients_are_those_of_libraries(seed: int) -> None:
    """Random ratings: Cohen's is sklearn's, alpha the definition's and nearly Fleiss'."""
    rng = np.random.default_rng(seed)
    two, many = noisy(rng, 60, 2), noisy(rng, 50, 4)
    assert value(agree.cohen_kappa, two) == pytest.approx(cohen_kappa_score(two[:, 0], two[:, 1]))
    assert value(agree.percent_agreement, two) == pytest.approx(np.mean(two[:, 0] == two[:, 1]))
    # With every rating present alpha is Fleiss' kappa but for one value taken out of all 200.
    fleiss = fleiss_kappa(aggregate_raters(many)[0])
    assert 1 - value(agree.krippendorff_alpha, many) == pytest.approx((1 - fleiss) * 199 / 200)
    many[rng.random(many.shape) < 0.3] = -1
    assert value(agree.krippendorff_alpha, many) == pytest.approx(by_definition(many))
    pairs = [
        np.mean([a == b for a, b in itertools.permutations([v for v in u if v >= 0], 2)])
        for u in many.tolist() if sum(v >= 0 for v in u) > 1
    ]  # fmt: skip
    assert value(agree.percent_agreement, many) == pytest.approx(np.mean(pairs))


def test_names_and_order_of_classes_and_raters_do_not_matter() -> None:
    """Classes renamed, raters of all but Cohen's swapped: the same coefficients."""
    rng = np.random.default_rng(9)
    two = noisy(rng, 80, 2)
    for measure in ALL:
        assert value(measure, two) == pytest.approx(value(measure, np.array([4, 0, 2])[two]))
        assert value(measure, two) == pytest.approx(value(measure, two[:, ::-1]))


@pytest.mark.parametrize("measure", ALL[1:])
def test_one_class_alone_is_unknown_and_never_perfect(measure: Measure) -> None:
    """Raters who used one class only have shown nothing; percent agreement says 1 as it must."""
    same = np.ones((30, 2), int)
    found = measure(same, how())
    assert math.isnan(found.interval.estimate)
    assert math.isnan(found.interval.low)
    assert "one class" in found.reason
    assert agree.percent_agreement(same, how()).interval.estimate == 1


@pytest.mark.parametrize("measure", ALL[1:])
def test_perfect_agreement_has_a_lower_limit_below_1(measure: Measure) -> None:
    """Thirty units that all agree: no resample differs, and yet raters may disagree at times."""
    ratings = np.repeat(np.arange(30)[:, None] % 2, 2, axis=1)
    found = measure(ratings, how()).interval
    assert (found.estimate, found.high) == (1, 1)
    expected = (1 - wilson(30, 30).low) / 0.5
    assert found.low == pytest.approx(1 - expected, abs=0.01)
    whole = agree.percent_agreement(ratings, how()).interval
    assert whole.low == pytest.approx(wilson(30, 30).low)


def test_limits_are_near_the_asymptotic_ones() -> None:
    """Many units: Cohen's limits are statsmodels', from kappa's variance."""
    rng = np.random.default_rng(3)
    two = noisy(rng, 400, 2)
    ours = agree.cohen_kappa(two, how(1, 2000)).interval
    table = np.zeros((3, 3))
    np.add.at(table, (two[:, 0], two[:, 1]), 1)
    theirs = cohens_kappa(table)
    assert (ours.low, ours.high) == pytest.approx((theirs.kappa_low, theirs.kappa_upp), abs=0.015)


@pytest.mark.parametrize("measure", ALL)
def test_limits_hold_the_truth_where_a_prompt_s_images_go_together(measure: Measure) -> None:
    """Prompts of six images, some hard: limits over prompts cover, those over images do not."""
    rng = np.random.default_rng(5)

    def draw(prompts: int) -> np.ndarray:
        hard = np.repeat(rng.random(prompts) < 0.4, 6)[:, None]
        truth = rng.integers(0, 2, (prompts * 6, 1))
        wrong = rng.random((prompts * 6, 2)) < np.where(hard, 0.45, 0.02)
        return np.where(wrong, 1 - truth, truth)

    truth = value(measure, draw(30_000))
    clusters = np.repeat(np.arange(50), 6)
    held: list[bool] = []
    naive: list[bool] = []
    for seed in range(150):
        ratings = draw(50)
        for found, names in ((held, clusters), (naive, None)):
            ci = measure(ratings, how(seed, 200, names)).interval
            found.append(ci.low <= truth <= ci.high)
    assert np.mean(held) > 0.89
    assert np.mean(naive) < np.mean(held) - 0.05


def test_an_unknown_coefficient_has_a_reason() -> None:
    """No pair, one cluster, a class so rare that resamples lose it: NaN and why."""
    lonely = np.array([[0, -1], [-1, 1]])
    found = agree.krippendorff_alpha(lonely, how())
    assert (found.units, found.left_out) == (0, 2)
    assert "two ratings" in found.reason
    ratings = np.array([[0, 0], [1, 1], [0, 1], [1, 1]])
    single = agree.cohen_kappa(ratings, how(clusters=np.zeros(4, int)))
    assert math.isfinite(single.interval.estimate)
    assert math.isnan(single.interval.low)
    assert "cluster" in single.reason
    rare = np.zeros((40, 2), int)
    rare[0] = 0, 1
    found = agree.cohen_kappa(rare, how())
    assert math.isnan(found.interval.high)
    assert "one class" in found.reason


@pytest.mark.parametrize(
    ("measure", "ratings"),
    [
        (agree.cohen_kappa, np.zeros((4, 3), int)),
        (agree.krippendorff_alpha, np.zeros((3, 2))),
        (agree.percent_agreement, np.array([[0, -2]])),
    ],
)
def test_ratings_of_another_kind_are_refused(measure: Measure, ratings: np.ndarray) -> None:
    """Three raters, floats, codes below -1."""
    with pytest.raises(ValueError, match=r"raters|ratings|Ratings"):
        measure(ratings, how())
