"""Effect of the wording: variance by template, and verdicts that depend on one template."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from audit.errors import ours, say
from audit.findings.claim import Claim, Counts, finding
from audit.findings.representation import Context
from audit.findings.wording import estimate
from audit.keys import ALL, BASELINE, Key
from audit.records import Attribute, Finding, Prompt
from audit.stats.components import crossed, template_verdicts, variance_components
from audit.stats.interval import UNKNOWN
from audit.stats.proportions import wilson


def findings(table: pd.DataFrame, context: Context, prompts: Mapping[str, Prompt]) -> list[Finding]:
    """Per attribute: the templates' share of the variance, and verdicts decided by one template.

    Computed on baseline images of prompts made from templates; a template is the same wording for
    every subject. Empty for fewer than two templates.
    """
    made = np.array([prompts[p].template for p in table.prompt], object)
    rows = table[(table.arm == BASELINE) & (made != "")].assign(
        template=made[(table.arm == BASELINE).to_numpy() & (made != "")]
    )
    out: list[Finding] = []
    for attribute in context.attributes:
        part = rows[rows.attribute == attribute.name]
        if part.template.nunique() > 1:
            classes = attribute.classes
            for value in classes[:1] if len(classes) == 2 else classes:
                out += _of_class(part, attribute, value, context)
    return out


def _of_class(
    part: pd.DataFrame, attribute: Attribute, value: str, context: Context
) -> Iterator[Finding]:
    hits = (part.value == value).to_numpy(float)
    hits[(part.outcome != "label").to_numpy()] = math.nan
    yield _variance(part, hits, attribute, value)
    decided = [_decided(part, hits, s, attribute, value, context) for s in part.subject.unique()]
    changes = [d for d in decided if d is not None]
    if changes:
        yield _fragile(changes, attribute, value, part)


def _variance(part: pd.DataFrame, hits: np.ndarray, attribute: Attribute, value: str) -> Finding:
    subjects, templates = part.subject.to_numpy(str), part.template.to_numpy(str)
    factors = {"subject": subjects, "template": templates, "prompt": crossed(subjects, templates)}
    if part.subject.nunique() < 2:
        factors = {"template": templates}
    found = variance_components(hits, factors, subjects)
    share = found["template"].share
    known = math.isfinite(share.estimate) and math.isfinite(share.low)
    if not known:
        share = UNKNOWN
    claim = Claim(
        Key("representation", BASELINE, ALL, attribute.name, "template", value),
        say("share of the variance of {value} that is due to the template", value=value),
        say(
            "all {subject} subjects, {template} templates",
            subject=part.subject.nunique(), template=part.template.nunique()
        ), "share",
        "subjects", "variance components (Henderson's method 1); jackknife over subjects",
    )  # fmt: skip
    return finding(
        claim,
        share,
        Counts(found.n, float(part.template.nunique()), found.missing),
        verdict="described" if known else "undecided",
        sentence=(
            say(
                "Of the variance of {value} among images, {share} is due to the template, n = {n}.",
                value=value,
                share=estimate(share.estimate, share.low, share.high),
                n=found.n,
            )
            if known
            else say(
                "How much of {value} is due to the template is not known: {reason}.",
                value=value,
                reason=ours(found.reason),
            )
        ),
    )


def _decided(
    part: pd.DataFrame, hits: np.ndarray, subject: str, attribute: Attribute, value: str,
    context: Context,
) -> str | None:  # fmt: skip
    """The subject where leaving out one template changes its verdict, "" where none does."""
    stated = (r.share(subject, attribute.name, value) for r in context.references)
    target = next((s for s in stated if math.isfinite(s)), math.nan)
    here = (part.subject == subject).to_numpy()
    if not math.isfinite(target) or part[here].template.nunique() < 2:
        return None
    found = template_verdicts(
        hits[here], part.template.to_numpy(str)[here], part.prompt.to_numpy(str)[here], target
    )
    return "" if found.robust else subject


def _fragile(
    changes: list[str], attribute: Attribute, value: str, part: pd.DataFrame
) -> Finding:  # fmt: skip
    fragile = [s for s in changes if s]
    ci = wilson(len(fragile), len(changes))
    more = ", ..." if len(fragile) > 5 else ""
    names = say(" ({join}{more})", join=", ".join(fragile[:5]), more=more) if fragile else ""
    claim = Claim(
        Key("representation", BASELINE, ALL, attribute.name, "one-template", value),
        say("share of verdicts on {value} that depend on one template", value=value),
        say("all {n} subjects with a reference", n=len(changes)), "share", "subjects",
        "each template left out in turn, uncorrected shares; Wilson over subjects",
    )  # fmt: skip
    return finding(
        claim,
        ci,
        Counts(len(changes), float(len(changes))),
        verdict="described",
        sentence=(
            say(
                "{n} of {n2} verdicts on {value} change where one of {template} templates is "
                "left out{names}.",
                n=len(fragile),
                n2=len(changes),
                value=value,
                template=part.template.nunique(),
                names=names,
            )
        ),
    )
