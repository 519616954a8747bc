"""How many images of a subject would show a difference that matters, where a run shows neither."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from audit.errors import figure, say
from audit.findings.claim import Claim, Counts, finding
from audit.keys import ALL, BASELINE, Key
from audit.records import Finding
from audit.stats.decisions import least_seen
from audit.stats.interval import Interval

OPEN = ("undecided", "compatible")
"""Verdicts that more images could change."""


def findings(found: Sequence[Finding], margin: float) -> list[Finding]:
    """One claim per attribute with undecided shares; none where every share is decided.

    Limits of a share narrow with the square root of the number of images that vary as the present
    ones do, prompts included, so the images of a subject grow with the square of the smallest
    difference seen now (`least_seen`) over the margin. The largest number of any subject counts.
    """
    shares = [f for f in found if f.section == "representation" and f.key.kind == "share"
              and f.arm == BASELINE and f.against]  # fmt: skip
    names = dict.fromkeys(f.key.attribute for f in shares)
    return [f for a in names for f in _of([s for s in shares if s.key.attribute == a], margin)]


def _of(shares: Sequence[Finding], margin: float) -> Iterator[Finding]:
    open_ = [f for f in shares if f.verdict in OPEN and f.n and margin > 0]
    known = [f for f in open_ if math.isfinite(least_seen(_limits(f)))]
    wide = [f for f in known if least_seen(_limits(f)) > margin]
    if not wide:
        return
    first = wide[0]
    attribute = first.key.attribute
    each = {f.key.subject: f for f in wide}
    most = max(math.ceil(f.n * (least_seen(_limits(f)) / margin) ** 2) for f in wide)
    now = sorted({f.n for f in each.values()})
    claim = Claim(
        Key("representation", BASELINE, ALL, attribute, "needed"),
        say(
            "images of each subject needed to see a difference of {margin} points in {attribute}",
            margin=figure(f'{100 * margin:.0f}'), attribute=attribute.replace('_', ' ')
        ),
        "undecided subjects", "count", "images",
        "by the width of the present intervals; power 80 %",
    )  # fmt: skip
    unknown = Interval(float(most), math.nan, math.nan)
    have = f"{now[0]}" if len(now) == 1 else say("{now} to {now2}", now=now[0], now2=now[-1])
    yield finding(
        claim, unknown, Counts(sum(f.n for f in each.values())), verdict="described",
        sentence=(
            say(
                "For {n} subjects it is undecided whether {attribute} differs by {margin} "
                "points: about {most} images of each, over more prompts, would decide it; there "
                "are {have}.",
                n=len(each), attribute=attribute.replace('_', ' '),
                margin=figure(f'{100 * margin:.0f}'), most=most, have=have
            )
        ),
    )  # fmt: skip


def _limits(f: Finding) -> Interval:
    return Interval(f.estimate, f.low, f.high)
