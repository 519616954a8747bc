"""Charts of who appears: shares of several classes side by side, and 100 images of one subject."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection

from audit.report import charts, wording
from audit.report.charts import Row, drawing, legend_above, markers
from audit.report.svg import ACCENT, QUIET, inline

ACROSS = 3
"""Most panels in a row."""
SIDE = 10
"""Squares along a side of a unit chart: 100 images."""
UNITS = 4
"""Most blocks of a unit chart."""
UNITS_WIDTH = 3.6
"""Inches: the chart is next to others, in a narrower column."""


@dataclass(frozen=True)
class Panel:
    """One class: a row for each subject, in the same order in every panel."""

    label: str
    rows: Sequence[Row]


def multiples(name: str, title: str, panels: Sequence[Panel]) -> str:
    """Shares with intervals and references, a panel for each class, subjects as shared rows."""
    shapes = markers(list(dict.fromkeys(n for p in panels for r in p.rows for n in r.references)))
    labels = [r.label for r in panels[0].rows]
    down = math.ceil(len(panels) / ACROSS)
    across = math.ceil(len(panels) / down)
    height = down * (0.6 + 0.2 * len(labels)) + 0.19 * math.ceil((1 + len(shapes)) / 3) + 0.1
    grid: dict[str, Any] = {"nrows": down, "ncols": across, "sharey": True, "squeeze": False}
    with drawing(height, **grid) as (figure, axes):
        for axis in axes.flat[len(panels) :]:
            axis.set_axis_off()
        for panel, axis in zip(panels, axes.flat, strict=False):
            _panel(axis, panel, shapes, labels)
        figure.supxlabel(wording.text("chart.percent"), fontsize=9)
        legend_above(figure, axes.flat[0])
        most = max((r for p in panels for r in p.rows if math.isfinite(r.estimate)),
                   key=lambda r: round(r.estimate, 6), default=None)  # fmt: skip
        of = next((p.label for p in panels if most in p.rows), "")
        words = wording.text("chart.multiples", title=wording.clip(title, 60), n=len(labels),
                             classes=len(panels))  # fmt: skip
        if most is not None:
            words += " " + wording.text("chart.multiples.most", where=wording.clip(most.label, 40),
                                        value=wording.clip(of, 40),
                                        share=wording.percent(most.estimate))  # fmt: skip
        return inline(figure, name, words)


def _panel(axes: Axes, panel: Panel, shapes: Mapping[str, str], labels: Sequence[str]) -> None:
    y = charts.draw_rows(axes, labels)
    charts.draw_lines(axes, y, [r.low for r in panel.rows], [r.high for r in panel.rows],
                 color=ACCENT, lw=1.8, zorder=3)  # fmt: skip
    charts.draw_dot(axes, [r.estimate for r in panel.rows], y, wording.text("chart.model"))
    for n, shape in shapes.items():
        charts.draw_mark(axes, [r.references.get(n, math.nan) for r in panel.rows], y, shape,
                    wording.reference(n))  # fmt: skip
    axes.set_xlim(-0.06, 1.06)
    axes.set_xticks([0, 0.5, 1], ["0", "50", "100"])
    charts.draw_guides(axes, y)
    axes.set_title(wording.clip(panel.label, 18), fontsize=9, loc="left", pad=4)


@dataclass(frozen=True)
class Block:
    """100 images of one subject, as this model or a reference has them."""

    label: str
    shares: Sequence[float]
    """By class; what is missing from 1 stays empty."""


def units(name: str, subject: str, classes: Sequence[str], blocks: Sequence[Block]) -> str:
    """Blocks of 100 squares, filled by class, side by side."""
    shown = blocks[:UNITS]
    height = 0.38 + 0.2 * math.ceil(len(classes) / 3) + 0.92 * UNITS_WIDTH / UNITS
    with drawing(height, UNITS_WIDTH, ncols=UNITS) as (figure, axes):
        for axis in axes:
            axis.set_axis_off()
        for block, axis in zip(shown, axes, strict=False):
            _block(axis, block, len(classes))
        handles = [_squares(axes[0], [], [], i, len(classes)) for i in range(len(classes))]
        figure.legend(
            handles, [wording.clip(c, 24) for c in classes], loc="outside lower left",
            ncols=min(len(classes), 3), frameon=False, fontsize=8, handletextpad=0.1,
            columnspacing=1.0, borderpad=0.0,
        )  # fmt: skip
        said = "; ".join(
            f"{b.label}: " + ", ".join(f"{n} {wording.clip(c, 24)}" for n, c in
                                       zip(whole(b.shares), classes, strict=True))
            for b in shown
        )  # fmt: skip
        words = wording.text("chart.units", subject=wording.clip(subject, 40), said=said)
        return inline(figure, name, words)


def _block(axes: Axes, block: Block, classes: int) -> None:
    place = np.arange(SIDE * SIDE)
    x, y = place % SIDE, SIDE - 1 - place // SIDE
    start = 0
    for i, n in enumerate(whole(block.shares)):
        _squares(axes, x[start : start + n], y[start : start + n], i, classes)
        start += n
    axes.set_xlim(-0.7, SIDE - 0.3)
    axes.set_ylim(-0.7, SIDE - 0.3)
    axes.set_aspect("equal")
    axes.set_title(_wrapped(block.label), fontsize=7.5, loc="left", pad=2, linespacing=1.1)


def _wrapped(label: str) -> str:
    """A label on two lines of about the same length."""
    words = wording.clip(label, 34).split()
    if len(words) < 2 or len(label) < 14:
        return " ".join(words) + "\n"
    cuts = range(1, len(words))
    best = min(cuts, key=lambda i: abs(len(" ".join(words[:i])) - len(" ".join(words[i:]))))
    return " ".join(words[:best]) + "\n" + " ".join(words[best:])


def _squares(axes: Axes, x: Any, y: Any, i: int, classes: int) -> PathCollection:
    """Squares of class `i`: fuller for the first of two, darker from the first to the last."""
    strength = (1.0, 0.0) if classes == 2 else np.linspace(0.12, 1.0, classes)
    fill = (ACCENT, float(strength[i]))
    return axes.scatter(x, y, marker="s", s=14, facecolors=[fill], edgecolors=QUIET,
                        linewidths=0.5)  # fmt: skip


def whole(shares: Sequence[float]) -> list[int]:
    """How many of 100 each share is, by largest remainders; unknown ones count as 0."""
    parts = np.nan_to_num(100 * np.asarray(shares, float))
    down = np.floor(parts + 1e-9).astype(int)
    left = min(round(float(parts.sum())), 100) - int(down.sum())
    for i in np.argsort(-(parts - down), kind="stable")[: max(left, 0)]:
        down[i] += 1
    return [int(n) for n in down]
