"""Simulated faithful models against closed forms, exact tests and repeated audits."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
from scipy.stats import beta, binom

from audit.stats import faithful
from audit.stats.correction import lang_reiczigel
from audit.stats.decisions import binomial_p
from audit.stats.faithful import Sight
from audit.stats.floors import gap_floor
from audit.stats.proportions import effective_n, effective_n_among, intraclass, wilson


@pytest.mark.parametrize(("n", "share"), [(20, 0.5), (150, 0.3), (600, 0.02)])
def test_without_errors_the_mean_distance_is_the_exact_floor(n: int, share: float) -> None:
    """Independent images that are read rightly: E|k / n - share| of the binomial."""
    shares, seen = np.array([[share, 1 - share]]), Sight(np.array([2.0 * n]), np.array([1.0 * n]))
    made = faithful.faithful_estimates(shares, seen, np.random.default_rng(0), 8000)
    assert np.abs(made[:, 0, 0] - share).mean() == pytest.approx(gap_floor(n, share), rel=0.04)


def test_unsure_errors_move_all_subjects_together() -> None:
    """Estimates of faithful models are correlated over subjects as the delta method says."""
    shares = np.tile([0.5, 0.5], (2, 1))
    table = np.array([[27, 3], [3, 27]])
    seen = Sight(np.full(2, 4000.0), np.full(2, 4000.0), 0, table)
    made = faithful.faithful_estimates(shares, seen, np.random.default_rng(1), 8000)[..., 0]
    _, of_errors = faithful.read_share(shares[0], table, 0)
    assert made[:, 0].std() == pytest.approx(math.sqrt(of_errors) / 0.8, rel=0.1)
    assert np.corrcoef(made.T)[0, 1] > 0.95


@pytest.mark.parametrize(
    ("k", "n", "share", "variance"), [(5, 60, 0.2, 0.003), (50, 60, 0.7, 0.01)]
)
def test_the_mixed_p_integrates_the_binomial(k: int, n: int, share: float, variance: float) -> None:
    """Counts at most as likely, each by the midpoint rule over that beta."""
    size = share * (1 - share) / variance - 1
    spread = beta(share * size, (1 - share) * size)
    at = (np.arange(20_000) + 0.5) / 20_000
    chances = binom.pmf(np.arange(n + 1)[:, None], n, at) @ spread.pdf(at) / len(at)
    want = chances[chances <= chances[k] * (1 + 1e-6)].sum()
    assert faithful.mixed_binomial_p(k, n, share, variance) == pytest.approx(want, rel=1e-3)
    assert faithful.mixed_binomial_p(k, n, share, 0) == binomial_p(k, n, share)
    assert faithful.mixed_binomial_p(k, n, share, 1e-9) == pytest.approx(
        binomial_p(k, n, share), rel=0.01
    )


def test_p_and_corrected_interval_agree() -> None:
    """p is below 5 % exactly where the 95 % interval excludes the share, and is never 0."""
    rng = np.random.default_rng(2)
    excluded = []
    for _ in range(150):
        n, a, b = map(int, rng.integers((5, 5, 5), (300, 150, 150)))
        k, sens, spec = (int(x) for x in (rng.integers(0, n + 1), rng.binomial(a, 0.9),
                                          rng.binomial(b, 0.85)))  # fmt: skip
        limits = partial(lang_reiczigel, k, n, sens, a, spec, b)
        share = float(rng.choice([0, 1, 0.5, rng.random()]))
        p, within = faithful.inverted_p(limits, share), limits()
        if math.isnan(within.low):
            assert math.isnan(p)
            continue
        excluded.append(not within.low <= share <= within.high)
        assert (p < 0.05) == excluded[-1]
        assert 0 < p <= 1
    assert 0.1 < np.mean(excluded) < 0.9
    wide = lang_reiczigel(80, 100, 45, 50, 45, 50, 0.99)
    p = faithful.inverted_p(lambda level: lang_reiczigel(80, 100, 45, 50, 45, 50, level), wide.low)
    assert p == pytest.approx(0.01, rel=1e-3)


def audit(
    rng: np.random.Generator, truth: np.ndarray, images: int, alike: float,
    errors: tuple[float, int],
) -> float:  # fmt: skip
    """p of the mean distance of one audit of a faithful model: 5 prompts a subject."""
    right, many = errors
    shares = np.repeat(truth[:, None], 5, 1)
    if alike:
        size = (1 - alike) / alike
        shares = rng.beta(shares * size, (1 - shares) * size)
    read = shares * right + (1 - shares) * (1 - right)
    hits = rng.random((len(truth), 5, images)) < read[..., None]
    prompts, subjects = np.arange(len(truth) * 5), np.arange(len(truth))
    values = hits.reshape(-1).astype(float)
    icc = intraclass(values, np.repeat(prompts, images), np.repeat(subjects, 5 * images))
    place = np.repeat(np.arange(5), images)
    sizes = np.array([effective_n_among(h.reshape(-1).astype(float), place, icc) for h in hits])
    table = None
    if right < 1:
        a, d = rng.binomial(many, right, 2)
        table = np.array([[a, many - a], [many - d, d]])
    pairs = np.stack([truth, 1 - truth], 1)
    seen = Sight(np.full(len(truth), 5.0 * images), sizes, 4 * len(truth), table)
    made = np.abs(faithful.faithful_estimates(pairs, seen, rng, 400)[..., 0] - truth).mean(1)
    share = hits.mean((1, 2))
    if table is not None:
        a, d = table[0, 0] / many, table[1, 1] / many
        share = np.clip((share + d - 1) / (a + d - 1), 0, 1)
    gap = np.abs(share - truth).mean()
    return float((1 + (made >= gap - 1e-12).sum()) / (len(made) + 1))


@pytest.mark.slow
@pytest.mark.parametrize("images", [6, 30])
@pytest.mark.parametrize(
    ("alike", "errors"),
    [(0, (1.0, 0)), (0.1, (1.0, 0)), (0.3, (1.0, 0)), (0, (0.95, 150)), (0.1, (0.9, 30))],
)
def test_a_faithful_model_is_rarely_further_than_faithful_models(
    images: int, alike: float, errors: tuple[float, int]
) -> None:
    """Similar prompts and unsure readers included: p < 5 % in at most about 5 % of audits."""
    rng = np.random.default_rng([images, round(10 * alike), errors[1]])
    truth = np.array([0.6, 0.2, 0.95, 0.05, 0.5, 0.3])
    p = np.array([audit(rng, truth, images, alike, errors) for _ in range(120)])
    assert np.mean(p < 0.05) <= 0.1  # 5 % and two standard errors and a half
    assert np.mean(p < 0.5) > 0.2  # nor are faithful models taken to be far off


def test_a_group_of_unlike_prompts_is_not_averaged_away() -> None:
    """One subject of 20 whose prompts differ: intervals at the pooled similarity miss its mean."""
    rng = np.random.default_rng(5)
    place = np.repeat(np.arange(10), 30)
    own: list[bool] = []
    pooled: list[bool] = []
    for _ in range(100):
        shares = rng.beta(1.17, 1.17, 10)  # an ICC of 0.3
        values = (rng.random(300) < shares[place]).astype(float)
        mean = values.mean()
        for size, held in ((effective_n_among(values, place, 0.02), own),
                           (effective_n(values, place, 0.02), pooled)):  # fmt: skip
            ci = wilson(mean * size, size)
            held.append(ci.low <= 0.5 <= ci.high)
    assert np.mean(own) >= 0.9
    assert np.mean(pooled) < 0.75


def test_like_prompts_and_few_of_them_keep_the_pooled_similarity() -> None:
    """No clear difference, one class alone, or fewer than five prompts: Kish's effective n."""
    rng = np.random.default_rng(6)
    many = np.repeat(np.arange(8), 20)
    values = (np.arange(160) % 2).astype(float)
    assert effective_n_among(values, many, 0.1) == effective_n(values, many, 0.1)
    assert effective_n_among(values * 0, many, 0.1) == effective_n(values, many, 0.1)
    few, unlike = np.repeat(np.arange(4), 40), np.repeat([0.0, 1, 0, 1], 40)
    assert effective_n_among(unlike, few, 0.1) == effective_n(unlike, few, 0.1)
    apart = (rng.random(160) < np.repeat(rng.random(8), 20)).astype(float)
    assert effective_n_among(apart, many, 0.0) < 40
    assert math.isnan(effective_n_among(apart, many, math.nan))
