"""Numbers of images against statsmodels, published values, brute force and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, norm
from statsmodels.stats.power import NormalIndPower, normal_sample_size_one_tail
from statsmodels.stats.proportion import proportion_confint, proportion_effectsize

from audit.stats import correction, paired, power, proportions
from audit.stats.power import Classifier, Wanted

SHARES = st.floats(0.01, 0.99)


def wilson_half_width(n: float, share: float, level: float = 0.95) -> float:
    """Half the width of statsmodels' Wilson interval; counts need not be whole."""
    low, high = proportion_confint(share * n, n, 1 - level, "wilson")
    return (high - low) / 2


@given(st.floats(0, 1), st.floats(0.01, 0.3), st.sampled_from([0.8, 0.95, 0.99]))
def test_precision_is_reached_at_n_and_not_before(share: float, h: float, level: float) -> None:
    """statsmodels' half-width is at most the precision with n images, and above with one fewer."""
    n = power.images_for_precision(share, h, level)
    assert wilson_half_width(n, share, level) <= h + 1e-6
    if n > 1:
        assert wilson_half_width(n - 1, share, level) > h - 1e-6


def test_precision_equals_the_surveyed_values() -> None:
    """Half-width .05 needs 381 images, .1 needs 93; 385 and 97 less z^2."""
    assert power.images_for_precision(0.5, 0.05) == 381
    assert power.images_for_precision(0.5, 0.1) == 93


@given(st.floats(0.05, 0.95), st.floats(0.02, 0.1), st.floats(0.7, 1), st.floats(0.7, 1))
def test_known_errors_inflate_by_youdens_index(p: float, h: float, se: float, sp: float) -> None:
    """Rogan and Gladen's interval of Wilson's limits has the half-width that was asked for."""
    n = power.images_for_precision(p, h, classifier=Classifier(se, sp))
    q = p * se + (1 - p) * (1 - sp)
    assert wilson_half_width(n, q) / (se + sp - 1) <= h + 1e-6
    assert n >= power.images_for_precision(q, h)


@pytest.mark.parametrize(("p", "h"), [(0.5, 0.08), (0.1, 0.06)])
def test_the_corrected_interval_is_as_wide_as_planned(p: float, h: float) -> None:
    """Lang and Reiczigel's half-width in simulated audits of n images is the precision."""
    rng, labels = np.random.default_rng(int(10 * p)), 400
    n = int(power.images_for_precision(p, h, classifier=Classifier(0.93, 0.95, labels, labels)))
    widths = []
    for _ in range(200):
        k = rng.binomial(n, p * 0.93 + (1 - p) * 0.05)
        got = correction.lang_reiczigel(
            k, n, rng.binomial(labels, 0.93), labels, rng.binomial(labels, 0.95), labels
        )
        widths.append((got.high - got.low) / 2)
    assert np.mean(widths) == pytest.approx(h, rel=0.05)


def test_images_cannot_make_up_for_labels() -> None:
    """Doubt about the classifier alone exceeds the precision: no number of images is enough."""
    few = Classifier(0.9, 0.9, 25, 25)
    assert power.images_for_precision(0.5, 0.05, classifier=few) == math.inf
    assert power.images_for_share(0.5, 0.55, classifier=few) == math.inf
    many = Classifier(0.9, 0.9, 10_000, 10_000)
    assert 381 < power.images_for_precision(0.5, 0.05, classifier=many) < 1000


