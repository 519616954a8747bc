"""`Measured`: everything measured on the images of a run, the input of all findings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from audit.evidence.copies.facts import DecisionFacts
from audit.keys import digest
from audit.records import Finding, Suite, Truth


@dataclass(frozen=True)
class Labelled:
    """Images with known labels, on which a classifier's errors are measured."""

    pictures: Sequence[np.ndarray]
    """uint8[h, w, 3] each."""
    labels: Mapping[str, Sequence[int]]
    """By attribute: the index of each image's true class; -1 where it is not known."""
    source: str
    """What they are, for the report: "pictures that ..."."""


Calibration = tuple[np.ndarray, np.ndarray]
"""Confidence float[n], and whether the reading was wrong, bool[n]."""


@dataclass(frozen=True)
class Errors:
    """Confusion per attribute with its source, and the human labels behind it, if any."""

    tables: Mapping[str, np.ndarray] = field(default_factory=dict)
    """float[K, K]: rows true, columns read."""
    sources: Mapping[str, str] = field(default_factory=dict)
    judged: pd.DataFrame = field(default_factory=pd.DataFrame)
    """Every human judgement: sample, attribute, rater, outcome, value."""
    settled: pd.DataFrame = field(default_factory=pd.DataFrame)
    """One row per labelled image and attribute: the human label, and the reading."""
    sizes: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """(attribute, class) to the number of images that were read as it when the sheet was drawn."""
    calibration: Mapping[str, Calibration] = field(default_factory=dict)
    """By attribute: the reader's confidence on images of known class, and where it was wrong."""
    given: str = ""
    """Hash of the labelled images that the user gave, where errors were measured on these."""
    doubt: str = ""
    """Why no reading of these images is evidence about them; empty if nothing speaks against it."""

    @property
    def key(self) -> str:
        """Changes when the labels do."""
        people = digest(self.judged.to_csv(index=False)) if len(self.judged) else "none"
        return digest([people, self.given]) if self.given else people


@dataclass(frozen=True)
class Found:
    """Prompts that reproduce one image; all tables may be empty."""

    cliques: pd.DataFrame = field(default_factory=pd.DataFrame)
    """Of captions: replication.cliques.CLIQUE_COLUMNS."""
    edges: pd.DataFrame = field(default_factory=pd.DataFrame)
    """Of captions: replication.edges.EDGE_COLUMNS."""
    source: str = ""
    """The calibration of the cliques."""
    scores: pd.DataFrame = field(default_factory=pd.DataFrame)
    """Of captions and ordinary prompts, in the form of detectors (`detectors.search`)."""


@dataclass(frozen=True)
class Measured:
    """Everything measured on the images of a run; a table that was not made is empty."""

    suite: Suite
    guidance: float
    """Guidance scale of the baseline."""
    seed: int
    """Of resampling."""
    level: float
    """Of the intervals: above 0.95 where images were made until the intervals were narrow."""
    table: pd.DataFrame
    """Perceived attributes (ATTRIBUTE_COLUMNS)."""
    alignment: pd.DataFrame
    """How well images fit their prompts (ALIGNMENT_COLUMNS)."""
    matches: pd.DataFrame
    """Nearest training images (MATCH_COLUMNS)."""
    training: pd.DataFrame
    """Readings of training images, by subject, attribute and kind of caption."""
    nearness: pd.DataFrame
    """Nearness of images to one class rather than another, for the suite's associations."""
    vectors: Mapping[str, np.ndarray]
    """The classifier's vector of every image that has one."""
    extracted: Found
    """Prompts whose images agree from noise to noise."""
    detectors: pd.DataFrame
    """Scores of detectors that look inside the model."""
    whole: Sequence[Finding]
    """Measures of the whole set against the training set."""
    factors: pd.DataFrame
    """The baseline's matches with what copying may depend on."""
    errors: Errors
    """The classifier's errors, as far as they are known."""
    raters: pd.DataFrame | None
    """Every rater's labels, where only labels were given."""
    truth: Truth | None
    """The planted truth, where the model has one."""
    decided: DecisionFacts = field(default_factory=DecisionFacts)
    """How images were flagged as copies."""
    others: pd.DataFrame = field(default_factory=pd.DataFrame)
    """ATTRIBUTE_COLUMNS of the further people in images of several, where each person is read;
    `table` has the largest."""
    tones: pd.DataFrame = field(default_factory=pd.DataFrame)
    """Lightness and hue of skin (TONE_COLUMNS), where they were measured."""
    nudity: pd.DataFrame = field(default_factory=pd.DataFrame)
    """Nudity scores (NUDITY_COLUMNS), where they were measured."""
    triples: pd.DataFrame = field(default_factory=pd.DataFrame)
    """How alike neutral images are to those of stated groups (TRIPLE_COLUMNS)."""
    adherence: pd.DataFrame = field(default_factory=pd.DataFrame)
    """How images keep to a condition (ADHERENCE_COLUMNS), where there are any."""
    swaps: pd.DataFrame = field(default_factory=pd.DataFrame)
    """What a swapped group changes around a person (SWAP_COLUMNS), where there are such pairs."""
    segments: pd.DataFrame = field(default_factory=pd.DataFrame)
    """Copies of the person and of the background apart (SEGMENT_COLUMNS), where asked for."""
    parts: Mapping[str, DecisionFacts] = field(default_factory=dict)
    """How the images of each part were flagged as copies."""
    people: Mapping[str, int] = field(default_factory=dict)
    """Sample to the number of people in its image, where they were counted."""
