"""Stop as soon as a share's interval is narrow: valid at this stop, and needs few images.

For an interval that is valid at any other moment, under any stopping rule, use a confidence
sequence (`betting`); it needs more images for the same width.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.stats import binom, norm

from audit.stats.proportions import wilson


@dataclass(frozen=True)
class FixedWidth:
    """Stop at the first look where Wilson's interval at `level` is at most `half` either way.

    `level` is set so that the interval at the stop covers with 95 %, whatever the share: frequent
    looks cost a level a little above 95 %, not several times the images (Frey 2010, Am Stat 64:242,
    whose interval is Agresti and Coull's).
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
        """Images after which it has always stopped, whatever the share; a multiple of the step."""
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
    low[0], high[n] = 0.0, 1.0  # exact, without rounding
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
        raise ValueError(f"A half-width must be between 0 and 0.5, not {half}.")
    shares = _grid()
    low, high = nominal, 1 - (1 - nominal) / 5
    while high - low > 0.0005:
        middle = (low + high) / 2
        worst = coverage(FixedWidth(half, step, middle, nominal), shares)[0].min()
        low, high = (low, middle) if worst >= nominal else (middle, high)
    return FixedWidth(half, step, high, nominal)


def _grid() -> np.ndarray:
    return np.concatenate([np.arange(0.005, 0.1, 0.005), np.arange(0.1, 0.5001, 0.02)])
