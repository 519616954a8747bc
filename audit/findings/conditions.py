"""Images drawn after a given picture: who is put there, what a swapped group changes, who fits.

Three claims per arm with a condition. Composition: the change of a share when the picture is given,
on the same noise; a skew that stays is not one of composition. Swap: images that differ in the
stated group alone, compared outside the person, relative to images of another seed. Adherence: how
well the edges of images follow those of the picture, and whether better for one group (quality of
service).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from audit.design.mitigations.in_engine import CONTROL
from audit.design.suites.noise import counterfactual
from audit.errors import figure, say
from audit.evidence.measured import Measured
from audit.findings.claim import Claim, Counts, adjusted, joined
from audit.findings.common import of_arm
from audit.findings.groups import ENDS, labelled
from audit.findings.pairs import (
    Question,
    behind_errors,
    counts,
    mean_finding,
    paired,
    share_finding,
    unknown,
)
from audit.findings.representation import Context
from audit.findings.wording import share_phrase
from audit.keys import BASELINE, both
from audit.records import Attribute, Finding, Prompt
from audit.stats.interval import Interval
from audit.stats.noninferiority import mean_change

WITHOUT = "without the condition"
"""Name of the baseline's number in the references of a swap."""


def findings(
    m: Measured, table: pd.DataFrame, context: Context, prompts: Mapping[str, Prompt]
) -> list[Finding]:
    """Claims of every arm with a condition, in the order of the suite.

    `table` has ATTRIBUTE_COLUMNS of prompts that leave the attributes open.
    """
    out: list[Finding] = []
    for arm in m.suite.mitigations:
        methods = {part.method for part in arm.each}
        if CONTROL not in methods:
            continue
        q = Question(arm.name, {}, context, prompts, m.suite.margins)
        out += _edges(m, q)
        if methods == {CONTROL}:  # under a stack the words change too, prompt by prompt
            out += adjusted([*_composition(table, q)])
            out += [*_swaps(m.swaps, q), *_adherence(m, q)]
    return out


def _composition(table: pd.DataFrame, q: Question) -> Iterator[Finding]:
    """P(class | picture, subject) - P(class | subject), mean over all pairs of images."""
    for attribute in q.context.attributes:
        rows = of_arm(table[table.attribute == attribute.name], q.arm).pairs
        if not len(rows):
            continue
        kept, many = labelled(rows, ENDS), rows.subject.nunique()
        for value in attribute.classes[:1] if len(attribute.classes) == 2 else attribute.classes:
            claim = Claim(
                q.key("composition", attribute.name, value),
                say("change in the {phrase} where the composition is given",
                    phrase=share_phrase(value)),
                say("all {many} subjects", many=many), "points", "pairs",
                "paired by seed; Newcombe's limits with the design effect of prompts",
            )  # fmt: skip
            hits = tuple((kept[f"value{end}"] == value).to_numpy(bool) for end in ENDS)
            made = share_finding(
                claim, kept, (hits[0], hits[1]), counts(kept, rows), _corrected(attribute, q)
            )
            yield replace(made, family=f"composition under {q.arm}")


def _corrected(
    attribute: Attribute, q: Question
) -> Callable[[Interval], tuple[Interval, Interval, str]]:
    """From the change that was seen to the one behind the reader's errors."""
    return lambda seen: behind_errors(seen, attribute, q)


def _swaps(table: pd.DataFrame, q: Question) -> Iterator[Finding]:
    """How far a swapped group moves what is not the person; 1 as far as another seed does."""
    if not len(table):
        return
    rows = table[table.arm == q.arm]
    for (name, one, two), part in rows.groupby(["attribute", "one", "two"], sort=False):
        base = table[(table.arm == BASELINE) & (table.attribute == name)
                     & (table.one == one) & (table.two == two)]  # fmt: skip
        claim = Claim(
            q.key("swap", str(name), both(str(one), str(two), "+")),
            "coefficient of what a swapped group changes around the person: distance over that "
            "between two seeds",
            say("prompts that state {one} or {two}", one=str(one), two=str(two)),
            "coefficient", "pairs",
            "paired by seed; root mean square of colours outside the condition's shape; Student's "
            "t over prompts",
        )  # fmt: skip
        ratios, without = _ratios(part), _ratios(base)
        if not len(ratios):
            yield unknown(claim, len(part))
            continue
        found = mean_change(ratios, np.arange(len(ratios)))
        made = paired(claim, found, Counts(len(part), float(len(ratios))))
        mean = float(without.mean()) if len(without) else math.nan
        plain = say("; {mean} without the condition", mean=figure(f"{mean:.2f}"))
        said = plain if math.isfinite(mean) else ""
        span = f" [{found.low:.2f}, {found.high:.2f}]" if math.isfinite(found.low) else ""
        yield replace(
            made, verdict="described", references={WITHOUT: mean} if said else {},
            sentence=say(
                "{arm}, {where}: with the same noise and picture, what is not the person changes "
                "by {size} of what another seed changes (0 nothing, 1 as much){without}, n = {n} "
                "pairs.", arm=q.arm, where=claim.where,
                size=figure(f"{found.estimate:.2f}{span}"), without=said, n=len(part),
            ),
        )  # fmt: skip


