"""Directional amplification is its definition, has the paper's shape, and its limits cover."""

from __future__ import annotations

import math

import numpy as np
import pytest

from audit.stats import directional_amplification as da

PAINT = np.array([[30, 10], [10, 30]])
"""Women and men who paint, and who do not: fig. 2 of the paper."""


def how(seed: int = 0, census: bool = False, draws: int = 400) -> da.Resampling:
    """Few draws from a seed."""
    return da.Resampling(np.random.default_rng(seed), not census, draws)


def definition(a: np.ndarray, t: np.ndarray, a_model: np.ndarray, t_asked: np.ndarray) -> float:
    """T -> A image by image, with the paper's indicator: y D + (1 - y) (-D), 0 if independent."""
    total, pairs = 0.0, 0
    for x in range(int(a.max()) + 1):
        for y in range(int(t.max()) + 1):
            together, alone = np.mean((a == x) & (t == y)), np.mean(a == x) * np.mean(t == y)
            gap = np.mean(a_model[t_asked == y] == x) - np.mean(a[t == y] == x)
            if abs(together - alone) > 1e-12:
                total += gap if together > alone else -gap
            pairs += 1
    return total / pairs


def table(a: np.ndarray, t: np.ndarray, shape: tuple[int, int] = (3, 4)) -> np.ndarray:
    """Counts int[A, T]."""
    counts = np.zeros(shape, int)
    np.add.at(counts, (a, t), 1)
    return counts


@pytest.mark.parametrize("seed", range(5))
def test_the_estimate_is_the_definition_s(seed: int) -> None:
    """Random images of three attributes and four tasks, counted one by one."""
    rng = np.random.default_rng(seed)
    a, t, a2, t2 = (rng.integers(0, k, 300) for k in (3, 4, 3, 4))
    a = np.where(rng.random(300) < 0.3, t % 3, a)
    one = da.task_to_attribute(table(a, t), table(a2, t2), how())
    assert one.interval.estimate == pytest.approx(definition(a, t, a2, t2))
    assert one.pairs.mean() == pytest.approx(one.interval.estimate)
    assert one.pairs.shape == (3, 4)


@pytest.mark.parametrize("painting", [0, 10, 20, 30, 36, 40])
def test_the_paper_s_painters(painting: int) -> None:
    """Fig. 2 with its roles exchanged: straight from -.375 over 0, as in training, to .125."""
    model = np.array([[painting, 10], [40 - painting, 30]])
    found = da.task_to_attribute(PAINT, model, how(census=True))
    assert found.interval.estimate == pytest.approx((painting - 30) / 80)
    assert found.interval.low <= found.interval.estimate <= found.interval.high


def test_by_hand() -> None:
    """A nurse is a woman in 8 of 10, an engineer in 2 of 10; the model draws 19 and 2 of 20."""
    training = np.array([[8, 2], [2, 8]])
    found = da.task_to_attribute(training, np.array([[19, 2], [1, 18]]), how())
    # Nurses go from .8 to .95, engineers from .2 to .1, each counted for women and for men.
    assert found.interval.estimate == pytest.approx((0.15 + 0.15 + 0.1 + 0.1) / 4)
    assert found.pairs == pytest.approx(np.array([[0.15, 0.1], [0.15, 0.1]]))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_equal_shares_are_0_and_a_reversed_change_turns_the_sign(seed: int) -> None:
    """Of any size; and the names of attributes and tasks do not matter."""
    rng = np.random.default_rng(seed)
    training = rng.integers(20, 60, (2, 5))
    same = da.task_to_attribute(training, 3 * training, how())
    assert same.interval.estimate == pytest.approx(0)
    assert same.interval.low < 0 < same.interval.high
    change = rng.integers(-9, 10, 5) * np.array([[1], [-1]])
    up, down = (da.task_to_attribute(training, training + s * change, how()) for s in (1, -1))
    assert up.interval.estimate == pytest.approx(-down.interval.estimate)
    order = rng.permutation(5)
    moved = da.task_to_attribute(
        training[::-1][:, order], (training + change)[::-1][:, order], how()
    )
    assert moved.interval.estimate == pytest.approx(up.interval.estimate)


def test_independent_training_amplifies_nothing() -> None:
    """Attributes that say nothing of tasks have no direction, to the last rounding."""
    training = np.outer([3, 7], [11, 13, 17])
    found = da.task_to_attribute(training, np.array([[9, 0, 4], [0, 9, 5]]), how(census=True))
    assert found.interval.estimate == 0
    assert (found.pairs == 0).all()


