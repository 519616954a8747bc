"""Every arm at a glance: what it buys, what it costs, and how much of it does how much."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes

from audit.records import Evidence, Finding, Mitigation
from audit.report import wording
from audit.report.charts import _figure
from audit.report.shares import of_section
from audit.report.svg import ACCENT, PAPER, QUIET, inline

DOSES = {"guidance": "scale", "fair-guidance": "scale", "noise": "level", "token-noise": "width",
         "repeat-words": "count", "add-words": "count", "add-numbers": "count",
         "rescale-attention": "factor"}  # fmt: skip
"""Methods of which there may be more and less, with the option that says how much."""
GAINS = (("distance", "chart.nearer", -100.0), ("removed", "chart.gone", 100.0))
"""What an arm may buy: cell, words, and the factor that makes more of it better."""


def overview(evidence: Evidence) -> dict[str, Any]:
    """Rows by arm, a frontier for each kind of gain, and charts of doses."""
    by_id = {f.id: f for f in of_section(evidence, "mitigation")}
    rows = [_row(m, by_id) for m in evidence.suite.mitigations]
    rows = [r for r in rows if r["verdict"]]
    return {
        "rows": rows,
        "frontiers": [c for c in (_frontier(rows, *gain) for gain in GAINS) if c],
        "doses": doses(evidence, by_id),
    }


def _row(arm: Mitigation, by_id: dict[str, Finding]) -> dict[str, Any]:
    def cell(key: str) -> Finding | None:
        return by_id.get(f"mitigation/{arm.name}/{key}")

    return {
        "name": arm.name, "method": arm.method, "verdict": cell("verdict"),
        "distance": cell("all/distance"), "removed": cell("removed-captions"),
        "alignment": cell("cost-alignment"),
    }  # fmt: skip


def _known(f: Finding | None) -> bool:
    return f is not None and all(map(math.isfinite, (f.estimate, f.low, f.high)))


def _frontier(rows: Sequence[dict[str, Any]], key: str, words: str, factor: float) -> str:
    """Gain against change of alignment, with both intervals; nothing for fewer than two arms."""
    shown = [r for r in rows if _known(r[key]) and _known(r["alignment"])]
    if len(shown) < 2:
        return ""
    with _figure(0.9 + 0.34 * max(8, len(shown))) as (figure, axes):
        for i, r in enumerate(shown):
            _cross(axes, r["alignment"], r[key], factor, str(i + 1))
        axes.axhline(0, color=QUIET, lw=0.8, zorder=1)
        axes.axvline(0, color=QUIET, lw=0.8, zorder=1)
        axes.locator_params(axis="x", nbins=5)
        axes.set_xlabel(wording.text("chart.alignment"))
        axes.set_ylabel(wording.text(words))
        names = [f"{i + 1}  {wording.clip(r['name'], 26)}" for i, r in enumerate(shown)]
        figure.text(0.72, 0.5, "\n".join(names), va="center", fontsize=9.5, linespacing=1.7)
        figure.get_layout_engine().set(rect=(0, 0, 0.7, 1))  # type: ignore[union-attr, call-arg]
        best = max(shown, key=lambda r: factor * r[key].estimate)
        value = wording.number(factor * best[key].estimate, 0)
        said = wording.text("chart.frontier", n=len(shown), gain=wording.text(words),
                            best=wording.clip(best["name"], 40), value=value)  # fmt: skip
        return inline(figure, f"frontier-{key}", said)


def _cross(axes: Axes, cost: Finding, gain: Finding, factor: float, label: str) -> None:
    """A numbered point with its intervals both ways."""
    x, y = cost.estimate, factor * gain.estimate
    ends = sorted((factor * gain.low, factor * gain.high))
    axes.plot([cost.low, cost.high], [y, y], color=ACCENT, lw=1.1, zorder=2)
    axes.plot([x, x], ends, color=ACCENT, lw=1.1, zorder=2)
    axes.scatter([x], [y], s=105, facecolors=PAPER, edgecolors=ACCENT, zorder=3)
    axes.text(x, y, label, ha="center", va="center_baseline", fontsize=8, zorder=4)


def doses(evidence: Evidence, by_id: dict[str, Finding]) -> list[dict[str, Any]]:
    """Per method with several doses: change of the mean distance by how much was given."""
    out = []
    for method, option in DOSES.items():
        arms = [m for m in evidence.suite.mitigations if m.method == method and option in m.options]
        found = [(float(m.options[option]), by_id.get(f"mitigation/{m.name}/all/distance"))
                 for m in arms]  # fmt: skip
        points = sorted((x, f) for x, f in found if f is not None and _known(f))
        own = float(evidence.settings.guidance) if method == "guidance" else 0.0
        if len(points) >= 2:
            words = f"{method} {option}" if method != option else method
            out.append({"chart": _dose(f"dose-{method}", words, own, points), "option": words})
    return out


def _dose(name: str, option: str, own: float, points: Sequence[tuple[float, Finding]]) -> str:
    with _figure(2.6) as (figure, axes):
        xs = [x for x, _ in points]
        for x, f in points:
            axes.plot([x, x], [100 * f.low, 100 * f.high], color=ACCENT, lw=2.0, zorder=2)
        line = sorted([(own, 0.0), *((x, 100 * f.estimate) for x, f in points)])
        axes.plot(*zip(*line, strict=True), color=QUIET, lw=0.9, ls=(0, (4, 2)), zorder=1)
        axes.scatter(xs, [100 * f.estimate for _, f in points], s=34, color=ACCENT, zorder=3)
        axes.scatter([own], [0], s=40, facecolors=PAPER, edgecolors=ACCENT, zorder=3)
        axes.axhline(0, color=QUIET, lw=0.8, zorder=0)
        axes.set_xticks(sorted({own, *xs}), [f"{x:g}" for x in sorted({own, *xs})])
        axes.set_xlabel(wording.clip(option, 40))
        axes.set_ylabel(wording.text("chart.change"))
        return inline(figure, name, wording.text("chart.dose", n=len(points), option=option))
