"""Coverage of 95 % intervals of a share when a classifier errs and few images are labelled.

    python benchmarks/coverage.py [--runs 4000] [--seed 0]

Sensitivity and specificity are .95. The labelled images are drawn at random from the audited ones,
except for `stratified`, where half of them are drawn from each predicted class. Each cell shows
coverage and, in brackets, mean width. An unknown interval (no label of a class at all) counts
neither as covering nor as missing; its frequency is given after a question mark.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from rich.console import Console
from rich.table import Table

from audit.stats.correction import Confusion, corrected_shares, lang_reiczigel
from audit.stats.interval import Interval
from audit.stats.labels import ppi_mean, stratified_share
from audit.stats.proportions import wilson

RATE = 0.95
"""Sensitivity and specificity."""
DRAWS = 400
"""Posterior draws of the Bayesian correction: enough for coverage, too few for a report."""


@dataclass(frozen=True)
class Case:
    """A true share, and how many of the audited images are labelled."""

    share: float
    labelled: int
    images: int


CASES = (Case(0.5, 50, 250), Case(0.1, 50, 250), Case(0.02, 50, 250), Case(0.1, 30, 250),
         Case(0.1, 100, 1000), Case(0.02, 100, 1000))  # fmt: skip


@dataclass(frozen=True)
class Audit:
    """Counts int[2, 2] of labelled images, rows true and columns read (1 the class), and the rest.

    `read` int[2]: images without a label that are read as another and as the class.
    """

    table: tuple[tuple[int, int], tuple[int, int]]
    read: tuple[int, int]

    @property
    def counts(self) -> np.ndarray:
        """All images int[2] by predicted class."""
        return np.array(self.read) + np.array(self.table).sum(0)

    @property
    def pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """Labels and readings int[n] of the labelled images."""
        cells = np.ravel(self.table)
        return np.repeat([0, 0, 1, 1], cells), np.repeat([0, 1, 0, 1], cells)


def naive(a: Audit) -> Interval:
    """Wilson's interval of the classifier's labels."""
    return wilson(int(a.counts[1]), int(a.counts.sum()))


def humans(a: Audit) -> Interval:
    """Wilson's interval of the labels alone."""
    return wilson(sum(a.table[1]), int(np.sum(a.table)))


def ppi(a: Audit, weight: float | None = 1.0) -> Interval:
    """Prediction-powered."""
    return ppi_mean(*a.pairs, np.repeat([0, 1], a.read), weight)


def ppi_tuned(a: Audit) -> Interval:
    """PPI++."""
    return ppi(a, None)


def two_class(a: Audit) -> Interval:
    """Lang and Reiczigel's."""
    (tn, fp), (fn, tp) = a.table
    n0, n1 = a.counts
    return lang_reiczigel(int(n1), int(n0 + n1), tp, tp + fn, tn, tn + fp)


def bayes(a: Audit) -> Interval:
    """The K-class correction with Dirichlet draws, which the report uses."""
    rng = np.random.default_rng([*np.ravel(a.table), *a.read])
    return corrected_shares(a.counts, Confusion(np.array(a.table)), rng, DRAWS)[1]


def stratified(a: Audit) -> Interval:
    """Labels drawn within each predicted class."""
    return stratified_share(*a.pairs, a.counts, 1).interval


METHODS: Mapping[str, Callable[[Audit], Interval]] = {
    "naive": naive, "humans": humans, "PPI": ppi, "PPI++": ppi_tuned,
    "Lang-Reiczigel": two_class, "Bayes": bayes,
}  # fmt: skip


def draw(case: Case, rng: np.random.Generator, each: bool = False) -> Audit:
    """One audit; with `each`, half of the labels are of each predicted class where possible.

    Labels that the smaller class cannot supply come from the other one.
    """
    p = case.share
    cells = [(1 - p) * RATE, (1 - p) * (1 - RATE), p * (1 - RATE), p * RATE]
    if not each:
        table = rng.multinomial(case.labelled, cells).reshape(2, 2)
        rest = rng.multinomial(case.images - case.labelled, cells).reshape(2, 2).sum(0)
    else:
        every = rng.multinomial(case.images, cells).reshape(2, 2)
        few = min(case.labelled // 2, int(every.sum(0).min()))
        scarce = int(every.sum(0).argmin())
        n = np.array([case.labelled - few] * 2)
        n[scarce] = few
        right = [rng.hypergeometric(every[1, j], every[0, j], n[j]) for j in range(2)]
        table = np.array([[n[j] - right[j] for j in range(2)], right])
        rest = every.sum(0) - n
    rows = [(int(a), int(b)) for a, b in table]
    return Audit((rows[0], rows[1]), (int(rest[0]), int(rest[1])))


@dataclass(frozen=True)
class Score:
    """Coverage and mean width among known intervals, and the share of audits without one."""

    coverage: float
    width: float
    unknown: float


def score(
    method: Callable[[Audit], Interval], case: Case, runs: int, seed: int, each: bool = False
) -> Score:
    """A method's score over simulated audits; equal audits are computed once."""
    rng, cached = np.random.default_rng(seed), lru_cache(None)(method)
    got = [cached(draw(case, rng, each)) for _ in range(runs)]
    limits = np.array([(i.low, i.high) for i in got])
    limits = limits[np.isfinite(limits).all(1)]
    held = (limits[:, 0] <= case.share) & (case.share <= limits[:, 1])
    width = limits[:, 1] - limits[:, 0]
    return Score(float(held.mean()), float(width.mean()), 1 - len(limits) / runs)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    table = Table(title=f"coverage (width) of 95 % intervals, {options.runs} audits a cell")
    for column in ("share", "labels", *METHODS, "stratified"):
        table.add_column(column, justify="right")
    for case in CASES:
        scores = [score(m, case, options.runs, options.seed) for m in METHODS.values()]
        scores.append(score(stratified, case, options.runs, options.seed, each=True))
        table.add_row(
            f"{case.share:g}", f"{case.labelled}/{case.images}",
            *(f"{s.coverage:.3f} ({s.width:.3f})" + (f" ?{s.unknown:.0%}" if s.unknown else "")
              for s in scores),
        )  # fmt: skip
    Console(width=160).print(table)


if __name__ == "__main__":
    main()
