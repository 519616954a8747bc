"""Two attributes at once: their joint shares, and whether they are associated within subjects."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd

from audit.errors import say
from audit.findings.claim import Claim, Counts, finding
from audit.findings.representation import Context
from audit.findings.wording import p_value
from audit.keys import ALL, BASELINE, Key, both
from audit.records import Attribute, Finding
from audit.stats.decisions import exceeds
from audit.stats.intersections import cells, independence_p, joint, mutual_information
from audit.stats.interval import Interval

MINIMUM = 5
"""Fewest images in a cell for its share to be reported on its own."""


def findings(table: pd.DataFrame, context: Context) -> list[Finding]:
    """For each pair of attributes: the share of every joint cell, and a test of independence.

    Over all baseline images in which both attributes have a label. Independence is tested within
    subjects, so occupations that differ in both attributes do not count as an association.
    """
    out: list[Finding] = []
    base = table[(table.arm == BASELINE) & (table.outcome == "label")]
    for a, b in itertools.combinations(context.attributes, 2):
        pairs = _pairs(base, a, b)
        if len(pairs):
            out += _cells(pairs, a, b)
            out.append(_together(pairs, a, b, context.seed))
    return out


def joint_key(a: Attribute, b: Attribute, one: str, two: str) -> Key:
    """The key of the share of images that show a class of each of two attributes."""
    about, shown = both(a.name, b.name, "+"), both(one, two, "&")
    return Key("representation", BASELINE, ALL, about, "joint", shown)


def together_key(a: Attribute, b: Attribute) -> Key:
    """The key of the claim on the association of two attributes."""
    return Key("representation", BASELINE, ALL, both(a.name, b.name, "+"), "together")


def _pairs(base: pd.DataFrame, a: Attribute, b: Attribute) -> pd.DataFrame:
    """Class indices i, j and the subject of each image with both labels."""
    keys = ["sample", "prompt", "subject"]
    one, two = (base[base.attribute == x.name][[*keys, "value"]] for x in (a, b))
    rows = one.merge(two, on=keys, suffixes=("_a", "_b"))
    return rows.assign(
        i=[a.classes.index(v) for v in rows.value_a], j=[b.classes.index(v) for v in rows.value_b]
    )


def _cells(pairs: pd.DataFrame, a: Attribute, b: Attribute) -> list[Finding]:
    counts = joint(pairs.i.to_numpy(), pairs.j.to_numpy(), (len(a.classes), len(b.classes)))
    found, out = cells(counts), []
    for i, one in enumerate(a.classes):
        for j, two in enumerate(b.classes):
            ci, k = found[i][j], int(counts[i, j])
            claim = Claim(
                joint_key(a, b, one, two), say("share of {one} and {two}", one=one, two=two),
                "all subjects", "share", "images", "Dirichlet, 1/2 in every cell",
            )  # fmt: skip
            said = "described" if k >= MINIMUM else "undecided"
            size = Counts(len(pairs))
            out.append(finding(claim, ci, size, naive=k / len(pairs), verdict=said))
    return out


def _together(pairs: pd.DataFrame, a: Attribute, b: Attribute, seed: int) -> Finding:
    shape = (len(a.classes), len(b.classes))
    one, two = pairs.i.to_numpy(), pairs.j.to_numpy()
    strata = pd.factorize(pairs.subject)[0]
    rng = np.random.default_rng(seed)
    p = independence_p(one, two, strata, rng)
    counts = joint(one, two, shape)
    bits = mutual_information(counts)
    names = say("{name} and {name2}", name=a.name.replace("_", " "), name2=b.name.replace("_", " "))
    known = np.isfinite(p)
    words = "go together" if p < 0.05 else "do not go together more than chance has it"
    claim = Claim(
        together_key(a, b), say("bits that {names} tell of each other", names=names),
        say("all {subject} subjects", subject=pairs.subject.nunique()), "bits", "images",
        "mutual information of the pooled table; permutation p within subjects",
    )  # fmt: skip
    return finding(
        claim,
        Interval(bits, math.nan, math.nan),
        Counts(len(pairs)),
        floor=float((shape[0] - 1) * (shape[1] - 1) / (2 * len(pairs) * np.log(2))),
        p=p,
        verdict=exceeds(p),
        sentence=(
            say(
                "Within subjects, {names} {words} (p = {p}, n = {n}).",
                names=names,
                words=words,
                p=p_value(p),
                n=len(pairs),
            )
            if known
            else say(
                "Whether {names} go together is not known: n = {n}.", names=names, n=len(pairs)
            )
        ),
    )
