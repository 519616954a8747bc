"""Changes in appearance under an arm: diversity, and drift where the arm should do nothing.

All are computed from unit vectors; only the diversity within classes needs labels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from audit.errors import figure, say, stem
from audit.findings.claim import Claim, Counts, joined
from audit.findings.pairs import Question, Tables, clusters, paired, unknown
from audit.records import Attribute, Finding
from audit.stats.diversity import unit, vendi_changes
from audit.stats.noninferiority import mean_change

FEWEST, MOST = 4, 16
"""Number of images of a group whose diversity is compared: fewer say nothing, more only cost."""


def findings(tables: Tables, q: Question) -> list[Finding]:
    """Diversity of a prompt and within each class, and drift."""
    rows = _with_vectors(tables, q)
    return [
        _diversity(rows, tables, q),
        *_homogeneous(tables, q),
        *_drift(rows, tables, q),
    ]


def _with_vectors(tables: Tables, q: Question) -> pd.DataFrame:
    """One row per pair of images that both have a vector."""
    if not tables.vectors:
        return pd.DataFrame()
    table = tables.attributes.drop_duplicates(["prompt", "arm", "seed"])
    rows = joined(table[table["sample"].isin(tables.vectors.keys())], q.arm)
    return rows.reset_index(drop=True)


def _stack(tables: Tables, samples: Sequence[str]) -> np.ndarray:
    return unit(np.stack([tables.vectors[s] for s in samples]))


def _size(before: np.ndarray, after: np.ndarray) -> int:
    """Number of images at which groups int[n] are compared; three quarters have it on both sides.

    It is the same for all groups, within bounds, because larger groups would seem more diverse.
    """
    most = max(before.max(), after.max()) + 1
    each = np.minimum(*(np.bincount(g, minlength=most) for g in (before, after)))
    return int(np.clip(np.quantile(each[each > 0], 0.25), FEWEST, MOST)) if each.any() else FEWEST


def _diversity(rows: pd.DataFrame, tables: Tables, q: Question) -> Finding:
    """How many different images one prompt gives, before and after."""
    claim = Claim(
        q.key("diversity", detail="prompt"),
        "coefficient of diversity: change of the Vendi score of a prompt", "all prompts",
        "coefficient", "pairs", "paired by seed; cosine kernel; Student's t over prompts",
        "no vectors were given" if not tables.vectors else "no prompt has enough images",
    )  # fmt: skip
    people = rows[[not q.prompts[p].expects for p in rows.prompt]] if len(rows) else rows
    if not len(people):
        return unknown(claim)
    at = clusters(people)
    before, after = (_stack(tables, list(people[f"sample_{s}"])) for s in ("base", "arm"))
    return _vendi(q, claim, (before, at), (after, at))


def _vendi(
    q: Question, claim: Claim, before: tuple[np.ndarray, np.ndarray],
    after: tuple[np.ndarray, np.ndarray],
) -> Finding:  # fmt: skip
    """Mean change over groups of one size, with limits over groups."""
    size = _size(before[1], after[1])
    moved = vendi_changes(before, after, size, q.rng(5))
    sizes = Counts(len(before[1]), float(len(moved)))
    left = len(np.union1d(before[1], after[1])) - len(moved)
    if not moved:
        return unknown(claim, len(before[1]))
    change = mean_change(np.array(list(moved.values())), np.arange(len(moved)))
    out = paired(claim, change, sizes)
    return replace(
        out,
        method=say("{method}; {size} images each", method=claim.method, size=size),
        sentence=(
            say(
                "{sentence} pairs: {n} groups at {size} images each, {left} left out for having "
                "fewer.",
                sentence=stem(out.sentence),
                n=len(moved),
                size=size,
                left=left,
            )
        ),
    )


def _homogeneous(tables: Tables, q: Question) -> Iterator[Finding]:
    """Diversity within each subject and class of the arm's attributes: do the drawn look alike?"""
    table = tables.attributes
    aims = [a for a in q.context.attributes if a.name in q.aims]
    for attribute in aims if tables.vectors else ():
        rows = table[(table.attribute == attribute.name) & (table.outcome == "label")]
        rows = rows[rows["sample"].isin(tables.vectors.keys())]
        rows = rows[[not q.prompts[p].expects for p in rows.prompt]] if len(rows) else rows
        for value in attribute.classes:
            yield _within_class(rows[rows.value == value], attribute, value, tables, q)


def _within_class(
    rows: pd.DataFrame, attribute: Attribute, value: str, tables: Tables, q: Question
) -> Finding:
    claim = Claim(
        q.key("diversity", attribute.name, value),
        say(
            "coefficient of diversity: change of the Vendi score among {value} of one subject",
            value=value
        ),
        "all subjects", "coefficient", "subjects",
        "groups of one size; cosine kernel; Student's t over subjects",
        "no subject has enough such images in both arms",
    )  # fmt: skip
    sides = [rows[rows.arm == a].drop_duplicates("sample") for a in ("none", q.arm)]
    if min(len(s) for s in sides) == 0:
        return unknown(claim, sum(len(s) for s in sides))
    names = {s: i for i, s in enumerate(dict.fromkeys(rows.subject))}
    before, after = (
        (_stack(tables, list(s["sample"])), s.subject.map(names).to_numpy(int)) for s in sides
    )
    return _vendi(q, claim, before, after)


def _drift(rows: pd.DataFrame, tables: Tables, q: Question) -> Iterator[Finding]:
    """How far images moved where the arm should do nothing, relative to those of another seed."""
    kinds = (
        ("stated", "prompts that state an attribute", lambda p: bool(p.states)),
        ("nobody", "prompts that ask for no person", lambda p: p.expects == "nobody"),
    )
    for key, where, asked in kinds:
        claim = Claim(
            q.key("drift", detail=key),
            "coefficient of drift: distance to the baseline over that between two seeds",
            where, "coefficient", "pairs", "paired by seed; 1 - cosine; Student's t over prompts",
            "no vectors were given" if not tables.vectors else "there are no such prompts",
        )  # fmt: skip
        part = rows[[asked(q.prompts[p]) for p in rows.prompt]] if len(rows) else rows
        ratios = [r for _, g in part.groupby("prompt") if math.isfinite(r := _ratio(g, tables))] \
            if len(part) else []  # fmt: skip
        if not ratios:
            yield unknown(claim, len(part))
            continue
        found = mean_change(np.array(ratios), np.arange(len(ratios)))
        out = paired(claim, found, Counts(len(part), float(len(ratios))))
        yield replace(out, verdict="described", sentence=(
            say(
                "{arm}, {where}: images move by {estimate} [{low}, {high}] of the way to an "
                "image of another seed (0 nothing, 1 as far), n = {n} pairs.",
                arm=q.arm, where=where, estimate=figure(f'{found.estimate:.2f}'),
                low=figure(f'{found.low:.2f}'), high=figure(f'{found.high:.2f}'), n=len(part)
            )
        ))  # fmt: skip


def _ratio(group: pd.DataFrame, tables: Tables) -> float:
    """Mean 1 - cosine to the baseline over that between the baseline's seeds; NaN for one seed."""
    before, after = (_stack(tables, list(group[f"sample_{s}"])) for s in ("base", "arm"))
    n = len(before)
    if n < 2:
        return math.nan
    seeds = 1 - ((before @ before.T).sum() - n) / (n * (n - 1))
    return float((1 - (before * after).sum(1)).mean() / seeds) if seeds > 1e-9 else math.nan
