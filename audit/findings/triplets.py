"""Whom the image of a neutral prompt resembles: of two that state a group, on the same noise.

Wu, Nakashima & Garcia 2025, J Imaging 11:35, sections 3.1 and 4.1, compare mean similarities; here
each noise says which image is nearer, which needs no common scale of similarity.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from audit.errors import say
from audit.findings.claim import Claim, Counts, adjusted, controlled, finding
from audit.findings.pairs import paired_p
from audit.findings.readings import Readings, readings
from audit.findings.wording import cap, estimate, p_equals, percent
from audit.keys import ALL, ATTRIBUTE_COLUMNS, BASELINE, Key, both
from audit.records import Attribute, Finding
from audit.stats.decisions import binomial_p, verdict
from audit.stats.interval import Interval
from audit.stats.noninferiority import FEWEST, mean_change
from audit.stats.proportions import wilson

MEASURES = {"vectors": "by vectors", "ssim": "by SSIM"}
EVEN, OTHERS = "uniform", "unrelated images"
"""References: neither group is nearer, and the share among neutral images of other prompts."""
TIE = "equally near"


def findings(table: pd.DataFrame) -> list[Finding]:
    """Shares of neutral images that are nearer to the first of two groups, against one half.

    `table` has TRIPLE_COLUMNS. Over all subjects by every measure, and of each subject by the first
    one, each a family under Holm's control.
    """
    found: list[Finding] = []
    if not len(table):
        return found
    first = str(table.measure.iloc[0])
    for (name, one, two, measure), rows in table.groupby(
        ["attribute", "one", "two", "measure"], sort=False
    ):
        near = _nearest(rows, str(name), (str(one), str(two)))
        key = Key("representation", BASELINE, ALL, str(name), "resembles",
                  both(str(measure), both(str(one), str(two), "+"), " "))  # fmt: skip
        found.append(_overall(rows, near, key, str(measure)))
        if measure == first and near.subject.nunique() > 1:
            found += _subjects(near, key, (str(one), str(two)), str(measure))
    return controlled(adjusted(found))


def _nearest(rows: pd.DataFrame, name: str, groups: tuple[str, str]) -> pd.DataFrame:
    """ATTRIBUTE_COLUMNS with the nearer group as the value; frames are the prompts."""
    gap = rows.to_one.to_numpy(float) - rows.to_two.to_numpy(float)
    value = np.where(gap > 0, *groups).astype(object)
    outcome = np.where((rows.outcome == "label") & (gap == 0), TIE, rows.outcome)
    value[outcome != "label"] = None
    made = {"sample": rows.index, "prompt": rows.frame, "subject": rows.subject, "arm": BASELINE,
            "seed": rows.seed, "attribute": name, "outcome": outcome, "value": value,
            "score": np.abs(gap)}  # fmt: skip
    return pd.DataFrame(made, columns=list(ATTRIBUTE_COLUMNS))


def _claim(key: Key, groups: tuple[str, str], where: str, method: str, measure: str) -> Claim:
    return Claim(
        key,
        say("share of neutral images nearer to {one} than {two}, {measure}", one=groups[0],
            two=groups[1], measure=MEASURES[measure]),
        where, "share", "images", method,
    )  # fmt: skip


def _overall(rows: pd.DataFrame, near: pd.DataFrame, key: Key, measure: str) -> Finding:
    """Over all subjects: limits and p over frames, which are the clusters."""
    groups = str(rows.one.iloc[0]), str(rows.two.iloc[0])
    kept = near[near.outcome == "label"]
    apart = np.where(kept.value == groups[0], 1.0, -1.0)
    at = pd.factorize(kept.prompt)[0]
    found = _halved(mean_change(apart, at, shares=True))
    n, frames = len(kept), int(kept.prompt.nunique())
    p = paired_p(apart, at) if frames >= FEWEST else math.nan
    size = Counts(n, float(frames) if n else math.nan, len(near) - n, _reasons(near))
    claim = _claim(key, groups, say("all {n} subjects", n=near.subject.nunique()),
                   "threes on the same noise; Student's t over prompts; flips of signs of prompts",
                   measure)  # fmt: skip
    said = "undecided" if not n else "not enough prompts" if frames < FEWEST else (
        verdict(found, 0.5)
    )  # fmt: skip
    others = _unrelated(rows)
    told = {EVEN: 0.5, **({OTHERS: others} if math.isfinite(others) else {})}
    by = MEASURES[measure]
    aside = say(", {measure}", measure=by)
    if OTHERS in told:
        aside = say(", {measure} (of unrelated neutral images {share})", measure=by,
                    share=percent(others))  # fmt: skip
    made = finding(claim, found, size, p=p, family="whom neutral images resemble", verdict=said,
                   references=told, against=EVEN)  # fmt: skip
    return replace(made, sentence=_sentence(made, groups, aside))


def _halved(change: Interval) -> Interval:
    """A share from the mean of 1 where the first group is nearer and -1 where the second is."""
    return Interval(*((1 + x) / 2 for x in (change.estimate, change.low, change.high)))


def _unrelated(rows: pd.DataFrame) -> float:
    """The same share, had each neutral image been that of another frame; NaN where unknown.

    What differs from one half here is not resemblance: one group's images are nearer to any image.
    """
    gap = rows.other_to_one.to_numpy(float) - rows.other_to_two.to_numpy(float)
    gap = gap[np.isfinite(gap) & (gap != 0)]
    return float((gap > 0).mean()) if len(gap) else math.nan


def _subjects(
    near: pd.DataFrame, key: Key, groups: tuple[str, str], measure: str
) -> Iterator[Finding]:
    """Each subject, with the correlation within frames of all subjects together."""
    attribute = Attribute(key.attribute, groups, {})
    for read in readings(near, attribute, BASELINE, dict.fromkeys(near.subject)):
        yield _subject(read, key._replace(subject=read.subject), measure)


def _subject(read: Readings, key: Key, measure: str) -> Finding:
    groups = read.attribute.classes[0], read.attribute.classes[1]
    n, thin = int(read.counts.sum()), read.thinned
    found = wilson(float(thin[0]), float(thin.sum()))
    effective = float(read.effective[0]) if n else math.nan
    claim = _claim(key, groups, read.subject,
                   "threes on the same noise; Wilson with the design effect of prompts; exact "
                   "binomial p", measure)  # fmt: skip
    made = finding(
        claim, found, Counts(n, effective, len(read.rows) - n, read.reasons),
        p=binomial_p(round(thin[0]), round(thin.sum()), 0.5), verdict=verdict(found, 0.5),
        family="whom neutral images resemble, by subject", references={EVEN: 0.5}, against=EVEN,
    )  # fmt: skip
    aside = say(", {measure}", measure=MEASURES[measure])
    return replace(made, sentence=_sentence(made, groups, aside))


def _reasons(near: pd.DataFrame) -> dict[str, int]:
    found = near.outcome.value_counts().items()
    return {str(k): int(v) for k, v in found if k != "label"}


def _sentence(f: Finding, groups: tuple[str, str], aside: str) -> str:
    if not f.n:
        return say("{where}: {quantity} not known: no three of images could be compared.",
                   where=cap(f.where), quantity=f.quantity)  # fmt: skip
    tested = say(", {p}", p=p_equals(f.p)) if math.isfinite(f.p) else ""
    return say(
        "{where}: the neutral prompt's image is nearer to that of the prompt that states {one} "
        "than {two}, on the same noise, in {share} of {n} threes{aside}{tested}.",
        where=cap(f.where), one=groups[0], two=groups[1], n=f.n, aside=aside, tested=tested,
        share=estimate(f.estimate, f.low, f.high),
    )  # fmt: skip
