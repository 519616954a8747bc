"""Shares against the dose of a method: does more of it amplify the skew?

Subjects are in two groups, by a reference's majority and not by the images: noise must not
sort them. (Guidance trades diversity for fidelity: Ho & Salimans 2022, arXiv 2207.12598, section 4;
the effect on people's shares is measured here.)
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from audit.errors import figure, say
from audit.findings.claim import Claim, Counts, finding, side_by_side
from audit.findings.pairs import clusters, counts, paired
from audit.findings.representation import Context, estimates
from audit.findings.wording import cap, estimate, plural, share_phrase
from audit.keys import ALL, BASELINE, Key
from audit.records import Attribute, Finding, Mitigation, Reference
from audit.stats.noninferiority import mean_change
from audit.stats.proportions import effective_n, intraclass

DOSES = {"guidance": "scale", "fair-guidance": "scale", "noise": "level", "token-noise": "width",
         "repeat-words": "count", "add-words": "count", "add-numbers": "count",
         "rescale-attention": "factor"}  # fmt: skip
"""Methods with a dose, and the option that sets it."""
FEWEST = 3
"""Smallest number of doses, the run's own included, for a series; two are a comparison."""


@dataclass(frozen=True)
class Dose:
    """An arm with its amount."""

    arm: str
    amount: float


@dataclass(frozen=True)
class Asked:
    """The question about the arms of one method."""

    method: str
    attribute: Attribute
    reference: Reference | None
    """The reference whose majorities group the subjects."""
    context: Context


def doses(declared: Sequence[Mitigation], method: str, own: float) -> list[Dose]:
    """The baseline, at the run's `own` amount, and a method's arms, smallest first; or nothing.

    Nothing where fewer than two arms have an amount.
    """
    option = DOSES[method]
    given = [m for m in declared if m.method == method and option in m.options]
    found = [Dose(m.name, float(m.options[option])) for m in given]
    every = [Dose(BASELINE, own), *found]
    return sorted(every, key=lambda d: d.amount) if len(found) > 1 else []


def findings(
    table: pd.DataFrame, declared: Sequence[Mitigation], context: Context, own: Mapping[str, float]
) -> list[Finding]:
    """Shares of the first class by group and dose, and the effect of the highest over the lowest.

    `table` has ATTRIBUTE_COLUMNS of prompts that state no attribute. The first attribute with two
    classes is used. `own` maps methods to the amount that the run has without an arm, else 0.
    """
    attribute = next((a for a in context.attributes if len(a.classes) == 2), None)
    out: list[Finding] = []
    if attribute is None:
        return out
    for method in DOSES:
        given = doses(declared, method, own.get(method, 0.0))
        rows = table[table.attribute == attribute.name]
        asked = rows[rows.arm.isin([d.arm for d in given if d.arm != BASELINE])].prompt.unique()
        rows = rows[rows.prompt.isin(asked)]
        given = [d for d in given if (rows.arm == d.arm).any()]
        if len(given) < FEWEST:
            continue
        reference = _reference(context, attribute, rows.subject.unique())
        asks = Asked(method, attribute, reference, context)
        groups = list(_groups(rows, attribute, reference))
        for value, part in groups:
            out += [_share(part, asks, d, value) for d in given]
        if reference is not None:
            for value, part in [("", rows), *groups]:
                out += _amplified(part, asks, given, value)
    return out


def _reference(context: Context, attribute: Attribute, subjects: Sequence[str]) -> Reference | None:
    """The first reference with known majorities, or None."""
    first = attribute.classes[0]
    for r in context.references:
        shares = [r.share(s, attribute.name, first) for s in subjects]
        if any(math.isfinite(x) and x != 0.5 for x in shares):
            return r
    return None


def _majority(subject: str, attribute: Attribute, reference: Reference | None) -> str:
    """The class with more than half of a subject in a reference; empty if there is none."""
    first, second = attribute.classes
    share = math.nan if reference is None else reference.share(subject, attribute.name, first)
    return "" if not math.isfinite(share) or share == 0.5 else first if share > 0.5 else second


