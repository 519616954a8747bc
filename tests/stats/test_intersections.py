"""Joint cells and independence agree with scipy, and subjects make no association of their own."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import chi2_contingency
from sklearn.metrics import mutual_info_score

from audit.stats import intersections as ix


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_g_and_information_are_those_of_scipy_and_sklearn(seed: int) -> None:
    """Random pairs of classes: the same statistic, the same information."""
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 2, 200), rng.integers(0, 5, 200)
    table = ix.joint(a, b, (2, 5))
    theirs = chi2_contingency(table, correction=False, lambda_="log-likelihood").statistic
    assert ix.g_statistic(table) == pytest.approx(theirs)
    assert ix.mutual_information(table) == pytest.approx(mutual_info_score(a, b) / math.log(2))


def test_p_is_that_of_chi_square_in_one_stratum() -> None:
    """With many images and a single subject the permutation p is the asymptotic one."""
    rng = np.random.default_rng(4)
    a = rng.integers(0, 2, 400)
    b = np.where(rng.random(400) < 0.12, a, rng.integers(0, 3, 400))
    ours = ix.independence_p(a, b, np.zeros(400, int), rng)
    theirs = chi2_contingency(ix.joint(a, b, (2, 3)), lambda_="log-likelihood").pvalue
    assert ours == pytest.approx(theirs, abs=0.03)


def test_subjects_that_differ_in_both_make_no_association() -> None:
    """Independent within each subject: p is uniform, though the pooled table is far from it."""
    rng = np.random.default_rng(5)
    ps, pooled = [], []
    for _ in range(60):
        strata = np.repeat([0, 1], 100)
        a = (rng.random(200) < np.where(strata, 0.9, 0.1)).astype(int)
        b = (rng.random(200) < np.where(strata, 0.9, 0.1)).astype(int)
        ps.append(ix.independence_p(a, b, strata, rng, 199))
        pooled.append(chi2_contingency(ix.joint(a, b, (2, 2))).pvalue)
    assert np.mean(np.array(ps) < 0.05) < 0.15
    assert np.mean(np.array(pooled) < 0.05) > 0.95


def test_cells_cover_and_include_empty_ones() -> None:
    """About 95 % of a cell's intervals hold its share; an empty cell is rare, not impossible."""
    rng = np.random.default_rng(6)
    truth = rng.dirichlet(np.ones(6))
    held = []
    for _ in range(300):
        found = ix.cells(rng.multinomial(80, truth).reshape(2, 3))
        held += [c.low <= t <= c.high for c, t in zip([*found[0], *found[1]], truth, strict=True)]
    assert np.mean(held) > 0.92
    empty = ix.cells(np.array([[0, 9], [9, 9]]))[0][0]
    assert 0 < empty.low < empty.estimate < empty.high < 0.15


def test_without_images_it_is_unknown() -> None:
    """No images, or one class alone, leave independence unknown."""
    assert math.isnan(ix.cells(np.zeros((2, 2), int))[0][0].estimate)
    assert math.isnan(ix.mutual_information(np.zeros((2, 2), int)))
    rng = np.random.default_rng(0)
    same = np.zeros(9, int)
    assert math.isnan(ix.independence_p(same, np.arange(9) % 2, same, rng))
