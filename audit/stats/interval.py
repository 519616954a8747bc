"""The one return type of estimators."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Interval:
    """A point estimate with its lower and upper confidence limit; NaN where nothing is known."""

    estimate: float
    low: float
    high: float


UNKNOWN = Interval(math.nan, math.nan, math.nan)
"""No information: no images, no labels, no clusters."""
