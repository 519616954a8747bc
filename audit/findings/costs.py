"""Costs of an arm other than alignment: people, stated attributes, and attributes not aimed at.

All are measured on pairs of the same prompt and noise, with limits and p over prompts.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd

from audit.errors import figure, say
from audit.findings import parity
from audit.findings.claim import Claim, joined
from audit.findings.pairs import (
    BY_PROMPT,
    Question,
    behind_errors,
    clusters,
    counts,
    kept_within,
    paired,
    share_finding,
    unknown,
)
from audit.keys import TOO_FEW, UNSEEN
from audit.records import Attribute, Finding
from audit.stats.jackknife import jackknife

SWAPS = 499


def findings(table: pd.DataFrame, q: Question) -> list[Finding]:
    """Every cost that can be measured from labels; the others are unknown, with the reason.

    `table` has ATTRIBUTE_COLUMNS and includes prompts that state an attribute or ask for no person.
    """
    return [
        *_missing(_people(table, q), q),
        *_leaks(table, q),
        *_entangled(table, q),
    ]


def _people(table: pd.DataFrame, q: Question) -> pd.DataFrame:
    """One row per image of a prompt that asks for a person."""
    open_ = np.array([not q.prompts[p].expects for p in table.prompt], bool)
    return table[open_].drop_duplicates(["prompt", "arm", "seed"])


def _missing(table: pd.DataFrame, q: Question) -> Iterator[Finding]:
    """Change in the share of images with no person, with several people, or blocked."""
    rows = joined(table, q.arm)
    for outcome in ("no person", "several people", "blocked"):
        claim = Claim(
            q.key("outcome", detail=outcome.replace(" ", "-")),
            say("change in the share of images that are read as: {outcome}", outcome=outcome),
            "prompts that ask for a person", "points", "pairs", BY_PROMPT,
        )  # fmt: skip
        if not len(rows):
            yield unknown(claim)
            continue
        # A blocked image cannot be searched for people, so it is missing from the other outcomes.
        gone = [o for o in UNSEEN if o != outcome]
        seen = rows[~rows.outcome_base.isin(gone) & ~rows.outcome_arm.isin(gone)]
        before, after = (seen[f"outcome_{s}"].to_numpy() == outcome for s in ("base", "arm"))
        yield share_finding(claim, seen, (before, after), counts(seen, rows))


def _leaks(table: pd.DataFrame, q: Question) -> Iterator[Finding]:
    """Whether stated attributes are shown, and whether people appear who were not asked for."""
    for attribute in q.context.attributes:
        part = table[table.attribute == attribute.name]
        said = np.array([q.prompts[p].states.get(attribute.name, "") for p in part.prompt], str)
        rows = joined(part.assign(stated=said)[said != ""], q.arm)
        claim = Claim(
            q.key("stated", attribute.name),
            say(
                "change in the share that shows the stated {name}",
                name=attribute.name.replace('_', ' ')
            ),
            "prompts that state it", "points", "pairs", BY_PROMPT + "; non-inferiority",
            "no prompt of this arm states it",
        )  # fmt: skip
        if not len(rows):
            yield unknown(claim)
            continue
        both = rows[(rows.outcome_base == "label") & (rows.outcome_arm == "label")]
        before, after = ((both[f"value_{s}"] == both.stated_base) for s in ("base", "arm"))
        hits = before.to_numpy(bool), after.to_numpy(bool)
        found = share_finding(claim, both, hits, counts(both, rows),
                              partial(behind_errors, attribute=attribute, q=q))  # fmt: skip
        yield kept_within(
            found,
            q.margins.subject,
            say("{subject} points", subject=figure(f"{100 * q.margins.subject:.0f}")),
        )
    yield _unasked(table, q)


def _unasked(table: pd.DataFrame, q: Question) -> Finding:
    nobody = np.array([q.prompts[p].expects == "nobody" for p in table.prompt], bool)
    rows = joined(table[nobody].drop_duplicates(["prompt", "arm", "seed"]), q.arm)
    claim = Claim(
        q.key("leak", detail="person"), "change in the share of images with an unrequested person",
        "prompts that ask for no person", "points", "pairs", BY_PROMPT,
        "every prompt of this arm asks for a person",
    )  # fmt: skip
    if not len(rows):
        return unknown(claim)
    seen = rows[~rows.outcome_base.isin(UNSEEN) & ~rows.outcome_arm.isin(UNSEEN)]
    before, after = (seen[f"outcome_{s}"].to_numpy() != "no person" for s in ("base", "arm"))
    return share_finding(claim, seen, (before, after), counts(seen, rows))


def _entangled(table: pd.DataFrame, q: Question) -> Iterator[Finding]:
    """Changes of each attribute that the arm does not aim at: of its shares, and in all."""
    for attribute in q.context.attributes:
        if attribute.name in q.aims:
            continue
        both, rows = parity.labelled(table, q, attribute.name)
        name = attribute.name.replace("_", " ")
        for value in attribute.classes[:1] if len(attribute.classes) == 2 else attribute.classes:
            claim = Claim(
                q.key("entangled", attribute.name, value),
                say(
                    "change in the share of {value}, which the arm does not aim at",
                    value=value
                ),
                say("{name}, all subjects", name=name), "points", "pairs", BY_PROMPT,
                "no pair has both labels",
            )  # fmt: skip
            if not len(both):
                yield unknown(claim, len(rows))
                continue
            hits = (both.value_base == value).to_numpy(), (both.value_arm == value).to_numpy()
            yield share_finding(claim, both, hits, counts(both, rows))
        yield _moved(both, rows, attribute, q)


def _moved(both: pd.DataFrame, rows: pd.DataFrame, attribute: Attribute, q: Question) -> Finding:
    """Mean distance over subjects between an attribute's shares before and after, and its floor.

    If the arm does not change the attribute, the two sides of a prompt are exchangeable: swapping
    them at random, with all images of the prompt, gives the floor and p (Phipson & Smyth 2010, eq.
    2). Single pairs of a prompt are alike, so swapping them one by one would give too small a p.
    """
    name = attribute.name.replace("_", " ")
    claim = Claim(
        q.key("entangled-distance", attribute.name),
        say(
            "distance of {name}, which the arm does not aim at, between before and after",
            name=name
        ),
        "all subjects", "distance", "pairs",
        "paired by seed; total variation less noise; swaps of prompts; jackknife",
        "no pair has both labels",
    )  # fmt: skip
    if not len(both):
        return unknown(claim, len(rows))
    place = {c: i for i, c in enumerate(attribute.classes)}
    subject = pd.factorize(both.subject)[0]
    sides = np.stack([both[f"value_{s}"].map(place).to_numpy(int) for s in ("base", "arm")])
    k, rng = len(attribute.classes), q.rng(4)

    def distance(labels: np.ndarray, at: np.ndarray) -> float:
        before, after = labels
        size = (subject.max() + 1) * k
        moved = np.bincount(at * k + after, minlength=size) - np.bincount(
            at * k + before, minlength=size
        )
        each = np.bincount(at, minlength=subject.max() + 1)
        return float((np.abs(moved.reshape(-1, k)).sum(1)[each > 0] / 2 / each[each > 0]).mean())

    raw, prompt = distance(sides, subject), clusters(both)
    swapped = np.empty(SWAPS)
    for i in range(SWAPS):
        turn = (rng.random(prompt.max() + 1) < 0.5)[prompt]
        swapped[i] = distance(np.where(turn, sides[::-1], sides), subject)
    p = (1 + int((swapped >= raw - 1e-12).sum())) / (1 + SWAPS)
    ends = jackknife(lambda at: distance(sides[:, at], subject[at]), prompt, rng)
    return _beside_floor(paired(claim, ends, counts(both, rows)), swapped, p)


def _beside_floor(f: Finding, swapped: np.ndarray, p: float) -> Finding:
    """The distance without the part due to noise; the lower limit is 0 if noise explains it.

    Noise and a real change add up to a mean absolute difference approximately as the legs of a
    right triangle do: noise contributes the whole floor where nothing changed, and almost nothing
    where much did.
    """
    floor = float(swapped.mean())
    at, low, high = (
        math.sqrt(max(x, floor) ** 2 - floor**2) if math.isfinite(x) else math.nan
        for x in (f.estimate, f.low, f.high)
    )
    low = 0.0 if p >= 0.025 else low
    few = f.verdict in TOO_FEW.values()
    most = float(np.quantile(swapped, 0.95))
    return replace(
        f, estimate=at, low=low, high=high, naive=f.estimate, floor=floor, floor_high=most, p=p,
        family=f"changes under {f.arm}",
        verdict=f.verdict if few else "above" if p < 0.05 else "compatible",
        sentence=(
            say(
                "{arm}, {where}: {quantity} {at} points [{low}, {high}], n = {n}; before noise "
                "is subtracted {estimate}, where an arm without an effect has {floor}.",
                arm=f.arm, where=f.where, quantity=f.quantity, at=figure(f'{100 * at:.0f}'),
                low=figure(f'{100 * low:.0f}'), high=figure(f'{100 * high:.0f}'), n=f.n,
                estimate=figure(f'{100 * f.estimate:.0f}'), floor=figure(f'{100 * floor:.0f}')
            )
        ),
    )  # fmt: skip
