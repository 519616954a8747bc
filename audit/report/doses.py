"""Copies by guidance: one line for all captions, and one for each level of repetition."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes

from audit.findings.copying_doses import of_guidance
from audit.records import Finding
from audit.report import wording
from audit.report.charts import OTHER_MARKERS, drawing, legend_above
from audit.report.evidence import Evidence
from audit.report.shares import of_section
from audit.report.svg import ACCENT, PAPER, QUIET, SECOND, inline

Lines = dict[int, list[tuple[float, Finding]]]
"""Guidance and share, by level of repetition; 0 is all captions."""


def copies_by_guidance(evidence: Evidence) -> dict[str, Any]:
    """Claims of `findings.copying_doses`, shares first, and their chart; both may be empty."""
    found = [f for f in of_section(evidence, "replication") if f.key.kind == "doses"]
    scale = of_guidance(evidence.settings.guidance, evidence.suite.mitigations)
    lines: Lines = {}
    for f in found:
        level = int(f.key.detail) if f.key.attribute == "repeats" else 0
        if f.unit == "share" and f.arm in scale and math.isfinite(f.estimate):
            lines.setdefault(level, []).append((scale[f.arm], f))
    return {"found": found, "chart": _chart(lines) if lines else ""}


def _chart(lines: Lines) -> str:
    """Share of copies by scale, in percent; intervals are those of all captions."""
    with drawing(3.0) as (figure, axes):
        whole = sorted(lines.get(0, []), key=lambda at: at[0])
        for x, f in whole:
            axes.plot([x, x], [100 * f.low, 100 * f.high], color=ACCENT, lw=2.0, zorder=2)
        for level, shape in zip(sorted(lines), _shapes(), strict=False):
            _line(axes, level, sorted(lines[level], key=lambda at: at[0]), shape)
        scales = sorted({x for points in lines.values() for x, _ in points})
        axes.set_xticks(scales, [wording.spelled(f"{x:g}") for x in scales])
        axes.set_ylim(-3, 103)
        axes.set_xlabel(wording.text("chart.guidance"))
        axes.set_ylabel(wording.text("chart.copied"))
        legend_above(figure, axes)
        return inline(figure, "copies-by-guidance", _said(whole))


def _shapes() -> Sequence[str]:
    return ("o", "s", "D", *OTHER_MARKERS)


def _line(axes: Axes, level: int, points: Sequence[tuple[float, Finding]], shape: str) -> None:
    words = wording.repeats(level) if level else wording.text("chart.captions")
    xs, ys = [x for x, _ in points], [100 * f.estimate for _, f in points]
    edge, inside = (SECOND, PAPER) if level else (ACCENT, ACCENT)
    dash: Any = (0, (4, 2)) if level else "-"
    axes.plot(xs, ys, color=QUIET if level else ACCENT, lw=0.9, ls=dash, zorder=1)
    axes.scatter(xs, ys, marker=shape, s=30, facecolors=inside, edgecolors=edge, linewidths=1.2,
                 zorder=3, label=words, clip_on=False)  # fmt: skip


def _said(points: Sequence[tuple[float, Finding]]) -> str:
    """Description of the chart: its first and its last point."""
    if not points:
        return wording.text("chart.copied")
    (low, first), (high, last) = points[0], points[-1]
    return wording.text(
        "chart.doses", n=len(points),
        low=wording.spelled(f"{low:g}"), high=wording.spelled(f"{high:g}"),
        first=wording.percent(first.estimate), last=wording.percent(last.estimate),
    )  # fmt: skip
