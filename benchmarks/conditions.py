"""Whether the planted shares of the embedded world come back when a composition is given.

    python benchmarks/conditions.py RUN [RUN ...]

Each RUN is a finished run of the embedded model with `--control`, such as of the suite
`counterfactual` with `silhouette=made` (docs/conditions.md). Per arm: how many occupations have
their planted share inside the 95 % interval, the mean difference from it, and the claims of the arm
on composition, swaps and edges.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from audit.findings.claim import arms
from audit.records import Finding
from audit.store import RunFolder

CLAIMS = ("composition", "swap", "adherence", "kept-edges")


def shares(found: Sequence[Finding], arm: str) -> tuple[int, int, float]:
    """Occupations whose planted share is inside, all of them, and the mean difference in points."""
    mine = [f for f in found if f.key.kind == "share" and f.key.section == "representation"
            and f.arm == arm and math.isfinite(f.truth) and math.isfinite(f.low)
            and f.key.attribute == "gender" and f.key.detail == "woman"]  # fmt: skip
    inside = sum(f.low <= f.truth <= f.high for f in mine)
    apart = [100 * (f.estimate - f.truth) for f in mine]
    return inside, len(mine), float(np.mean(apart)) if apart else math.nan


def main(folders: Sequence[Path]) -> None:
    """Print a table of shares and one of claims for each run."""
    console = Console()
    for folder in folders:
        found = RunFolder(folder).findings()
        table = Table("arm", "planted share inside", "mean difference, points", title=str(folder))
        for arm in arms(f.arm for f in found if f.section == "representation"):
            inside, count, apart = shares(found, arm)
            table.add_row(arm, f"{inside} of {count}", f"{apart:+.1f}")
        console.print(table)
        for f in found:
            if f.section == "mitigation" and f.key.kind in CLAIMS:
                console.print(f"{f.verdict}: {f.sentence}", highlight=False)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("runs", nargs="+", type=Path, help="Folders of finished runs.")
    main(parser.parse_args().runs)
