"""Distance of each subject's classes from each reference, with a faithful model's score."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from audit.errors import say
from audit.findings.claim import Claim, Counts, adjusted, finding
from audit.findings.readings import Readings, readings
from audit.findings.representation import Context, observed, sight
from audit.findings.wording import cap
from audit.keys import BASELINE, Key, digest
from audit.records import Finding, Reference
from audit.stats.correction import redrawn
from audit.stats.departure import DISTANCES, departure
from audit.stats.faithful import faithful_readings, prior
from audit.stats.interval import Interval

MEASURE = "total variation"
DRAWS = 4000


def findings(table: pd.DataFrame, context: Context, prompts: Mapping[str, int]) -> list[Finding]:
    """One distance per subject, attribute and reference of the baseline.

    Half the sum of absolute differences between the shares that were read and those that would be
    read if the reference held, so a classifier's errors affect both sides. A faithful model is seen
    with errors that validation images do not rule out and with prompts whose images are alike.
    """
    out = []
    for attribute in context.attributes:
        for read in readings(table, attribute, BASELINE, prompts):
            for reference in context.references:
                found = _finding(read, reference, context)
                if found is not None:
                    out.append(found)
    return [replace(f, sentence=_sentence(f, context)) for f in adjusted(out)]


def _sentence(f: Finding, context: Context) -> str:
    if not math.isfinite(f.estimate):
        return say(
            "{where}: {quantity} not known, n = {n}.",
            where=cap(f.where),
            quantity=f.quantity,
            n=f.n,
        )
    points = (100 * x for x in (f.estimate, f.low, f.high, f.floor, f.floor_high))
    at, low, high, floor, most = (f"{x:.0f}" for x in points)
    unsure = ""
    if f.key.attribute in context.uneven:
        unsure = " Errors of reading differ between subjects, so this decides nothing."
    return say(
        "{where}: {quantity} {at} points [{low}, {high}], n = {n}; a faithful model reads "
        "{floor} here and in one run of twenty over {most}.{unsure}",
        where=cap(f.where),
        quantity=f.quantity,
        at=at,
        low=low,
        high=high,
        n=f.n,
        floor=floor,
        most=most,
        unsure=unsure,
    )


def _finding(read: Readings, reference: Reference, context: Context) -> Finding | None:
    name = read.attribute.name
    shares = np.array([reference.share(read.subject, name, c) for c in read.attribute.classes])
    if not np.isfinite(shares).all():
        return None
    shares, errors = shares / shares.sum(), context.confusion.get(name)
    target = observed(shares, errors)
    seed = int(digest([read.subject, name, reference.name], 8), 16)
    rng = np.random.default_rng([context.seed, seed])
    thin, faithful, unsure = read.thinned, None, 0.0
    if thin.sum():
        faithful = faithful_readings(shares[None], sight([read], errors), rng, DRAWS)[:, 0]
    if errors is not None:
        means = shares @ redrawn(errors, rng, DRAWS, prior(len(shares)))
        unsure = float(np.quantile(DISTANCES[MEASURE](means, target), 0.95))
    found = departure(thin, target, MEASURE, rng, DRAWS, faithful, unsure)
    known = math.isfinite(found.estimate)
    decided = known and name not in context.uneven
    labelled = name.replace("_", " ")
    claim = Claim(
        Key("representation", BASELINE, read.subject, name, "distance", reference.name),
        say("distance of {labelled} from {name}", labelled=labelled, name=reference.name),
        read.subject, "distance", "images",
        say("{measure}, bias-corrected; Monte-Carlo p", measure=MEASURE),
    )  # fmt: skip
    effective = float(thin.sum()) if known else math.nan
    missing = len(read.rows) - len(read.labelled)
    return finding(
        claim,
        Interval(found.corrected, found.low, found.high),
        Counts(int(read.counts.sum()), effective, missing, read.reasons),
        naive=found.estimate,
        floor=found.floor,
        floor_high=found.floor_high,
        p=found.p,
        family=f"{name} distance from {reference.name}" if known else "",
        verdict=("above" if found.p < 0.05 else "compatible") if decided else "undecided",
    )
