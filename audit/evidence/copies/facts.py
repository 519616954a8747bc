"""Facts on the search for copies that the report states: the training set, and what is found."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

TRAINING, HELD = "training", "held-out"
"""Whose caption a prompt is: that of a training image, or of a held-out one."""
Recall = tuple[float, float, float]
"""Share of planted copies that a search finds, with its 95 % interval."""


@dataclass(frozen=True)
class EditCosines:
    """Cosines under one edit: of edited images with their source, and with every other image."""

    edit: str
    n: int
    low: float
    """5th percentile over the n images."""
    median: float
    high: float
    """95th percentile."""
    null_n: int
    """Number of pairs of an edited image with another's source."""
    null_median: float
    null_high: float
    """95th percentile over these pairs."""
    null_max: float
    power: float = math.nan
    """Share of the edited copies that the run's line would flag; NaN where it has none."""


@dataclass(frozen=True)
class CorpusFacts:
    """The training set that was searched, and how."""

    name: str = ""
    images: int | None = None
    """Number of its images, repeats included."""
    distinct: int | None = None
    """Number of images that were compared."""
    held_out: int | None = None
    descriptor: str = ""
    """Key of the encoder."""
    coverage: float = math.nan
    """Share of the model's training set that it contains; NaN if unknown."""
    skipped: int = 0
    """Images that could not be read."""
    rule: str = ""
    """The decision rule as the user gave it."""
    same: float | None = None
    """Cosine from which two images are one; None if unknown."""
    sides: str = ""
    """Distinct images of both sides, the tests of their likeness, and the choice that follows."""
    semantic: bool = False
    """Whether the descriptor is of what images show, not of the images."""
    crops: int = 0
    """Crops of an image that were compared, all with all; 1 for whole images, 0 if unknown."""
    shared: int | None = None
    """Held-out images that are in the training set too; None if they were not counted."""
    groups: int | None = None
    """Clusters of near-duplicates in the training set; None if they were not looked for."""
    grouped: int | None = None
    """Images in these clusters."""
    largest: int | None = None
    """Images in the largest of them."""
    search: str = ""
    """Method of the search: `flat`, `ivf-sq8` or `ivf-rabitq`."""
    search_reason: str = ""
    recall: Recall | None = None
    """Of copies planted at a cosine of 0.9; None where all images are compared."""
    recall_line: tuple[float, float, float, float] | None = None
    """The lowest cosine of a flagged copy, and the recall there."""


@dataclass(frozen=True)
class Control:
    """Images of captions of held-out images under one arm: how near obedience alone comes."""

    prompts: int = 0
    images: int = 0
    alike: float = math.nan
    """Share of these images that are as near to held-out ones as the line asks, with the roles
    exchanged; 0 where nothing passes."""
    p: float = math.nan
    """Of as many flagged images among those of training captions by obedience alone."""
    doubt: str = ""
    """Why these images say nothing; empty where they are a control."""


@dataclass(frozen=True)
class DecisionFacts:
    """How the images of a run were flagged as copies, as far as rates need it."""

    q: float = math.nan
    """Controlled rate of false flags; NaN where none is controlled."""
    by_match: bool = False
    """Whether this rate counts a matched training image once, however many images have it."""
    doubt: str = ""
    """Why no rate can be decided; empty where one is."""
    words: str = ""
    """Sizes of both sides, tests and choice, in one line."""
    semantic: bool = False
    """Whether the descriptor is of what images show, not of the images."""
    controls: Mapping[str, Control] = field(default_factory=dict)
    """By arm, where the descriptor is semantic and training captions are among the prompts."""
    whole: bool = False
    """Whether only whole images were compared, which misses copies that are a part of an image."""
