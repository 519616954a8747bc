"""Copies without a training set: prompts whose images agree from noise to noise.

A model that gives one image for a prompt from many noises has most likely memorized it (Carlini et
al. 2023). Calibrated on the run's own ordinary prompts, which have no image to reproduce; the rate
depends on them as much as on the captions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd
from PIL import Image

from audit.evidence.measured import Found
from audit.keys import BASELINE
from audit.records import Sample
from audit.runs.context import Run

FEWEST, MOST = 4, 64
"""Minimum and maximum images of a prompt that are used."""
BENIGN = 200
"""Maximum ordinary prompts that calibrate the threshold."""
SIDE = 512
"""Pixels of the longer side at which images are compared, as by Carlini et al.; larger ones, which
many together do not fit into memory, are made smaller."""


def search(run: Run, outcomes: Mapping[str, str]) -> Found:
    """Seed cliques and edge persistence of the baseline's captions, compared with ordinary prompts.

    Empty where captions have fewer than FEWEST images each. `outcomes` has the reason of each
    sample without an image.
    """
    from audit.evidence.copies import cliques
    from audit.evidence.encoders.pixel_space import tiled_l2_pairs

    captions, ordinary = _groups(run, outcomes)
    if not captions:
        return Found()
    size = min(map(len, captions.values()))
    pairs = partial(tiled_l2_pairs, grid=1)

    def pictures(some: Sequence[Sample]) -> np.ndarray:
        return _alike([_small(run.picture(s.id)) for s in some])

    benign = {p: rows[:size] for p, rows in ordinary.items() if len(rows) >= size}
    benign = dict(list(benign.items())[:BENIGN])
    radii = [
        cliques.radius(cliques.tiled(pictures(rows), pairs), cliques.needed(size))
        for rows in benign.values()
    ]
    rule, source = cliques.calibrate(radii), "ordinary prompts of this run"
    if not np.isfinite(rule.threshold):
        first = [rows[0] for rows in (*captions.values(), *ordinary.values())][:BENIGN]
        distances = cliques.tiled(pictures(first), pairs)
        rule = cliques.between(distances, [s.prompt for s in first])
    asked = [s for rows in captions.values() for s in rows[:size]]
    run.progress("seed cliques", 0, 2)
    found = cliques.extract(asked, pictures, {}, rule, pairs)
    run.progress("seed cliques", 1, 2)
    seen = _persistent(run, asked, ordinary, size)
    run.progress("seed cliques", 2, 2)
    mine = seen.prompt.isin(list(captions))
    scores = _scores(
        captions,
        {"cliques": {**dict(zip(benign, np.negative(radii), strict=True)),
                     **dict(zip(found.prompt, -found.radius, strict=True))},
         "edges": dict(zip(seen.prompt, 1 - seen.p, strict=True))},
    )  # fmt: skip
    source = f"{source}: {rule.source}" if benign else rule.source
    return Found(found, seen[mine].reset_index(drop=True), source, scores)


def _persistent(
    run: Run, asked: Sequence[Sample], ordinary: Mapping[str, Sequence[Sample]], size: int
) -> pd.DataFrame:
    """Edge persistence of captions, and of ordinary prompts for the same subjects."""
    from audit.evidence.copies import edges

    subjects = {p.id: p.subject for p in run.suite.prompts}
    wanted = {subjects[s.prompt] for s in asked}
    same = [p for p in ordinary if subjects[p] in wanted] or list(ordinary)
    beside = [s for p in same[:BENIGN] for s in ordinary[p][:size]]
    return edges.persist(
        [*asked, *beside], lambda s: run.picture(s.id), {}, edges.Edges(), run.options.seed,
        subjects,
    )  # fmt: skip


def _scores(
    captions: Mapping[str, object], scores: Mapping[str, Mapping[str, float]]
) -> pd.DataFrame:
    """Scores by detector and prompt as one table; the larger, the more similar the images are."""
    rows = [
        (prompt, name, "caption" if prompt in captions else "ordinary", float(score), "")
        for name, some in scores.items()
        for prompt, score in some.items()
    ]
    return pd.DataFrame(rows, columns=["prompt", "detector", "side", "score", "reason"])


def _small(picture: np.ndarray) -> np.ndarray:
    """An image whose longer side has at most SIDE pixels."""
    scale = SIDE / max(picture.shape[:2])
    if scale >= 1:
        return picture
    height, width = (max(1, round(n * scale)) for n in picture.shape[:2])
    return _resized(picture, height, width)


def _resized(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    if picture.shape[:2] == (height, width):
        return picture
    image = Image.fromarray(picture).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(image)


def _alike(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """A stack of images in the size of the smallest; equal sizes are unchanged."""
    height, width = (min(p.shape[i] for p in pictures) for i in (0, 1))
    return np.stack([_resized(p, height, width) for p in pictures])


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
        p: sorted(rows, key=Sample.order)[:MOST]
        for p, rows in groups.items()
        if len(rows) >= FEWEST
    }
    sides = ("replication", "representation")
    captions, ordinary = ({p: r for p, r in enough.items() if purpose[p] == s} for s in sides)
    return captions, ordinary
