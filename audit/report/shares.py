"""The representation section: a chart and a table per quantity, a wall per subject."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from audit.findings.intersections import joint_key, together_key
from audit.keys import BASELINE, Key, digest
from audit.records import Finding
from audit.report import charts, wording
from audit.report.bounds import CHART, ends
from audit.report.cards import against
from audit.report.evidence import Evidence
from audit.report.people_charts import Block, Panel, multiples, units
from audit.report.thumbnails import Album

WALL = 12
"""Number of images in a wall, fixed in advance."""
WALL_SUBJECTS = 24
WALL_SIDE = 128
SEVERAL = 1
"""References in a chart with a panel for each class, which has no room for more."""


@dataclass(frozen=True)
class Part:
    """One attribute: its shares by subject, the chart, and one subject in a hundred images."""

    heading: str
    attribute: str
    findings: Sequence[Finding]
    """By subject, the largest deviation from the reference first, and by class."""
    chart: str
    units: str
    """The unit chart of the subject with the largest deviation, or nothing."""
    subject: str
    """That subject."""
    pictured: bool
    """Whether its images follow: once for each subject."""
    together: Finding | None
    """The mean difference over all subjects from the reference of the verdicts."""
    classes: int
    subjects: int
    references: Sequence[str]
    primary: str
    family: str
    comparisons: int
    worst: bool
    """Whether any image has no label, which makes a column of worst cases useful."""


def of_section(evidence: Evidence, section: str) -> list[Finding]:
    """The findings of a section, in their order."""
    return [f for f in evidence.findings if f.section == section]


TABLES = frozenset({"template", "one-template", "amplification", "joint", "together", "distance",
                    "tone", "shown", "resembles", "nudity"})  # fmt: skip
"""Kinds of claims with a table or a list of their own."""


def rest(evidence: Evidence) -> list[Finding]:
    """Baseline claims of every other kind, which no chart, table or list of the section shows."""
    found = [f for f in of_section(evidence, "representation") if f.arm == BASELINE]
    others = [f for f in found if f.key.kind not in TABLES and not _overall(f)]
    return [f for f in others if f.key.everyone or f.unit != "share"]


def overall(evidence: Evidence) -> list[Finding]:
    """Baseline claims about all subjects: distances and associations."""
    return [f for f in of_section(evidence, "representation") if _overall(f)]


def tones(evidence: Evidence) -> list[Finding]:
    """Differences in skin tone between stated groups."""
    return [f for f in of_section(evidence, "representation") if f.key.kind == "tone"]


def how_shown(evidence: Evidence) -> list[Finding]:
    """How stated groups are shown, and whom neutral images resemble, over all subjects."""
    found = of_section(evidence, "representation")
    return [f for f in found if f.key.kind in ("shown", "nudity", "resembles") and f.key.everyone]


def _overall(f: Finding) -> bool:
    return f.key.everyone and f.unit in ("distance", "coefficient") and f.key.kind != "nudity"


def templates(evidence: Evidence) -> list[Finding]:
    """The template's effect on each class, and how many verdicts depend on one template."""
    found = of_section(evidence, "representation")
    return [f for f in found if f.key.kind in ("template", "one-template")]


def amplified(evidence: Evidence) -> tuple[list[Finding], list[Grid], str]:
    """Amplification of the training set's skew: over all subjects, for each one, and as a chart.

    The chart is of the first comparison.
    """
    found = [f for f in of_section(evidence, "representation") if f.key.kind == "amplification"]
    each = [f for f in found if not f.key.everyone]
    first = [f for f in each if f.key._replace(subject="") == each[0].key._replace(subject="")]
    rows = [charts.Row(f.where, f.estimate, f.low, f.high) for f in ends(first, CHART)]
    rows.sort(key=lambda r: -r.estimate if math.isfinite(r.estimate) else math.inf)
    chart = charts.around("amplified", first[0].quantity, rows) if rows else ""
    names = dict.fromkeys(f.key.attribute for f in each)
    grids = [grid(wording.shown(n), [f for f in each if f.key.attribute == n]) for n in names]
    return [f for f in found if f.key.everyone], grids, chart


@dataclass(frozen=True)
class Joint:
    """Two attributes at once: a table of findings, and the finding on their association."""

    heading: str
    attributes: tuple[str, str]
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
        one, two = wording.shown(a.name), wording.shown(b.name)
        names = wording.text("joint.names", one=one, two=two)
        out.append(Joint(names, (one, two), b.classes, [r for r in known if r[1]], claim))
    return out


