"""Two attributes at once: their joint shares, and whether they go together within subjects."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd

from audit.findings.representation import Context
from audit.findings.wording import p_value
from audit.records import BASELINE, Attribute, Finding
from audit.stats.intersections import cells, independence_p, joint, mutual_information

MINIMUM = 5
"""Images below which a cell's share is not reported by itself: it would say more than is known."""


def findings(table: pd.DataFrame, context: Context) -> list[Finding]:
    """For each pair of attributes: the share of every joint cell, and a test of independence.

    Over all baseline images in which both attributes have a label. Independence is tested inside
    the subjects, so that occupations which differ in both do not count as an association.
    """
    out: list[Finding] = []
    base = table[(table.arm == BASELINE) & (table.outcome == "label")]
    for a, b in itertools.combinations(context.attributes, 2):
        both = _pairs(base, a, b)
        if len(both):
            out += _cells(both, a, b)
            out.append(_together(both, a, b, context.seed))
    return out


def _pairs(base: pd.DataFrame, a: Attribute, b: Attribute) -> pd.DataFrame:
    """Class indices i, j and the subject of each image with both labels."""
    keys = ["sample", "prompt", "subject"]
    one, two = (base[base.attribute == x.name][[*keys, "value"]] for x in (a, b))
    both = one.merge(two, on=keys, suffixes=("_a", "_b"))
    return both.assign(
        i=[a.classes.index(v) for v in both.value_a], j=[b.classes.index(v) for v in both.value_b]
    )


def _cells(both: pd.DataFrame, a: Attribute, b: Attribute) -> list[Finding]:
    counts = joint(both.i.to_numpy(), both.j.to_numpy(), (len(a.classes), len(b.classes)))
    found, out = cells(counts), []
    for i, one in enumerate(a.classes):
        for j, two in enumerate(b.classes):
            ci, k = found[i][j], int(counts[i, j])
            out.append(
                Finding(
                    id=f"representation/{BASELINE}/all/{a.name}+{b.name}={one}&{two}",
                    section="representation",
                    where="all subjects",
                    quantity=f"share of {one} and {two}",
                    estimate=ci.estimate,
                    low=ci.low,
                    high=ci.high,
                    n=len(both),
                    n_effective=float("nan"),
                    missing=0,
                    method="Dirichlet, 1/2 in every cell",
                    naive=k / len(both),
                    verdict="described" if k >= MINIMUM else "undecided",
                )
            )
    return out


def _together(both: pd.DataFrame, a: Attribute, b: Attribute, seed: int) -> Finding:
    shape = (len(a.classes), len(b.classes))
    one, two = both.i.to_numpy(), both.j.to_numpy()
    strata = pd.factorize(both.subject)[0]
    rng = np.random.default_rng(seed)
    p = independence_p(one, two, strata, rng)
    counts = joint(one, two, shape)
    bits = mutual_information(counts)
    names = f"{a.name.replace('_', ' ')} and {b.name.replace('_', ' ')}"
    known = np.isfinite(p)
    words = "go together" if p < 0.05 else "do not go together more than chance has it"
    return Finding(
        id=f"representation/{BASELINE}/all/{a.name}+{b.name}-together",
        section="representation",
        where=f"all {both.subject.nunique()} subjects",
        quantity=f"bits that {names} tell of each other",
        estimate=bits,
        low=float("nan"),
        high=float("nan"),
        n=len(both),
        n_effective=float("nan"),
        missing=0,
        method="mutual information of the pooled table; permutation p within subjects",
        floor=float((shape[0] - 1) * (shape[1] - 1) / (2 * len(both) * np.log(2))),
        p=p,
        family="",
        verdict=("above" if p < 0.05 else "compatible") if known else "undecided",
        sentence=(
            f"Within subjects, {names} {words} (p = {p_value(p)}, n = {len(both)})."
            if known
            else f"Whether {names} go together is not known: n = {len(both)}."
        ),
    )
