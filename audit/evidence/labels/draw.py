"""The images that people label: a random sample, stratified by their readings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from audit.errors import UserError


@dataclass(frozen=True)
class Stratum:
    """Images that were read as one class: how many there are, and how many were drawn."""

    attribute: str
    read: str
    size: int
    drawn: int

    @property
    def weight(self) -> float:
        """How many images each drawn one represents."""
        return self.size / self.drawn if self.drawn else 0.0


@dataclass(frozen=True)
class Drawn:
    """Images to be labelled, columns sample, attribute and read, and their strata."""

    rows: pd.DataFrame
    strata: tuple[Stratum, ...]


def allocate(sizes: Sequence[int], n: int) -> list[int]:
    """Spread n over strata as evenly as their sizes allow; the others make up for a small one.

    Even shares, not proportional ones: the rare class limits how well errors are known.
    """
    given = [0] * len(sizes)
    left = min(n, sum(sizes))
    while left:
        lacking = [i for i, size in enumerate(sizes) if given[i] < size]
        share = max(1, left // len(lacking))
        for i in lacking[:left]:
            take = min(sizes[i] - given[i], share)
            given[i] += take
            left -= take
    return given


def draw(table: pd.DataFrame, classes: Mapping[str, Sequence[str]], n: int, seed: int) -> Drawn:
    """Draw `n` images per attribute at random within each class that was read.

    `table` has ATTRIBUTE_COLUMNS. Images without a label are left out: only labels that were
    given are corrected. The order is shuffled, so the sheet does not reveal the class.
    Raises UserError where nothing was read at all.
    """
    parts, strata = [], []
    for k, (attribute, names) in enumerate(classes.items()):
        read = table[(table.attribute == attribute) & (table.outcome == "label")]
        read = read.drop_duplicates("sample").sort_values("sample")
        sizes = [int((read.value == c).sum()) for c in names]
        for i, (c, size, take) in enumerate(zip(names, sizes, allocate(sizes, n), strict=True)):
            rng = np.random.default_rng([seed, k, i])
            pick = rng.permutation(size)[:take]
            parts.append(read[read.value == c].iloc[pick])
            strata.append(Stratum(attribute, c, size, take))
    rows = pd.concat(parts, ignore_index=True)
    if rows.empty:
        raise UserError("No image of this run has a label, so there is nothing to check by eye.")
    order = np.random.default_rng([seed, len(classes)]).permutation(len(rows))
    rows = rows.iloc[order].sort_values("attribute", kind="stable").reset_index(drop=True)
    return Drawn(rows.rename(columns={"value": "read"})[["sample", "attribute", "read"]],
                 tuple(strata))  # fmt: skip
