"""Seed cliques: distances, largest cliques and radii against networkx and every subset."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import combinations, pairwise

import networkx
import numpy as np
import pandas as pd
import pytest

from audit.evidence.copies import cliques
from audit.evidence.copies.cliques import (
    CLIQUE_COLUMNS,
    Rule,
    between,
    calibrate,
    extract,
    judge,
    largest_clique,
    needed,
    p_value,
    radius,
    tiled,
)
from audit.evidence.encoders.pixel_space import tiled_l2_pairs
from audit.records import Sample

L2 = partial(tiled_l2_pairs, grid=1)


def graph(n: int, density: float, rng: np.random.Generator) -> np.ndarray:
    """A random undirected graph bool[n, n]."""
    upper = np.triu(rng.random((n, n)) < density, 1)
    return upper | upper.T


def spread(n: int, rng: np.random.Generator) -> np.ndarray:
    """Distances of points in a plane, float64[n, n], symmetric."""
    points = rng.normal(size=(n, 2))
    return np.sqrt(((points[:, None] - points[None]) ** 2).sum(axis=2))


@pytest.mark.parametrize("seed", range(3))
def test_one_tile_that_differs_is_the_whole_distance(seed: int) -> None:
    """512 x 512, delta in one 128 x 128 tile: delta, as the paper's cut of 16 says."""
    rng = np.random.default_rng(seed)
    delta = int(rng.integers(1, 100))
    one = rng.integers(0, 156, (512, 512, 3), np.uint8)
    two = one.copy()
    y, x = rng.integers(0, 4, 2) * 128
    two[y : y + 128, x : x + 128] += np.uint8(delta)
    found = tiled(np.stack([one, two]), L2)
    assert found[0, 1] == pytest.approx(delta / 255, rel=1e-12)
    assert found[0, 0] == 0


@pytest.mark.parametrize("seed", range(3))
def test_any_size_can_be_cut(seed: int) -> None:
    """Sides that divide: the descriptor room's distance; others: a loop over uneven tiles."""
    rng = np.random.default_rng(seed)
    even = rng.integers(0, 256, (4, 32, 48, 3), np.uint8)
    np.testing.assert_allclose(tiled(even, L2), tiled_l2_pairs(even), rtol=1e-12)
    odd = rng.integers(0, 256, (3, 30, 41, 3), np.uint8)
    y, x = [0, 7, 15, 22, 30], [0, 10, 20, 30, 41]
    for i, j in combinations(range(3), 2):
        parts = [
            np.sqrt((((odd[i].astype(float) - odd[j]) / 255)[a:b, c:d] ** 2).mean())
            for a, b in pairwise(y)
            for c, d in pairwise(x)
        ]
        assert tiled(odd, L2)[i, j] == pytest.approx(max(parts), rel=1e-12)
    with pytest.raises(ValueError, match="cannot be cut"):
        tiled(odd[:, :3], L2)


@pytest.mark.parametrize("density", [0.0, 0.1, 0.3, 0.5, 0.8, 0.95, 1.0])
def test_the_largest_clique_is_as_large_as_networkx_finds(density: float) -> None:
    """On random graphs of every density; what is given is a clique, in ascending order."""
    for seed in range(6):
        near = graph(28, density, np.random.default_rng(seed))
        found = largest_clique(near)
        assert found.whole
        assert list(found.members) == sorted(set(found.members))
        assert all(near[a, b] for a, b in combinations(found.members, 2))
        assert len(found) == max(map(len, networkx.find_cliques(networkx.from_numpy_array(near))))


@pytest.mark.parametrize("seed", range(5))
def test_the_largest_clique_is_that_of_every_subset(seed: int) -> None:
    """Nine vertices, all 512 subsets; the diagonal changes nothing."""
    rng = np.random.default_rng(seed)
    near = graph(9, rng.uniform(0.2, 0.9), rng)
    largest = max(
        k
        for k in range(1, 10)
        for some in combinations(range(9), k)
        if all(near[a, b] for a, b in combinations(some, 2))
    )
    assert len(largest_clique(near)) == largest
    assert len(largest_clique(near | np.eye(9, dtype=bool))) == largest


