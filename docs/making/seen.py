"""The embedded model's pictures in docs/, and the table of what readers, tool and truth say.

    python -m docs.making.seen RUN

RUN is a finished run of the suite `world_seen` at the demo's settings, of the pictures that ship
with their labels (`t2i-audit world keep`).
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from audit.records import Finding
from audit.store import RunFolder
from audit.world.seen import seen
from audit.world.truth import OCCUPATIONS, p_woman

DOCS = Path(__file__).parents[1]
PAGE, GRID = DOCS / "worlds.md", DOCS / "world-after.webp"
START, END = "<!-- readers -->\n", "<!-- end of readers -->\n"
EACH = 5
"""Pictures of each occupation in the grid: the first ones, whatever they show."""


def grid() -> Image.Image:
    """The first pictures of each occupation, a column for each, in the order of the table."""
    known = seen()
    columns = [
        known.pictures[np.flatnonzero(known.table.subject == o.noun)[:EACH]].reshape(-1, 64, 3)
        for o in OCCUPATIONS
    ]
    return Image.fromarray(np.concatenate(columns, 1))


def _percent(share: float) -> str:
    return f"{100 * share:.0f}"


def row(noun: str, women: pd.Series, tones: pd.Series, found: Finding) -> str:
    """One occupation: planted, seen and read shares of women, and how many both readers read."""
    low, high = (_percent(x) for x in (found.low, found.high))
    return (
        f"| {noun} | {women.notna().sum()} | {tones.notna().sum()} | {_percent(p_woman(noun))} | "
        f"{_percent((women.dropna() == 'woman').mean())} | {_percent(found.estimate)} "
        f"[{low}, {high}] |"
    )


def table(run: RunFolder) -> str:
    """The table by occupation, in Markdown."""
    known = seen()
    women, tones = known.agreed("gender"), known.agreed("skin_tone")
    shares = {
        f.key.subject: f
        for f in run.findings()
        if (f.key.kind, f.key.arm, f.key.detail) == ("share", "none", "woman")
    }
    lines = [
        "| occupation | same gender | same tone | women planted, % | seen | read |",
        "|---|---|---|---|---|---|",
    ]
    for o in OCCUPATIONS:
        mine = known.table.subject == o.noun
        lines.append(row(o.noun, women[mine], tones[mine], shares[o.noun]))
    return "\n".join(lines) + "\n"


def main(run: Path) -> None:
    """Write the grid, and the table into its place in docs/worlds.md."""
    grid().save(GRID, "WEBP", quality=90, method=6)
    text = PAGE.read_text("utf-8")
    before, _, rest = text.partition(START)
    PAGE.write_text(before + START + table(RunFolder(run)) + END + rest.partition(END)[2], "utf-8")
    print(GRID, PAGE, sep="\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
