"""Prompts that reproduce a single image, found without a training set: claims and rates.

The input is two tables with one row per prompt and arm: seed cliques (columns prompt, arm, n,
missing, reasons, needed, clique, threshold, p, extracted, outcome) and edge persistence (prompt,
arm, n, missing, reasons, persistence, chance, excess, p, null, outcome). A rate is one of prompts,
not of images; it depends on the prompts and on the rule, so both are named with it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import binom

from audit.errors import figure, listed, ours, say
from audit.evidence.measured import Found
from audit.findings import detectors
from audit.findings.claim import Claim, Counts, arms, finding
from audit.findings.wording import cap, p_equals, percent
from audit.findings.wording import estimate as worded
from audit.keys import ALL, Key
from audit.records import Finding, Prompt
from audit.stats.interval import Interval
from audit.stats.multiplicity import benjamini_hochberg
from audit.stats.proportions import clopper_pearson

LEVEL = 0.05
"""Largest adjusted p at which edges count as persistent."""
NULLS = {
    "subject": "as many images of other prompts for the same subject",
    "all": "as many images of other prompts",
    "shifted": "the same maps shifted against each other",
}
"""What edges are compared with, by the table's `null`."""


@dataclass(frozen=True)
class _Kind:
    """The wording for one kind of table."""

    key: str
    does: str
    """Verb, in the plural, for prompts that are found."""
    rule: str
    chance: float = 0.0
    """Share of prompts that are found by chance, where the rule allows one."""


def of_run(found: Found, prompts: Mapping[str, Prompt], seed: int) -> list[Finding]:
    """Rates of prompts by level of repetition, and the value of a score; no claim on one prompt."""
    if found.cliques.empty:
        return []
    out = findings(found.cliques, prompts, found.source) + persistent(found.edges, prompts)
    out = [f for f in out if f.key.kind != "extraction-prompt"]
    told = detectors.findings(found.scores, prompts, seed)
    return out + [f for f in told if f.key.detail != "called"]


def findings(
    table: pd.DataFrame, prompts: Mapping[str, Prompt], source: str = "given"
) -> list[Finding]:
    """Claims from seed cliques: shares of prompts that are extracted, then each prompt.

    `source` is the origin of the threshold. Where the table has p, against calibration prompts, it
    is adjusted over the prompts of an arm (Benjamini & Hochberg 1995).
    """
    decided = [None if o != "label" else bool(e) for o, e in
               zip(table.outcome, table["extracted"], strict=True)]  # fmt: skip
    kind = _Kind(
        "cliques", "give one image back from many noises",
        say(
            "clique of near images (Carlini et al. 2023), {thresholds} ({source})",
            thresholds=_thresholds(table), source=source
        ),
        LEVEL if np.isfinite(table.p.to_numpy(float)).any() else 0.0,
    )  # fmt: skip
    return _all(table.assign(decided=decided), prompts, kind)


def persistent(table: pd.DataFrame, prompts: Mapping[str, Prompt]) -> list[Finding]:
    """Claims from edge persistence: shares of prompts whose edges persist, then each prompt.

    Edges persist where p, adjusted over the prompts of an arm, is at most 0.05. Where the null is
    not of the same subject, a layout shared by a subject's images also counts as persistent, and
    the method says so.
    """
    q = _adjusted(table)
    known = (table.outcome == "label").to_numpy() & np.isfinite(q)
    decided = [bool(v <= LEVEL) if k else None for v, k in zip(q, known, strict=True)]
    nulls = [n for n in NULLS if (table["null"] == n).any()]
    warning = "; a subject's own layout is not allowed for" if {*nulls} - {"subject"} else ""
    kind = _Kind(
        "edges", "have edges in the same places from most noises, more than others do",
        say(
            "edges in most images (Webster 2023) against {value}, Benjamini-Hochberg at "
            "{level}{warning}",
            value=' or '.join(NULLS[n] for n in nulls) or 'nothing', level=figure(f'{LEVEL:g}'),
            warning=warning
        ),
    )  # fmt: skip
    return _all(table.assign(decided=decided), prompts, kind)


def _thresholds(table: pd.DataFrame) -> str:
    known = sorted({float(t) for t in table["threshold"] if math.isfinite(t)})
    return (
        say("distance below {cosines}", cosines=listed([figure(f"{t:.3g}") for t in known], " or "))
        if known
        else "no threshold"
    )


def _adjusted(table: pd.DataFrame) -> np.ndarray:
    """p adjusted inside each arm, float64[rows]; prompts without an outcome do not count."""
    p = table.p.to_numpy(float).copy()
    p[(table.outcome != "label").to_numpy()] = math.nan
    for arm in table.arm.unique():
        here = (table.arm == arm).to_numpy()
        p[here] = benjamini_hochberg(p[here])
    return p


def _family(arm: str, kind: _Kind) -> str:
    return f"prompts by {kind.key}, arm {arm}"


