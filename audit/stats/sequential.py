"""Shares that may be looked at while images are still being made.

A confidence sequence covers at every look at once, so that stopping early costs nothing in honesty;
a fixed-width design covers at the moment its rule stops, and needs far fewer images.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.special import betaln, logsumexp
from scipy.stats import norm

from audit.stats.interval import Interval
from audit.stats.proportions import wilson

WAGERS = ((0.5, 0.45), (4.0, 0.275), (30.0, 0.275))
"""Beta(a, a) wagers and their parts of the stake: the first bets on shares near 0 or 1, the last
on shares near one half."""


def log_wealth(k: np.ndarray, n: np.ndarray, m: np.ndarray) -> np.ndarray:
    """Log of the wealth of betting against each share m after k successes in n images.

    Bets follow the posterior means of beta priors, mixed over WAGERS; against a true m the wealth
    is a martingale that starts at 1 (Waudby-Smith & Ramdas 2024, JRSSB 86:1, sec. 4; the closed
    form is Robbins 1970, Ann Math Stat 41:1397). Shapes broadcast; m inside (0, 1).
    """
    likelihood = k * np.log(m) + (n - k) * np.log1p(-m)
    parts = [math.log(part) + betaln(a + k, a + n - k) - betaln(a, a) for a, part in WAGERS]
    return np.asarray(logsumexp(np.stack(np.broadcast_arrays(*parts)), axis=0) - likelihood)


@dataclass(frozen=True)
class ConfidenceSequence:
    """Limits of one share, valid at all looks together; they only ever come closer.

    `level` is the chance that every interval, of all looks there will ever be, holds the share.
    """

    level: float = 0.95
    k: int = 0
    n: int = 0
    low: float = 0.0
    high: float = 1.0

    def update(self, k: int, n: int) -> ConfidenceSequence:
        """The sequence after `k` successes in `n` images more. ValueError unless 0 <= k <= n."""
        if not 0 <= k <= n:
            raise ValueError(f"A round needs 0 <= k <= n, not k = {k} of n = {n}.")
        total, hits = self.n + n, self.k + k
        if total == 0:
            return self
        low, high = _limits(hits, total, 1 - self.level)
        low, high = max(low, self.low), min(high, self.high)
        if low > high:  # the share drifted: what was said before stands, at its edge
            low = high = min(max(hits / total, self.low), self.high)
        return ConfidenceSequence(self.level, hits, total, low, high)

    @property
    def interval(self) -> Interval:
        """The share seen so far, inside its limits; NaN before any image."""
        if self.n == 0:
            return Interval(math.nan, 0.0, 1.0)
        return Interval(min(max(self.k / self.n, self.low), self.high), self.low, self.high)


def _limits(k: int, n: int, alpha: float) -> tuple[float, float]:
    """The shares that the wealth has not ruled out, by bisection to 1e-9."""
    bar = math.log(1 / alpha)

    def ruled_out(m: float) -> bool:
        return bool(log_wealth(np.array(k), np.array(n), np.array(m)) >= bar)

    def edge(out: float, inside: float) -> float:
        for _ in range(34):
            middle = (out + inside) / 2
            out, inside = (middle, inside) if ruled_out(middle) else (out, middle)
        return out

    best = min(max(k / n, 1e-12), 1 - 1e-12)
    return (0.0 if k == 0 else edge(0.0, best)), (1.0 if k == n else edge(1.0, best))


@dataclass(frozen=True)
class FixedWidth:
    """Stop at the first look at which Wilson's interval at `level` is at most `half` either way.

    `level` is set so that the interval at the stop covers with 95 %, whatever the share: looking
    often is paid for by a level a little above 95 %, not by several times the images (Frey 2010,
    Am Stat 64:242, whose interval is Agresti and Coull's).
    """

    half: float
    step: int
    level: float
    nominal: float = 0.95

    def narrow(self, k: float, n: float) -> bool:
        """Whether the rule stops at k of n."""
        if n <= 0:
            return False
        ci = wilson(k, n, self.level)
        return (ci.high - ci.low) / 2 <= self.half

    @property
    def most(self) -> int:
        """Images by which it has stopped, whatever the share; a multiple of the step."""
        n = self.step
        while not self.narrow(n / 2, n):
            n += self.step
        return n


def _halves(n: int, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's limits for every k of n, float[n + 1] each (the formula that `wilson` calls)."""
    z2 = float(norm.ppf((1 + level) / 2)) ** 2
    p = np.arange(n + 1) / n
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    spread = np.sqrt(z2 * (p * (1 - p) / n + z2 / (4 * n**2))) / (1 + z2 / n)
    low, high = centre - spread, centre + spread
    low[0], high[n] = 0.0, 1.0  # exactly, which rounding misses
    return low, high


def coverage(rule: FixedWidth, shares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Exact coverage and mean number of images of a rule at true shares float[m].

    Walks all paths of counts from look to look: float[m] each.
    """
    alive = np.ones((len(shares), 1))
    held, images, n = np.zeros(len(shares)), np.zeros(len(shares)), 0
    step = _binomial(rule.step, shares)
    while alive.sum() > 1e-12:
        alive, n = _convolve(alive, step), n + rule.step
        low, high = _halves(n, rule.level)
        stops = (high - low) / 2 <= rule.half
        stopped = alive * stops
        inside = (low <= shares[:, None]) & (shares[:, None] <= high)
        held += (stopped * inside).sum(1)
        images += n * stopped.sum(1)
        alive = alive * ~stops
    return held, images


def _binomial(n: int, shares: np.ndarray) -> np.ndarray:
    from scipy.stats import binom

    return np.asarray(binom.pmf(np.arange(n + 1)[None], n, shares[:, None]))


def _convolve(alive: np.ndarray, step: np.ndarray) -> np.ndarray:
    out = np.zeros((len(alive), alive.shape[1] + step.shape[1] - 1))
    for j in range(step.shape[1]):
        out[:, j : j + alive.shape[1]] += alive * step[:, j : j + 1]
    return out


@cache
def fixed_width(half: float, step: int = 1, nominal: float = 0.95) -> FixedWidth:
    """The rule for a half-width, looked at every `step` images, with coverage of `nominal`.

    The level is the lowest, to 0.0005, whose exact coverage is nowhere below `nominal` on a grid of
    shares from 0.005 to 0.5 (the other half mirrors it). ValueError unless 0 < half < 0.5.
    """
    if not 0 < half < 0.5:
        raise ValueError(f"A half-width lies between 0 and 0.5, not at {half}.")
    shares = _grid()
    low, high = nominal, 1 - (1 - nominal) / 5
    while high - low > 0.0005:
        middle = (low + high) / 2
        worst = coverage(FixedWidth(half, step, middle, nominal), shares)[0].min()
        low, high = (low, middle) if worst >= nominal else (middle, high)
    return FixedWidth(half, step, high, nominal)


def _grid() -> np.ndarray:
    return np.concatenate([np.arange(0.005, 0.1, 0.005), np.arange(0.1, 0.5001, 0.02)])


def hedged(values: Sequence[float], level: float = 0.95, points: int = 1001) -> np.ndarray:
    """Limits float[n, 2] of the mean of values in [0, 1] after each of them, valid at all together.

    The hedged capital process with predictable plug-in bets (Waudby-Smith & Ramdas 2024, theorem 3
    with eq. 26 and c = 1/2), on a grid of `points` means. For readings that are no labels, such as
    similarity. ValueError for a value outside [0, 1].
    """
    x = np.asarray(values, float)
    if ((x < 0) | (x > 1)).any() or not np.isfinite(x).all():
        raise ValueError("Values must lie in [0, 1].")
    m, t = np.linspace(0, 1, points), np.arange(1, len(x) + 1)
    mean = (0.5 + np.cumsum(x)) / (t + 1)
    variance = (0.25 + np.cumsum((x - mean) ** 2)) / (t + 1)
    before = np.r_[0.25, variance][: len(x)]
    bet = np.sqrt(2 * math.log(2 / (1 - level)) / (before * t * np.log(t + 1)))[:, None]
    with np.errstate(divide="ignore"):
        up, down = np.minimum(bet, 0.5 / m), np.minimum(bet, 0.5 / (1 - m))
    gain = x[:, None] - m
    wealth = np.maximum(np.log1p(up * gain).cumsum(0), np.log1p(-down * gain).cumsum(0))
    bar = math.log(2 / (1 - level))
    kept: np.ndarray = np.minimum.accumulate((wealth < bar).astype(np.int8), axis=0)
    first, last = kept.argmax(1), points - 1 - np.flip(kept, axis=1).argmax(1)
    limits = np.stack([m[np.maximum(first - 1, 0)], m[np.minimum(last + 1, points - 1)]], axis=1)
    return np.where(kept.max(axis=1, keepdims=True) > 0, limits, mean[:, None])