@given(SHARES, SHARES, st.integers(1, 300), st.sampled_from([1, 150]))
def test_power_of_a_share_is_the_mass_that_clopper_pearson_excludes(
    share: float, reference: float, n: int, comparisons: int
) -> None:
    """Summed over the counts whose exact interval leaves the reference out."""
    wanted = Wanted(comparisons=comparisons)
    k = np.arange(n + 1)
    low, high = proportion_confint(k, n, wanted.alpha, "beta")
    out = (np.where(k == 0, 0, low) > reference) | (np.where(k == n, 1, high) < reference)
    near = (abs(low - reference) < 1e-9) | (abs(high - reference) < 1e-9)
    if near.any():
        return
    got = power.power_of_share(np.array([n]), share, reference, wanted)[0]
    assert got == pytest.approx(binom.pmf(k[out], n, share).sum(), abs=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_the_exact_number_is_near_statsmodels_normal_one(seed: int) -> None:
    """The power is reached at n and kept, and n is the normal approximation's within 10 %."""
    rng = np.random.default_rng(seed)
    p0 = rng.uniform(0.15, 0.75)
    p1 = p0 + rng.uniform(0.04, 0.08) * rng.choice([-1, 1])
    wanted = Wanted(power=rng.uniform(0.7, 0.95), comparisons=int(rng.integers(1, 50)))
    n = int(power.images_for_share(p1, p0, wanted))
    theirs = normal_sample_size_one_tail(
        p1 - p0, wanted.power, wanted.alpha / 2,
        math.sqrt(p0 * (1 - p0)), math.sqrt(p1 * (1 - p1)),
    )  # fmt: skip
    assert n == pytest.approx(theirs, rel=0.1)
    assert (power.power_of_share(np.arange(n, 2 * n), p1, p0, wanted) >= wanted.power).all()
    assert n == 1 or power.power_of_share(np.array([n - 1]), p1, p0, wanted)[0] < wanted.power


def test_beyond_the_exact_range_the_number_is_statsmodels() -> None:
    """Tiny differences take the normal formula, also with endless labels of a perfect reader."""
    theirs = normal_sample_size_one_tail(0.004, 0.8, 0.025, 0.5, math.sqrt(0.504 * 0.496))
    assert power.images_for_share(0.504, 0.5) == math.ceil(theirs)
    got = power.images_for_share(0.6, 0.5, classifier=Classifier(1, 1, 10**9, 10**9))
    assert got == math.ceil(normal_sample_size_one_tail(0.1, 0.8, 0.025, 0.5, math.sqrt(0.6 * 0.4)))


def test_planned_power_with_labelled_rates_is_met() -> None:
    """Wald tests of Rogan and Gladen's estimate reject in about the planned share of audits."""
    rng, labels, p0, p1 = np.random.default_rng(4), 500, 0.3, 0.45
    n = int(power.images_for_share(p1, p0, classifier=Classifier(0.9, 0.95, labels, labels)))
    q = rng.binomial(n, p1 * 0.9 + (1 - p1) * 0.05, 20_000) / n
    se, sp = rng.binomial(labels, 0.9, 20_000) / labels, rng.binomial(labels, 0.95, 20_000) / labels
    q0 = p0 * se + (1 - p0) * (1 - sp)
    spread = q0 * (1 - q0) / n + p0**2 * se * (1 - se) / labels
    spread += (1 - p0) ** 2 * sp * (1 - sp) / labels
    rejected = np.abs(q - q0) > norm.ppf(0.975) * np.sqrt(spread)
    assert rejected.mean() == pytest.approx(0.8, abs=0.02)


@pytest.mark.parametrize(
    ("p1", "p2", "one", "many"),
    [(0.5, 0.6, 387, 968), (0.5, 0.7, 93, 232), (0.1, 0.3, 59, 148), (0.03, 0.45, 12, 31)],
)
def test_two_arms_equal_the_surveyed_values(p1: float, p2: float, one: int, many: int) -> None:
    """80 % power at 5 %, alone and as one of 150: the rounded values, rounded up."""
    assert power.images_per_arm(p1, p2) - one in (0, 1)
    assert power.images_per_arm(p1, p2, Wanted(comparisons=150)) - many in (0, 1)


@given(SHARES, SHARES, st.floats(0.5, 0.95), st.integers(1, 200))
@settings(max_examples=40, deadline=None)
def test_two_arms_equal_statsmodels(p1: float, p2: float, aim: float, m: int) -> None:
    """Within one image of NormalIndPower at the same effect, which also counts the wrong tail."""
    effect = abs(proportion_effectsize(p1, p2))
    if effect < 0.05:
        return
    wanted = Wanted(power=aim, comparisons=m)
    n = power.images_per_arm(p1, p2, wanted)
    got = NormalIndPower().power(effect, n, wanted.alpha, ratio=1)
    assert got >= aim - 1e-9
    if n > 2:
        assert NormalIndPower().power(effect, n - 1, wanted.alpha, ratio=1) <= aim + 0.002


@pytest.mark.parametrize(("gained", "lost", "n"), [(0.2, 0.05, 60), (0.3, 0.1, 100), (0.1, 0, 50)])
def test_power_of_a_change_is_that_of_mcnemars_test(gained: float, lost: float, n: int) -> None:
    """Simulated pairs are rejected by the package's own test as often as computed."""
    rng = np.random.default_rng(n)
    counts = rng.multinomial(n, [gained, lost, 1 - gained - lost], 4000)[:, :2]
    tables, times = np.unique(counts, axis=0, return_counts=True)
    rejected = sum(
        t for (b, c), t in zip(tables, times, strict=True) if paired.mcnemar(b, c) <= 0.05
    )
    assert power.power_of_change(n, gained, lost) == pytest.approx(rejected / 4000, abs=0.025)


@pytest.mark.parametrize(("gained", "lost"), [(0.2, 0.1), (0.05, 0.3), (0.35, 0.3)])
@pytest.mark.parametrize("comparisons", [1, 20])
def test_pairs_are_near_the_published_approximation(
    gained: float, lost: float, comparisons: int
) -> None:
    """Exact power is reached at n, not one pair before; Connett's n is near (1987, eq. 3)."""
    wanted = Wanted(comparisons=comparisons)
    n = int(power.pairs_for_change(gained, lost, wanted))
    assert power.power_of_change(n, gained, lost, wanted) >= 0.8
    assert power.power_of_change(n - 1, gained, lost, wanted) < 0.8
    a, b = norm.isf(wanted.alpha / 2), norm.ppf(0.8)
    changed, gap = gained + lost, gained - lost
    rough = ((a * math.sqrt(changed) + b * math.sqrt(changed - gap**2)) / gap) ** 2
    assert 0.98 * rough <= n <= 1.25 * rough + 12


@pytest.mark.parametrize("alpha", [0.05, 0.0025])
def test_changes_of_one_kind_need_only_be_counted(alpha: float) -> None:
    """Without losses d gains are seen where 2 / 2^d <= alpha: n from the binomial alone."""
    needed = math.ceil(1 + math.log2(1 / alpha))
    n = power.pairs_for_change(0.1, 0.0, Wanted(level=1 - alpha))
    expected = next(m for m in range(1, 999) if binom.sf(needed - 1, m, 0.1) >= 0.8)
    assert n == expected


def test_pairing_saves_images() -> None:
    """Where most pairs agree, far fewer pairs than images per unpaired arm are needed."""
    assert power.pairs_for_change(0.12, 0.02) < power.images_per_arm(0.5, 0.6) / 2


def test_nothing_to_see_needs_endless_images() -> None:
    """Equal shares can never be told apart."""
    assert power.images_for_share(0.3, 0.3) == math.inf
    assert power.images_per_arm(0.3, 0.3) == math.inf
    assert power.pairs_for_change(0.1, 0.1) == math.inf
    assert power.power_of_change(50, 0, 0) == 0


def test_a_single_image_refutes_a_reference_of_none() -> None:
    """Against a share of 0 one sighting is enough: n with 1 - (1 - p)^n >= .8."""
    assert power.images_for_share(0.1, 0.0) == math.ceil(math.log(0.2) / math.log(0.9))
    assert power.images_for_share(0.9, 1.0) == math.ceil(math.log(0.2) / math.log(0.9))


def test_wilson_at_the_planned_number_has_the_precision() -> None:
    """The package's own interval, at whole counts."""
    n = int(power.images_for_precision(0.2, 0.05))
    got = proportions.wilson(round(0.2 * n), n)
    assert (got.high - got.low) / 2 == pytest.approx(0.05, abs=5e-4)


def test_invalid_input_is_refused() -> None:
    """Impossible shares, precisions, tests and classifiers."""
    with pytest.raises(ValueError, match=r"Shares must be in 0\.\.1"):
        power.images_for_share(1.2, 0.3)
    with pytest.raises(ValueError, match="precision"):
        power.images_for_precision(0.5, 0.0)
    with pytest.raises(ValueError, match="sum to at most 1"):
        power.pairs_for_change(0.8, 0.4)
    with pytest.raises(ValueError, match="sum to more than 1"):
        Classifier(0.5, 0.5)
    for bad in ({"power": 1.0}, {"level": 0.0}, {"comparisons": 0}):
        with pytest.raises(ValueError, match="at least one comparison"):
            Wanted(**bad)


def test_the_least_difference_is_just_told_apart() -> None:
    """At the edge the power is what was wanted; where nothing suffices the answer is NaN."""
    low, high = power.least_difference(100, 0.5)
    at = power.power_of_share(np.array([100]), low, 0.5)[0]
    assert at == pytest.approx(0.8, abs=1e-3)
    assert low == pytest.approx(1 - high, abs=1e-3)
    assert math.isnan(power.least_difference(3, 0.5)[0])
    assert math.isnan(power.least_difference(0, 0.5)[1])


def test_half_widths_are_those_of_wilson() -> None:
    """381 images are the fewest that give plus or minus 5 points at one half."""
    assert power.half_width(381, 0.5) <= 0.05 < power.half_width(380, 0.5)
    assert math.isnan(power.half_width(0, 0.5))