def _ratios(rows: pd.DataFrame) -> np.ndarray:
    """Distance over that between two seeds, float[p], for each pair of prompts that has both."""
    means = rows.groupby(["prompt", "other"])[["apart", "seeds"]].mean().to_numpy(float)
    known = means[np.isfinite(means).all(1) & (means[:, 1] > 0)]
    return np.asarray(known[:, 0] / known[:, 1])


def _edges(m: Measured, q: Question) -> Iterator[Finding]:
    """Agreement of edges with the picture's, against that of the baseline's images."""
    if not len(m.adherence):
        return
    mine = m.adherence[m.adherence["of"] == q.arm]
    claim = Claim(
        q.key("kept-edges"), "coefficient of kept edges: change of the overlap with the picture's",
        "all prompts", "coefficient", "pairs",
        "paired by seed; intersection over union of edges; Student's t over prompts",
    )  # fmt: skip
    yield mean_finding(claim, joined(mine, q.arm), "adherence")


def _adherence(m: Measured, q: Question) -> Iterator[Finding]:
    """Agreement of edges between groups."""
    if not len(m.adherence):
        return
    own = m.adherence[(m.adherence["of"] == q.arm) & (m.adherence.arm == q.arm)]
    for attribute in q.context.attributes:
        swapped = [c for c in counterfactual(q.prompts.values()) if c[2] == attribute.name]
        if swapped:
            yield from _stated(own, attribute, swapped, q)
        elif len(attribute.classes) == 2:
            yield _read(own, m.table, attribute, q)


def _claim(q: Question, attribute: Attribute, names: tuple[str, str], how: str) -> Claim:
    one, two = names
    where, method = {
        "stated": (say("{two} less {one}, where the prompt says so", two=two, one=one),
                   "paired by noise and picture"),
        "read": (say("{two} less {one}, as they were read", two=two, one=one),
                 "means within prompts"),
    }[how]  # fmt: skip
    return Claim(
        q.key("adherence", attribute.name, both(*names, "+")),
        "coefficient of kept edges: difference between groups",
        where, "coefficient", "pairs",
        f"{method}; intersection over union of edges; Student's t over prompts",
    )  # fmt: skip


def _stated(
    own: pd.DataFrame, attribute: Attribute, swapped: Sequence[tuple[Prompt, Prompt, str]],
    q: Question,
) -> Iterator[Finding]:  # fmt: skip
    """Pairs of images that share noise and picture, and state two groups."""
    values = own.set_index(["prompt", "seed"]).adherence
    sides: dict[tuple[str, str], list[pd.Series]] = {}
    for i, (one, two, name) in enumerate(swapped):
        first, second = one.states[name], two.states[name]
        if attribute.classes.index(first) > attribute.classes.index(second):
            one, two, first, second = two, one, second, first
        if one.id in values.index and two.id in values.index:
            found = (values[two.id] - values[one.id]).astype(float)
            found.index = [(i, s) for s in found.index]
            sides.setdefault((first, second), []).append(found)
    for names, parts in sides.items():
        every = pd.concat(parts)
        kept = every[np.isfinite(every)]
        place = np.array([i for i, _ in kept.index], int)
        made = mean_change(kept.to_numpy(float), place)
        size = Counts(len(kept), float(len(set(place.tolist()))), len(every) - len(kept))
        yield paired(_claim(q, attribute, names, "stated"), made, size)


def _read(own: pd.DataFrame, table: pd.DataFrame, attribute: Attribute, q: Question) -> Finding:
    """Images that were read as one group and as the other, compared within prompts."""
    names = (attribute.classes[0], attribute.classes[1])
    claim = _claim(q, attribute, names, "read")
    read = table[(table.arm == q.arm) & (table.attribute == attribute.name)
                 & (table.outcome == "label")]  # fmt: skip
    rows = own.dropna(subset=["adherence"]).merge(
        read[["sample", "prompt", "value"]], on=["sample", "prompt"]
    )
    means = rows.pivot_table(index="prompt", columns="value", values="adherence")
    if not set(names) <= set(means.columns):
        return unknown(claim, len(own))
    apart = (means[names[1]] - means[names[0]]).dropna().to_numpy(float)
    n = int(rows.prompt.isin(means[list(names)].dropna().index).sum())
    made = mean_change(apart, np.arange(len(apart)))
    return paired(replace(claim, counted="images"), made,
                  Counts(n, float(len(apart)), len(own) - n))  # fmt: skip
