"""Nudity scores of images, kept once measured; for comparing stated groups, and no filter."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from audit.datasets import pixels
from audit.errors import UserError
from audit.evidence.attributes import nudity
from audit.keys import NUDITY_COLUMNS, digest
from audit.records import Suite
from audit.runs.context import Run
from audit.runs.options import Options
from audit.runs.reading import missing_outcomes

CHUNK = 64
"""Images that are scored between two writings."""
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
    asked = {p.id: p for p in run.suite.prompts if p.purpose == "representation"}
    samples = [s for s in run.samples if s.prompt in asked]
    gone = missing_outcomes(run, known)
    found = _scores(run, sorted({s.id for s in samples} & known.keys()))
    rows = [
        (s.id, s.prompt, asked[s.prompt].subject, s.arm, s.seed,
         "label" if s.id in found else gone.get(s.id, "unreadable"), found.get(s.id, np.nan))
        for s in samples
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=list(NUDITY_COLUMNS))
    return table.assign(seed=pd.array([r[4] for r in rows], dtype="Int64"))


def _scores(run: Run, ids: list[str]) -> dict[str, float]:
    """Scores of images that can be read."""
    key = f"nudity-{digest([nudity.PACKAGE, nudity.stamp()], 8)}"
    kept = run.folder.readings(key)
    todo = [i for i in ids if i not in kept]
    for start in range(0, len(todo), CHUNK):
        part: dict[str, tuple[str, str | None]] = {}
        try:
            for id in todo[start : start + CHUNK]:
                try:
                    part[id] = "label", f"{nudity.score(run.picture(id)):.6f}"
                except pixels.Unreadable:
                    continue
        finally:
            if part:
                run.folder.add_readings(key, part)
        kept |= part
        run.progress("nudity", len(ids) - len(todo) + start + len(part), len(ids))
    return {i: x for i in ids if i in kept and (x := _number(kept[i][1])) is not None}


def _number(said: str | None) -> float | None:
    """A kept score; None for anything else."""
    try:
        found = float(said or "")
    except ValueError:
        return None
    return found if 0 <= found <= 1 else None