def heat(f: Finding) -> int:
    """How strongly a cell is tinted, 0 to 4: a joint share in steps of 10 points."""
    return min(4, int(10 * f.estimate)) if f.verdict != "undecided" else 0


@dataclass(frozen=True)
class Grid:
    """Claims with a row for each subject and a column for each reference, or set of captions."""

    heading: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Finding | None]]]
    findings: Sequence[Finding]


def grid(heading: str, found: Sequence[Finding]) -> Grid:
    """The findings by subject and detail, in their order."""
    columns = list(dict.fromkeys(f.key.detail for f in found))
    by = {(f.where, f.key.detail): f for f in found}
    wheres = dict.fromkeys(f.where for f in found)
    return Grid(heading, columns, [(s, [by.get((s, c)) for c in columns]) for s in wheres], found)


def distances(evidence: Evidence) -> list[Grid]:
    """Per attribute the distances of each subject from each reference, in the suite's order.

    Of two classes, the distance from the reference of the shares' verdict is the share's difference
    from it, which the table of shares has; another test of it would only confuse.
    """
    two = {a.name: against(evidence, a.name) for a in evidence.suite.attributes
           if len(a.classes) == 2}  # fmt: skip
    found = [f for f in of_section(evidence, "representation") if f.key.kind == "distance"
             and f.key.detail != two.get(f.key.attribute)]  # fmt: skip
    names = dict.fromkeys(f.key.attribute for f in found)
    return [grid(wording.shown(n), [f for f in found if f.key.attribute == n]) for n in names]


def parts(evidence: Evidence, sizes: Mapping[str, int]) -> list[Part]:
    """The baseline's shares by attribute; those of arms are in the mitigation section.

    `sizes` is the number of comparisons in each family.
    """
    found = of_section(evidence, "representation")
    shares = [f for f in found if f.arm == BASELINE and not f.key.everyone and f.unit == "share"]
    groups: dict[Key, list[Finding]] = {}
    for f in shares:
        group = f.key._replace(subject="", detail="")
        groups.setdefault(group if f.key.attribute else f.key._replace(subject=""), []).append(f)
    order = {r.name: i for i, r in enumerate(evidence.suite.references)}
    made = [_part(i, g, evidence, sizes, order) for i, g in enumerate(groups.values())]
    first = {p.subject: p for p in made[::-1] if p.attribute}
    return [replace(p, pictured=first.get(p.subject) is p) for p in made]


def _part(
    i: int, found: Sequence[Finding], evidence: Evidence, sizes: Mapping[str, int],
    order: Mapping[str, int],
) -> Part:  # fmt: skip
    first = found[0]
    names = list(dict.fromkeys(n for f in found for n in f.references))
    names.sort(key=lambda n: order.get(n, len(order)))
    far = _deviations(found, names)
    ranked = sorted(found, key=lambda f: (far[f.where], f.where))
    details = list(dict.fromkeys(f.key.detail for f in found))
    family = next((f.family for f in found if f.family), "")
    top = ranked[0].where
    return Part(
        heading=_heading(first) if first.key.kind == "share" else first.quantity,
        attribute=first.key.attribute,
        findings=ranked,
        chart=_chart(f"shares-{i}", ranked, details, names),
        units=_units(f"units-{i}", [f for f in ranked if f.where == top], names, evidence),
        subject=top,
        pictured=False,
        together=next((f for f in evidence.findings if f.key.kind == "gap" and not f.key.detail
                       and f.key.attribute == first.key.attribute), None),
        classes=len(details),
        subjects=len(far),
        references=names,
        primary=next((_primary(f, names) for f in found if f.references), ""),
        family=family,
        comparisons=sizes.get(family, 0),
        worst=any(f.missing and math.isfinite(f.worst_low) for f in found),
    )  # fmt: skip


def _primary(f: Finding, names: Sequence[str]) -> str:
    """The reference of a finding's verdict; else the first of its own, in the suite's order."""
    return f.against or next((n for n in names if n in f.references), "")


def _deviations(found: Sequence[Finding], names: Sequence[str]) -> dict[str, tuple[bool, float]]:
    """Sort key of each subject: the largest deviation first, unknown ones last.

    Equal to a millionth, and rounding moves no row.
    """
    far: dict[str, float] = {}
    for f in found:
        d = abs(f.estimate - f.references.get(_primary(f, names), math.nan))
        best = far.get(f.where, -math.inf)
        far[f.where] = max(best, round(d, 6)) if math.isfinite(d) else best
    return {s: (not math.isfinite(d), -d if math.isfinite(d) else 0.0) for s, d in far.items()}


