"""What uncorrected shares would be at error rates that were published for such a reader.

Those rates were measured on other images, so no share is corrected by them; they say how much
errors of that size matter here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from audit.errors import figure, listed, say
from audit.findings.wording import percent
from audit.keys import BASELINE


@dataclass(frozen=True)
class Published:
    """Error rates of a reader of two classes, taken as equal for both: the least and the most."""

    low: float
    high: float
    source: str


def at_rate(read: float, rate: float) -> float:
    """The share behind a share read, 0..1, where each of two classes is misread at this rate.

    Rogan & Gladen 1978 with equal rates below a half.
    """
    return min(max((read - rate) / (1 - 2 * rate), 0.0), 1.0)


def line(table: pd.DataFrame, attribute: str, classes: Sequence[str], rates: Published) -> str:
    """The sentence on one attribute of two classes; empty where nothing was read."""
    rows = table[(table.attribute == attribute) & (table.arm == BASELINE)]
    rows = rows[rows.outcome == "label"] if len(rows) else rows
    if not len(rows):
        return ""
    hit = rows.value == classes[0]
    read = float(hit.mean())
    ends = [at_rate(read, r) for r in (rates.low, rates.high)]
    shares = hit.groupby(rows.subject).mean()
    most = max(abs(at_rate(float(s), rates.high) - float(s)) for s in shares)
    between = listed(dict.fromkeys(percent(e) for e in sorted(ends)), " to ")
    return say(
        "At published error rates ({low} to {high} %; {source}), the share of {classes} over "
        "all baseline images, {read} as read, would be {between}, and no subject's share "
        "would move by more than {most} points.",
        low=figure(f"{100 * rates.low:.1f}"),
        high=figure(f"{100 * rates.high:.1f}"),
        source=rates.source,
        classes=classes[0],
        read=percent(read),
        between=between,
        most=figure(f"{100 * most:.1f}"),
    )
