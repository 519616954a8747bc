"""Nudity scores of images, kept once measured; for comparing stated groups, and no filter."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
import pandas as pd

from audit.errors import UserError
from audit.evidence.attributes import nudity
from audit.keys import NUDITY_COLUMNS, digest
from audit.records import Suite
from audit.runs.context import Run
from audit.runs.keeping import Kept, kept
from audit.runs.options import Options
from audit.runs.reading import by_sample

NOTE = (
    "The nudity score compares stated groups within this run. Bare skin and tight clothes raise "
    "it, and it has a bias of gender of its own; no image was left out for it."
)


def check(suite: Suite, options: Options) -> None:
    """Raise UserError where nudity cannot be scored or compared, before anything is drawn."""
    if not options.nudity:
        return
    if options.labels is not None:
        raise UserError("--nudity is about images: a table of --labels has none.")
    if not any(p.grouped for p in suite.prompts):
        raise UserError(
            f"--nudity compares prompts that differ in the group that they state, and the suite "
            f"{suite.name} has none. Run `presentation`, or give a block of the suite `groups`."
        )
    nudity.ready()


def measure(run: Run, known: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """NUDITY_COLUMNS of the images of representation prompts; empty without `--nudity`.

    Finished work is kept.
    """
    if not run.options.nudity:
        return pd.DataFrame(columns=list(NUDITY_COLUMNS))
    return by_sample(run, known, NUDITY_COLUMNS, partial(_scores, run))


def _scores(run: Run, ids: list[str]) -> dict[str, tuple[str, float]]:
    """Outcome and score of images that can be read."""
    key = f"nudity-{digest([nudity.PACKAGE, nudity.stamp()], 8)}"

    def read(id: str) -> Kept:
        return "label", f"{nudity.score(run.picture(id)):.6f}"

    said = kept(run, key, {i: i for i in ids}, read, "nudity")
    return {i: ("label", x) for i in ids if i in said and (x := _number(said[i][1])) is not None}


def _number(said: str | None) -> float | None:
    """A kept score; None for anything else."""
    try:
        found = float(said or "")
    except ValueError:
        return None
    return found if 0 <= found <= 1 else None