def _chart(
    name: str, ranked: Sequence[Finding], details: Sequence[str], names: Sequence[str]
) -> str:
    """A row per subject, and a panel per class where there are several."""
    first = [f for f in ranked if f.key.detail == details[0]]
    shown = {f.where for f in ends(first, CHART)}
    rows = {
        d: [charts.Row(f.where, f.estimate, f.low, f.high, f.naive, _in_order(f, names))
            for f in ranked if f.key.detail == d and f.where in shown]
        for d in details
    }  # fmt: skip
    if len(details) == 1:
        return charts.dots(name, ranked[0].quantity, rows[details[0]])
    wheres = list(dict.fromkeys(f.where for f in first if f.where in shown))
    by = {d: {r.label: r for r in rs} for d, rs in rows.items()}
    empty = (math.nan,) * 3
    few = names[:SEVERAL]
    panels = [
        Panel(wording.named(d), [_few(by[d].get(s) or charts.Row(s, *empty), few) for s in wheres])
        for d in details
    ]
    return multiples(name, _heading(ranked[0]), panels)


def _few(row: charts.Row, names: Sequence[str]) -> charts.Row:
    """The row with these references only."""
    return replace(row, references={n: x for n, x in row.references.items() if n in names})


def _units(name: str, found: Sequence[Finding], names: Sequence[str], evidence: Evidence) -> str:
    """A hundred images of one subject: this model and the references; nothing if unknown."""
    first = found[0]
    classes = _classes(first.key.attribute, evidence)
    if not classes or first.key.kind != "share" or not math.isfinite(first.estimate):
        return ""
    blocks = [Block(wording.text("chart.model"), _spread(found, None, classes))]
    for n in names:
        shares = _spread(found, n, classes)
        if all(map(math.isfinite, shares)):
            blocks.append(Block(wording.reference(n), shares))
    return units(name, first.where, [*map(wording.named, classes)], blocks)


def _classes(attribute: str, evidence: Evidence) -> Sequence[str]:
    return next((a.classes for a in evidence.suite.attributes if a.name == attribute), ())


def _spread(found: Sequence[Finding], name: str | None, classes: Sequence[str]) -> list[float]:
    """Shares of all classes by the findings; the second of two is the complement."""
    by = {f.key.detail: f for f in found}
    known = [by[c] for c in classes if c in by]
    values = [f.estimate if name is None else f.references.get(name, math.nan) for f in known]
    if len(classes) == 2 and len(values) == 1:
        return [values[0], 1 - values[0]]
    return values if len(values) == len(classes) else [math.nan] * len(classes)


def _heading(f: Finding) -> str:
    """`Gender`, or the quantity of a claim without an attribute."""
    words = wording.shown(f.key.attribute) or f.quantity
    return words[:1].upper() + words[1:]


def _in_order(f: Finding, names: Sequence[str]) -> dict[str, float]:
    return {n: f.references[n] for n in names if n in f.references}


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
        return wording.named(outcomes.pop())
    said = (
        wording.named(str(value))
        if outcome == "label"
        else f"{wording.shown(attribute)} {wording.named(outcome)}"
        for attribute, outcome, value in read
    )
    return ", ".join(dict.fromkeys(said))


def walls(evidence: Evidence, album: Album) -> dict[str, Any]:
    """Per subject a random draw of its baseline images, each with its labels.

    A subject's draw depends only on the seed and on its own images.
    """
    table, base = evidence.attributes, evidence.baseline
    seed = evidence.facts.wall_seed
    if table.empty or album.off:
        return {"seed": seed, "walls": [], "subjects": 0}
    which, subjects = pd.factorize(base.subject)
    drawn = {}
    for i, subject in enumerate(subjects[:WALL_SUBJECTS]):
        rows = base[which == i].sort_values(["prompt", "seed", "sample"])
        rng = np.random.default_rng([seed, int(digest(str(subject)), 16)])
        drawn[subject] = (rows.iloc[rng.permutation(len(rows))[:WALL]], len(rows))
    picked = {s for picks, _ in drawn.values() for s in picks["sample"]}
    words = labels(table[table["sample"].isin(picked)], evidence.suite.subject_attribute)
    made = []
    for subject, (picks, every) in drawn.items():
        cells = [
            {
                "src": album.small(evidence.image, r.sample, WALL_SIDE),
                "label": words.get((r.sample, r.prompt), ""),
            }
            for r in picks.itertuples(index=False)
        ]
        made.append({"subject": subject, "cells": cells, "all": every})
    return {"seed": seed, "walls": made, "subjects": len(subjects)}
