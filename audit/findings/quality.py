"""How far the instruments can be trusted: classifier errors, and whether subjects are drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from audit.findings.wording import estimate
from audit.records import BASELINE, Attribute, Finding
from audit.stats.proportions import effective_n, wilson


def classifier(
    confusion: Mapping[str, np.ndarray], attributes: Sequence[Attribute], source: str
) -> list[Finding]:
    """Share of validation images that the classifier reads rightly, per attribute and class."""
    out = []
    for attribute in attributes:
        table = confusion.get(attribute.name)
        if table is None:
            continue
        out.append(
            _right(attribute.name, "all classes", int(np.trace(table)), int(table.sum()), source)
        )
        for i, name in enumerate(attribute.classes):
            out.append(_right(attribute.name, name, int(table[i, i]), int(table[i].sum()), source))
    return out


def _right(attribute: str, where: str, k: int, n: int, source: str) -> Finding:
    ci = wilson(k, n)
    return Finding(
        id=f"quality/classifier/{attribute}/{where}",
        section="quality",
        where=f"{attribute.replace('_', ' ')}: {where}",
        quantity="share that the classifier reads rightly",
        estimate=ci.estimate,
        low=ci.low,
        high=ci.high,
        n=n,
        n_effective=float(n),
        missing=0,
        method=f"Wilson; {source}",
        verdict="described",
        sentence=(
            f"The classifier reads {attribute.replace('_', ' ')} rightly in "
            f"{estimate(ci.estimate, ci.low, ci.high)} of {n} {source}."
        ),
    )


def subjects(table: pd.DataFrame, seed: int) -> list[Finding]:
    """Share of baseline images in which the prompted subject is recognised.

    `table` has prompt, arm, subject and subject_read (True, False or None).
    """
    rows = table[(table.arm == BASELINE)].dropna(subset=["subject_read"])
    if rows.empty:
        return []
    hits = rows.subject_read.to_numpy(float)
    ci = wilson(int(hits.sum()), len(rows))
    return [
        Finding(
            id="quality/subject-read",
            section="quality",
            where="images of a prompted subject",
            quantity="share in which the classifier recognises the subject",
            estimate=ci.estimate,
            low=ci.low,
            high=ci.high,
            n=len(rows),
            n_effective=effective_n(hits, pd.factorize(rows.prompt)[0]),
            missing=0,
            method="Wilson",
            verdict="described",
            sentence=(
                f"The prompted subject is recognised in "
                f"{estimate(ci.estimate, ci.low, ci.high)} of {len(rows)} images."
            ),
        )
    ]
