"""The representation section: a chart and a table per quantity, a wall per subject."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from audit.findings.intersections import joint_key, together_key
from audit.keys import BASELINE, Key, digest
from audit.records import Finding
from audit.report import charts, wording
from audit.report.bounds import CHART, ends
from audit.report.evidence import Evidence
from audit.report.thumbnails import Album

WALL = 12
"""Number of images in a wall, fixed in advance."""
WALL_SUBJECTS = 24
WALL_SIDE = 128


@dataclass(frozen=True)
class Part:
    """One quantity: its findings in the order of the chart, and their introduction."""

    heading: str
    quantity: str
    findings: Sequence[Finding]
    chart: str
    references: Sequence[str]
    primary: str
    family: str
    comparisons: int
    floor: bool
    worst: bool
    """Whether any image has no label, which makes a column of worst cases useful."""


def of_section(evidence: Evidence, section: str) -> list[Finding]:
    """The findings of a section, in their order."""
    return [f for f in evidence.findings if f.section == section]


TABLES = frozenset({"template", "one-template", "amplification", "joint", "together", "distance"})
"""Kinds of claims with a table or a list of their own."""


def rest(evidence: Evidence) -> list[Finding]:
    """Baseline claims of every other kind, which no chart, table or list of the section shows."""
    found = [f for f in of_section(evidence, "representation") if f.arm == BASELINE]
    others = [f for f in found if f.key.kind not in TABLES and not _overall(f)]
    return [f for f in others if f.key.everyone or f.unit != "share"]


def overall(evidence: Evidence) -> list[Finding]:
    """Baseline claims about all subjects: distances and associations."""
    return [f for f in of_section(evidence, "representation") if _overall(f)]


def _overall(f: Finding) -> bool:
    return f.key.everyone and f.unit in ("distance", "coefficient")


def templates(evidence: Evidence) -> list[Finding]:
    """The template's effect on each class, and how many verdicts depend on one template."""
    found = of_section(evidence, "representation")
    return [f for f in found if f.key.kind in ("template", "one-template")]


def amplified(evidence: Evidence) -> tuple[list[Finding], list[Finding]]:
    """Amplification of the training set's skew: over all subjects, and for each one."""
    found = [f for f in of_section(evidence, "representation") if f.key.kind == "amplification"]
    return [f for f in found if f.key.everyone], [f for f in found if not f.key.everyone]


@dataclass(frozen=True)
class Joint:
    """Two attributes at once: a table of findings, and the finding on their association."""

    heading: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Finding]]]
    together: Finding


def joints(evidence: Evidence) -> list[Joint]:
    """For each pair of attributes the joint shares: rows by the first, columns by the second."""
    by_key = {f.key: f for f in of_section(evidence, "representation")}
    out = []
    for a, b in itertools.permutations(evidence.suite.attributes, 2):
        claim = by_key.get(together_key(a, b))
        if claim is None:
            continue
        rows = [(c, [by_key.get(joint_key(a, b, c, d)) for d in b.classes]) for c in a.classes]
        known = [(c, [f for f in cells if f is not None]) for c, cells in rows]
        names = f"{a.name.replace('_', ' ')} and {b.name.replace('_', ' ')}"
        out.append(Joint(names, b.classes, [r for r in known if r[1]], claim))
    return out


def heat(f: Finding) -> int:
    """How strongly a cell is tinted, 0 to 4: a joint share in steps of 10 points."""
    return min(4, int(10 * f.estimate)) if f.verdict != "undecided" else 0


def distances(evidence: Evidence) -> list[tuple[str, list[Finding]]]:
    """Per attribute the distances of each subject from each reference, in the suite's order."""
    found = [f for f in of_section(evidence, "representation") if f.key.kind == "distance"]
    names = dict.fromkeys(f.key.attribute for f in found)
    return [
        (name.replace("_", " "), [f for f in found if f.key.attribute == name]) for name in names
    ]


def parts(evidence: Evidence, sizes: Mapping[str, int]) -> list[Part]:
    """Per quantity the baseline's findings by subject; rewrites are in the mitigation section.

    `sizes` is the number of comparisons in each family.
    """
    found = of_section(evidence, "representation")
    rows = [f for f in found if f.arm == BASELINE and not f.key.everyone and f.unit == "share"]
    groups: dict[Key, list[Finding]] = {}
    for f in rows:
        groups.setdefault(f.key._replace(subject=""), []).append(f)
    order = {r.name: i for i, r in enumerate(evidence.suite.references)}
    return [
        _part(i, group[0].quantity, group, sizes, order) for i, group in enumerate(groups.values())
    ]