def test_graphs_that_defeat_a_list_of_all_cliques_are_answered() -> None:
    """Moon and Moser's graph of 3^40 maximal cliques, and all but a perfect matching of 300."""
    groups = np.arange(120) // 3
    assert len(largest_clique(groups[:, None] != groups[None, :], steps=2000)) == 40
    pairs = np.arange(300) // 2
    found = largest_clique(pairs[:, None] != pairs[None, :], steps=2000)
    assert (len(found), found.whole) == (150, True)


def test_no_images_and_no_pairs_are_graphs_too() -> None:
    """Nothing is a clique of none, a lone image one of one; a lopsided matrix is an error."""
    assert len(largest_clique(np.zeros((0, 0), bool))) == 0
    assert largest_clique(np.zeros((3, 3), bool)).whole
    assert len(largest_clique(np.zeros((1, 1), bool))) == 1
    with pytest.raises(ValueError, match="transpose"):
        largest_clique(np.triu(np.ones((3, 3), bool), 1))


def test_a_search_that_is_given_up_says_so() -> None:
    """A dense random graph after 30 nodes: a clique, perhaps not the largest; enough is enough."""
    near = graph(150, 0.9, np.random.default_rng(1))
    short = largest_clique(near, steps=30)
    assert not short.whole
    assert all(near[a, b] for a, b in combinations(short.members, 2))
    stopped = largest_clique(near, enough=10)
    assert (len(stopped), stopped.whole) == (10, True)


@pytest.mark.parametrize("seed", range(4))
def test_a_radius_is_that_of_every_subset(seed: int) -> None:
    """The smallest largest distance among k of 9 images, over all choices of k."""
    distances = spread(9, np.random.default_rng(seed))
    for k in (2, 3, 5, 9):
        best = min(
            max(distances[a, b] for a, b in combinations(some, 2))
            for some in combinations(range(9), k)
        )
        assert radius(distances, k) == best
        assert len(largest_clique(distances <= best)) >= k > len(largest_clique(distances < best))
    assert math.isnan(radius(distances, 10))


@pytest.mark.parametrize("seed", range(2))
def test_ten_alike_among_five_hundred_are_found_and_nine_are_not(seed: int) -> None:
    """Identical pictures at scattered places in noise; the clique is those pictures."""
    rng = np.random.default_rng(seed)
    pictures = rng.integers(0, 256, (500, 16, 16, 3), np.uint8)
    places = np.sort(rng.choice(500, 10, replace=False))
    pictures[places] = pictures[places[0]]
    distances = tiled(pictures, L2)
    found = judge(distances, Rule(0.15, "the paper's"))
    assert found["extracted"] is True
    assert found["members"] == places.tolist()
    assert (found["clique"], found["radius"]) == (10, 0)
    pictures[places[9]] = rng.integers(0, 256, (16, 16, 3), np.uint8)
    found = judge(tiled(pictures, L2), Rule(0.15, "the paper's"))
    assert found["extracted"] is False
    assert (found["clique"], found["outcome"]) == (9, "label")


def test_a_chain_is_not_a_clique() -> None:
    """Twelve images, each near to its neighbours only, are one component and no extraction."""
    line = np.arange(24.0)
    distances = np.abs(line[:, None] - line[None, :])
    assert judge(distances, Rule(1.5, "given"))["clique"] == 2


def test_few_images_need_a_majority() -> None:
    """Ten from twenty images on, then more than half, and three at least."""
    assert [needed(n) for n in (2, 3, 4, 5, 8, 16, 18, 19, 20, 500)] == [
        3, 3, 3, 3, 5, 9, 10, 10, 10, 10,
    ]  # fmt: skip


@pytest.mark.parametrize("alpha", [0.05, 0.2])
def test_calibrated_thresholds_keep_their_false_alarms(alpha: float) -> None:
    """Fresh prompts like those of the calibration are called extracted in at most alpha of runs."""
    rng = np.random.default_rng(3)
    alarms = []
    for _ in range(400):
        radii = rng.gamma(5, size=40)
        rule, fresh = calibrate(radii[:39].tolist(), alpha), radii[39]
        assert (fresh < rule.threshold) <= (p_value(fresh, rule.benign) <= alpha)
        alarms.append(fresh < rule.threshold)
    assert np.mean(alarms) == pytest.approx(alpha, abs=3 * math.sqrt(alpha / 400))


