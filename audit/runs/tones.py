"""Skin tones of photographs: lightness and hue of a face inside the mask of its person.

They are numbers to compare within one run, never classes of a scale: the light changes them as much
as the skin does. `doctor --readers` measures by how much.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial

import numpy as np
import pandas as pd

from audit.evidence.attributes import faces, portraits, skin_tone
from audit.keys import TONE_COLUMNS, digest
from audit.runs.context import Run
from audit.runs.keeping import Kept, kept
from audit.runs.options import ONLY
from audit.runs.reading import by_sample

NOTE = (
    "Skin tone is lightness (L*) and hue of the face inside the mask of its person. The light "
    "changes both as much as the skin does: they are compared within this run alone, and none is a "
    "class of the Monk scale or says which tone a person has."
)
_KEPT = re.compile(r"(-?\d+\.\d+),(-?\d+\.\d+)")


def tone(picture: np.ndarray, largest: bool = False) -> tuple[str, skin_tone.Tone | None]:
    """Outcome and tone of the only face in uint8[h, w, 3], or of the largest of several.

    Hair, eyes and background inside the box of the face are left out by the mask of the person and
    by `skin_tone.read`.
    """
    from audit.evidence.encoders import selfie

    image = faces.sized(picture)
    found = portraits.find(image)
    if not found or (len(found) > 1 and not largest):
        return ("several people" if found else "uncertain"), None
    box, face = portraits.portraits(found, image.shape)[0], found[0]
    shown = box.of(image)
    inside = np.zeros(shown.shape[:2], bool)
    inside[face.top - box.top : face.bottom - box.top,
           face.left - box.left : face.right - box.left] = True  # fmt: skip
    read = skin_tone.read(shown, inside & selfie.person(shown))
    return read.outcome, read if read.outcome == "label" else None


def measure(run: Run, known: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """TONE_COLUMNS of the images of representation prompts; empty without `--tone`.

    Finished work is kept. Of several people the largest is measured, unless none of them is read.
    """
    if not run.options.tone:
        return pd.DataFrame(columns=list(TONE_COLUMNS))
    return by_sample(run, known, TONE_COLUMNS, partial(_measured, run))


def _measured(run: Run, ids: list[str]) -> dict[str, tuple[str, float, float]]:
    """Outcome, lightness and hue of images that can be read."""
    largest = run.options.people != ONLY
    key = f"tones-{digest([portraits.key(), skin_tone.LEAST_PIXELS, skin_tone.TRIM, largest], 8)}"

    def read(id: str) -> Kept:
        outcome, found = tone(run.picture(id), largest)
        return outcome, f"{found.colour[0]:.4f},{found.hue:.4f}" if found else None

    said = kept(run, key, {i: i for i in ids}, read, "skin tones")
    return {i: _numbers(*said[i]) for i in ids if i in said}


def _numbers(outcome: str, said: str | None) -> tuple[str, float, float]:
    """What `_measured` kept; anything else is unreadable."""
    if outcome != "label":
        return outcome, np.nan, np.nan
    match = _KEPT.fullmatch(said or "")
    return (outcome, float(match[1]), float(match[2])) if match else ("unreadable", np.nan, np.nan)