def _part(
    i: int, quantity: str, found: Sequence[Finding], sizes: Mapping[str, int],
    order: Mapping[str, int],
) -> Part:  # fmt: skip
    ranked = sorted(found, key=_rank)
    names = list(dict.fromkeys(n for f in found for n in f.references))
    names.sort(key=lambda n: order.get(n, len(order)))
    lines = [
        charts.Row(f.where, f.estimate, f.low, f.high, f.naive, _in_order(f, names))
        for f in ends(ranked, CHART)
    ]
    family = next((f.family for f in found if f.family), "")
    return Part(
        heading=_heading(found[0]),
        quantity=quantity,
        findings=ranked,
        chart=charts.dots(f"shares-{i}", quantity, lines),
        references=names,
        primary=next((wording.primary(f) for f in found if f.references), ""),
        family=family,
        comparisons=sizes.get(family, 0),
        floor=any(math.isfinite(f.floor) for f in found),
        worst=any(f.missing and math.isfinite(f.worst_low) for f in found),
    )


def _rank(f: Finding) -> tuple[bool, float, str]:
    """Sort key: highest first, unknown last; equal to a millionth, so rounding moves no row."""
    known = math.isfinite(f.estimate)
    return (not known, -round(f.estimate, 6) if known else 0.0, f.where)


def _heading(f: Finding) -> str:
    """`gender: share of women`."""
    if not f.key.attribute:
        return f.quantity
    attribute = f.key.attribute.replace("_", " ")
    return wording.text("representation.heading", attribute=attribute, quantity=f.quantity)


def _in_order(f: Finding, names: Sequence[str]) -> dict[str, float]:
    return {n: f.references[n] for n in names if n in f.references}


def distance(f: Finding) -> float:
    """Distance of an estimate from the reference of its verdict, in [0, 1], or NaN."""
    return abs(f.estimate - f.references.get(wording.primary(f), math.nan))


def labels(table: pd.DataFrame, hidden: str | None) -> dict[tuple[str, str], str]:
    """(sample, prompt) to its labels: values, or why there are none."""
    words: dict[tuple[str, str], list[tuple[str, str, str]]] = {}
    for r in table.itertuples(index=False):
        if r.attribute != hidden:
            words.setdefault((r.sample, r.prompt), []).append((r.attribute, r.outcome, r.value))
    return {key: _label(read) for key, read in words.items()}


def _label(read: Sequence[tuple[str, str, Any]]) -> str:
    outcomes = {outcome for _, outcome, _ in read}
    if len(outcomes) == 1 and outcomes != {"label"}:
        return outcomes.pop()
    said = (
        str(value) if outcome == "label" else f"{attribute.replace('_', ' ')} {outcome}"
        for attribute, outcome, value in read
    )
    return ", ".join(dict.fromkeys(said))


def walls(evidence: Evidence, album: Album) -> dict[str, Any]:
    """Per subject a random draw of its baseline images, each with its labels.

    A subject's draw depends only on the seed and on its own images.
    """
    table = evidence.attributes
    seed = evidence.facts.wall_seed
    if table.empty or album.off:
        return {"seed": seed, "walls": [], "subjects": 0}
    base = table[table.arm == BASELINE].drop_duplicates(["sample", "prompt"])
    subjects = list(dict.fromkeys(base.subject))
    drawn = {}
    for subject in subjects[:WALL_SUBJECTS]:
        rows = base[base.subject == subject].sort_values(["prompt", "seed", "sample"])
        rng = np.random.default_rng([seed, int(digest(str(subject)), 16)])
        drawn[subject] = (rows.iloc[rng.permutation(len(rows))[:WALL]], len(rows))
    picked = {s for picks, _ in drawn.values() for s in picks["sample"]}
    words = labels(table[table["sample"].isin(picked)], evidence.suite.subject_attribute)
    made = []
    for subject, (picks, every) in drawn.items():
        cells = [
            {
                "src": album.uri(evidence.image, r.sample, WALL_SIDE),
                "label": words.get((r.sample, r.prompt), ""),
            }
            for r in picks.itertuples(index=False)
        ]
        made.append({"subject": subject, "cells": cells, "all": every})
    return {"seed": seed, "walls": made, "subjects": len(subjects)}
