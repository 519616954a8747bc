"""Permuted labels: scores as published, errors of the first kind at any scale, and power."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import binom

from audit.stats.permutation_copying import (
    SHRINKAGE,
    Calibrated,
    Pool,
    Statistic,
    authenticity_statistic,
    c_t_statistic,
    calibrate,
    zu_statistic,
)
from audit.stats.whole_set import Cells, authenticity, distances
from tests.sizes import leading

NAMES = ("zu", "c_t", "authenticity")
RUNS, DRAWS, N = 80, 59, 100


def cells(features: np.ndarray) -> np.ndarray:
    """Two halves of space, which know nothing of labels."""
    return (features[:, 0] > 0).astype(int)


def statistics(references: np.ndarray, gen: np.ndarray) -> dict[str, Statistic]:
    """All three, of one pool."""
    pool = Pool.of(references, gen)
    by_cell = c_t_statistic(references, gen, cells(references), cells(gen))
    return dict(zip(NAMES, (zu_statistic(pool), by_cell, authenticity_statistic(pool)),
                    strict=True))  # fmt: skip


def draw(seed: int, scale: float, copies: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Reference images, labels, and a generator's images of a scale, the first of them copies."""
    rng = np.random.default_rng(seed)
    train, held, gen = rng.standard_normal((3, N, 8))
    gen *= scale
    gen[:copies] = train[:copies] + 0.05 * rng.standard_normal((copies, 8))
    return np.concatenate([train, held]), np.arange(2 * N) < N, gen


def p_values(scale: float, copies: int, runs: int = RUNS) -> np.ndarray:
    """float[runs, 3] by permutation."""
    out = []
    for seed in range(runs):
        references, train, gen = draw(seed, scale, copies)
        rng = np.random.default_rng([seed, 1])
        out.append(
            [calibrate(s, train, rng, DRAWS).p for s in statistics(references, gen).values()]
        )
    return np.array(out)


@pytest.mark.parametrize("seed", range(4))
def test_unpermuted_scores_are_the_published_ones(seed: int) -> None:
    """With the labels as they are, each statistic equals its plain function, sizes unequal too."""
    references, _, gen = draw(seed, 0.9, 10)
    train = np.random.default_rng(seed).random(2 * N) < (0.5 if seed % 2 else 0.1)
    got = {k: s(train) for k, s in statistics(references, gen).items()}
    real, held = references[train], references[~train]
    assert got["zu"] == pytest.approx(distances(real, held, gen).c_t(least=0), abs=1e-9)
    assert got["authenticity"] == pytest.approx(
        authenticity(real, gen) - authenticity(held, gen), abs=1e-9
    )
    wanted = distances(real, held, gen, Cells(cells(real), cells(held), cells(gen)))
    assert got["c_t"] == pytest.approx(wanted.c_t(), abs=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("scale", leading(1, [0.9, 1.0, 0.5]))
def test_no_more_errors_of_the_first_kind_than_promised(scale: float) -> None:
    """Without a copy p <= .05 in at most 5 % of runs, whatever the generator's scale."""
    wrong = (p_values(scale, 0) <= 0.05).sum(0)
    assert (wrong <= binom.ppf(0.999, RUNS, 0.05)).all(), wrong


def test_a_shrunk_generator_deceives_the_score_and_not_its_permutation() -> None:
    """Nothing is copied: Zu itself is below -1.645 nearly always, and so under permuted labels."""
    scores, middles = [], []
    for seed in range(20):
        references, train, gen = draw(seed, 0.7, 0)
        got = calibrate(zu_statistic(Pool.of(references, gen)), train, np.random.default_rng(seed),
                        DRAWS)  # fmt: skip
        scores.append(got.observed)
        middles.append(got.middle)
    assert np.mean(np.array(scores) < -1.645) > 0.9
    assert np.mean(scores) == pytest.approx(np.mean(middles), abs=0.7)


@pytest.mark.slow
def test_copies_are_found_also_where_the_generator_shrinks() -> None:
    """A third of the images copied: power at least .8 for each score."""
    assert ((p_values(0.9, 33, 30) <= 0.05).mean(0) >= 0.8).all()


@pytest.mark.parametrize("seed", range(3))
def test_p_agrees_with_every_labelling_there_is(seed: int) -> None:
    """On eight reference images p approaches the share of all 70 labellings with so low a score."""
    rng = np.random.default_rng(seed)
    references, gen = rng.standard_normal((8, 2)), rng.standard_normal((30, 2))
    score = zu_statistic(Pool.of(references, gen))
    every = []
    for chosen in combinations(range(8), 4):
        train = np.isin(np.arange(8), chosen)
        every.append(score(train))
    train = np.arange(8) < 4
    exact = np.mean(np.array(every) <= score(train) + 1e-9)
    assert calibrate(score, train, rng, 1500).p == pytest.approx(exact, abs=0.06)


def test_images_that_belong_together_change_sides_together() -> None:
    """A training set that holds each image four times is a copier's only if they are torn apart."""
    torn, whole = [], []
    for seed in range(25):
        rng = np.random.default_rng(seed)
        train, held = np.repeat(rng.standard_normal((25, 6)), 4, 0), rng.standard_normal((25, 6))
        train += 0.01 * rng.standard_normal(train.shape)
        references, gen = np.concatenate([train, held]), rng.standard_normal((60, 6))
        labels = np.arange(125) < 100
        groups = np.concatenate([np.repeat(np.arange(25), 4), 25 + np.arange(25)])
        score = zu_statistic(Pool.of(references, gen))
        torn.append(calibrate(score, labels, rng, DRAWS).p <= 0.05)
        whole.append(calibrate(score, labels, rng, DRAWS, groups).p <= 0.05)
    assert np.mean(torn) > 0.5
    assert np.mean(whole) <= 0.2


def test_p_counts_ties_and_what_is_not_known_against_a_finding() -> None:
    """(1 + hits) / (draws + 1): equal scores and NaN are hits; no score gives no p."""
    null = np.array([-2.0, -1.0, 0.0, np.nan])
    assert Calibrated(-3.0, null).p == pytest.approx(2 / 5)
    assert Calibrated(-1.0, null).p == pytest.approx(4 / 5)
    assert np.isnan(Calibrated(np.nan, null).p)
    assert Calibrated(0.0, null).middle == -1.0
    assert "copies" in SHRINKAGE


def test_the_seed_decides_and_what_makes_no_sense_is_refused() -> None:
    """Equal seeds, equal p; a group on both sides and too few images are errors."""
    references, train, gen = draw(3, 1.0, 5)
    score = zu_statistic(Pool.of(references, gen))
    one, two = (calibrate(score, train, np.random.default_rng(7), 20) for _ in range(2))
    assert (one.null == two.null).all()
    with pytest.raises(ValueError, match="one side"):
        calibrate(score, train, np.random.default_rng(0), 5, np.zeros(2 * N))
    with pytest.raises(ValueError, match="three reference"):
        Pool.of(references[:2], gen)
    few = c_t_statistic(references, gen[:15], cells(references), cells(gen[:15]))
    assert np.isnan(few(train))
    assert np.isnan(authenticity_statistic(Pool.of(references, gen))(np.arange(2 * N) < 1))
