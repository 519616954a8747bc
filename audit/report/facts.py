"""Facts on methods that the report states next to findings and tables.

A run builds them, `page.json` keeps them, templates read them. Those that do not apply, or are not
known, have their defaults.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from audit.evidence.copies.facts import CorpusFacts, EditCosines


@dataclass(frozen=True)
class LeftAlone:
    """The images of an arm, and how many of them keep their prompt by reason, most first."""

    images: int
    reasons: Mapping[str, int]


@dataclass(frozen=True)
class LookFacts:
    """One share at the last look: its count, and the interval that is valid at all looks."""

    arm: str
    subject: str
    attribute: str
    value: str
    n: int
    low: float
    high: float


@dataclass(frozen=True)
class Looks:
    """Generation in rounds until intervals are narrow."""

    precision: float
    """Half-width of the intervals, a share."""
    looks: int
    level: float
    """Level of the printed intervals."""
    images: int
    planned: int
    """Images that a plan with the same precision would have needed."""
    unmet: tuple[str, ...]
    """Subjects whose intervals are wider."""
    rows: tuple[LookFacts, ...]


@dataclass(frozen=True)
class PeopleFacts:
    """The people in the images of a run whose people were counted."""

    mode: str
    """`first` or `each`, as in the option."""
    images: Mapping[str, int]
    """Number of faces found, `0` to `3+`, to the number of images."""
    read: int
    """People in images of several that were read."""


@dataclass(frozen=True)
class Facts:
    """All facts of a report."""

    command: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    suite_hash: str = ""
    settings_hash: str = ""
    labels_hash: str = ""
    """Of the human labels that corrected the classifier; empty if there are none."""
    wall_seed: int = 0
    """Seed of the random draws of images that are shown."""
    notes: tuple[str, ...] = ()
    left_alone: Mapping[str, LeftAlone] = field(default_factory=dict)
    """By arm, for arms that give reasons."""
    sequential: Looks | None = None
    measured_on: tuple[str, ...] = ()
    """The pictures on which the classifier's errors were measured, in words; empty if on none."""
    people: PeopleFacts | None = None
    """None where the people in the images were not counted."""
    truth_note: str = ""
    """The note of a model whose truth was planted."""
    corpus: CorpusFacts | None = None
    """None where no training set was searched."""
    threshold: float = math.nan
    """Lowest cosine of a flagged copy; NaN if there is none."""
    threshold_w: float | None = None
    """Threshold on the twin's W, infinite if none would do; None under another rule."""
    threshold_method: str = ""
    threshold_need: str = ""
    """What it would take to flag anything; empty where images can be flagged."""
    q: float | None = None
    """Controlled rate of false flags; None where none is controlled."""
    edits: tuple[EditCosines, ...] = ()
    """Cosines of edited copies by the descriptor, edit by edit."""
