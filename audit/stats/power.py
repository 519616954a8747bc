"""How many images a question needs, before any are drawn.

Numbers are of independent images (one prompt, many seeds): images of one prompt among many are
worth less, see `proportions.effective_n`. Infinity where no number of images is enough.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.stats import binom, norm

from audit.stats.proportions import wilson

EXACT = 20_000
"""Images up to which a test's power is computed from the binomial distribution."""


@dataclass(frozen=True)
class Wanted:
    """Requirements of a test: its power, its level, and the comparisons in its family.

    Raises ValueError for power or level outside 0..1, or less than one comparison.
    """

    power: float = 0.8
    level: float = 0.95
    comparisons: int = 1
    """Comparisons in the family, planned as if Bonferroni's correction were applied."""

    def __post_init__(self) -> None:
        if not (0 < self.power < 1 and 0 < self.level < 1 and self.comparisons >= 1):
            raise ValueError("Power and level must be inside 0..1, with at least one comparison.")

    @property
    def alpha(self) -> float:
        """Two-sided error probability allowed for each comparison."""
        return (1 - self.level) / self.comparisons

    @property
    def quantiles(self) -> tuple[float, float]:
        """Standard normal quantiles of alpha / 2 and of the power."""
        return float(norm.isf(self.alpha / 2)), float(norm.ppf(self.power))


@dataclass(frozen=True)
class Classifier:
    """A classifier's error rates and the labels of each class that they were estimated from.

    Raises ValueError for rates outside 0..1, or where sensitivity + specificity is at most 1: such
    a classifier is uninformative.
    """

    sensitivity: float = 1.0
    specificity: float = 1.0
    sens_n: float = math.inf
    spec_n: float = math.inf

    def __post_init__(self) -> None:
        rates = self.sensitivity, self.specificity
        if not all(0 <= r <= 1 for r in rates) or sum(rates) <= 1:
            raise ValueError(f"Rates must be in 0..1 and sum to more than 1, not {rates}.")

    @property
    def youden(self) -> float:
        """Change of the observed share per change of the true one."""
        return self.sensitivity + self.specificity - 1

    def read(self, share: float) -> float:
        """The observed share where the true one is `share`."""
        return share * self.sensitivity + (1 - share) * (1 - self.specificity)

    def doubt(self, share: float) -> float:
        """Variance of the observed share from the labels alone; more images do not reduce it.

        The last two terms of Rogan and Gladen's variance (1978, AJE 107:71), times Youden's index
        squared.
        """
        se, sp = self.sensitivity, self.specificity
        return share**2 * se * (1 - se) / self.sens_n + (1 - share) ** 2 * sp * (1 - sp) / (
            self.spec_n
        )


PERFECT = Classifier()


def _check(*shares: float) -> None:
    if not all(0 <= s <= 1 for s in shares):
        raise ValueError(f"Shares must be in 0..1, not {shares}.")


def images_for_precision(
    share: float, precision: float, level: float = 0.95, classifier: Classifier = PERFECT
) -> float:
    """Images needed for an interval of a share of half-width `precision`.

    Wilson's half-width solved for n: h^2 (n + z^2)^2 = z^2 (n q (1 - q) + z^2 / 4) (Wilson 1927) at
    the share q that the classifier reads, for h = precision times Youden's index, less the part due
    to doubt about its rates. `share` 0.5 is the worst case of a perfect classifier. Infinite where
    too few labels leave too much doubt. Raises ValueError for a share outside 0..1 or a precision
    outside 0..1/2.
    """
    _check(share)
    if not 0 < precision < 0.5:
        raise ValueError(f"The precision must be inside 0..1/2, not {precision}.")
    z2 = float(norm.ppf((1 + level) / 2)) ** 2
    h2 = (precision * classifier.youden) ** 2 - z2 * classifier.doubt(share)
    if h2 <= 0:
        return math.inf
    q = classifier.read(share)
    middle = 2 * h2 * z2 - z2 * q * (1 - q)
    root = math.sqrt(max(middle**2 - 4 * h2 * (h2 * z2**2 - z2**2 / 4), 0))
    return max(1, math.ceil((-middle + root) / (2 * h2) - 1e-9))


def _first_rejected(n: np.ndarray, share: float, alpha: float) -> np.ndarray:
    """Smallest k with P(X >= k) <= alpha for X ~ Binomial(n, share); n + 1 where there is none."""
    return np.asarray(binom.isf(alpha, n, share) + 1)


def power_of_share(
    n: np.ndarray, share: float, reference: float, wanted: Wanted | None = None
) -> np.ndarray:
    """Power float[m] of the exact test of a share against a reference with n int[m] images.

    Two-sided with alpha / 2 in either tail: the test that Clopper and Pearson's interval inverts.
    """
    _check(share, reference)
    tail = (wanted or Wanted()).alpha / 2
    above = binom.sf(_first_rejected(n, reference, tail) - 1, n, share)
    below = binom.sf(_first_rejected(n, 1 - reference, tail) - 1, n, 1 - share)
    return np.asarray(above + below)