def test_too_few_calibration_prompts_give_no_threshold() -> None:
    """18 cannot vouch for 5 %, 19 can, at their smallest; missing radii do not count."""
    radii = list(np.random.default_rng(0).random(19))
    assert math.isnan(calibrate([*radii[:18], math.nan]).threshold)
    assert calibrate(radii).threshold == min(radii)
    undecided = judge(spread(8, np.random.default_rng(1)), calibrate(radii[:5]))
    assert (undecided["extracted"], undecided["outcome"]) == (None, "no threshold")
    assert undecided["p"] == p_value(undecided["radius"], radii[:5])
    with pytest.raises(ValueError, match="between 0 and 1"):
        calibrate(radii, 5)


@pytest.mark.parametrize("seed", range(3))
def test_a_threshold_from_different_prompts_is_below_all_of_their_pairs(seed: int) -> None:
    """The smallest distance between prompts; pairs of one prompt do not count."""
    distances = spread(12, np.random.default_rng(seed))
    prompts = ["a", "b", "c"] * 4
    pairs = [distances[i, j] for i, j in combinations(range(12), 2) if prompts[i] != prompts[j]]
    assert between(distances, prompts).threshold == min(pairs)
    half = between(distances, prompts, 0.5)
    assert half.threshold == pytest.approx(np.median(pairs))
    assert f"{len(pairs)} pairs" in half.source
    assert math.isnan(between(distances[:1, :1], ["a"]).threshold)


def drawn(
    plan: Mapping[str, int], rng: np.random.Generator
) -> tuple[list[Sample], dict[str, np.ndarray]]:
    """Eight images of each prompt, the given number of them one image with a little noise."""
    samples, pictures = [], {}
    for prompt, same in plan.items():
        base = rng.integers(20, 236, (16, 16, 3), np.uint8)
        for i in range(8):
            s = Sample(f"{prompt}{i}", prompt, "none", i, prompt)
            noisy = (base + rng.integers(-9, 10, base.shape)).astype(np.uint8)
            fresh = rng.integers(0, 256, base.shape, np.uint8)
            pictures[s.id] = noisy if i < same else fresh
            samples.append(s)
    return samples, pictures


@pytest.mark.parametrize("seed", range(3))
def test_prompts_that_give_one_image_back_are_extracted(seed: int) -> None:
    """Five of eight are, four are not; blocked images are counted, and may leave too few."""
    samples, pictures = drawn({"five": 5, "four": 4, "none": 0}, np.random.default_rng(seed))
    blocked = {f"none{i}": "blocked" for i in range(6)}

    def stack(some: Sequence[Sample]) -> np.ndarray:
        return np.stack([pictures[s.id] for s in some])

    table = extract(samples, stack, blocked, Rule(0.15, "given"), L2)
    assert tuple(table.columns) == CLIQUE_COLUMNS
    by = table.set_index("prompt")
    assert by["extracted"].tolist() == [True, False, None]
    assert by["members"]["five"] == [f"five{i}" for i in range(5)]
    assert by["clique"]["four"] == 4
    assert by["radius"]["five"] < 0.15 < by["radius"]["four"]
    assert by["outcome"]["none"] == "too few images"
    assert (by["missing"]["none"], by["reasons"]["none"]) == (6, {"blocked": 6})
    assert pd.isna(by["radius"]["none"])


def test_too_many_near_pairs_are_undecided() -> None:
    """Where the search is given up before a clique is large enough, nothing is claimed."""
    rng = np.random.default_rng(2)
    distances = 1 - 0.5 * graph(60, 0.5, rng)
    found = judge(distances, Rule(0.9, "given", steps=3))
    assert (found["extracted"], found["outcome"]) == (None, "too many near pairs")
    assert cliques.STEPS > 1000
