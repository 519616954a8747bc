"""False changes: how often two equal models seem to differ, and an arm that does nothing to act.

    python benchmarks/changes.py [--runs 200]

Two runs of one model whose share differs from prompt to prompt, each with its own effect of each
prompt (standard deviation .2 on a share of .5), 6 images a prompt. `subject`: subjects said to
change, by their intervals; `any q`: runs with a q below .05 in any subject; `all`: the change over
all subjects, which has no verdict for fewer than five prompts or subjects. Then an arm that does
nothing beside a placebo, which both rest on subjects: runs in which it works, or harms.
"""

from __future__ import annotations

import argparse
from itertools import product

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from audit.findings import comparison, targets
from audit.findings.arms import NOTHING, Axis, Sides, difference, judge
from audit.findings.common import Common, Context
from audit.runs.comparing import join

IMAGES, EFFECT = 6, 0.2
SEVERAL = (2, 3, 5, 10, 20)
EMPTY = Common(*(pd.DataFrame(columns=["prompt", "arm", "seed", "subject"]),) * 3)
COLUMNS = ["prompt", "arm", "seed", "subject", "attribute", "outcome", "value"]


def run(rng: np.random.Generator, subjects: int, prompts: int, first: int) -> pd.DataFrame:
    """Labels of one run, with its own share for each prompt."""
    share = np.clip(0.5 + rng.normal(0, EFFECT, (subjects, prompts, 1)), 0.02, 0.98)
    drawn = rng.random((subjects, prompts, IMAGES)) < share
    rows = [
        (f"{s} {p}", "none", first + i, f"s{s}", "gender", "label", "woman" if v else "man")
        for (s, p, i), v in np.ndenumerate(drawn)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def changes(rng: np.random.Generator, subjects: int, prompts: int, paired: bool) -> list[float]:
    """Share of subjects with a change, whether any q is below .05, and whether all change."""
    a, b = (run(rng, subjects, prompts, 0 if paired else 100 * side) for side in (0, 1))
    common = join(a, b, ["attribute", "subject"])
    found = comparison.findings(common, EMPTY, EMPTY, Context({"gender": ("woman", "man")}))
    single = [f for f in found if not f.key.everyone]
    whole = [f.verdict in ("above", "below") for f in found if f.key.everyone]
    moved = float(np.mean([f.verdict in ("above", "below") for f in single]))
    return [moved, float(min(f.q for f in single) < 0.05), float(any(whole))]


def gaps(rng: np.random.Generator, shares: np.ndarray) -> np.ndarray:
    """Distances from one half of shares of 30 images, in 5 prompts with effects of their own."""
    own = np.clip(shares[:, None] + rng.normal(0, 0.1, (len(shares), 5)), 0, 1)
    return np.abs(rng.binomial(IMAGES, own).sum(1) / (5 * IMAGES) - 0.5)


def arm(rng: np.random.Generator, subjects: int) -> str:
    """The verdict of an arm that does nothing, beside a placebo, where alignment is kept."""
    shares = rng.uniform(0.1, 0.9, subjects)
    before = gaps(rng, shares)
    own, other = (targets.over_subjects(before - gaps(rng, shares)) for _ in range(2))
    axis = Axis("the mean distance from the target", own, difference(own, other))
    return judge(Sides((axis,), NOTHING, 0.02, "placebo"))[0]


def main() -> None:
    """Both tables, for a seed."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--runs", type=int, default=200)
    runs, out = asked.parse_args().runs, Console()
    table = Table(title="share of claims that are false, two equal runs")
    for column in ("noise", "subjects", "prompts", "subject", "any q", "all"):
        table.add_column(column, justify="right")
    for paired, subjects, prompts in product((True, False), (2, 5, 20), SEVERAL):
        rng = np.random.default_rng([paired, subjects, prompts])
        rates = np.mean([changes(rng, subjects, prompts, paired) for _ in range(runs)], axis=0)
        noise = "common" if paired else "not known"
        table.add_row(noise, str(subjects), str(prompts), *(f"{r:.3f}" for r in rates))
    out.print(table)
    table = Table(title="an arm that does nothing, beside a placebo")
    for column in ("subjects", "works", "harms"):
        table.add_column(column, justify="right")
    for subjects in SEVERAL:
        rng = np.random.default_rng(subjects)
        said = [arm(rng, subjects) for _ in range(10 * runs)]
        rates = [said.count(w) / len(said) for w in ("works", "harms")]
        table.add_row(str(subjects), *(f"{r:.4f}" for r in rates))
    out.print(table)


if __name__ == "__main__":
    main()
