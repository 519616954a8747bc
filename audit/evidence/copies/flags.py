"""The column `copy` of matches: whether an image is flagged as a copy of a training image.

A nullable boolean. Only an image that was compared with the training set has a decision; without
one it is unknown whether the image is a copy. Rates leave such an image out and count it as
missing, and lists of flagged copies do not contain it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from audit.evidence.copies.facts import HELD

DTYPE = "boolean"
UNDECIDED = "copy not decided"
"""Reason for a missing decision, among the reasons for missing images."""


def column(flagged: np.ndarray, known: np.ndarray) -> pd.arrays.BooleanArray:
    """The column from flags bool[n]; missing where `known`, bool[n], is False."""
    return pd.arrays.BooleanArray(flagged & known, ~known)


def decided(copy: pd.Series) -> np.ndarray:
    """bool[n]: rows with a decision."""
    return np.asarray(copy.astype(DTYPE).notna(), bool)


def flagged(copy: pd.Series) -> np.ndarray:
    """bool[n]: rows that are flagged as copies; a row without a decision is not."""
    return np.asarray(copy.astype(DTYPE).fillna(False), bool)


def renewed(copy: pd.Series, w: pd.Series, flagged: np.ndarray, known: np.ndarray) -> pd.Series:
    """The column from new flags, as `column`, where W decides.

    Others are decided by a control, or by none: what it leaves open is not a copy that is absent.
    """
    return copy.astype(DTYPE).where(w.isna() & ~flagged, pd.Series(column(flagged, known)))


def rated(tables: Sequence[pd.DataFrame]) -> list[pd.DataFrame]:
    """Tables of matches without captions of held-out images, which are a control."""
    control = {p for t in tables if "caption" in t for p in t.prompt[t.caption == HELD]}
    return [t[~t.prompt.isin(control)] for t in tables]
