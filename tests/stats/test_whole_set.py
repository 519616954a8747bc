"""Whole-set scores against published figures, other people's code, and plain arithmetic."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from scipy.stats import mannwhitneyu
from sklearn.cluster import KMeans

from audit.stats import likelihood_copying, neighbours
from audit.stats.likelihood_copying import fld_memorization
from audit.stats.neighbours import Lists, nearest
from audit.stats.whole_set import (
    Cells,
    authentic,
    authenticity,
    distances,
    prdc,
    spread,
    z_of_u,
)

RNG = np.random.default_rng(0)
TRAIN, TEST, GEN = (RNG.standard_normal((600, 32)) for _ in range(3))
NOISY = TRAIN + 0.05 * RNG.standard_normal((600, 32))


def zu(train: np.ndarray, test: np.ndarray, gen: np.ndarray) -> float:
    """Zu: all images in one cell."""
    return distances(train, test, gen).c_t(least=0)


def planted(copies: int) -> np.ndarray:
    """Generated images, the first of them copies with a little noise."""
    return np.concatenate([NOISY[:copies], GEN[copies:]])


# What dgm-eval 1.0's own functions print for these sets: authenticity, Zu, C_T with three cells.
TABLE = {
    "as good as real": (GEN, 75.5, -0.727780, -0.436948),
    "exact copies": (TRAIN, 0.0, -29.987425, -17.337972),
    "noisy copies": (NOISY, 0.0, -29.987425, -17.268581),
    "a tenth copied": (planted(60), 67.0, -4.004415, -2.286702),
    "two in a hundred copied": (planted(12), 73.5, -1.543107, -0.876154),
    "shrunk a little": (0.9 * GEN, 57.0, -11.706040, -6.602312),
    "shrunk to half": (0.5 * GEN, 2.0, -29.406167, -16.941432),
    "spread": (1.5 * GEN, 98.5, 28.697295, 16.466476),
}
BALLS = {
    "as good as real": (0.820, 0.825, 1.019, 0.967),
    "exact copies": (1.0, 1.0, 1.0, 1.0),
    "noisy copies": (1.0, 1.0, 1.100, 1.0),
    "a tenth copied": (0.840, 0.830, 1.065, 0.978),
    "two in a hundred copied": (0.827, 0.832, 1.027, 0.967),
    "shrunk a little": (0.950, 0.583, 2.196, 0.995),
    "shrunk to half": (1.0, 0.0, 28.78, 1.0),
    "spread": (0.052, 1.0, 0.013, 0.065),
}


@pytest.fixture(scope="module")
def means() -> KMeans:
    """Three cells of the training images."""
    return KMeans(3, n_init=10, random_state=0).fit(TRAIN)


def same(got: object, wanted: tuple[float, ...], digits: float) -> None:
    """Four numbers of PRDC agree."""
    assert tuple(vars(got).values()) == pytest.approx(wanted, abs=digits)


@pytest.mark.parametrize("name", TABLE)
def test_the_published_code_s_figures_come_out(name: str, means: KMeans) -> None:
    """Authenticity, Zu, C_T and PRDC equal what their authors' code printed, to the last digit."""
    gen, share, z, c = TABLE[name]
    cells = Cells(means.labels_, means.predict(TEST), means.predict(gen))
    assert authenticity(TRAIN, gen) == pytest.approx(share, abs=1e-9)
    assert zu(TRAIN, TEST, gen) == pytest.approx(z, abs=5e-7)
    assert distances(TRAIN, TEST, gen, cells).c_t() == pytest.approx(c, abs=5e-7)
    same(prdc(TRAIN, gen), BALLS[name], 6e-4 if name != "shrunk to half" else 6e-3)


def test_per_image_scores_find_what_whole_set_scores_miss() -> None:
    """Twelve copies of 600 score 1.42 to 1.87, all others under -0.997, as by the authors' code."""
    scores = fld_memorization(TRAIN, TEST, planted(12))
    assert scores[:12].min() == pytest.approx(1.424, abs=1e-3)
    assert scores[:12].max() == pytest.approx(1.875, abs=1e-3)
    assert scores[12:].max() == pytest.approx(-0.997, abs=1e-3)
    assert np.median(scores[12:]) == pytest.approx(-1.481, abs=1e-3)


