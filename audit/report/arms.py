"""Overview of all arms: gains, costs, and the effect of the dose."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes

from audit.keys import ALL, BASELINE, Key
from audit.records import Finding, Mitigation
from audit.report import wording
from audit.report.charts import drawing
from audit.report.evidence import Evidence
from audit.report.shares import of_section
from audit.report.svg import ACCENT, PAPER, QUIET, inline

GAINS = (("distance", "chart.nearer", -100.0), ("removed", "chart.gone", 100.0))
"""Possible gains of an arm: cell, words, and the factor that makes more of it better."""


def overview(evidence: Evidence) -> dict[str, Any]:
    """Rows by arm, a frontier for each kind of gain, and charts of doses."""
    by_key = {f.key: f for f in of_section(evidence, "mitigation")}
    rows = [_row(m, by_key) for m in evidence.suite.mitigations]
    rows = [r for r in rows if r["verdict"]]
    return {
        "rows": rows,
        "frontiers": [c for c in (_frontier(rows, *gain) for gain in GAINS) if c],
        "doses": doses(evidence),
    }


def _row(arm: Mitigation, by_key: dict[Key, Finding]) -> dict[str, Any]:
    def cell(kind: str, detail: str = "", subject: str = "") -> Finding | None:
        return by_key.get(Key("mitigation", arm.name, subject, "", kind, detail))

    return {
        "name": arm.name, "method": arm.method, "verdict": cell("verdict"),
        "distance": cell("target-distance", subject=ALL),
        "removed": cell("removed", "captions"),
        "alignment": cell("cost", "alignment"),
    }  # fmt: skip


def _known(f: Finding | None) -> bool:
    return f is not None and all(map(math.isfinite, (f.estimate, f.low, f.high)))


def _frontier(rows: Sequence[dict[str, Any]], key: str, words: str, factor: float) -> str:
    """Gain against change of alignment, with both intervals; empty for fewer than two arms."""
    shown = [r for r in rows if _known(r[key]) and _known(r["alignment"])]
    if len(shown) < 2:
        return ""
    with drawing(0.9 + 0.34 * max(8, len(shown))) as (figure, axes):
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
    """A numbered point with its intervals in both directions."""
    x, y = cost.estimate, factor * gain.estimate
    ends = sorted((factor * gain.low, factor * gain.high))
    axes.plot([cost.low, cost.high], [y, y], color=ACCENT, lw=1.1, zorder=2)
    axes.plot([x, x], ends, color=ACCENT, lw=1.1, zorder=2)
    axes.scatter([x], [y], s=105, facecolors=PAPER, edgecolors=ACCENT, zorder=3)
    axes.text(x, y, label, ha="center", va="center_baseline", fontsize=8, zorder=4)


def doses(evidence: Evidence) -> list[dict[str, Any]]:
    """Per method with several doses: shares by dose, and the highest dose against the lowest."""
    found = [f for f in of_section(evidence, "mitigation") if f.key.kind == "dose"]
    out = []
    for method in dict.fromkeys(f.key.detail for f in found):
        mine = [f for f in found if f.key.detail == method]
        shares = [f for f in mine if f.unit == "share"]
        if shares:
            out.append({
                "option": method, "rows": shares, "chart": _dose(method, shares),
                "claims": [f for f in mine if f.unit != "share"],
            })  # fmt: skip
    return out


def _dose(option: str, shares: Sequence[Finding]) -> str:
    """A line with intervals for each group of subjects; the run's own setting is hollow."""
    groups = list(dict.fromkeys(f.where for f in shares))
    ticks = sorted({f.references["dose"] for f in shares})
    aside = 0.008 * (ticks[-1] - ticks[0])  # keeps intervals from overlapping
    with drawing(3.0) as (figure, axes):
        for k, (where, mark) in enumerate(zip(groups, "osD^", strict=False)):
            line = [f for f in shares if f.where == where and _known(f)]
            xs = [f.references["dose"] + (k - (len(groups) - 1) / 2) * aside for f in line]
            axes.plot(xs, [100 * f.estimate for f in line], color=QUIET, lw=0.9, zorder=1)
            for x, f in zip(xs, line, strict=True):
                axes.plot([x, x], [100 * f.low, 100 * f.high], color=ACCENT, lw=1.6, zorder=2)
                face = PAPER if f.arm == BASELINE else ACCENT
                axes.scatter([x], [100 * f.estimate], s=38, marker=mark, facecolors=face,
                             edgecolors=ACCENT, zorder=3)  # fmt: skip
            axes.scatter([], [], s=38, marker=mark, facecolors=ACCENT, edgecolors=ACCENT,
                         label=wording.clip(where, 60))  # fmt: skip
        axes.set_xticks(ticks, [wording.spelled(f"{x:g}") for x in ticks])
        axes.set_ylim(0, 100)
        axes.set_xlabel(wording.clip(option, 40))
        axes.set_ylabel(wording.text("chart.share", what=wording.clip(shares[0].quantity, 40)))
        figure.legend(loc="outside upper left", frameon=False, fontsize=9)
        said = wording.text("chart.dose", n=len(ticks), option=option, groups=len(groups))
        return inline(figure, f"dose-{option}", said)
