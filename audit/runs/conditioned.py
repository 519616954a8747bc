"""How images keep to the pictures that they were drawn after, and what a swapped group changes.

Two tables: how well edges agree with the condition, also those of the baseline's image on the same
noise, which never saw it; and pairs of images that differ in the stated group alone, compared
outside the condition's shape, with pairs that differ in the noise next to them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from audit.datasets import pixels
from audit.design.mitigations.control import picture
from audit.design.suites.noise import counterfactual
from audit.evidence import conditions
from audit.keys import ADHERENCE_COLUMNS, BASELINE, SWAP_COLUMNS, digest
from audit.runs.context import Run
from audit.runs.keeping import Kept, kept
from audit.runs.reading import missing_outcomes


@dataclass(frozen=True)
class Shown:
    """The images of a run, and their conditions at the size of each image."""

    run: Run

    def condition(self, name: str, image: np.ndarray) -> np.ndarray:
        """A condition cut and scaled as it was for the model: uint8[h, w, 3]."""
        from audit.engine.controlnet import fitted

        assert self.run.conditions is not None  # only arms with a condition have names of them
        return fitted(self.run.conditions.picture(name), (image.shape[1], image.shape[0]))


def adherence(run: Run, known: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """ADHERENCE_COLUMNS of the arms with a condition, each with its baseline.

    Finished work is kept; empty without such an arm.
    """
    asked = {p.id: p for p in run.suite.prompts}
    names = {s.id: picture(s.change) for s in run.samples if picture(s.change)}
    own = {(s.prompt, s.seed): s for s in run.samples if s.arm == BASELINE}
    wanted = [(s, s.arm, names[s.id]) for s in run.samples if s.id in names]
    base = [(own[s.prompt, s.seed], arm, name) for s, arm, name in wanted
            if (s.prompt, s.seed) in own]  # fmt: skip
    outcomes = missing_outcomes(run, known)
    found = _adherences(run, [(s.id, n) for s, _, n in (*base, *wanted) if s.id in known])
    rows = [
        (s.id, s.prompt, asked[s.prompt].subject, s.arm, s.seed, of,
         *found.get((s.id, name), (outcomes.get(s.id, "unreadable"), math.nan)))
        for s, of, name in (*base, *wanted)
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=list(ADHERENCE_COLUMNS))
    return table.assign(seed=pd.array([r[4] for r in rows], dtype="Int64"))


def _adherences(
    run: Run, wanted: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], tuple[str, float]]:
    """Outcome and edge IoU by sample and condition."""
    shown, key = Shown(run), f"adherence-{_version()}"
    named = {f"{id} {name}": (id, name) for id, name in wanted}

    def read(about: tuple[str, str]) -> Kept:
        image = run.picture(about[0])
        value = conditions.edge_iou(image, shown.condition(about[1], image))
        return ("label", f"{value:.6f}") if math.isfinite(value) else ("uncertain", None)

    said = kept(run, key, named, read, "conditions")
    return {about: _number(*said[n]) for n, about in named.items() if n in said}


def _version() -> str:
    """Changes with what is measured, and earlier numbers are then not read."""
    c = conditions
    return digest([c.LEAST, c.SHARE, c.TOP, c.TOLERANCE, c.BAND, c.BRIGHT, list(c.PLACES)], 8)


def _number(outcome: str, said: str | None) -> tuple[str, float]:
    """What was kept; anything else than a number is unreadable."""
    if outcome != "label":
        return outcome, math.nan
    try:
        return outcome, float(said or "")
    except ValueError:
        return "unreadable", math.nan


def swaps(run: Run, known: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """SWAP_COLUMNS of prompts that share their noise and state different groups, by arm.

    Of arms with a condition, and of the baseline in the same places; empty without such prompts.
    """
    names = {(s.prompt, s.seed): picture(s.change) for s in run.samples if picture(s.change)}
    arms = sorted({s.arm for s in run.samples if picture(s.change)})
    images = {
        (s.arm, s.prompt, s.seed): s.id for s in run.samples
        if s.arm in (*arms, BASELINE) and s.id in known
    }  # fmt: skip
    rows: list[tuple[object, ...]] = []
    for one, two, attribute in counterfactual(run.suite.prompts) if arms else ():
        about = (one.states[attribute], two.states[attribute])
        for arm in (BASELINE, *arms):
            sides = [
                {seed: images[arm, p.id, seed] for prompt, seed in names
                 if prompt == p.id and (arm, p.id, seed) in images}
                for p in (one, two)
            ]  # fmt: skip
            for seed, swapped, other in _distances(Shown(run), sides, names, one.id):
                rows.append((one.id, two.id, seed, one.subject, arm, attribute, *about, swapped,
                             other))  # fmt: skip
    table = pd.DataFrame(rows, columns=list(SWAP_COLUMNS))
    return table.assign(seed=pd.array([r[2] for r in rows], dtype="Int64"))


def _distances(
    shown: Shown, sides: Sequence[Mapping[int | None, str]],
    names: Mapping[tuple[str, int | None], str], prompt: str,
) -> Iterator[tuple[int | None, float, float]]:  # fmt: skip
    """Per seed: distance of the two sides, and of each side to its image of the next seed.

    Both outside the shapes of the conditions. Seeds without a shape, or whose images cannot be
    read, are left out.
    """
    found = {}
    for seed in sorted({*sides[0]} & {*sides[1]}, key=lambda s: s or 0):
        try:
            images = [shown.run.picture(side[seed]) for side in sides]
        except pixels.Unreadable:
            continue
        place = conditions.inside(shown.condition(names[prompt, seed], images[0]))
        if place is not None:
            found[seed] = images, ~place
    seeds = list(found)
    for seed, after in zip(seeds, [*seeds[1:], *seeds[:1]], strict=True):
        (own, free), (others, also) = found[seed], found[after]
        if seed != after:
            far = [conditions.apart(a, b, free & also) for a, b in zip(own, others, strict=True)]
            yield seed, conditions.apart(own[0], own[1], free), sum(far) / len(far)
