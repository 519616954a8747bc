"""`Measured`: everything that was read from the images of a run, which findings are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from audit.records import Finding, Suite, Truth, digest

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
    """One row per labelled picture and attribute: what people saw, and what was read."""
    sizes: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """(attribute, class) to the number of images that were read as it when the sheet was drawn."""
    calibration: Mapping[str, Calibration] = field(default_factory=dict)
    """By attribute: how sure the reader was of images whose class is known, and where it erred."""

    @property
    def key(self) -> str:
        """Changes when the labels do."""
        return digest(self.judged.to_csv(index=False)) if len(self.judged) else "none"


@dataclass(frozen=True)
class Found:
    """What was found of prompts that give one image back; all tables may be empty."""

    cliques: pd.DataFrame = field(default_factory=pd.DataFrame)
    """Of captions: replication.cliques.CLIQUE_COLUMNS."""
    edges: pd.DataFrame = field(default_factory=pd.DataFrame)
    """Of captions: replication.edges.EDGE_COLUMNS."""
    source: str = ""
    """What calibrated the cliques."""
    scores: pd.DataFrame = field(default_factory=pd.DataFrame)
    """Of captions and ordinary prompts, as detectors have them (`detectors.search`)."""


@dataclass(frozen=True)
class Measured:
    """Everything that was read from the images of a run; a table that was not made is empty."""

    suite: Suite
    guidance: float
    """Guidance scale of the baseline."""
    seed: int
    """Of resampling."""
    level: float
    """Of the intervals: above 0.95 where images were made until these were narrow."""
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
    """What is known of the classifier's errors."""
    raters: pd.DataFrame | None
    """Every rater's labels, where labels alone were given."""
    truth: Truth | None
    """What was planted, where the model knows it."""
