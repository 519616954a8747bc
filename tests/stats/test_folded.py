"""Distances from targets despite noise: bounds that hold, and are equal where noise is small."""

from __future__ import annotations

import numpy as np
import pytest

from audit.stats.folded import bounds
from audit.stats.noninferiority import mean_change


def drawn(
    rng: np.random.Generator, share: float, groups: int, prompts: int, images: int, icc: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Class 0 or 1, group and prompt of images of many groups with one true share of class 0."""
    k = (1 - icc) / icc if icc else np.inf
    own = rng.beta(share * k, (1 - share) * k, groups * prompts) if icc else np.full(
        groups * prompts, share)  # fmt: skip
    unit = np.repeat(np.arange(groups * prompts), images)
    return (rng.random(len(unit)) > own[unit]).astype(int), unit // prompts, unit


@pytest.mark.parametrize("icc", [0.0, 0.3])
@pytest.mark.parametrize("prompts", [1, 2, 5])
@pytest.mark.parametrize("share", [0.5, 0.6, 0.9])
def test_the_true_distance_lies_between_the_bounds(share: float, prompts: int, icc: float) -> None:
    """On average over 3,000 groups; images of a single prompt are taken as independent."""
    icc = 0.0 if prompts == 1 else icc
    value, group, unit = drawn(np.random.default_rng(1), share, 3000, prompts, 6, icc)
    found = bounds(value, group, unit, np.tile([0.5, 0.5], (3000, 1)))
    truth, error = abs(share - 0.5), found.above.std() / np.sqrt(3000)
    assert (found.below <= found.above + 1e-12).all()
    assert found.above.mean() >= truth - 3 * error
    assert found.below.mean() <= truth + 3 * found.below.std() / np.sqrt(3000)


def test_bounds_are_equal_where_all_prompts_agree_and_above_is_total_variation() -> None:
    """Three classes by hand, a group without images is unknown, and the order does not matter."""
    value = np.array([0, 0, 1, 0, 0, 2, 0, 0])
    group, unit = np.zeros(8, int), np.array([0, 0, 0, 1, 1, 1, 2, 2])
    targets = np.array([[0.2, 0.4, 0.4], [1.0, 0.0, 0.0]])
    found = bounds(value, group, unit, targets)
    assert found.above[0] == pytest.approx((0.75 - 0.2 + 2 * (0.4 - 0.125)) / 2)
    assert found.below[0] == pytest.approx(found.above[0])
    assert np.isnan([found.above[1], found.below[1]]).all()
    back = bounds(value[::-1], group, unit[::-1], targets)
    assert (back.above[0], back.below[0]) == pytest.approx((found.above[0], found.below[0]))


def test_directions_come_from_the_other_prompts() -> None:
    """Two prompts that contradict each other: 1/4 apart as a whole, and nothing that both say."""
    value, unit = np.array([0, 0, 0, 0, 1, 1, 1, 0]), np.repeat([0, 1], 4)
    found = bounds(value, np.zeros(8, int), unit, np.array([[0.5, 0.5]]))
    assert found.above[0] == pytest.approx(0.125)
    assert found.below[0] == pytest.approx(-(2 + 1) / 8)


def test_the_images_of_a_single_prompt_stand_alone() -> None:
    """Four images of one prompt are as four prompts of one image, beside a group of two prompts."""
    value, group = np.array([0, 0, 0, 1, 0, 1, 0, 0]), np.repeat([0, 1], 4)
    targets = np.tile([0.5, 0.5], (2, 1))
    one = bounds(value, group, np.array([5, 5, 5, 5, 1, 1, 2, 2]), targets)
    four = bounds(value, group, np.array([5, 6, 7, 8, 1, 1, 2, 2]), targets)
    assert one.below == pytest.approx(four.below)
    assert one.above == pytest.approx(four.above)


@pytest.mark.parametrize("prompts", [2, 5])
def test_no_gain_is_shown_where_prompts_only_differ_less(prompts: int) -> None:
    """All shares are at their targets; images of a prompt are alike before, and not after.

    The change of the estimated distances is below 0 in a third of audits or more; with both bounds,
    in no more than the 2.5 % of one side.
    """
    rng, subjects, audits = np.random.default_rng(3), 20, 200
    before, after = (
        bounds(*drawn(rng, 0.5, subjects * audits, prompts, 6, icc),
               np.full((subjects * audits, 2), 0.5))
        for icc in (0.3, 0.0)
    )  # fmt: skip
    rates = []
    for moved in (after.above - before.above, after.above - before.below):
        each = moved.reshape(audits, subjects)
        highs = [mean_change(x, np.arange(subjects), shares=True).high for x in each]
        rates.append(float(np.mean(np.array(highs) < 0)))
    assert rates[0] > 0.25
    assert rates[1] <= 0.025


@pytest.mark.parametrize("prompts", [2, 3])
def test_a_gain_of_the_margin_is_not_called_equivalent(prompts: int) -> None:
    """Every share comes 10 points nearer: limits of 90 % within them in 5 % of audits at most."""
    rng, subjects, audits = np.random.default_rng(4), 20, 200
    own = np.tile(np.linspace(0.7, 0.8, subjects), audits)
    sides = []
    for share in (own, own - 0.1):
        k = (1 - 0.3) / 0.3
        p = rng.beta(np.repeat(share, prompts) * k, np.repeat(1 - share, prompts) * k)
        value = (rng.random((len(p), 6)) > p[:, None]).astype(int).ravel()
        unit = np.repeat(np.arange(len(p)), 6)
        sides.append(bounds(value, unit // prompts, unit, np.full((len(own), 2), 0.5)))
    before, after = sides
    rates = []
    for lows, highs in (
        (after.above - before.above, after.above - before.above),
        (after.below - before.above, after.above - before.below),
    ):
        at = np.arange(subjects)
        ends = [
            (mean_change(a, at, 0.9).low, mean_change(b, at, 0.9).high)
            for a, b in zip(lows.reshape(audits, -1), highs.reshape(audits, -1), strict=True)
        ]
        rates.append(float(np.mean([a > -0.1 and b < 0.1 for a, b in ends])))
    assert rates[0] > 0.1
    assert rates[1] <= 0.05