def _groups(
    rows: pd.DataFrame, attribute: Attribute, reference: Reference | None
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Rows by their subject's majority; all of them, as "", where no reference has any."""
    of = rows.subject.map(lambda s: _majority(s, attribute, reference))
    values = attribute.classes if reference is not None else ("",)
    yield from ((v, rows[of == v]) for v in values if (of == v).any())


def _share(part: pd.DataFrame, asks: Asked, dose: Dose, value: str) -> Finding:
    """The share of the first class at one dose, with prompts as clusters inside subjects."""
    attribute, reference = asks.attribute, asks.reference
    method, context = asks.method, asks.context
    rows = part[part.arm == dose.arm]
    kept = rows[rows.outcome == "label"]
    hits = (kept.value == attribute.classes[0]).to_numpy(float)
    size, n = counts(kept, rows), len(kept)
    place = clusters(kept)
    effective = effective_n(hits, place, intraclass(hits, place, pd.factorize(kept.subject)[0]))
    scale = effective / n if n and math.isfinite(effective) else 1.0
    confusion = context.confusion.get(attribute.name)
    found = estimates(
        np.array([hits.sum(), n - hits.sum()]) * scale, confusion, context.seed, context.level
    )[0]
    where = (
        say("subjects that are mostly {value} ({name})", value=plural(value), name=reference.name)
        if reference
        else "all"
    )
    whose = f"mostly-{value}" if value else ALL
    claim = Claim(
        Key("mitigation", dose.arm, whose, "", "dose", method),
        share_phrase(attribute.classes[0]), where, "share", "images",
        "effective n with prompts as clusters; corrected for the reader's errors where known",
    )  # fmt: skip
    return finding(
        claim, found, replace(size, effective=effective),
        naive=float(hits.mean()) if n else math.nan, references={"dose": dose.amount},
        verdict="described",
        sentence=say(
            "{method} {amount}, {where}: {quantity} {share}, n = {n}.",
            method=method, amount=figure(f'{dose.amount:g}'), where=where,
            quantity=claim.quantity, share=estimate(found.estimate, found.low, found.high), n=n
        ),
    )  # fmt: skip


def _amplified(rows: pd.DataFrame, asks: Asked, given: Sequence[Dose], value: str) -> list[Finding]:
    """How much more of each subject's majority the highest dose draws than the lowest, in pairs.

    `value` is the majority of all of these subjects, or empty where they differ.
    """
    attribute, reference, method = asks.attribute, asks.reference, asks.method
    assert reference is not None  # subjects are grouped by the majorities of one
    least, most = given[0], given[-1]
    both = side_by_side(rows, (least.arm, most.arm))
    majority = both.subject_base.map(lambda s: _majority(s, attribute, reference))
    both = both[majority != ""]
    kept = both[(both.outcome_base == "label") & (both.outcome_arm == "label")]
    if not len(kept):
        return []
    wanted = majority[kept.index]
    moved = (kept.value_arm == wanted).astype(float) - (kept.value_base == wanted)
    change = mean_change(moved.to_numpy(), clusters(kept), shares=True)
    arm = most.arm if most.arm != BASELINE else least.arm
    whose = "each subject's majority"
    if value:
        whose = say("{value} among subjects that are mostly {value}", value=plural(value))
    claim = Claim(
        Key("mitigation", arm, f"majority-{value}" if value else "majority", "", "dose", method),
        say("change in the share of {whose} ({name})", whose=whose, name=reference.name),
        say(
            "{method} from {amount} to {amount2}",
            method=method, amount=figure(f'{least.amount:g}'), amount2=figure(f'{most.amount:g}')
        ), "points", "pairs",
        "paired by seed; Student's t over prompts",
    )  # fmt: skip
    size = Counts(len(kept), float(kept.prompt.nunique()), len(both) - len(kept))
    made = paired(claim, change, size)
    return [
        replace(
            made,
            sentence=f"{cap(made.sentence.removeprefix(f'{arm}, ')[:-1])} pairs.",
        )
    ]