def test_a_model_that_went_all_the_way_has_limits_with_width() -> None:
    """Only women nurses and men engineers: no resample differs, and yet others may be drawn."""
    found = da.task_to_attribute(PAINT, np.array([[20, 0], [0, 20]]), how(census=True)).interval
    assert found.estimate == pytest.approx(0.25)
    assert 0.12 < found.low < 0.235
    prompts = np.zeros((4, 2, 2), int)
    prompts[[0, 1], 0, 0] = prompts[[2, 3], 1, 1] = 10
    few = da.task_to_attribute(PAINT, prompts, how(census=True)).interval
    assert few.estimate == found.estimate
    assert few.low < found.low


def test_images_alone_are_jeffreys_posterior() -> None:
    """Drawn shares have its mean and variance, given as a table or as clusters of one image."""
    model = np.array([[24, 30], [16, 70]])
    cells = np.repeat(np.arange(4), model.ravel())
    singles = np.eye(4, dtype=int)[cells].reshape(-1, 2, 2)
    for counts in (model, singles):
        shares, _ = da._redrawn(counts, how(draws=20_000))
        # Beta(24.5, 16.5): half an image of each class is added.
        assert shares[:, 0, 0].mean() == pytest.approx(24.5 / 41, abs=0.003)
        assert shares[:, 0, 0].var() == pytest.approx(24.5 * 16.5 / 41**2 / 42, rel=0.05)
        assert shares.sum(1) == pytest.approx(1)


def test_more_images_narrow_the_limits() -> None:
    """A hundred times the images: a tenth of the width."""
    training, model = np.array([[600, 300], [400, 700]]), np.array([[24, 30], [16, 70]])
    wide = da.task_to_attribute(training, model, how()).interval
    sure = da.task_to_attribute(100 * training, 100 * model, how()).interval
    assert (wide.high - wide.low) / (sure.high - sure.low) == pytest.approx(10, rel=0.25)


@pytest.mark.parametrize("census", [True, False])
def test_limits_hold_the_planted_amplification(census: bool) -> None:
    """Prompts whose images go together: limits over prompts cover, those over images do not."""
    rng = np.random.default_rng(7)
    women = np.array([0.1, 0.25, 0.4, 0.7, 0.8, 0.9])
    model = np.array([0.02, 0.15, 0.35, 0.85, 0.85, 0.97])
    overall = women.mean()
    truth = float(np.mean(np.sign(women - overall) * (model - women)))
    held: list[bool] = []
    naive: list[bool] = []
    for seed in range(200):
        seen = rng.binomial(400, women) if not census else np.round(400 * women).astype(int)
        training = np.stack([seen, 400 - seen])
        p = rng.beta(4 * model, 4 * (1 - model), (12, 6))
        k = rng.binomial(6, p)
        prompts = np.zeros((12, 6, 2, 6), int)
        at = np.arange(6)
        prompts[:, at, 0, at], prompts[:, at, 1, at] = k, 6 - k
        clusters = prompts.reshape(72, 2, 6)
        for found, images in ((held, clusters), (naive, clusters.sum(0))):
            ci = da.task_to_attribute(training, images, how(seed, census, 300)).interval
            found.append(ci.low <= truth <= ci.high)
    assert np.mean(held) > 0.9
    assert np.mean(naive) < np.mean(held) - 0.05


def test_what_no_table_shows_is_left_out() -> None:
    """A task without images in either is unknown, said so, and no 0 in the mean."""
    training, model = np.array([[8, 2, 5, 0], [2, 8, 5, 0]]), np.array([[9, 1, 0, 3], [1, 9, 0, 3]])
    found = da.task_to_attribute(training, model, how())
    assert found.unknown == 4
    assert np.isnan(found.pairs[:, 2:]).all()
    assert found.interval.estimate == pytest.approx(0.1)
    assert "tasks have no images" in found.reason
    nothing = da.task_to_attribute(training, 0 * model, how())
    assert math.isnan(nothing.interval.estimate)
    assert math.isnan(nothing.interval.low)
    assert "no task" in nothing.reason
    for wrong in (model * 0.5, -model, model[:, :3], model.ravel()):
        with pytest.raises(ValueError, match=r"Counts|Shapes"):
            da.task_to_attribute(training, wrong, how())
