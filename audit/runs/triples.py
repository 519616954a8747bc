"""Threes of images: the neutral prompt and two that state a group, on the same noise.

Whom does the image of the neutral prompt resemble? After Wu, Nakashima & Garcia 2025, J Imaging
11:35: there neutral images are nearer to those of masculine prompts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from audit.evidence.attributes import structure
from audit.keys import BASELINE, TRIPLE_COLUMNS, digest
from audit.records import Prompt, Suite
from audit.runs.context import Run
from audit.runs.keeping import Kept, kept
from audit.runs.reading import missing_outcomes

VECTORS, SSIM = "vectors", "ssim"
GROUPS_NOTE = (
    "Prompts that differ only in the group that they state start from the same noise, so their "
    "images are compared in pairs and threes; shares of subjects rest on the prompts that state "
    "no group."
)
Three = tuple[str, str, str, str]
"""Sample ids: of the neutral prompt, of either group, and of another frame's neutral prompt, which
may be empty."""


def frames(suite: Suite) -> dict[str, list[Prompt]]:
    """Prompts by the text of their frame, the neutral one first."""
    found: dict[str, list[Prompt]] = {}
    for p in suite.prompts:
        if p.frame:
            found.setdefault(p.frame, []).append(p)
    return {f: sorted(ps, key=lambda p: p.grouped) for f, ps in found.items()}


def measure(run: Run, encoder: Any, known: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """TRIPLE_COLUMNS of the baseline: cosines of the classifier's vectors, and SSIM.

    Empty for a suite without groups. Finished work is kept; images without a vector are missing
    with their reason, and without a classifier there is SSIM alone.
    """
    rows = list(_threes(run))
    if not rows:
        return pd.DataFrame(columns=list(TRIPLE_COLUMNS))
    gone = missing_outcomes(run, known)
    whole = [ids for _, ids in rows if not any(i in gone for i in ids[:3])]
    alike = {SSIM: _structures(run, [ids if ids[3] in known else (*ids[:3], "") for ids in whole])}
    if getattr(encoder, "reads", True):
        alike = {VECTORS: {ids[:3]: _cosines(ids, known) for ids in whole}, **alike}
    out = []
    for name, found in alike.items():
        for about, ids in rows:
            why = next((gone[i] for i in ids[:3] if i in gone), "unreadable")
            numbers = found.get(ids[:3], (np.nan,) * 4)
            out.append((*about, name, "label" if np.isfinite(numbers[0]) else why, *numbers))
    table = pd.DataFrame(out, columns=list(TRIPLE_COLUMNS))
    return table.assign(seed=pd.array([r[2] for r in out], dtype="Int64"))


def _threes(run: Run) -> Iterator[tuple[tuple[str, str, int, str, str, str], Three]]:
    """Frame, subject, seed, attribute and both groups of each three, and its sample ids."""
    shown: dict[str, dict[int, str]] = {}
    for s in run.samples:
        if s.arm == BASELINE and s.seed is not None:
            shown.setdefault(s.prompt, {})[s.seed] = s.id
    asked = {f: ps for f, ps in frames(run.suite).items()
             if not ps[0].grouped and ps[0].id in shown}  # fmt: skip
    neutral = [list(shown[ps[0].id].values()) for ps in asked.values()]
    for n, (frame, prompts) in enumerate(asked.items()):
        beside = neutral[(n + 1) % len(neutral)] if len(neutral) > 1 else []
        for attribute in run.suite.attributes:
            named = attribute.name
            said = {p.states[named]: p for p in prompts[1:] if named in p.states}
            for one, two in combinations([c for c in attribute.classes if c in said], 2):
                sides = [shown.get(said[c].id, {}) for c in (one, two)]
                for k, (seed, id) in enumerate(shown[prompts[0].id].items()):
                    if seed in sides[0] and seed in sides[1]:
                        other = beside[k] if k < len(beside) else ""
                        yield (
                            (frame, prompts[0].subject, seed, named, one, two),
                            (id, sides[0][seed], sides[1][seed], other),
                        )


def _cosines(ids: Three, known: Mapping[str, np.ndarray]) -> tuple[float, ...]:
    """Of the neutral image, and of the other frame's, with the images of either group."""
    own, *groups, other = (known.get(i) for i in ids)
    return tuple(
        float(x @ g) if x is not None and g is not None else np.nan
        for x in (own, other) for g in groups
    )  # fmt: skip


def _structures(run: Run, threes: list[Three]) -> dict[tuple[str, ...], tuple[float, ...]]:
    """SSIM of the same pairs, kept by the digest of the four samples."""
    key = f"ssim-{digest([structure.SIDE, structure.SIGMA, structure.REACH], 8)}"
    named = {digest(ids, 20): ids for ids in threes}

    def read(ids: Three) -> Kept:
        own, one, two, *other = (run.picture(i) for i in ids if i)
        found = [structure.similarity(x, g) for x in (own, *other) for g in (one, two)]
        return "label", " ".join(f"{x:.6f}" for x in found)

    said = kept(run, key, named, read, "structure")
    known = {ids[:3]: _numbers(said[n][1]) for n, ids in named.items() if n in said}
    return {ids: numbers for ids, numbers in known.items() if numbers}


def _numbers(said: str | None) -> tuple[float, ...]:
    """Four numbers as `_structures` kept them, NaN where there were two; else none."""
    try:
        found = tuple(map(float, (said or "").split()))
    except ValueError:
        return ()
    return (*found, np.nan, np.nan)[:4] if len(found) in (2, 4) else ()
