"""Prompt adherence: stated attributes, historically fixed ones, and images without people."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from audit.errors import say
from audit.findings.claim import Claim, Counts, arms, finding
from audit.findings.readings import Readings, readings
from audit.findings.representation import Context, estimates
from audit.findings.wording import cap, estimate
from audit.keys import ALL, UNSEEN, Key
from audit.records import Attribute, Finding, Prompt
from audit.stats.interval import Interval
from audit.stats.proportions import effective_n, intraclass, wilson


def open_questions(table: pd.DataFrame, prompts: Mapping[str, Prompt]) -> pd.DataFrame:
    """The rows whose prompt does not state the attribute and asks for a person.

    Of prompts that differ in the group that they state, only the one that states none is open.
    """
    keep = [
        a not in prompts[p].states and not prompts[p].expects and not prompts[p].grouped
        for p, a in zip(*(table[c].to_numpy(object) for c in ("prompt", "attribute")), strict=True)
    ]
    return table[np.array(keep, bool)]


def findings(table: pd.DataFrame, context: Context, prompts: Mapping[str, Prompt]) -> list[Finding]:
    """Shares of images that show what was stated, and that show people who were not asked for."""
    return [*_stated(table, context, prompts), *_leaks(table, context, prompts)]


def _stated(
    table: pd.DataFrame, context: Context, prompts: Mapping[str, Prompt]
) -> Iterator[Finding]:
    for attribute in context.attributes:
        said = table.prompt.map({i: p.states.get(attribute.name, "") for i, p in prompts.items()})
        rows = table.assign(stated=said)
        rows = rows[(rows.stated != "") & (rows.attribute == attribute.name)]
        for arm in arms(rows.arm) if len(rows) else ():
            for value in attribute.classes:
                part = rows[(rows.arm == arm) & (rows.stated == value)]
                if len(part):
                    yield _shown(_all_of(part, attribute, arm), value, context)
                    for read in readings(part, attribute, arm, dict.fromkeys(part.subject)):
                        yield _shown(read, value, context)


def _all_of(part: pd.DataFrame, attribute: Attribute, arm: str) -> Readings:
    """All subjects as one, with prompts as clusters."""
    labelled = part[part.outcome == "label"]
    clusters = pd.factorize(labelled.prompt)[0]
    values = labelled.value.to_numpy(object)
    icc = {c: intraclass((values == c).astype(float), clusters) for c in attribute.classes}
    return Readings(attribute, ALL, arm, part, icc)


def _shown(read: Readings, value: str, context: Context) -> Finding:
    i = read.attribute.classes.index(value)
    errors = context.confusion.get(read.attribute.name)
    found = estimates(read.thinned, errors, context.seed, context.level)[i]
    n, name = int(read.counts.sum()), read.attribute.name
    key = Key("representation", read.arm, read.subject, name, "stated", value)
    where = (
        say("all {subject} subjects", subject=read.rows.subject.nunique())
        if key.everyone
        else read.subject
    )
    plain = wilson(int(read.counts[i]), n)
    claim = Claim(
        key, say("share that shows the stated {value}", value=value), where, "share", "images",
        "Wilson" if errors is None else "corrected for classifier error",
    )  # fmt: skip
    effective = float(read.effective[i]) if n else math.nan
    return finding(
        claim,
        found,
        Counts(n, effective, len(read.rows) - len(read.labelled), read.reasons),
        naive=plain.estimate,
        naive_low=plain.low,
        naive_high=plain.high,
        verdict="described" if n else "undecided",
        sentence=(
            say(
                "{where}: where {name} {value} is stated, {share} of images show it, n = {n}.",
                where=cap(where),
                name=name.replace("_", " "),
                value=value,
                share=estimate(found.estimate, found.low, found.high),
                n=n,
            )
        ),
    )


def _leaks(
    table: pd.DataFrame, context: Context, prompts: Mapping[str, Prompt]
) -> Iterator[Finding]:
    asked = table[[prompts[p].expects == "nobody" for p in table.prompt]]
    asked = asked.drop_duplicates(["sample", "prompt", "arm"])
    for arm in arms(asked.arm) if len(asked) else ():
        part = asked[asked.arm == arm]
        yield _leak(part, Key("representation", arm, ALL, "", "person-leak"))
        for subject, rows in part.groupby("subject", sort=False):
            yield _leak(rows, Key("representation", arm, str(subject), "", "person-leak"))


def _leak(rows: pd.DataFrame, key: Key) -> Finding:
    seen = rows[~rows.outcome.isin(UNSEEN)]
    hits = (seen.outcome != "no person").to_numpy(float)
    n, size = len(seen), effective_n(hits, pd.factorize(seen.prompt)[0])
    scale = size / n if math.isfinite(size) else 1.0
    ci: Interval = wilson(hits.sum() * scale, n * scale) if n else wilson(0, 0)
    reasons = rows[rows.outcome.isin(UNSEEN)].outcome.value_counts()
    where = (
        say("all {subject} subjects", subject=rows.subject.nunique())
        if key.everyone
        else key.subject
    )
    claim = Claim(
        key, "share of images with an unrequested person", where, "share", "images",
        "Wilson; a person is what the gate lets through",
    )  # fmt: skip
    return finding(
        claim,
        ci,
        Counts(n, size, len(rows) - n, {str(k): int(v) for k, v in reasons.items()}),
        naive=ci.estimate,
        verdict="described" if n else "undecided",
        sentence=(
            say(
                "{where}: an unrequested person appears in {share} of {n} images.",
                where=cap(where),
                share=estimate(ci.estimate, ci.low, ci.high),
                n=n,
            )
        ),
    )
