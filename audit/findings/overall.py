"""All subjects together against one reference: how far on average, and whether they follow it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import linregress
from scipy.stats import t as student

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
        a.key("gap"), f"average difference of {name} shares from {a.reference}",
        f"all {a.subjects} subjects", "distance", "subjects",
        "mean absolute gap; Student's t over subjects; p by simulating faithful models",
    )  # fmt: skip
    span = ""
    if math.isfinite(within.low):
        span = f" [{100 * within.low:.0f}, {100 * within.high:.0f}]"
    return finding(
        claim, within, a.counts, p=p, floor=floor, floor_high=most,
        verdict="undecided" if a.assumed else exceeds(p),
        sentence=(
            f"{cap(name)} shares differ on average by {100 * mean:.0f} points{span} from the "
            f"{a.reference} shares ({a.label}){_covered(a)}. A faithful model, seen by the same "
            f"reader, would score {100 * floor:.0f}, and over {100 * most:.0f} in one run of "
            f"twenty; {differ} "
            f"of {len(a.rows)} comparisons differ after Benjamini-Hochberg at 5 %{_assumed(a)}."
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
    return f" of {a.subjects} subjects, {a.without} others having none"


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
        a.key("slope"), f"slope of {name} shares on those of {a.reference}",
        f"all {a.subjects} subjects", "coefficient", "subjects",
        "least squares; Student's t over subjects",
    )  # fmt: skip
    said = (
        f"Over {a.subjects} subjects, {a.rows[0].value} shares change by {slope:.2f} "
        f"[{within.low:.2f}, {within.high:.2f}] points with each point of the {a.reference} "
        f"share (1: as in the reference; r = {line.rvalue:.2f})."
        if math.isfinite(within.low)
        else f"{cap(a.rows[0].value)} shares are the same in all {a.subjects} subjects."
    )
    return [finding(claim, within, a.counts, verdict="described",
                    sentence=said)]  # fmt: skip