def fresh(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sets of unequal sizes with a few copies, scaled and moved."""
    rng = np.random.default_rng(seed)
    size, n, m = rng.integers(60, 160, 3)
    d = int(rng.integers(2, 20))
    train, test = rng.standard_normal((size, d)) + 3, rng.standard_normal((n, d)) + 3
    gen = rng.uniform(0.7, 1.3) * rng.standard_normal((m, d)) + 3
    gen[:7] = train[:7]
    return train, test, gen


def plain_z(test: np.ndarray, gen: np.ndarray, train: np.ndarray) -> float:
    """Meehan's statistic from whole distance matrices."""
    made, held = cdist(gen, train).min(1), cdist(test, train).min(1)
    m, n = len(gen), len(test)
    u = mannwhitneyu(made, held, alternative="less").statistic
    return float((u - (n * m / 2 - 0.5)) / np.sqrt(n * m * (n + m + 1) / 12))


@pytest.mark.parametrize("seed", range(6))
def test_plain_arithmetic_on_whole_matrices_agrees(seed: int) -> None:
    """Zu, C_T and authenticity on fresh features, where nothing is done block by block."""
    train, test, gen = fresh(seed)
    assert zu(train, test, gen) == pytest.approx(plain_z(test, gen, train), abs=1e-9)
    parts = [(s[:, 0] > 3).astype(int) for s in (train, test, gen)]
    scores = [
        plain_z(test[parts[1] == c], gen[parts[2] == c], train[parts[0] == c]) for c in (0, 1)
    ]
    got = distances(train, test, gen, Cells(*parts)).c_t()
    assert got == pytest.approx(np.average(scores, weights=np.bincount(parts[1])), abs=1e-9)
    whole = cdist(train, train)
    np.fill_diagonal(whole, np.inf)
    across = cdist(gen, train)
    wanted = whole.min(1)[across.argmin(1)] < across.min(1)
    assert (authentic(train, gen) == wanted).all()
    assert not authentic(train, gen)[:7].any()


@pytest.mark.parametrize("seed", range(6))
def test_the_prdc_package_agrees(seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Naeem et al.'s own package on fresh features, with another k each time."""
    package = pytest.importorskip("prdc")
    train, _, gen = fresh(seed)
    gen = gen[7:]
    k = seed + 1
    wanted = package.compute_prdc(train, gen, nearest_k=k)
    same(prdc(train, gen, k), tuple(wanted[x] for x in vars(prdc(train, gen, k))), 1e-12)
    capsys.readouterr()


def autograd(train: np.ndarray, test: np.ndarray, gen: np.ndarray) -> np.ndarray:
    """Memorization scores with torch's gradient and torch's Adam."""
    sets = [torch.tensor(x, dtype=torch.float64) for x in (train, test, gen)]
    mid, width = sets[1].mean(0), sets[1].std(0)
    real, made = ((sets[i] - mid) / width for i in (0, 2))
    d, exact = real.shape[1], "donot_use_mm_for_euclid_dist"
    squares = torch.cdist(real, made, compute_mode=exact) ** 2
    middle = 0.81 * ((real - real.mean(0)) ** 2).sum(1, keepdim=True)
    s = ((squares.min(0).values + 1e-3) / d).log().requires_grad_()
    s0 = torch.zeros((), dtype=torch.float64, requires_grad=True)

    def density(x: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        return -0.5 * x / v.exp() - d / 2 * v - d / 2 * np.log(2 * np.pi)

    adam, losses = torch.optim.Adam([s, s0], lr=0.5), []
    for epoch in range(50):
        adam.zero_grad()
        both = torch.cat([density(squares, s) - np.log(len(made)), density(middle, s0)], 1)
        loss = -both.logsumexp(1).mean() / d
        loss.backward()
        adam.step()
        s.data.clamp_(-40, 40)
        losses.append(loss.item())
        if epoch > 5 and max(abs(losses[-1] - x) for x in losses[-5:]) < 5e-4:
            break
    return (density(squares, s).max(0).values / d).detach().numpy()


@pytest.mark.parametrize("seed", range(4))
def test_automatic_differentiation_agrees_with_the_written_gradient(seed: int) -> None:
    """Memorization scores on fresh features equal those of torch's gradient and optimiser."""
    sets = fresh(seed)
    assert fld_memorization(*sets) == pytest.approx(autograd(*sets), abs=1e-8)


@pytest.mark.parametrize("score", [
    lambda t, h, g: np.array([zu(t, h, g), authenticity(t, g), *vars(prdc(t, g)).values()]),
    fld_memorization,
])  # fmt: skip
def test_blocks_change_nothing(
    score: Callable[..., np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row by row, and without anything kept, the numbers are those of one block."""
    sets = fresh(11)
    whole = score(*sets)
    monkeypatch.setattr(neighbours, "ENTRIES", 7)
    monkeypatch.setattr(likelihood_copying, "LARGEST", 1)
    assert score(*sets) == pytest.approx(whole, abs=1e-10)


@pytest.mark.parametrize("seed", range(4))
def test_neighbours_are_those_of_the_whole_matrix(seed: int) -> None:
    """Distances and places of k nearest, the image itself left out; of equals the first."""
    rng = np.random.default_rng(seed)
    points = rng.integers(0, 4, (80, 3)).astype(float)
    whole = cdist(points, points)
    np.fill_diagonal(whole, np.inf)
    near, where = nearest(points, points, 4, np.arange(80))
    assert near == pytest.approx(np.sort(whole, 1)[:, :4], abs=1e-12)
    assert whole[np.arange(80)[:, None], where] == pytest.approx(near, abs=1e-12)
    assert not (where == np.arange(80)[:, None]).any()


@pytest.mark.parametrize("share", [0.5, 0.05, 0.004])
def test_lists_answer_for_any_subset(share: float) -> None:
    """The nearest of a subset is exact also where no list reaches it, the query itself left out."""
    rng = np.random.default_rng(5)
    points = rng.standard_normal((300, 4))
    whole = cdist(points, points)
    np.fill_diagonal(whole, np.inf)
    lists = Lists.of(points, points, itself=True)
    for _ in range(5):
        subset = np.zeros(300, bool)
        subset[rng.choice(300, max(1, int(300 * share)), replace=False)] = True
        near, where = lists.among(subset)
        wanted = np.where(subset, whole, np.inf).min(1)
        alone = np.isinf(wanted)
        assert near[~alone] == pytest.approx(wanted[~alone], abs=1e-12)
        assert np.isnan(near[alone]).all()
        assert (where[alone] == -1).all()
        assert whole[~alone, where[~alone]] == pytest.approx(wanted[~alone], abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_spread_averages_to_prdc(seed: int) -> None:
    """Each image's part, from whole matrices."""
    train, _, gen = fresh(seed)
    parts, k = spread(train, gen, 3), 3
    own = [np.sort(cdist(s, s), 1)[:, k] for s in (train, gen)]
    across = cdist(train, gen)
    rim = own[0][:, None] * (1 - 1e-9)
    assert (parts.precise == (across < rim).any(0)).all()
    assert parts.density == pytest.approx((across < rim).sum(0) / k)
    assert (parts.recalled == (across < own[1] * (1 - 1e-9)).any(1)).all()
    assert (parts.covered == (across < rim).any(1)).all()


def test_nothing_is_not_zero() -> None:
    """Empty sets and cells that hold too little give NaN; what makes no sense is refused."""
    some, none = TRAIN[:30], TRAIN[:0]
    assert np.isnan(zu(some, none, some))
    assert np.isnan(zu(none, some, some))
    assert np.isnan(z_of_u(np.empty(0), np.ones(3)))
    assert np.isnan(authenticity(some, none))
    few = Cells(np.zeros(30), np.zeros(30), np.arange(30))
    away = Cells(np.ones(30), np.zeros(30), np.zeros(30))
    for cells in (few, away):
        assert np.isnan(distances(some, some, some, cells).c_t())
    with pytest.raises(ValueError, match="finite"):
        zu(some, some, some * np.nan)
    with pytest.raises(ValueError, match="same d"):
        zu(some, some, some[:, :3])
    with pytest.raises(ValueError, match="Cannot find"):
        prdc(some, some, 30)
    with pytest.raises(ValueError, match="two training"):
        authenticity(some[:1], some)
    with pytest.raises(ValueError, match="same in all"):
        fld_memorization(some, np.ones((5, 32)), some)
    with pytest.raises(ValueError, match="at least two"):
        fld_memorization(some, some[:1], some)