def _all(table: pd.DataFrame, prompts: Mapping[str, Prompt], kind: _Kind) -> list[Finding]:
    table = table.assign(q=_adjusted(table))
    out: list[Finding] = []
    for arm in arms(table.arm.unique()):
        rows = table[table.arm == arm]
        out += [_rate(part, arm, key, where, kind) for key, where, part in _groups(rows, prompts)]
        out += [_prompt(row, prompts[str(row["prompt"])], kind) for _, row in rows.iterrows()]
    return out


def _groups(
    rows: pd.DataFrame, prompts: Mapping[str, Prompt]
) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """All prompts, those of each known level of repetition, and ordinary ones."""
    yield ALL, "all prompts", rows
    level = rows.prompt.map(lambda p: prompts[p].repeats)
    yield from detectors.levels(rows[level.notna()], prompts)
    plain = rows[rows.prompt.map(lambda p: prompts[p].purpose) == "representation"]
    if 0 < len(plain) < len(rows):
        yield "ordinary", "ordinary prompts", plain


def _rate(rows: pd.DataFrame, arm: str, key: str, where: str, kind: _Kind) -> Finding:
    known = [bool(d) for d in rows.decided if d is not None]
    k, n = sum(known), len(known)
    ci = clopper_pearson(k, n)
    undecided = rows[[d is None for d in rows.decided]]
    reasons = {
        "no p" if o == "label" else str(o): int(c)
        for o, c in undecided.outcome.value_counts().items()
    }
    claim = Claim(
        Key("replication", arm, key, kind.key, "extraction"), say(
            "share of prompts that {does}",
            does=kind.does
        ),
        where, "share", "prompts", say("{rule}; Clopper-Pearson over prompts", rule=kind.rule),
    )  # fmt: skip
    return finding(
        claim,
        ci,
        Counts(n, float(n) if n else math.nan, len(rows) - n, reasons),
        verdict="undecided" if not n else _found(k, n, kind.chance),
        sentence=say(
            "{where}: {size} of {n} prompts {does}{how}.",
            where=cap(where),
            size=worded(ci.estimate, ci.low, ci.high),
            n=n,
            does=kind.does,
            how=say(", {chance} of them by chance", chance=percent(kind.chance))
            if kind.chance
            else "",
        ),
    )


def _found(k: int, n: int, chance: float) -> str:
    """Whether more prompts are found than chance finds, by an exact binomial test at 5 %."""
    enough = binom.sf(k - 1, n, chance) < LEVEL if chance else k > 0
    return "found" if enough else "not found"


def _prompt(row: pd.Series, prompt: Prompt, kind: _Kind) -> Finding:
    words, estimate = _clique(row) if kind.key == "cliques" else _edges(row)
    decided, known = row["decided"], math.isfinite(row["p"])
    claim = Claim(
        Key("replication", str(row["arm"]), prompt.id, kind.key, "extraction-prompt"),
        "share of images in the largest set that are near to one another"
        if kind.key == "cliques"
        else "edges in most images beyond chance, share of pixels",
        say("prompt “{text}”", text=prompt.text), "share", "images", kind.rule,
    )  # fmt: skip
    n = int(row["n"])
    return finding(
        claim,
        Interval(estimate, math.nan, math.nan),
        Counts(n, float(n), int(row["missing"]), dict(row["reasons"])),
        p=float(row["p"]),
        q=float(row["q"]),
        family=_family(str(row["arm"]), kind) if known else "",
        verdict="undecided" if decided is None else ("found" if decided else "not found"),
        sentence=say("“{text}”: {words}.", text=prompt.text, words=words),
    )


def _clique(row: pd.Series) -> tuple[str, float]:
    """A prompt's result in words, and the share of its images that are near to one another."""
    if row["decided"] is None:
        return say("nothing can be said ({why})", why=ours(str(row["outcome"]))), math.nan
    words = say(
        "{clique} of {n} images are near to one another, {needed} are needed",
        clique=row["clique"],
        n=row["n"],
        needed=row["needed"],
    )
    p = say(" ({p} against calibration prompts)", p=_p(row)) if math.isfinite(row["p"]) else ""
    return words + p, float(row["clique"] / row["n"])


def _edges(row: pd.Series) -> tuple[str, float]:
    """The same for edges."""
    if row["decided"] is None:
        return say("nothing can be said ({why})", why=_why(row)), math.nan
    share, by_chance = (figure(f"{100 * row[c]:.2f} %") for c in ("persistence", "chance"))
    words = say(
        "{share} of pixels have an edge in most of {n} images, {by_chance} by chance ({p})",
        share=share,
        n=row["n"],
        by_chance=by_chance,
        p=_p(row),
    )
    return words, float(row["excess"])


def _why(row: pd.Series) -> str:
    return "no p" if row["outcome"] == "label" else str(row["outcome"])


def _p(row: pd.Series) -> str:
    return p_equals(row["p"])
