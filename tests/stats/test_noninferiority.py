"""Non-inferiority: size and power by simulation, closed forms, and where nothing is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t as student

from audit.stats import noninferiority as ni
from audit.stats.interval import Interval
from audit.stats.paired import paired_difference
from audit.stats.proportions import clopper_pearson


def verdict(d: np.ndarray, clusters: np.ndarray, margin: float) -> str:
    """The verdict on a mean of differences."""
    return ni.NonInferiority(ni.mean_change(d, clusters), margin).verdict


def differences(
    rng: np.random.Generator, mean: float, prompts: int = 12
) -> tuple[np.ndarray, np.ndarray]:
    """Five pairs per prompt that share half of their noise; standard deviation about 0.014."""
    clusters = np.repeat(np.arange(prompts), 5)
    shared, own = rng.normal(0, 0.01, prompts), rng.normal(0, 0.01, 5 * prompts)
    return mean + shared[clusters] + own, clusters


@pytest.mark.parametrize("prompts", [6, 12, 40])
def test_limits_cover_a_planted_mean_even_with_few_prompts(prompts: int) -> None:
    """95 % limits hold the mean in 91 to 98 % of 400 simulations, for 6 prompts as for 40."""
    rng = np.random.default_rng(prompts)
    hits = []
    for _ in range(400):
        got = ni.mean_change(*differences(rng, 0.3, prompts))
        hits.append(got.low <= 0.3 <= got.high)
    assert 0.91 <= np.mean(hits) <= 0.985


@pytest.mark.parametrize("prompts", [2, 3, 5, 10, 20])
def test_prompt_effects_of_mean_0_are_seldom_taken_for_a_change(prompts: int) -> None:
    """0 outside the limits in 5 % of 500 runs, a loss of the margin kept in 2.5 %, or in less."""
    rng, clusters, runs = np.random.default_rng(prompts), np.repeat(np.arange(prompts), 6), 500
    missed = kept = 0
    for _ in range(runs):
        d = rng.normal(0, 0.02, prompts)[clusters] + rng.normal(0, 0.02, len(clusters))
        got = ni.mean_change(d, clusters)
        missed += got.low > 0 or got.high < 0
        kept += verdict(d - 0.01, clusters, 0.01) == "not worse"
    for count, level in ((missed, 0.05), (kept, 0.025)):
        assert count / runs <= level + 3 * math.sqrt(level * (1 - level) / runs)
    assert prompts >= ni.FEWEST or missed == kept == 0


def test_a_loss_of_just_the_margin_is_rarely_called_not_worse() -> None:
    """At the edge either claim errs in about 2.5 %; far from it the claims are made."""
    rng = np.random.default_rng(1)

    def verdicts(mean: float, runs: int) -> list[str]:
        return [verdict(*differences(rng, mean, 20), 0.02) for _ in range(runs)]

    edge = verdicts(-0.02, 200)
    assert edge.count("not worse") <= 13
    assert edge.count("worse") <= 13
    assert verdicts(0.0, 40).count("not worse") >= 38
    assert verdicts(-0.04, 40).count("worse") >= 38


@pytest.mark.parametrize("seed", range(4))
def test_limits_are_those_of_student_on_cluster_means(seed: int) -> None:
    """Clusters of one size: the mean's t interval over clusters; the same rows in any order."""
    rng = np.random.default_rng(seed)
    d, clusters = differences(rng, 0, 25)
    means = d.reshape(25, 5).mean(1)
    reach = student.ppf(0.975, 24) * means.std(ddof=1) / 5
    order = rng.permutation(len(d))
    got = ni.mean_change(d[order], clusters[order])
    assert (got.low, got.high) == pytest.approx((means.mean() - reach, means.mean() + reach))
    assert got.estimate == pytest.approx(means.mean())


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_single_pairs_have_newcombes_limits(pairs: list[tuple[bool, bool]]) -> None:
    """Without clusters there is no design effect: the published method as it is."""
    before, after = np.array(pairs).T
    n11, n10 = int((before & after).sum()), int((before & ~after).sum())
    n01, n00 = int((~before & after).sum()), int((~before & ~after).sum())
    got = ni.share_change(before, after, np.arange(len(before)))
    want = paired_difference(n11, n01, n10, n00)
    assert (got.estimate, got.low, got.high) == pytest.approx((want.estimate, want.low, want.high))


