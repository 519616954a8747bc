"""All subjects together against one reference: how far on average, and whether they follow it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import linregress
from scipy.stats import t as student

from audit.errors import figure, say
from audit.findings.claim import Claim, Counts, finding
from audit.findings.wording import cap
from audit.keys import ALL, BASELINE, Key
from audit.records import Finding
from audit.stats.decisions import exceeds
from audit.stats.interval import UNKNOWN, Interval
from audit.stats.multiplicity import benjamini_hochberg
from audit.stats.noninferiority import FEWEST, mean_change


@dataclass(frozen=True)
class Row:
    """One comparison: a class of one subject with its share of the reference."""

    subject: str
    value: str
    estimate: float
    share: float
    p: float
    n: int
    missing: int


@dataclass(frozen=True)
class Against:
    """All comparisons of one attribute with one reference."""

    attribute: str
    reference: str
    label: str
    """The reference in words: whose shares, of what year."""
    first: bool
    """Whether it is the first reference, whose claims carry no name of it."""
    rows: Sequence[Row]
    faithful: np.ndarray
    """Mean distances float[draws] of models that draw the reference, seen as this one."""
    without: int
    """Subjects that the reference says nothing about."""
    assumed: bool = False
    """Whether some estimates assume common errors of reading, although these differ."""

    @property
    def subjects(self) -> int:
        """How many subjects are compared."""
        return len({r.subject for r in self.rows})

    @property
    def counts(self) -> Counts:
        """Images of all compared subjects, each once."""
        each = {r.subject: (r.n, r.missing) for r in self.rows}
        n, missing = (sum(column) for column in zip(*each.values(), strict=True))
        return Counts(n, float(len(each)), missing)

    def key(self, kind: str) -> Key:
        """The key of a claim on all of them."""
        return Key("representation", BASELINE, ALL, self.attribute, kind,
                   "" if self.first else self.reference)  # fmt: skip


def findings(a: Against) -> list[Finding]:
    """The mean distance, and the slope where each subject has one share and these differ."""
    if len(a.rows) < 2:
        return []
    return [_distance(a), *_slope(a)]


def _distance(a: Against) -> Finding:
    """Mean distance with Student's t limits over subjects, and that of faithful models.

    p is the share of these that are as far (Phipson & Smyth 2010, eq. 2).
    """
    gaps = np.array([abs(r.estimate - r.share) for r in a.rows])
    mean, floor = float(gaps.mean()), float(a.faithful.mean())
    most = float(np.quantile(a.faithful, 0.95))
    p = (1 + int((a.faithful >= mean - 1e-12).sum())) / (len(a.faithful) + 1)
    within = _limits(gaps, np.array([r.subject for r in a.rows]))
    differ = int((benjamini_hochberg(np.array([r.p for r in a.rows])) < 0.05).sum())
    name = a.attribute.replace("_", " ")
    claim = Claim(
        a.key("gap"), say(
            "average difference of {name} shares from {reference}",
            name=name, reference=a.reference
        ),
        say("all {subjects} subjects", subjects=a.subjects), "distance", "subjects",
        "mean absolute gap; Student's t over subjects; p by simulating faithful models",
    )  # fmt: skip
    span = ""
    if math.isfinite(within.low):
        span = say(
            " [{low}, {high}]",
            low=figure(f"{100 * within.low:.0f}"),
            high=figure(f"{100 * within.high:.0f}"),
        )
    return finding(
        claim, within, a.counts, p=p, floor=floor, floor_high=most,
        verdict="undecided" if a.assumed else exceeds(p),
        sentence=(
            say(
                "{name} shares differ on average by {mean} points{span} from the {reference} "
                "shares ({label}){covered}. A faithful model, seen by the same reader, would "
                "score {floor}, and over {most} in one run of twenty; {differ} of {n} "
                "comparisons differ after Benjamini-Hochberg at 5 %{assumed}.",
                name=cap(name), mean=figure(f'{100 * mean:.0f}'), span=span,
                reference=a.reference, label=a.label, covered=_covered(a),
                floor=figure(f'{100 * floor:.0f}'), most=figure(f'{100 * most:.0f}'),
                differ=differ, n=len(a.rows), assumed=_assumed(a)
            )
        ),
    )  # fmt: skip


def _assumed(a: Against) -> str:
    """That nothing is decided where a correction rests on what is shown to be untrue."""
    if not a.assumed:
        return ""
    return "; errors of reading differ between subjects, so this decides nothing"


def _covered(a: Against) -> str:
    """How many subjects the reference has, where it does not have all."""
    if not a.without:
        return ""
    return say(
        " of {subjects} subjects, {without} others having none",
        subjects=a.subjects,
        without=a.without,
    )


def _limits(gaps: np.ndarray, subjects: np.ndarray) -> Interval:
    """Student's t limits over whole subjects, at least 0; NaN for few, or where all are alike."""
    found = mean_change(gaps, subjects)
    if found.low == found.high:
        return Interval(found.estimate, math.nan, math.nan)
    return Interval(found.estimate, max(found.low, 0.0), min(found.high, 1.0))


def _slope(a: Against) -> list[Finding]:
    """Least-squares slope of shares on the reference's, with Student's t limits over subjects."""
    x, y = (np.array([getattr(r, k) for r in a.rows]) for k in ("share", "estimate"))
    if len({r.value for r in a.rows}) > 1 or len(a.rows) < FEWEST or np.ptp(x) < 1e-9:
        return []
    line = linregress(x, y)
    reach = float(student.ppf(0.975, len(x) - 2) * line.stderr)
    slope = float(line.slope)
    within = Interval(slope, slope - reach, slope + reach) if np.ptp(y) > 0 else UNKNOWN
    name = a.attribute.replace("_", " ")
    claim = Claim(
        a.key("slope"), say(
            "slope of {name} shares on those of {reference}",
            name=name, reference=a.reference
        ),
        say("all {subjects} subjects", subjects=a.subjects), "coefficient", "subjects",
        "least squares; Student's t over subjects",
    )  # fmt: skip
    said = (
        say(
            "Over {subjects} subjects, {value} shares change by {slope} [{low}, {high}] points "
            "with each point of the {reference} share (1: as in the reference; r = {rvalue}).",
            subjects=a.subjects,
            value=a.rows[0].value,
            slope=figure(f"{slope:.2f}"),
            low=figure(f"{within.low:.2f}"),
            high=figure(f"{within.high:.2f}"),
            reference=a.reference,
            rvalue=figure(f"{line.rvalue:.2f}"),
        )
        if math.isfinite(within.low)
        else say(
            "{value} shares are the same in all {subjects} subjects.",
            value=cap(a.rows[0].value),
            subjects=a.subjects,
        )
    )
    return [finding(claim, within, a.counts, verdict="described",
                    sentence=said)]  # fmt: skip
