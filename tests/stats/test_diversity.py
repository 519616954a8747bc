"""The Vendi score against closed forms, its own definition and a library's published value."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ortho_group

from audit.stats import diversity


def definition(vectors: np.ndarray, order: float = 1.0) -> float:
    """Straight from the paper: all n x n cosines, all eigenvalues, no shortcut."""
    rows = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    w = np.linalg.eigvals(rows @ rows.T / len(rows)).real
    w = w[w > 1e-12]
    if math.isinf(order):
        return float(1 / w.max())
    if order == 1:
        return float(np.exp(-np.sum(w * np.log(w))))
    return float(np.sum(w**order) ** (1 / (1 - order)))


@given(st.integers(1, 8), st.integers(1, 6), st.integers(0, 2**16), st.sampled_from([0.5, 1, 2]))
def test_k_orthogonal_groups_of_one_size_score_k(k: int, m: int, seed: int, order: float) -> None:
    """Copies add nothing: k directions, each m times, are k different things at every order."""
    rng = np.random.default_rng(seed)
    axes = ortho_group.rvs(9, random_state=rng)[:k] if k else np.empty((0, 9))
    rows = np.repeat(axes, m, axis=0) * rng.uniform(0.1, 9, (k * m, 1))
    assert diversity.vendi(rows, order) == pytest.approx(k)
    assert diversity.vendi(rows, math.inf) == pytest.approx(k)


@pytest.mark.parametrize("seed", range(4))
def test_groups_of_unequal_size_score_their_hill_number(seed: int) -> None:
    """Orthogonal groups with shares p: exp of p's entropy, 1 / sum p^2, 1 / max p."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 12, 5)
    p = sizes / sizes.sum()
    rows = np.repeat(np.eye(7)[:5], sizes, axis=0)
    assert diversity.vendi(rows) == pytest.approx(np.exp(-(p * np.log(p)).sum()))
    assert diversity.vendi(rows, 2) == pytest.approx(1 / (p**2).sum())
    assert diversity.vendi(rows, math.inf) == pytest.approx(1 / p.max())


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("angle", [0.0, 0.4, 1.3])
def test_two_vectors_at_an_angle_have_a_closed_form(seed: int, angle: float) -> None:
    """Eigenvalues (1 + cos) / 2 and (1 - cos) / 2, in whatever plane the two are."""
    turn = ortho_group.rvs(6, random_state=seed)
    rows = np.zeros((2, 6))
    rows[0, 0], rows[1, :2] = 1, (np.cos(angle), np.sin(angle))
    w = np.array([1 + np.cos(angle), 1 - np.cos(angle)]) / 2
    w = w[w > 0]
    assert diversity.vendi(rows @ turn) == pytest.approx(np.exp(-(w * np.log(w)).sum()))


@pytest.mark.parametrize("shape", [(12, 40), (60, 8), (20, 20)])
@pytest.mark.parametrize("order", [0.5, 1.0, 2.0, math.inf])
def test_score_equals_the_definition_with_more_rows_or_more_columns(
    shape: tuple[int, int], order: float
) -> None:
    """The smaller of the two matrices gives what the matrix of all cosines gives."""
    for seed in range(3):
        rows = np.random.default_rng(seed).normal(0.3, 1, shape)
        assert diversity.vendi(rows, order) == pytest.approx(definition(rows, order))


def test_score_equals_that_of_dgm_eval() -> None:
    """The linear kernel of unit vectors there, on 600 normal vectors of 32 dimensions: 31.1716."""
    rng = np.random.default_rng(0)
    sets = [rng.standard_normal((600, 32)) for _ in range(3)]
    assert diversity.vendi(sets[2]) == pytest.approx(31.1716, abs=5e-5)


@pytest.mark.parametrize("seed", range(3))
def test_subsets_of_one_size_compare_groups_that_differ_in_number(seed: int) -> None:
    """The same source: 40 and 160 pictures differ in score, not in that of 20 of them."""
    rng = np.random.default_rng(seed)
    few, many = rng.normal(size=(40, 64)), rng.normal(size=(160, 64))
    assert diversity.vendi(many) > 1.4 * diversity.vendi(few)
    at = [diversity.vendi_at(v, 20, rng, draws=60) for v in (few, many)]
    assert at[0] == pytest.approx(at[1], rel=0.02)


def test_changes_show_what_was_planted_and_nothing_else() -> None:
    """Half the spread in one group lowers it; groups too small on a side are left out."""
    rng = np.random.default_rng(3)
    groups = np.repeat([0, 1, 2], [30, 30, 3])
    base, other = (np.abs(rng.normal(size=(63, 24))) + 0.2 for _ in range(2))
    other[groups == 1] = 1 + 0.2 * rng.normal(size=(30, 24))
    found = diversity.vendi_changes((base, groups), (other, groups), 20, rng)
    assert set(found) == {0, 1}
    assert found[1] < -1 < -0.5 < found[0] < 0.5


def test_nothing_has_no_diversity_and_errors_say_why() -> None:
    """NaN for no rows or too few; a size of one, an order of 0 and zero vectors are errors."""
    rng = np.random.default_rng(0)
    assert math.isnan(diversity.vendi(np.empty((0, 4))))
    assert math.isnan(diversity.vendi_at(np.eye(3), 4, rng))
    assert diversity.vendi(np.ones((1, 4))) == pytest.approx(1)
    for call in (
        lambda: diversity.vendi(np.zeros((2, 3))),
        lambda: diversity.vendi(np.full((2, 3), np.nan)),
        lambda: diversity.vendi(np.ones(3)),
        lambda: diversity.vendi(np.eye(2), 0),
        lambda: diversity.vendi_at(np.eye(2), 1, rng),
    ):
        with pytest.raises(ValueError, match=r"."):
            call()