def images_for_share(
    share: float, reference: float, wanted: Wanted | None = None,
    classifier: Classifier = PERFECT,
) -> float:  # fmt: skip
    """Images needed to distinguish an expected share from a reference.

    With known error rates: the smallest n from which on the exact test (`power_of_share`, on the
    classifier's labels) keeps its power, up to 20,000 images. Beyond these, and with rates from
    labels: the normal approximation n with |p1 - p0| J = z_a sqrt(V0) + z_b sqrt(V1), where V is q
    (1 - q) / n plus the labels' doubt at either share (Fleiss, Levin & Paik 2003, sec. 2.2, without
    continuity correction). Infinite for equal shares or too few labels.
    """
    _check(share, reference)
    wanted = wanted or Wanted()
    q1, q0 = classifier.read(share), classifier.read(reference)
    if q1 == q0:
        return math.inf
    rough = _normal_n(
        (q0 * (1 - q0), q1 * (1 - q1)),
        (classifier.doubt(reference), classifier.doubt(share)), abs(q1 - q0), wanted,
    )  # fmt: skip
    labelled = min(classifier.sens_n, classifier.spec_n) < math.inf
    if labelled or rough > EXACT:
        return rough
    n = np.arange(1, int(1.5 * rough) + 100)
    weak = np.flatnonzero(power_of_share(n, q1, q0, wanted) < wanted.power)
    return int(n[weak[-1]]) + 1 if len(weak) else 1


def _normal_n(
    spread: tuple[float, float], doubt: tuple[float, float], gap: float, wanted: Wanted
) -> float:
    """Smallest n with z_a sqrt(s0 / n + d0) + z_b sqrt(s1 / n + d1) <= gap, by bisection."""
    z = wanted.quantiles

    def enough(n: float) -> bool:
        parts = (q * math.sqrt(s / n + d) for q, s, d in zip(z, spread, doubt, strict=True))
        return sum(parts) <= gap

    if not enough(1e15):
        return math.inf
    return _first(enough)


def _first(enough: Callable[[int], bool]) -> int:
    """Smallest n >= 1 that is enough (`enough` is monotone): doubling, then bisection."""
    low, high = 0, 1
    while not enough(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def half_width(n: int, share: float, level: float = 0.95) -> float:
    """Half the width of Wilson's interval of n images at a share; NaN for n = 0."""
    if n == 0:
        return math.nan
    found = wilson(share * n, n, level)
    return (found.high - found.low) / 2


def least_difference(n: int, reference: float, wanted: Wanted | None = None) -> tuple[float, float]:
    """The nearest shares below and above a reference that n images distinguish from it, or NaN.

    By the exact test of `power_of_share`, whose power rises with the distance.
    """
    goal = wanted or Wanted()

    def power(share: float) -> float:
        return float(power_of_share(np.array([n]), share, reference, goal)[0]) if n else 0.0

    def seek(far: float) -> float:
        if power(far) < goal.power:
            return math.nan
        near = reference
        for _ in range(40):
            middle = (near + far) / 2
            near, far = (near, middle) if power(middle) >= goal.power else (middle, far)
        return far

    return seek(0.0), seek(1.0)


def images_per_arm(share: float, other: float, wanted: Wanted | None = None) -> float:
    """Images needed in each of two unpaired arms to distinguish their shares.

    n = 2 ((z_a + z_b) / h)^2 with h = 2 asin sqrt(p1) - 2 asin sqrt(p2) (Cohen 1988, eq. 6.4.1 with
    his effect size h of sec. 6.2). Infinite for equal shares.
    """
    _check(share, other)
    effect = 2 * (math.asin(math.sqrt(share)) - math.asin(math.sqrt(other)))
    if effect == 0:
        return math.inf
    return math.ceil(2 * (sum((wanted or Wanted()).quantiles) / effect) ** 2 - 1e-9)


def power_of_change(n: int, gained: float, lost: float, wanted: Wanted | None = None) -> float:
    """Power of McNemar's exact test on n pairs, of which shares `gained` and `lost` change.

    Summed over the number of changed pairs and, given it, of gains. Raises ValueError where the
    shares are negative or sum to more than 1.
    """
    changed = gained + lost
    if min(gained, lost) < 0 or changed > 1:
        raise ValueError(f"Shares of pairs must be at least 0 and sum to at most 1, not {changed}.")
    if changed == 0:
        return 0.0
    low, high = binom.ppf([1e-12, 1 - 1e-12], n, changed)
    d = np.arange(int(low), int(high) + 1)
    first = _first_rejected(d, 0.5, (wanted or Wanted()).alpha / 2)
    share = gained / changed
    rejected = binom.sf(first - 1, d, share) + binom.sf(first - 1, d, 1 - share)
    return float((binom.pmf(d, n, changed) * rejected).sum())


def pairs_for_change(gained: float, lost: float, wanted: Wanted | None = None) -> float:
    """Pairs of images with the same noise needed to detect a change by McNemar's exact test.

    `gained` is the share of pairs in which only the second shows the class, `lost` that in which
    only the first does. The smallest n with the power summed exactly, by doubling and bisection.
    Infinite for equal shares.
    """
    wanted = wanted or Wanted()
    power_of_change(1, gained, lost, wanted)  # raises for impossible shares
    if gained == lost:
        return math.inf
    return _first(lambda n: power_of_change(n, gained, lost, wanted) >= wanted.power)
