"""The report's charts: dots with intervals, effects before and after, similarity and chance.

Marks differ in shape, never in colour alone. Every chart accepts untrusted texts as labels and
gives the same bytes for the same inputs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import matplotlib as mpl
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from audit.evidence.copies.facts import EditCosines
from audit.report import wording
from audit.report.svg import ACCENT, INK, PAPER, QUIET, SALT, SECOND, inline

WIDTH = 5.0
"""Inches of 72 units: a unit is about one pixel on a phone and 1.6 on a desk, and text of 9
units is legible on both."""
LABEL = 26
MARKERS = {"planted": "D", "training set": "|", "seen": "^", "uniform": "x", "labour": "s"}
OTHER_MARKERS = ("v", "p", "h", "<", ">", "8", "P")


@dataclass(frozen=True)
class Row:
    """One line of a chart; numbers are shares in [0, 1], NaN is left out."""

    label: str
    estimate: float
    low: float
    high: float
    naive: float = math.nan
    references: Mapping[str, float] = field(default_factory=dict)


def markers(names: Sequence[str]) -> dict[str, str]:
    """A distinct shape for each reference, the same for the same names."""
    free = iter(OTHER_MARKERS * (1 + len(names) // len(OTHER_MARKERS)))
    return {n: MARKERS.get(n) or next(free) for n in names}


@contextmanager
def drawing(height: float, width: float = WIDTH, **panels: Any) -> Iterator[tuple[Figure, Any]]:
    """A figure of `width` by `height` inches, in the style of all charts."""
    style = {
        "svg.fonttype": "none", "svg.hashsalt": SALT, "font.size": 9, "axes.labelsize": 9,
        "xtick.labelsize": 8.5, "ytick.labelsize": 9, "font.family": "sans-serif",
        "axes.edgecolor": QUIET, "axes.linewidth": 0.7, "xtick.color": QUIET, "ytick.color": QUIET,
        "xtick.labelcolor": INK, "ytick.labelcolor": INK, "text.color": INK,
        "axes.labelcolor": INK, "text.parse_math": False, "xtick.major.size": 3.0,
        "xtick.major.width": 0.7, "ytick.major.size": 3.0, "ytick.major.width": 0.7,
    }  # fmt: skip
    with sns.axes_style("ticks"), mpl.rc_context(style):
        figure = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(wspace=0.09))
        axes = figure.subplots(**panels)
        sns.despine(fig=figure, left=True)
        yield figure, axes


def _height(rows: int, legend: int) -> float:
    return 0.62 + 0.27 * rows + 0.19 * math.ceil(legend / 2)


def draw_rows(axes: Axes, labels: Sequence[str]) -> np.ndarray:
    """One line per label from top to bottom; returns their heights, float64[n]."""
    y = np.arange(len(labels))[::-1].astype(float)
    axes.set_yticks(y, [wording.clip(label, LABEL) for label in labels])
    axes.set_ylim(-0.65, len(labels) - 0.35)
    axes.tick_params(axis="y", length=0)
    return y


def draw_lines(axes: Axes, y: np.ndarray, low: Any, high: Any, **style: Any) -> None:
    """Horizontal lines from low to high as one path, to keep a hundred rows small."""
    gap = np.full(len(y), np.nan)
    x = np.stack([np.asarray(low, float), np.asarray(high, float), gap], 1).ravel()
    axes.plot(x, np.repeat(y, 3), solid_capstyle="butt", **style)


def draw_guides(axes: Axes, y: np.ndarray) -> None:
    """A faint dotted line per row, to lead the eye from the label to the dot (Cleveland 1985)."""
    left, right = axes.get_xlim()
    ends = np.full(len(y), left), np.full(len(y), right)
    draw_lines(axes, y, *ends, color=QUIET, lw=0.5, ls=(0, (0.6, 3)), zorder=0.5)


def _percent_axis(axes: Axes, label: str, step: int = 20) -> None:
    axes.set_xlim(-0.03, 1.03)
    ticks = range(0, 101, step)
    axes.set_xticks([v / 100 for v in ticks], [wording.percent(v / 100) for v in ticks])
    axes.set_xlabel(wording.clip(label, 60))


def draw_mark(axes: Axes, x: Sequence[float], y: np.ndarray, shape: str, label: str) -> None:
    """Reference marks in the second colour, hollow where the shape has an inside."""
    lines = shape in "|x"
    size = {"|": 110, "x": 26, "D": 40, "s": 44}.get(shape, 44)
    colour: dict[str, Any] = (
        {"c": SECOND} if lines else {"facecolors": "none", "edgecolors": SECOND}
    )
    axes.scatter(
        x, y, marker=shape, s=size, linewidths=1.3, label=wording.clip(label, 34), zorder=5,
        clip_on=False, **colour,
    )  # fmt: skip


def draw_dot(axes: Axes, x: Any, y: np.ndarray, label: str, hollow: bool = False) -> None:
    """The model's marks; hollow ones are smaller."""
    axes.scatter(
        x, y, s=20 if hollow else 34, facecolors=PAPER if hollow else ACCENT, edgecolors=ACCENT,
        linewidths=1.2, zorder=4, label=label, clip_on=False,
    )  # fmt: skip


