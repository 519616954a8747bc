"""Images that each rule flags as copies, with planted copies and a generator too narrow or wide.

    python benchmarks/copies.py [--runs 60] [--seed 0]

Training, held-out and generated images are Gaussian, 600 of each, in 32 dimensions unless stated
otherwise; generated ones are scaled, and some replaced by training images with a little noise. Each
cell shows the share of the copies that is found, the mean share of false flags with its 95 %
interval, and the share of runs that flag any image that is not a copy, with its interval. Rules:
conformal p-values of the nearest training image, with held-out images as the null, and
Benjamini-Hochberg; the twin's threshold on each image; and on one image per matched reference
image, as in audits.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.table import Table

from audit.stats.error_control import conformal, twin
from audit.stats.interval import Interval
from audit.stats.neighbours import nearest
from audit.stats.proportions import cluster_bootstrap, wilson
from audit.stats.selection import barber_candes

Q, IMAGES, WIDTH, NOISE = 0.1, 600, 32, 0.05
"""Nominal false discovery rate; images per set, their dimensions, and the noise of a copy."""


@dataclass(frozen=True)
class Case:
    """A generator: its scale relative to real images, how many of its images are copies, and the
    dimensions: the more, the more clearly a shrunk image is nearer to everything."""

    scale: float
    copies: int
    width: int = WIDTH

    def __str__(self) -> str:
        wide = "" if self.width == WIDTH else f", {self.width} dimensions"
        return f"x{self.scale:g}, {self.copies} copies{wide}"


CASES = (Case(1, 0), Case(1, 12), Case(1, 30), Case(0.9, 0), Case(0.9, 12), Case(0.5, 0),
         Case(0.5, 12), Case(1.2, 12), Case(0.9, 0, 128), Case(0.9, 0, 512))  # fmt: skip


@dataclass(frozen=True)
class Run:
    """Nearest distances float[n] of one audit, and each image's matched reference image."""

    near: np.ndarray
    far: np.ndarray
    null: np.ndarray
    """Distances of held-out images to the training set."""
    matched: np.ndarray

    @property
    def w(self) -> np.ndarray:
        """float[n] log(d_held / d_train)."""
        return np.log(self.far / self.near)


def draw(case: Case, rng: np.random.Generator) -> Run:
    """One audit; the copies come first, each of another training image."""
    train, held, made = rng.standard_normal((3, IMAGES, case.width))
    made *= case.scale
    noise = NOISE * rng.standard_normal((case.copies, case.width))
    made[: case.copies] = train[: case.copies] + noise
    (near, train_at), (far, held_at) = nearest(made, train), nearest(made, held)
    closer = near[:, 0] < far[:, 0]
    matched = np.where(closer, train_at[:, 0], -1 - held_at[:, 0]).astype(str)
    return Run(near[:, 0], far[:, 0], nearest(held, train)[0][:, 0], matched)


def by_null(run: Run) -> np.ndarray:
    """Conformal p-values and Benjamini-Hochberg."""
    return conformal(-run.near, -run.null, Q).selected


def by_image(run: Run) -> np.ndarray:
    """The twin's threshold with every image as separate evidence."""
    return run.w >= barber_candes(run.w, Q)


def by_twin(run: Run) -> np.ndarray:
    """The rule of audits: one piece of evidence per matched reference image."""
    return twin(run.w, run.matched, Q).selected


RULES: Mapping[str, Callable[[Run], np.ndarray]] = {
    "conformal + BH": by_null, "twin, every image": by_image, "twin": by_twin,
}  # fmt: skip


@dataclass(frozen=True)
class Score:
    """Over runs: copies found, mean share of false flags, and runs with any false flag."""

    power: float
    false: Interval
    deceived: Interval


def scores(case: Case, runs: int, seed: int) -> dict[str, Score]:
    """The scores of each rule, on the same audits."""
    rng = np.random.default_rng([seed, CASES.index(case)])
    audits = [draw(case, rng) for _ in range(runs)]
    return {name: _score([rule(a) for a in audits], case.copies) for name, rule in RULES.items()}


def _score(called: list[np.ndarray], copies: int) -> Score:
    right = np.array([c[:copies].sum() for c in called])
    wrong = np.array([c[copies:].sum() for c in called])
    rates = wrong / np.maximum(1, right + wrong)
    ci = cluster_bootstrap(rates, np.arange(len(rates)), np.random.default_rng(0))
    if np.ptp(rates) == 0:  # a bootstrap of equal values has no width
        ci = wilson(float(rates.sum()), len(rates))
    power = float(right.mean() / copies) if copies else float("nan")
    return Score(power, ci, wilson(int((wrong > 0).sum()), len(wrong)))


def _words(s: Score) -> str:
    power = "-" if np.isnan(s.power) else f"{s.power:.2f}"
    false, any_ = (f"{i.estimate:.3f} [{i.low:.2f}, {i.high:.2f}]" for i in (s.false, s.deceived))
    return f"{power} / {false} / {any_}"


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    title = (
        f"copies found / false discoveries / runs with a false call; q = {Q}, {options.runs} runs"
    )
    table = Table(title=title)
    for column in ("generator", *RULES):
        table.add_column(column)
    for case in CASES:
        row = scores(case, options.runs, options.seed)
        table.add_row(str(case), *(_words(s) for s in row.values()))
    Console(width=170).print(table)


if __name__ == "__main__":
    main()
