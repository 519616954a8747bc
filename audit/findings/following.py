"""Does the model do as it is told: stated attributes, what history has fixed, and nobody at all."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from audit.findings.representation import Context, Readings, arms, estimates, readings
from audit.findings.wording import cap, estimate
from audit.records import Attribute, Finding, Prompt
from audit.stats.interval import Interval
from audit.stats.proportions import effective_n, intraclass, wilson


def open_questions(table: pd.DataFrame, prompts: Mapping[str, Prompt]) -> pd.DataFrame:
    """The rows whose prompt leaves the attribute open and asks for somebody."""
    keep = [
        a not in prompts[p].states and not prompts[p].expects
        for p, a in zip(table.prompt, table.attribute, strict=True)
    ]
    return table[np.array(keep, bool)]


def findings(table: pd.DataFrame, context: Context, prompts: Mapping[str, Prompt]) -> list[Finding]:
    """Shares of images that show what was stated, and of people whom nobody asked for."""
    return [*_stated(table, context, prompts), *_leaks(table, context, prompts)]


def _stated(
    table: pd.DataFrame, context: Context, prompts: Mapping[str, Prompt]
) -> Iterator[Finding]:
    for attribute in context.attributes:
        said = [prompts[p].states.get(attribute.name, "") for p in table.prompt]
        rows = table.assign(stated=said)
        rows = rows[(rows.stated != "") & (rows.attribute == attribute.name)]
        for arm in arms(rows) if len(rows) else ():
            for value in attribute.classes:
                part = rows[(rows.arm == arm) & (rows.stated == value)]
                if len(part):
                    yield _shown(_all_of(part, attribute, arm), value, context)
                    for read in readings(part, attribute, arm, dict.fromkeys(part.subject)):
                        yield _shown(read, value, context)


def _all_of(part: pd.DataFrame, attribute: Attribute, arm: str) -> Readings:
    """All subjects as one: prompts are its clusters."""
    labelled = part[part.outcome == "label"]
    clusters = pd.factorize(labelled.prompt)[0]
    values = labelled.value.to_numpy(object)
    icc = {c: intraclass((values == c).astype(float), clusters) for c in attribute.classes}
    return Readings(attribute, "all", arm, part, icc)


def _shown(read: Readings, value: str, context: Context) -> Finding:
    i = read.attribute.classes.index(value)
    errors = context.confusion.get(read.attribute.name)
    found = estimates(read.thinned, errors, context.seed, context.level)[i]
    n, name = int(read.counts.sum()), read.attribute.name
    everyone = read.subject == "all"
    where = f"all {read.rows.subject.nunique()} subjects" if everyone else read.subject
    plain = wilson(int(read.counts[i]), n)
    return Finding(
        id=f"representation/{read.arm}/{read.subject}/{name}-stated={value}",
        section="representation",
        where=where,
        quantity=f"share that shows the stated {value}",
        estimate=found.estimate,
        low=found.low,
        high=found.high,
        n=n,
        n_effective=float(read.effective[i]) if n else math.nan,
        missing=len(read.rows) - len(read.labelled),
        reasons=read.reasons,
        method="Wilson" if errors is None else "corrected for classifier error",
        arm=read.arm,
        naive=plain.estimate,
        naive_low=plain.low,
        naive_high=plain.high,
        verdict="described" if n else "undecided",
        sentence=(
            f"{cap(where)}: where {name.replace('_', ' ')} {value} is stated, "
            f"{estimate(found.estimate, found.low, found.high)} of images show it, n = {n}."
        ),
    )


def _leaks(
    table: pd.DataFrame, context: Context, prompts: Mapping[str, Prompt]
) -> Iterator[Finding]:
    asked = table[[prompts[p].expects == "nobody" for p in table.prompt]]
    asked = asked.drop_duplicates(["sample", "prompt", "arm"])
    for arm in arms(asked) if len(asked) else ():
        part = asked[asked.arm == arm]
        yield _leak(part, "all", arm)
        for subject, rows in part.groupby("subject", sort=False):
            yield _leak(rows, str(subject), arm)


def _leak(rows: pd.DataFrame, subject: str, arm: str) -> Finding:
    seen = rows[~rows.outcome.isin(["blocked", "unreadable"])]
    hits = (seen.outcome != "no person").to_numpy(float)
    n, size = len(seen), effective_n(hits, pd.factorize(seen.prompt)[0])
    scale = size / n if math.isfinite(size) else 1.0
    ci: Interval = wilson(hits.sum() * scale, n * scale) if n else wilson(0, 0)
    reasons = rows[rows.outcome.isin(["blocked", "unreadable"])].outcome.value_counts()
    where = f"all {rows.subject.nunique()} subjects" if subject == "all" else subject
    return Finding(
        id=f"representation/{arm}/{subject}/person-leak",
        section="representation",
        where=where,
        quantity="share with a person nobody asked for",
        estimate=ci.estimate,
        low=ci.low,
        high=ci.high,
        n=n,
        n_effective=size,
        missing=len(rows) - n,
        reasons={str(k): int(v) for k, v in reasons.items()},
        method="Wilson; a person is what the gate lets through",
        arm=arm,
        naive=ci.estimate,
        verdict="described" if n else "undecided",
        sentence=(
            f"{cap(where)}: a person whom nobody asked for appears in "
            f"{estimate(ci.estimate, ci.low, ci.high)} of {n} images."
        ),
    )
