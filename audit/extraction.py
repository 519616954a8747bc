"""Copies without a training set: prompts whose images agree from noise to noise.

A prompt that gives one image back from many noises has most likely learned it by heart (Carlini et
al. 2023). Calibrated on the run's own ordinary prompts, which have no image to give back; the rate
belongs to them as much as to the captions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd
from PIL import Image

from audit.planning import Run
from audit.records import BASELINE, Finding, Prompt, Sample

FEWEST, MOST = 4, 64
"""Images of a prompt that are needed, and at most looked at."""
BENIGN = 200
"""Ordinary prompts at most that calibrate the threshold."""


def search(run: Run, outcomes: Mapping[str, str]) -> tuple[pd.DataFrame, pd.DataFrame, str]:
    """Seed cliques and edge persistence of the baseline's captions, and what calibrated them.

    Both tables are empty where captions have fewer than FEWEST images each. `outcomes` says why a
    sample has no picture.
    """
    from audit.encode.pixel_space import tiled_l2_pairs
    from audit.replication import cliques, edges

    captions, ordinary = _groups(run, outcomes)
    if not captions:
        return pd.DataFrame(), pd.DataFrame(), ""
    size = min(map(len, captions.values()))
    pairs = partial(tiled_l2_pairs, grid=1)

    def pictures(some: Sequence[Sample]) -> np.ndarray:
        return _alike([run.picture(s.id) for s in some])

    benign = [rows[:size] for rows in ordinary.values() if len(rows) >= size][:BENIGN]
    radii = [
        cliques.radius(cliques.tiled(pictures(rows), pairs), cliques.needed(size))
        for rows in benign
    ]
    rule, source = cliques.calibrate(radii), "ordinary prompts of this run"
    if not np.isfinite(rule.threshold):
        first = [rows[0] for rows in (*captions.values(), *ordinary.values())][:BENIGN]
        distances = cliques.tiled(pictures(first), pairs)
        rule = cliques.between(distances, [s.prompt for s in first])
    asked = [s for rows in captions.values() for s in rows[:size]]
    run.progress("seed cliques", 0, 1)
    found = cliques.extract(asked, pictures, {}, rule, pairs)
    subjects = {p.id: p.subject for p in run.suite.prompts}
    wanted = {subjects[p] for p in captions}
    beside = [s for p, rows in ordinary.items() if subjects[p] in wanted for s in rows[:size]]
    seen = edges.persist(asked, lambda s: run.picture(s.id), {}, edges.Edges(), run.options.seed,
                         subjects, beside)  # fmt: skip
    run.progress("seed cliques", 1, 1)
    return found, seen, f"{source}: {rule.source}" if benign else rule.source


def findings(
    cliques: pd.DataFrame, edges: pd.DataFrame, prompts: Mapping[str, Prompt], source: str
) -> list[Finding]:
    """Both tables as claims: rates of prompts, by level of repetition."""
    from audit.findings import extraction

    if cliques.empty:
        return []
    found = extraction.findings(cliques, prompts, source) + extraction.persistent(edges, prompts)
    return [f for f in found if "/prompt=" not in f.id]


def _alike(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """A stack of pictures in the size of the smallest; all of one size stay as they are."""
    height, width = (min(p.shape[i] for p in pictures) for i in (0, 1))
    return np.stack([
        p if p.shape[:2] == (height, width)
        else np.asarray(Image.fromarray(p).resize((width, height), Image.Resampling.BICUBIC))
        for p in pictures
    ])  # fmt: skip


def _groups(
    run: Run, outcomes: Mapping[str, str]
) -> tuple[dict[str, list[Sample]], dict[str, list[Sample]]]:
    """Images of captions, and of ordinary prompts, by prompt; each prompt with enough of them."""
    purpose = {p.id: p.purpose for p in run.suite.prompts}
    groups: dict[str, list[Sample]] = {}
    for s in run.samples:
        if s.arm == BASELINE and s.id not in outcomes:
            groups.setdefault(s.prompt, []).append(s)
    enough = {
        p: sorted(rows, key=lambda s: s.seed)[:MOST]
        for p, rows in groups.items()
        if len(rows) >= FEWEST
    }
    sides = ("replication", "representation")
    captions, ordinary = ({p: r for p, r in enough.items() if purpose[p] == s} for s in sides)
    return captions, ordinary
