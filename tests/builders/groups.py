"""Suites of prompts that state groups, and readings of their images with planted differences."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from audit.keys import ATTRIBUTE_COLUMNS, BASELINE, TRIPLE_COLUMNS
from audit.records import Attribute, Prompt, Suite

GENDER = Attribute("gender", ("woman", "man"), {})
CLOTHES = Attribute("clothes", ("suit", "dress", "uniform"), {})
SMILE = Attribute("smile", ("smiling", "serious"), {})
GROUPS = ("", "woman", "man")


def suite(frames: int, seeds: int, subjects: int = 4) -> Suite:
    """Frames of a neutral prompt and one for each group, spread evenly over subjects."""
    names = ("gender", "clothes", "smile")
    prompts = tuple(
        Prompt(f"{i}{g}", f"{g or 'person'} {i}", f"job {i % subjects}", "b", "representation",
               seeds, names, states={"gender": g} if g else {}, frame=f"person {i}")
        for i in range(frames) for g in GROUPS
    )  # fmt: skip
    return Suite("s", "S", "Q?", prompts, (GENDER, CLOTHES, SMILE), (), ())


def table(
    asked: Suite, shift: Mapping[tuple[str, str], float], seed: int = 0, alike: float = 0.0
) -> pd.DataFrame:
    """ATTRIBUTE_COLUMNS: each class as often as any other, but for (group, class) to its shift.

    `alike` is how much of every image's draw is that of its frame, 0..1.
    """
    rng, rows = np.random.default_rng(seed), []
    frames = {p.frame: rng.random(3) for p in asked.prompts}
    for p in asked.prompts:
        for i in range(p.seeds):
            for k, a in enumerate(x for x in asked.attributes if x.name in p.attributes):
                group = p.states.get("gender", "")
                chances = np.array([1 / len(a.classes) + shift.get((group, c), 0.0)
                                    for c in a.classes])  # fmt: skip
                ends = np.cumsum(chances / chances.sum())
                draw = frames[p.frame][k % 3] if rng.random() < alike else rng.random()
                value = a.classes[min(int(np.searchsorted(ends, draw)), len(a.classes) - 1)]
                rows.append((f"{p.id}-{i}", p.id, p.subject, BASELINE, i, a.name, "label", value,
                             0.9))  # fmt: skip
    made = pd.DataFrame(rows, columns=list(ATTRIBUTE_COLUMNS))
    return made.assign(seed=made.seed.astype("Int64"))


def threes(
    asked: Suite, nearer: float, seed: int = 0, spread: float = 0.0, measures: int = 1
) -> pd.DataFrame:
    """TRIPLE_COLUMNS whose neutral image is nearer to the woman's with a chance of `nearer`.

    The chance of a frame deviates from it by up to `spread`, evenly in both directions.
    """
    rng, rows = np.random.default_rng(seed), []
    for p in asked.prompts:
        if p.grouped:
            continue
        chance = nearer + spread * rng.uniform(-1, 1)
        for i in range(p.seeds):
            for measure in ("vectors", "ssim")[:measures]:
                near, far = 0.9, 0.9 - rng.random() / 10
                ends = (near, far) if rng.random() < chance else (far, near)
                rows.append((p.frame, p.subject, i, "gender", "woman", "man", measure, "label",
                             *ends, *rng.random(2)))  # fmt: skip
    made = pd.DataFrame(rows, columns=list(TRIPLE_COLUMNS))
    return made.assign(seed=made.seed.astype("Int64"))
