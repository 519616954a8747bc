"""Images until a half-width is reached: looking all the time against a plan fixed in advance.

    python benchmarks/stopping.py [--runs 200] [--precision .05] [--round 8]

The fixed plan must be enough for the worst case, a share of one half. `wilson` is what somebody
would need who knew the share before. Both bets hold at all times; width is theirs over Wilson's at
the images of the fixed plan.
"""

from __future__ import annotations

import argparse
import math

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.stats import norm

from audit.stats.betting import Betting, begin
from audit.stats.proportions import wilson

SHARES = (0.0, 0.02, 0.1, 0.5)


def images(plan: Betting, p: float, rng: np.random.Generator, size: int) -> int:
    """Images when the rounds of `size` first reach the precision; at most 10,000."""
    state = begin(plan)
    while not state.stop and state.n < 10_000:
        state = state.update(rng.random(size) < p)
    return state.n


def known(p: float, precision: float) -> int:
    """Images after which Wilson's half-width is reached at this very share."""
    n = 1
    while (lambda i: i.high - i.low)(wilson(round(p * n), n)) > 2 * precision:
        n += 1
    return n


def main() -> None:
    """Print a table."""
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


if __name__ == "__main__":
    main()