def legend_above(figure: Figure, axes: Axes) -> None:
    """Put the legend in a row above the axes."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside upper left", ncols=2, frameon=False, fontsize=8.5,
        handletextpad=0.2, columnspacing=1.6, borderpad=0.0, labelspacing=0.35,
    )  # fmt: skip


def dots(name: str, title: str, rows: Sequence[Row]) -> str:
    """Shares with intervals (filled), uncorrected ones (hollow) and references (other shapes)."""
    shapes = markers(list(dict.fromkeys(n for r in rows for n in r.references)))
    naive = np.array([r.naive for r in rows], float)
    corrected = bool(np.isfinite(naive).any())
    legend = 1 + corrected + len(shapes) if corrected or shapes else 0
    with drawing(_height(len(rows), legend)) as (figure, axes):
        y = draw_rows(axes, [r.label for r in rows])
        lows, highs = [r.low for r in rows], [r.high for r in rows]
        draw_lines(axes, y, lows, highs, color=ACCENT, lw=2.0, zorder=3)
        words = wording.text("chart.corrected" if corrected else "chart.model")
        draw_dot(axes, [r.estimate for r in rows], y, words)
        if corrected:
            draw_dot(axes, naive, y - 0.27, wording.text("chart.naive"), hollow=True)
        for n, shape in shapes.items():
            x = [r.references.get(n, math.nan) for r in rows]
            draw_mark(axes, x, y, shape, wording.reference(n))
        _percent_axis(axes, title)
        draw_guides(axes, y)
        if legend:
            legend_above(figure, axes)
        return inline(figure, name, _in_words(title, rows))


def _in_words(title: str, rows: Sequence[Row]) -> str:
    known = [r for r in rows if math.isfinite(r.estimate)]
    known.sort(key=lambda r: (round(r.estimate, 6), r.label))
    ends = ""
    if len(known) > 1:
        low, high = known[0], known[-1]
        ends = wording.text(
            "chart.ends",
            low_label=wording.clip(low.label, LABEL), low=wording.percent(low.estimate),
            high_label=wording.clip(high.label, LABEL), high=wording.percent(high.estimate),
        )  # fmt: skip
    return wording.text("chart.dots", title=wording.clip(title, 60), n=len(rows), ends=ends)


def around(name: str, title: str, rows: Sequence[Row]) -> str:
    """Differences of shares with intervals around none, in points."""
    with drawing(_height(len(rows), 0)) as (figure, axes):
        y = draw_rows(axes, [r.label for r in rows])
        _around(axes, y, rows)
        axes.set_xlabel(wording.clip(title, 70))
        known = [r for r in rows if math.isfinite(r.estimate)]
        top = max(known, key=lambda r: r.estimate, default=None)
        words = wording.text("chart.around", title=wording.clip(title, 70), n=len(rows))
        if top is not None:
            words += " " + wording.text("chart.around.most", where=wording.clip(top.label, LABEL),
                                        value=wording.points(top.estimate))  # fmt: skip
        return inline(figure, name, words)


def _around(axes: Axes, y: np.ndarray, rows: Sequence[Row]) -> None:
    """Estimates with intervals on an axis of points that is symmetric around 0."""
    axes.axvline(0, color=QUIET, lw=0.9, zorder=1)
    scale = [100 * v for r in rows for v in (r.low, r.high, r.estimate) if math.isfinite(v)]
    reach = max([20.0, *(abs(v) for v in scale)])
    axes.set_xlim(-1.06 * reach, 1.06 * reach)
    lows, highs = [100 * r.low for r in rows], [100 * r.high for r in rows]
    draw_lines(axes, y, lows, highs, color=ACCENT, lw=2.0, zorder=3)
    draw_guides(axes, y)
    draw_dot(axes, [100 * r.estimate for r in rows], y, "")


def changes(
    name: str,
    title: str,
    rows: Sequence[Row],
    ends: tuple[str, str] = ("chart.before", "chart.after"),
) -> str:
    """Left: before, after and target in percent; right: the change with its interval, in points.

    `references` of a row contain `before`, `after` and, where there is one, `target`; its estimate
    is the change. `ends` names the legend's texts for before and after.
    """
    panels: dict[str, Any] = {"ncols": 2, "sharey": True, "width_ratios": [1.45, 1]}
    with drawing(_height(len(rows), 3), **panels) as (figure, (left, right)):
        y = draw_rows(left, [r.label for r in rows])
        before, after, target = (
            [r.references.get(k, math.nan) for r in rows] for k in ("before", "after", "target")
        )
        draw_lines(left, y, before, after, color=ACCENT, lw=1.2, zorder=3)
        draw_dot(left, before, y, wording.text(ends[0]), hollow=True)
        draw_dot(left, after, y, wording.text(ends[1]))
        if np.isfinite(target).any():
            draw_mark(left, target, y, "D", wording.text("chart.target"))
        _percent_axis(left, title, step=25)
        draw_guides(left, y)
        right.tick_params(axis="y", length=0)
        _around(right, y, rows)
        right.set_xlabel(wording.text("chart.change"))
        legend_above(figure, left)
        words = wording.text("chart.changes", title=wording.clip(title, 60), n=len(rows))
        return inline(figure, name, words)


def distribution(
    name: str, score: np.ndarray, held: np.ndarray, threshold: float, label: str
) -> str:
    """Cosines to the nearest training (up) and held-out (down) image, float64[n] in [-1, 1].

    Counts are on a square-root scale (Tukey's rootogram), so one image in a thousand is visible.
    """
    score, held = score[np.isfinite(score)], held[np.isfinite(held)]
    with drawing(2.9) as (figure, axes):
        both = np.concatenate([score, held, [0.9]])
        bins = np.linspace(math.floor(20 * both.min()) / 20, max(1.0, both.max()), 41)
        up, down = (np.sqrt(np.histogram(v, bins)[0]) for v in (score, held))
        axes.stairs(up, bins, fill=True, color=ACCENT, alpha=0.25, lw=0)
        axes.stairs(up, bins, color=ACCENT, lw=1.4)
        axes.stairs(-down, bins, color=SECOND, lw=1.4, ls=(0, (4, 1.5)))
        axes.axhline(0, color=QUIET, lw=0.8)
        top = max(1.0, up.max(), down.max())
        axes.set_ylim(-1.3 * top, 1.3 * top)
        marks = _root_ticks(top)
        places = [*(-math.sqrt(m) for m in marks[:0:-1]), *(math.sqrt(m) for m in marks)]
        axes.set_yticks(places, [wording.count(p * p) for p in places])
        axes.set_ylabel(wording.text("chart.images"))
        place = {"transform": axes.transAxes, "ha": "left", "fontsize": 9}
        axes.text(0.01, 0.98, wording.text("chart.train"), va="top", color=ACCENT, **place)
        axes.text(0.01, 0.02, wording.text("chart.held"), va="bottom", color=SECOND, **place)
        if math.isfinite(threshold):
            axes.axvline(threshold, color=INK, lw=0.9, ls=(0, (1, 2)))
            right = threshold < bins[0] + 0.6 * (bins[-1] - bins[0])  # clear of the left label
            axes.annotate(
                label, (threshold, 1.28 * top), xytext=(4 if right else -4, 0),
                textcoords="offset points", va="top", ha="left" if right else "right", fontsize=9,
            )  # fmt: skip
        axes.set_xlabel(wording.text("chart.cosine"))
        words = wording.text(
            "chart.distribution", n=len(score),
            score=_middle(score), held=_middle(held), top=_top(score), held_top=_top(held),
        )  # fmt: skip
        return inline(figure, name, words)


def edited(name: str, edits: Sequence[EditCosines], threshold: float, label: str) -> str:
    """Cosines of edited copies and of the nearest other image, edit by edit."""
    with drawing(_height(len(edits), 2)) as (figure, axes):
        y = draw_rows(axes, [r.edit for r in edits])
        low, high = [r.low for r in edits], [r.high for r in edits]
        draw_lines(axes, y, low, high, color=ACCENT, lw=2.0, zorder=3)
        draw_dot(axes, [r.median for r in edits], y, wording.text("chart.copies"))
        strangers = [r.null_max for r in edits]
        draw_mark(axes, strangers, y, "x", wording.text("chart.others"))
        draw_guides(axes, y)
        if math.isfinite(threshold):
            axes.axvline(threshold, color=INK, lw=0.9, ls=(0, (1, 2)), label=label)
        lowest = min([0.0, *strangers, *low])
        axes.set_xlim(lowest - 0.03, 1.03)
        axes.set_xlabel(wording.text("chart.cosine"))
        legend_above(figure, axes)
        worst = min(edits, key=lambda r: r.median)
        shown = wording.number(worst.median)
        words = wording.text("chart.edited", n=len(edits), low=shown, edit=worst.edit)
        return inline(figure, name, words)


def _root_ticks(top: float) -> list[int]:
    """Whole counts, evenly spread on a square-root scale up to `top` squared, from 0."""
    most = top * top
    nice = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000]
    fits = [v for v in nice if v <= most]
    return [0, *[v for v in fits[::-1][::2][:3]][::-1]]


def _middle(values: np.ndarray) -> str:
    return wording.number(float(np.median(values)) if len(values) else math.nan, 2)


def _top(values: np.ndarray) -> str:
    return wording.number(float(values.max()) if len(values) else math.nan, 2)
