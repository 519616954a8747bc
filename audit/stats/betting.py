"""Intervals that are valid after every image, so generation can stop when enough is known.

An ordinary interval is wrong more often than stated once the user looks at it during generation and
stops at a convenient result. A confidence sequence is valid at all times simultaneously. It is
about the mean of the values given to it: the share of images that a classifier reads as a class,
before its errors are corrected.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from audit.stats.interval import UNKNOWN, Interval

BLOCK = 512
"""Values processed at a time: at most 16 MiB for the default candidates."""


@dataclass(frozen=True)
class Betting:
    """How to bet against each candidate mean; the choice must not depend on the values.

    Raises ValueError for a level or cap outside 0..1, a precision outside 0..1/2, fewer than two
    candidates, or unknown bets.
    """

    level: float = 0.95
    precision: float = 0.05
    """Half-width at which to stop."""
    bets: str = "tuned"
    """`tuned`: narrowest near the precision; `plug-in`: good at all times, best at no time."""
    cap: float = 0.75
    """Largest share of the capital that a single value can cost."""
    candidates: int = 2001
    """Candidate means from 0 to 1; limits are rounded outwards to the next one."""

    def __post_init__(self) -> None:
        if not (0 < self.level < 1 and 0 < self.cap < 1 and 0 < self.precision < 0.5):
            raise ValueError("Level and cap must be inside 0..1, the precision inside 0..1/2.")
        if self.candidates < 2 or self.bets not in ("tuned", "plug-in"):
            raise ValueError("There are `tuned` and `plug-in` bets on at least two candidates.")

    @property
    def grid(self) -> np.ndarray:
        """Candidate means float[G]."""
        return np.linspace(0, 1, self.candidates)

    @property
    def ruin(self) -> float:
        """Log capital that excludes a candidate: log(2 / alpha), one half for each side."""
        return math.log(2 / (1 - self.level))

    def stakes(self, variance: np.ndarray, time: np.ndarray) -> np.ndarray:
        """Bets float[n] from the variance float[n] before each value and its number, from 1.

        `plug-in` is Waudby-Smith & Ramdas' lambda of the PrPl-EB sequence, `tuned` their aGRAPA bet
        against the candidates one precision away from the mean, where the limits are at the stop.
        """
        if self.bets == "tuned":
            return self.precision / (variance + self.precision**2)
        return np.sqrt(2 * self.ruin / (variance * time * np.log(time + 1)))


@dataclass(frozen=True)
class MeanSequence:
    """Confidence sequence of the mean of values in 0..1 by betting (hedged capital process).

    Waudby-Smith & Ramdas 2024, JRSSB 86:1, theorem 3, with equal halves of the capital on either
    side and the running intersection. It covers the mean at all times at once with probability
    `level` for values whose mean, given the earlier ones, stays the same; they need not be
    independent, nor 0 and 1. Start with `begin`. How values are split into rounds does not matter.
    """

    plan: Betting
    n: int
    total: float
    squares: float
    """Sum of squared distances of the values from the running mean."""
    capital: np.ndarray
    """Log capital float[2, G] of the bets that the mean is above, and below, a candidate."""
    peak: np.ndarray
    """Largest log capital so far, float[2, G]."""

    def update(self, values: np.ndarray) -> MeanSequence:
        """The sequence after further values float[n], in the order drawn.

        Raises ValueError for a value outside 0..1 or a missing one: leave those out and count them.
        """
        x = np.asarray(values, float)
        if not ((x >= 0) & (x <= 1)).all():
            raise ValueError("Values must be in 0..1; missing ones must be left out and counted.")
        state = self
        for start in range(0, len(x), BLOCK):
            state = state._block(x[start : start + BLOCK])
        return state

    def _block(self, x: np.ndarray) -> MeanSequence:
        time = self.n + 1 + np.arange(len(x))
        means = (0.5 + self.total + np.cumsum(x)) / (time + 1)
        squares = self.squares + np.cumsum((x - means) ** 2)
        before = np.append(self.squares, squares[:-1])
        stakes = self.plan.stakes((0.25 + before) / time, time)[:, None]
        m = self.plan.grid
        with np.errstate(divide="ignore"):
            above = np.minimum(stakes, self.plan.cap / m) * (x[:, None] - m)
            below = np.minimum(stakes, self.plan.cap / (1 - m)) * (m - x[:, None])
        gains = np.cumsum(np.log1p(np.stack([above, below], axis=1)), axis=0)
        capital = self.capital + gains
        return replace(
            self, n=int(time[-1]), total=self.total + float(x.sum()), squares=float(squares[-1]),
            capital=capital[-1], peak=np.maximum(self.peak, capital.max(0)),
        )  # fmt: skip

    @cached_property
    def interval(self) -> Interval:
        """Mean of the values and its limits; before the first value no estimate and 0..1.

        Where the limits have left the mean behind, the estimate is the nearest limit. Unknown
        where no candidate is left: the values cannot all have been drawn from the same mean.
        """
        # The bets do not depend on the candidate, so the capital above falls with it and the one
        # below rises: only the two ends of the grid are excluded.
        grid, out = self.plan.grid, self.peak >= self.plan.ruin
        if out.any(0).all():
            return UNKNOWN
        lows, highs = grid[out[0]], grid[out[1]]
        low, high = float(lows.max(initial=0.0)), float(highs.min(initial=1.0))
        mean = self.total / self.n if self.n else math.nan
        return Interval(min(max(mean, low), high) if self.n else math.nan, low, high)

    @property
    def half_width(self) -> float:
        """Half the distance of the limits, 1/2 before the first value."""
        return (self.interval.high - self.interval.low) / 2

    @property
    def stop(self) -> bool:
        """Whether the precision is reached; the interval is valid under any stopping rule."""
        # The limits are on a grid; at its exact multiples rounding must not cost another round.
        return self.half_width <= self.plan.precision + 1e-12


def begin(plan: Betting | None = None) -> MeanSequence:
    """A confidence sequence before any values: its limits are 0 and 1."""
    plan = plan or Betting()
    nothing = np.zeros((2, plan.candidates))
    return MeanSequence(plan, 0, 0.0, 0.0, nothing, nothing)
