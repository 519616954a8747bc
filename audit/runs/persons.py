"""People in images: how many faces are found, and a portrait of each where there are several.

A portrait is named after its image and its box, `SAMPLE@LEFT,TOP,RIGHT,BOTTOM`; vectors and
readings of it are kept under that name next to those of images.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from audit.errors import UserError
from audit.evidence.attributes import faces, portraits
from audit.evidence.attributes.portraits import Box
from audit.report.facts import PeopleFacts
from audit.runs.context import Run
from audit.runs.keeping import Kept, kept
from audit.runs.options import EACH, ONLY, Options
from audit.runs.writer import keep_vectors

MANY = 3
"""Numbers of people from here on are counted together."""


@dataclass(frozen=True)
class Counted:
    """The people in images that can be seen, by sample."""

    people: Mapping[str, int] = field(default_factory=dict)
    """Faces that were found."""
    portraits: Mapping[str, tuple[Box, ...]] = field(default_factory=dict)
    """Of images with several people: one of each, the largest face first."""


def check(options: Options) -> None:
    """Raise UserError where people cannot be counted, before anything is drawn."""
    if options.people == ONLY and not options.tone:
        return
    if options.labels is not None:
        raise UserError("--people and --tone are about images: a table of --labels has none.")
    if options.precision and options.people == EACH:
        raise UserError(
            "--precision counts images, and --people each counts people. Give --people first, or "
            "leave --precision out."
        )
    faces.ready()


def count(run: Run, ids: Iterable[str]) -> Counted:
    """The people in images whose face is found; none are counted for `--people only`.

    Finished work is kept.
    """
    if run.options.people == ONLY:
        return Counted()
    found = faces_of(run, ids)
    return Counted({i: len(boxes) for i, boxes in found.items()},
                   {i: boxes for i, boxes in found.items() if len(boxes) > 1})  # fmt: skip


def faces_of(run: Run, ids: Iterable[str]) -> dict[str, tuple[Box, ...]]:
    """A portrait of each face in images, the largest first; unreadable images are left out."""
    key, wanted = f"people-{portraits.key()}", list(ids)

    def heard(reading: Kept) -> tuple[Box, ...] | None:
        return portraits.heard(reading[1] or "")

    def read(id: str) -> Kept:
        return "faces", portraits.said(_portraits(run.picture(id)))

    said = kept(run, key, {i: i for i in wanted}, read, "faces",
                usable=lambda reading: heard(reading) is not None)  # fmt: skip
    found = {i: heard(said[i]) for i in wanted if i in said}
    return {i: boxes for i, boxes in found.items() if boxes is not None}


def _portraits(picture: np.ndarray) -> tuple[Box, ...]:
    return portraits.portraits(portraits.find(picture), picture.shape)


def unit(sample: str, box: Box) -> str:
    """The name of a portrait."""
    return f"{sample}@{box}"


def picture(run: Run, name: str) -> np.ndarray:
    """An image or a portrait by name, uint8[h, w, 3]; pixels.Unreadable if it is gone."""
    sample, _, text = name.partition("@")
    boxes = portraits.heard(text) or ()
    shown = run.picture(sample)
    return boxes[0].of(shown) if boxes else shown


def vectors(run: Run, encoder: Any, counted: Counted) -> dict[str, np.ndarray]:
    """Vectors of all portraits by one encoder; those of an image are encoded together."""
    found = run.folder.vectors(encoder.key)
    wanted = [[unit(s, b) for b in boxes] for s, boxes in sorted(counted.portraits.items())]
    for n, group in enumerate(wanted, 1):
        if any(u not in found for u in group):
            found.update(
                keep_vectors(run.folder, encoder, group, lambda u: picture(run, u), found, {})
            )
            run.progress("portraits", n, len(wanted))
    return {u: found[u] for group in wanted for u in group if u in found}


def facts(mode: str, people: Mapping[str, int]) -> PeopleFacts | None:
    """How many images have how many people, for the report; None where nobody was counted."""
    if mode == ONLY:
        return None
    numbers = Counter(min(n, MANY) for n in people.values())
    by = {f"{n}{'+' * (n == MANY)}": numbers[n] for n in range(MANY + 1)}
    several = [n for n in people.values() if n > 1]
    return PeopleFacts(mode, by, sum(several) if mode == EACH else len(several))


def units(sample: str, counted: Counted, mode: str) -> list[str]:
    """What is read of an image: the portraits of several people, the largest first, or itself."""
    found = [unit(sample, b) for b in counted.portraits.get(sample, ())]
    return (found if mode == EACH else found[:1]) or [sample]
