"""Personalised models: copies and drift by dose, what a prior buys, and what extrapolation adds."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from audit.findings.personal import COPIES, DRIFT, Arm, arms_of
from audit.records import Finding
from audit.report import wording
from audit.report.charts import OTHER_MARKERS, drawing, legend_above
from audit.report.effects import PERSONAL
from audit.report.evidence import Evidence
from audit.report.shares import of_section
from audit.report.svg import ACCENT, PAPER, QUIET, SECOND, inline

SHAPES = ("o", "s", "D", "^", *OTHER_MARKERS)


def personalised(evidence: Evidence) -> dict[str, Any]:
    """The claims of `findings.personal` by kind, every measure, and their chart; or nothing."""
    mine = [f for f in of_section(evidence, "mitigation") if f.key.kind in PERSONAL]
    claims = {k: [f for f in mine if f.key.kind == k] for k in ("prior", "rise", "extrapolation")}
    found = [f for f in mine if f.key.kind == "personal"]
    arms = {a.name: a for a in arms_of(evidence.suite.mitigations) if not a.extrapolated}
    return {
        "found": found,
        "claims": {k: v for k, v in claims.items() if v},
        "chart": _chart([(arms[f.arm], f) for f in found if f.arm in arms]),
    }


def _chart(found: list[tuple[Arm, Finding]]) -> str:
    """Copies and drift by steps, as far as they are known, a line for each kind of training."""
    sides = {
        m.name: [(a, f) for a, f in found if f.key.detail == m.name and math.isfinite(f.estimate)]
        for m in (COPIES, DRIFT)
    }
    known = [name for name, side in sides.items() if side]
    if not known:
        return ""
    kinds = list(dict.fromkeys(a.training for a, _ in found))
    with drawing(3.0, ncols=len(known)) as (figure, axes):
        each = dict(zip(known, np.atleast_1d(axes), strict=True))
        if left := each.get(COPIES.name):
            _lines(left, kinds, sides[COPIES.name], 100)
            left.set_ylim(-3, 103)
            left.set_ylabel(wording.text("chart.copied"))
        if right := each.get(DRIFT.name):
            _lines(right, kinds, sides[DRIFT.name], 1)
            right.set_ylim(bottom=0)
            right.set_ylabel(wording.text("chart.drift"))
        legend_above(figure, each[known[0]])
        return inline(figure, "personalised", wording.text("chart.personal", n=len(kinds)))


def _lines(axes: Axes, kinds: list[str], found: list[tuple[Arm, Finding]], factor: float) -> None:
    """Estimates with intervals by dose; those of one dose are side by side."""
    doses = sorted({a.dose for a, _ in found})
    for k, kind in enumerate(kinds):
        line = sorted(((doses.index(a.dose), f) for a, f in found if a.training == kind),
                      key=lambda at: at[0])  # fmt: skip
        xs = [x + 0.09 * (k - (len(kinds) - 1) / 2) for x, _ in line]
        colour = (ACCENT, SECOND)[k % 2]
        axes.plot(xs, [factor * f.estimate for _, f in line], color=QUIET, lw=0.9, zorder=1)
        for x, (_, f) in zip(xs, line, strict=True):
            axes.plot([x, x], [factor * f.low, factor * f.high], color=colour, lw=1.6, zorder=2)
        axes.scatter(xs, [factor * f.estimate for _, f in line], s=30,
                     marker=SHAPES[k % len(SHAPES)], facecolors=PAPER if k % 2 else colour,
                     edgecolors=colour, label=wording.clip(kind, 34), zorder=3)  # fmt: skip
    axes.set_xticks(range(len(doses)), [str(d) for d in doses])
    axes.set_xlabel(wording.text("chart.steps"))
