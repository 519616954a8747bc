"""Images until a half-width is reached: looking continuously, or by a plan fixed in advance.

    python benchmarks/stopping.py [--runs 200] [--precision .05] [--round 8]

The fixed plan must be enough for the worst case, a share of one half. `wilson` is the number of
images needed if the share were known in advance. Both bets are valid at all times; width is theirs
over Wilson's at the images of the fixed plan.

A second table shows the images that `--precision` needs for the shares planted in the world,
exactly: its own rule (looks at every 15 images, covers 95 % at the stop), a plan with every share
known in advance, and the plan that must be enough for any share.
"""

from __future__ import annotations

import argparse
import math

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.stats import norm

from audit.runs.rounds import IMAGES_A_ROUND, plan_size
from audit.stats.betting import Betting, begin
from audit.stats.fixed_width import coverage, fixed_width
from audit.stats.proportions import wilson
from audit.world import truth

SHARES = (0.0, 0.02, 0.1, 0.5)


def images(plan: Betting, p: float, rng: np.random.Generator, size: int) -> int:
    """Images when the rounds of `size` first reach the precision; at most 10,000."""
    state = begin(plan)
    while not state.stop and state.n < 10_000:
        state = state.update(rng.random(size) < p)
    return state.n


def known(p: float, precision: float) -> int:
    """Images after which Wilson's half-width is reached at this share."""
    n = 1
    while (lambda i: i.high - i.low)(wilson(round(p * n), n)) > 2 * precision:
        n += 1
    return n


def world(precision: float) -> Table:
    """Mean images over the world's occupations: the rule, known shares, and the fixed plan."""
    shares = np.array([o.p_woman for o in truth.OCCUPATIONS])
    table = Table(title="the world's 20 planted shares of women, images an occupation")
    for column in ("half-width", "fixed", "rule", "saved", "knew all shares", "saved "):
        table.add_column(column, justify="right")
    for half in (precision, 2 * precision):
        rule = fixed_width(half, IMAGES_A_ROUND)
        mean = float(coverage(rule, np.minimum(shares, 1 - shares))[1].mean())
        best = float(np.mean([known(min(p, 1 - p), half) for p in shares]))
        plan = plan_size(half)
        table.add_row(f"{half:g}", str(plan), f"{mean:.0f}", f"{1 - mean / plan:+.0%}",
                      f"{best:.0f}", f"{1 - best / plan:+.0%}")  # fmt: skip
    return table


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--precision", type=float, default=0.05)
    parser.add_argument("--round", type=int, default=8)
    options = parser.parse_args()
    fixed = math.ceil((norm.ppf(0.975) / 2 / options.precision) ** 2)
    table = Table(title=f"half-width {options.precision}, fixed plan {fixed} images")
    for column in ("share", "bets", "mean", "10 %", "90 %", "saved", "wilson", "width"):
        table.add_column(column, justify="right")
    for p in SHARES:
        for bets in ("tuned", "plug-in"):
            rng = np.random.default_rng(int(1000 * p))
            plan = Betting(precision=options.precision, bets=bets)
            n = [images(plan, p, rng, options.round) for _ in range(options.runs if p else 1)]
            x = rng.random(fixed) < p
            i, w = begin(plan).update(x).interval, wilson(int(x.sum()), fixed)
            low, high = np.quantile(n, [0.1, 0.9])
            table.add_row(
                f"{p:g}", bets, f"{np.mean(n):.0f}", f"{low:.0f}", f"{high:.0f}",
                f"{1 - np.mean(n) / fixed:+.0%}", str(known(p, options.precision)),
                f"{(i.high - i.low) / (w.high - w.low):.2f}",
            )  # fmt: skip
    Console(width=100).print(table)
    Console(width=100).print(world(options.precision))


if __name__ == "__main__":
    main()
