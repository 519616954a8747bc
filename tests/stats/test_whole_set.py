"""Whole-set measures against published code's values, plain loops, and no copying at all."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.neighbors import NearestNeighbors

from audit.stats import whole_set
from audit.stats.whole_set import Cells, authenticity, c_t, memorization, nearest, prdc, zu

D, N = 32, 600


def r0(kind: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Training, held-out and generated features of the recipe whose values are published."""
    rng = np.random.default_rng(0)
    train, held, made = (rng.standard_normal((N, D)) for _ in range(3))
    noise = 0.05 * rng.standard_normal((N, D))
    if kind.startswith("copies"):
        k = {"copies": N, "copies 10 %": 60, "copies 2 %": 12}[kind]
        made = made.copy()
        made[:k] = train[:k] + noise[:k]
    scale = {"x.9": 0.9, "x.5": 0.5, "x1.5": 1.5}.get(kind, 1.0)
    return train, held, train if kind == "exact" else scale * made


PUBLISHED = {
    "iid": (75.5, -0.727780, -0.436948), "exact": (0.0, -29.987425, -17.337972),
    "copies 10 %": (67.0, -4.004415, -2.286702), "copies 2 %": (73.5, -1.543107, -0.876154),
    "x.9": (57.0, -11.706040, -6.602312), "x.5": (2.0, -29.406167, -16.941432),
    "x1.5": (98.5, 28.697295, 16.466476),
}  # fmt: skip
"""Authenticity in percent, Z_U and C_T, by the code that comes with the papers."""


@pytest.mark.parametrize("kind", PUBLISHED)
def test_published_values_come_back(kind: str) -> None:
    """Authenticity, Z_U and C_T with the cells of scikit-learn's k-means."""
    train, held, made = r0(kind)
    share, z, ct = PUBLISHED[kind]
    assert 100 * authenticity(train, made) == pytest.approx(share, abs=1e-9)
    assert zu(nearest(held, train), nearest(made, train)) == pytest.approx(z, abs=1e-6)
    means = KMeans(3, n_init=10, random_state=0).fit(train)
    cells = Cells(means.labels_, means.predict(held), means.predict(made))
    assert c_t(train, held, made, cells) == pytest.approx(ct, abs=1e-6)


def test_precision_and_coverage_of_the_recipe() -> None:
    """k = 5, for a fresh set and for one shrunk by a tenth."""
    train, _, made = r0("iid")
    got = prdc(train, made)
    assert (got.precision, got.recall) == pytest.approx((0.82, 0.825))
    assert (got.density, got.coverage) == pytest.approx((1.019, 0.9667), abs=5e-4)
    small = prdc(train, r0("x.9")[2])
    assert (small.precision, small.recall) == pytest.approx((0.95, 0.583), abs=5e-4)
    assert (small.density, small.coverage) == pytest.approx((2.196, 0.995), abs=5e-4)


def test_scores_of_single_images() -> None:
    """FLD's score tells the twelve copies from all others: published ranges."""
    train, held, made = r0("copies 2 %")
    score = memorization(train, held, made)
    assert score[:12].min() == pytest.approx(1.42, abs=0.01)
    assert score[:12].max() == pytest.approx(1.87, abs=0.01)
    assert score[12:].max() == pytest.approx(-0.997, abs=5e-4)


@pytest.mark.parametrize("seed", range(4))
def test_plain_loops_agree(seed: int) -> None:
    """On fresh features of other sizes, in any blocks."""
    rng = np.random.default_rng(seed)
    train, held, made = (rng.standard_normal((n, 7)) for n in (50, 41, 63))
    made[:9] = train[:9] + 0.01
    trees = NearestNeighbors(n_neighbors=2).fit(train)
    far, place = trees.kneighbors(made, 1)
    own = trees.kneighbors(train)[0][:, 1]
    assert nearest(made, train) == pytest.approx(far[:, 0])
    assert nearest(train, train, itself=True) == pytest.approx(own)
    assert authenticity(train, made) == pytest.approx(np.mean(far[:, 0] > own[place[:, 0]]))
    k = 3
    radius = [np.sort([np.linalg.norm(a - b) for b in train])[k] for a in train]
    balls = [[np.linalg.norm(a - b) < r for a, r in zip(train, radius, strict=True)] for b in made]
    assert prdc(train, made, k).density == pytest.approx(np.sum(balls) / k / len(made))
    assert prdc(train, made, k).precision == pytest.approx(np.mean(np.any(balls, axis=1)))
    less = sum((a < b) + 0.5 * (a == b) for a in nearest(held, train) for b in nearest(made, train))
    spread = math.sqrt(41 * 63 * (41 + 63 + 1) / 12)
    wanted = (less - (41 * 63 / 2 - 0.5)) / spread
    assert zu(nearest(held, train), nearest(made, train)) == pytest.approx(wanted)


def test_the_gradient_is_that_of_finite_differences() -> None:
    """FLD's widths follow the slope of the very likelihood that is reported."""
    rng = np.random.default_rng(3)
    every, s = rng.random((20, 6)) * 9, rng.standard_normal(6)
    offset = np.r_[np.full(5, math.log(5)), 0.0]

    def loss(s: np.ndarray) -> float:
        parts = whole_set._densities(every, s, 4) - offset
        return float(-np.log(np.exp(parts).sum(axis=1)).mean() / 4)

    slope = whole_set._slope(every, s, offset, 4)
    for i in range(6):
        step = np.eye(6)[i] * 1e-6
        assert slope[i] == pytest.approx((loss(s + step) - loss(s - step)) / 2e-6, rel=1e-5)


@pytest.mark.parametrize("scale", [1.0, 0.9, 0.5])
def test_exchanged_labels_forgive_shrinkage(scale: float) -> None:
    """No copying: the permuted test errs in about 5 %, however near the middle images are drawn."""
    hits = 0
    for seed in range(60):
        rng = np.random.default_rng([seed, round(10 * scale)])
        train, held, made = (rng.standard_normal((60, 8)) for _ in range(3))
        judged = whole_set.permuted(train, held, scale * made, rng, 59)
        hits += judged["zu"].p <= 0.05
    assert hits <= 8  # binomial(60, .05) exceeds 8 once in 700


def test_exchanged_labels_see_copies() -> None:
    """A fifth of copies, shrunk or not, is seen; the median is what no copying gives."""
    rng = np.random.default_rng(1)
    train, held, made = (rng.standard_normal((200, 16)) for _ in range(3))
    made[:40] = train[:40] + 0.02 * rng.standard_normal((40, 16))
    for scale in (1.0, 0.9):
        judged = whole_set.permuted(train, held, scale * made, rng)
        assert judged["zu"].p <= 0.01
        assert judged["authenticity"].value < judged["authenticity"].middle


def test_what_is_not_there_is_not_known() -> None:
    """Empty sides are NaN; too few for neighbours are refused."""
    some = np.random.default_rng(0).standard_normal((3, 2))
    assert math.isnan(zu(np.empty(0), np.ones(3)))
    assert math.isnan(authenticity(some[:1], some))
    assert np.isnan(nearest(some, some[:0])).all()
    with pytest.raises(ValueError, match="more than 5"):
        prdc(some, some)
    cells = Cells(np.zeros(3, int), np.ones(3, int), np.zeros(3, int))
    with pytest.raises(ValueError, match="lacks"):
        c_t(some, some, some, cells, least=1)
