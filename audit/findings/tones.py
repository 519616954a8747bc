"""Lightness and hue of skin, compared within a run: between arms, and between stated groups.

Neither is a class of a scale: light changes them as much as skin. Arms share their noise, so their
images are compared in pairs; prompts that state a group do not, so they are compared as groups of
prompts.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.stats import ttest_ind

from audit.errors import figure, say
from audit.findings.claim import Claim, Counts, adjusted, arms, finding, joined
from audit.findings.pairs import judged, mean_finding
from audit.findings.wording import p_equals
from audit.keys import ALL, BASELINE, Key, Unit, both
from audit.records import Attribute, Finding, Prompt
from audit.stats.decisions import verdict
from audit.stats.interval import UNKNOWN, Interval
from audit.stats.noninferiority import FEWEST

MEASURES: Mapping[str, tuple[str, Unit]] = {
    "lightness": ("lightness of the skin (L*)", "lightness"),
    "hue": ("hue of the skin (degrees from red to yellow)", "degrees"),
}
"""Column of the table to its name and unit."""
FAMILY = "skin tones of stated groups"


def findings(
    table: pd.DataFrame, attributes: Sequence[Attribute], prompts: Mapping[str, Prompt]
) -> list[Finding]:
    """Differences between stated groups of the baseline, then changes under every arm.

    `table` has TONE_COLUMNS.
    """
    if not len(table):
        return []
    base = table[table.arm == BASELINE]
    stated = [f for a in attributes for f in _groups(base, a, prompts)]
    changed = [f for arm in arms(table.arm) if arm != BASELINE for f in _changes(table, arm)]
    return adjusted(stated) + changed


def _changes(table: pd.DataFrame, arm: str) -> Iterator[Finding]:
    """Mean change of each measure, on the same prompt and noise."""
    rows = joined(table, arm)
    for column, (name, unit) in MEASURES.items():
        claim = Claim(
            Key("mitigation", arm, "", "", "tone", column), say(
                "change of the {name}",
                name=name
            ),
            "all prompts", unit, "pairs", "paired by seed; Student's t over prompts",
        )  # fmt: skip
        yield mean_finding(claim, rows, column)


def _groups(
    base: pd.DataFrame, attribute: Attribute, prompts: Mapping[str, Prompt]
) -> Iterator[Finding]:
    """Differences between prompts that state one class of an attribute and another."""
    said = base.prompt.map({i: p.states.get(attribute.name, "") for i, p in prompts.items()})
    known = [c for c in attribute.classes if (said == c).any()]
    for column in MEASURES:
        for one, two in combinations(known, 2):
            sides = base[said == one], base[said == two]
            yield _difference(sides, (one, two), attribute, column)


def _difference(
    sides: tuple[pd.DataFrame, pd.DataFrame], names: tuple[str, str], attribute: Attribute,
    column: str,
) -> Finding:  # fmt: skip
    """Mean over the prompts of the second class less that of the first (Welch 1947)."""
    name, unit = MEASURES[column]
    means = [s[column].groupby(s.prompt).mean().dropna().to_numpy(float) for s in sides]
    n = int(sum(s[column].notna().sum() for s in sides))
    lost = pd.concat(sides)
    lost = lost[lost[column].isna()]
    found, p = _welch(means[0], means[1])
    size = Counts(n, float(min(map(len, means))), len(lost),
                  {str(k): int(v) for k, v in lost.outcome.value_counts().items()})  # fmt: skip
    claim = Claim(
        Key("representation", BASELINE, ALL, attribute.name, "tone", both(column, both(*names, "+"),
            " ")),
        say("difference in the {name}", name=name), say(
            "{names} less {names2}, where the prompt says so",
            names=names[1], names2=names[0]
        ), unit,
        "images", "means of prompts; Welch's t",
    )  # fmt: skip
    made = finding(claim, found, size, p=p, family=FAMILY,
                   verdict=judged(found, size, "images", verdict(found, 0)))  # fmt: skip
    if not math.isfinite(found.estimate):
        said = "not known: no face could be read on one side"
    else:
        span = "too few prompts for limits"
        if math.isfinite(found.low):
            span = figure(f"[{found.low:+.1f}, {found.high:+.1f}], {p_equals(p)}")
        between = " " if math.isfinite(found.low) else ", "
        known = figure(f"{found.estimate:+.1f}")
        said = say("{known}{between}{span}, n = {n}", known=known, between=between, span=span, n=n)
    return replace(
        made, sentence=say(
            "Prompts that state {names} less those that state {names2}: {name} {said}. This "
            "compares images of one run; it is not a class of skin tone.",
            names=names[1], names2=names[0], name=name, said=said
        ),
    )  # fmt: skip


def _welch(one: np.ndarray, two: np.ndarray) -> tuple[Interval, float]:
    """Difference of means, second less first, with its limits and p; fewer than FEWEST: neither."""
    if not (len(one) and len(two)):
        return UNKNOWN, math.nan
    apart = float(two.mean() - one.mean())
    if min(len(one), len(two)) < FEWEST or not (np.ptp(one) > 0 or np.ptp(two) > 0):
        return Interval(apart, math.nan, math.nan), math.nan
    test = ttest_ind(two, one, equal_var=False)
    limits = test.confidence_interval(0.95)
    return Interval(apart, float(limits.low), float(limits.high)), float(test.pvalue)