def test_limits_of_a_change_of_shares_hold_for_clustered_pairs() -> None:
    """Prompts that differ in how they react: held in at least 90 %, where plain limits fail."""
    rng = np.random.default_rng(2)
    clusters = np.repeat(np.arange(20), 10)
    hits, plain = [], []
    for _ in range(400):
        fall = rng.choice([0.0, 0.8], 20)[clusters]  # on average 0.4 of those that had it
        before = rng.random(200) < 0.9
        after = before & (rng.random(200) >= fall)
        truth = -0.9 * 0.4
        got = ni.share_change(before, after, clusters)
        bare = ni.share_change(before, after, np.arange(200))
        hits.append(got.low <= truth <= got.high)
        plain.append(bare.low <= truth <= bare.high)
    assert np.mean(hits) >= 0.9
    assert np.mean(plain) < 0.8


def test_pairs_that_all_agree_say_as_much_as_there_are_prompts() -> None:
    """Forty pairs of four prompts without a change: limits as wide as of four pairs or so."""
    same = np.ones(40, bool)
    got = ni.share_change(same, same, np.repeat(np.arange(4), 10))
    alone = ni.share_change(same, same, np.arange(40))
    assert got.estimate == 0
    assert got.high == pytest.approx(alone.high * math.sqrt(10))


def test_what_is_not_known_is_undecided() -> None:
    """No pairs, four prompts: undecided; nothing changed at all: not worse; wrong use: errors."""
    assert verdict(np.empty(0), np.empty(0), 0.1) == "undecided"
    assert verdict(np.zeros(4), np.arange(4), 0.1) == "undecided"
    assert verdict(np.zeros(9), np.arange(9), 0.1) == "not worse"
    assert ni.NonInferiority(Interval(0, -0.2, 0.2), 0.1).verdict == "undecided"
    empty = np.empty(0, bool)
    assert math.isnan(ni.share_change(empty, empty, empty).estimate)
    with pytest.raises(ValueError, match="missing"):
        ni.mean_change(np.array([0, np.nan]), np.arange(2))


@pytest.mark.parametrize("k", [5, 8, 20])
@pytest.mark.parametrize("mean", [0.0, 0.25, -1.0])
def test_shares_of_clusters_that_agree_leave_uncertainty(k: int, mean: float) -> None:
    """The limits leave room for what k clusters can miss, and stay inside -1..1."""
    got = ni.mean_change(np.full(3 * k, mean), np.repeat(np.arange(k), 3), shares=True)
    assert got.estimate == pytest.approx(mean)
    missed = clopper_pearson(0, k).high
    assert got.high == pytest.approx(mean + missed * (1 - mean))
    assert got.low == pytest.approx(mean - missed * (1 + mean))
    few = ni.mean_change(np.full(8, mean), np.repeat(np.arange(4), 2), shares=True)
    assert math.isnan(few.low)


def test_a_rare_change_is_not_ruled_out_by_a_few_prompts_without_it() -> None:
    """One prompt in ten changes wholly: limits over 8 prompts hold that in nearly all samples."""
    rng = np.random.default_rng(9)
    held = []
    for _ in range(300):
        d = np.repeat(rng.random(8) < 0.1, 4).astype(float)
        got = ni.mean_change(d, np.repeat(np.arange(8), 4), shares=True)
        held.append(got.low <= 0.1 <= got.high)
    assert np.mean(held) > 0.9
