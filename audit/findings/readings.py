"""Labels of one attribute in one subject's images, and how many independent ones they are worth."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from audit.records import Attribute
from audit.stats.proportions import effective_n_among, intraclass, nested_loss

PERSON = "person"
"""Column of tables with a row per person: 0 for the largest of an image."""


def with_everyone(table: pd.DataFrame, others: pd.DataFrame) -> pd.DataFrame:
    """A table with a row per image, and the rows of the further people in these images."""
    if not len(others):
        return table
    parts = [table.assign(**{PERSON: 0}), others.assign(**{PERSON: 1})]
    return pd.concat(parts, ignore_index=True)


def _images(rows: pd.DataFrame) -> np.ndarray:
    """The image of each row, int[n]; several prompts may share a sample."""
    return np.asarray(rows.groupby(["prompt", "sample"], sort=False).ngroup())


@dataclass(frozen=True)
class Readings:
    """Labels of one attribute in one subject's images of one arm."""

    attribute: Attribute
    subject: str
    arm: str
    rows: pd.DataFrame
    correlation: Mapping[str, float]
    """Correlation of two images of the same prompt, by class; NaN where unknown."""
    free: int = 0
    """Degrees of freedom of it: prompts less subjects, of all subjects together."""
    alike: Mapping[str, float] = field(default_factory=dict)
    """Correlation of two people in the same image, by class, where images show several."""

    @cached_property
    def labelled(self) -> pd.DataFrame:
        """The rows that have a label."""
        return self.rows[self.rows.outcome == "label"]

    @cached_property
    def counts(self) -> np.ndarray:
        """Labels by class, int[K], in the order of the fixed class list."""
        found = self.labelled.value.value_counts()
        return np.asarray(found.reindex(list(self.attribute.classes), fill_value=0).to_numpy())

    @cached_property
    def effective(self) -> np.ndarray:
        """Effective sample size by class, float[K]; NaN where unknown."""
        clusters = pd.factorize(self.labelled.prompt)[0]
        values = self.labelled.value.to_numpy(object)
        hits = {c: (values == c).astype(float) for c in self.attribute.classes}
        sizes = {c: effective_n_among(hits[c], clusters, self.correlation[c]) for c in hits}
        if not self.several:
            return np.array([*sizes.values()])
        shown = _images(self.labelled)
        return np.array([
            (size if math.isfinite(size) else len(shown))
            * nested_loss(shown, clusters, self.alike[c], self.correlation[c])
            for c, size in sizes.items()
        ])  # fmt: skip

    @property
    def several(self) -> bool:
        """Whether some image shows several people with a label."""
        return bool(self.alike) and bool((self.labelled[PERSON] > 0).any())

    @property
    def images(self) -> int:
        """How many images have a label."""
        return len(np.unique(_images(self.labelled)))

    @property
    def thinned(self) -> np.ndarray:
        """Counts scaled to the effective sample size, float[K]: images of a prompt are a cluster.

        The smallest of the classes' sizes is used; where all are unknown, the number of images.
        """
        known = self.effective[np.isfinite(self.effective)]
        n = self.counts.sum()
        return self.counts * (known.min() / n if len(known) else 1.0)

    @property
    def reasons(self) -> dict[str, int]:
        """Images without a label by reason."""
        found = self.rows.outcome.value_counts().items()
        return {str(k): int(v) for k, v in found if k != "label"}


def readings(
    table: pd.DataFrame, attribute: Attribute, arm: str, subjects: Iterable[str]
) -> list[Readings]:
    """The readings of each subject that has any, with the correlation within prompts.

    The correlation is pooled over subjects: a few prompts of one subject say too little, unless
    they are clearly less alike than others' (`effective_n_among`).
    """
    part = table[(table.arm == arm) & (table.attribute == attribute.name)]
    labelled = part[part.outcome == "label"]
    clusters, strata = (pd.factorize(labelled[c])[0] for c in ("prompt", "subject"))
    values = labelled.value.to_numpy(object)
    correlation = {
        c: intraclass((values == c).astype(float), clusters, strata) for c in attribute.classes
    }
    free = labelled.groupby("subject").prompt.nunique().sub(1).sum()
    alike = dict[str, float]()
    if PERSON in labelled and (labelled[PERSON] > 0).any():
        shown = _images(labelled)
        alike = {
            c: intraclass((values == c).astype(float), shown, strata) for c in attribute.classes
        }
    rows = {str(s): r for s, r in part.groupby("subject", sort=False)}
    return [
        Readings(attribute, s, arm, rows[s], correlation, int(free), alike)
        for s in subjects
        if s in rows
    ]
