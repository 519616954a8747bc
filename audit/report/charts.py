"""Charts as inline SVG whose text stays text: readable, searchable, recoloured by the page's CSS.

Same inputs give the same bytes: no clock, a fixed hash salt, ids that begin with the chart's name.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK, ACCENT, SECOND, QUIET = "#000000", "#0b5fa5", "#b4500a", "#767676"
_CSS = {
    INK: "currentColor",
    ACCENT: "var(--accent)",
    SECOND: "var(--second)",
    QUIET: "var(--quiet)",
}
MARKERS = {"planted": "D", "training set": "|", "uniform": "x", "labour": "s", "target": "*"}
"""Shape, never colour alone, tells references apart."""


@dataclass(frozen=True)
class Row:
    """One line of a dot-and-interval chart; NaN is left out."""

    label: str
    estimate: float
    low: float
    high: float
    naive: float = math.nan
    references: Mapping[str, float] = field(default_factory=dict)


@contextmanager
def _canvas(width: float, height: float) -> Iterator[tuple[Figure, Axes]]:
    import seaborn as sns

    style = {
        "svg.fonttype": "none", "svg.hashsalt": "t2i-audit", "font.size": 10.5,
        "font.family": "sans-serif", "axes.edgecolor": QUIET, "axes.linewidth": 0.8,
    }  # fmt: skip
    with sns.axes_style("ticks"), mpl.rc_context(style):
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.subplots()
        sns.despine(fig=figure, left=True)
        yield figure, axes


def _svg(figure: Figure, name: str, description: str) -> str:
    """The figure as an `<svg>` element for a page, with a title for screen readers."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.S)
    text = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', text)
    text = re.sub(r'(href="#|url\(#)', rf"\g<1>{name}-", text)
    text = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", text)
    for colour, css in _CSS.items():
        text = text.replace(colour, css)
    head = re.sub(r' (width|height)="[^"]*pt"', "", text[: text.index(">")])
    head += f' role="img" aria-label="{_escape(description)}"'
    return head + text[text.index(">") :].rstrip()


def _escape(text: str) -> str:
    for raw, safe in (("&", "&amp;"), ('"', "&quot;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(raw, safe)
    return text


def _percent_axis(axes: Axes) -> None:
    axes.set_xlim(-0.02, 1.02)
    axes.set_xticks(np.linspace(0, 1, 6), [f"{v} %" for v in range(0, 101, 20)])


def dots(name: str, title: str, rows: Sequence[Row]) -> str:
    """Shares with intervals (filled), naive estimates (hollow) and references (shapes)."""
    with _canvas(7.2, 0.9 + 0.34 * len(rows)) as (figure, axes):
        y = np.arange(len(rows))[::-1].astype(float)
        names = list(dict.fromkeys(n for r in rows for n in r.references))
        for n in names:
            x = [r.references.get(n, math.nan) for r in rows]
            shape = MARKERS.get(n, "^")
            style: dict[str, Any] = {"marker": shape, "s": 46, "linewidths": 1.4, "label": n}
            style |= (
                {"c": SECOND} if shape in "|x" else {"facecolors": "none", "edgecolors": SECOND}
            )
            axes.scatter(x, y, zorder=2, **style)
        axes.hlines(y, [r.low for r in rows], [r.high for r in rows], ACCENT, lw=2.2, zorder=3)
        axes.scatter([r.estimate for r in rows], y, c=ACCENT, s=38, zorder=4, label="this model")
        naive = [r.naive for r in rows]
        if np.isfinite(naive).any():
            axes.scatter(
                naive, y - 0.22, facecolors="none", edgecolors=ACCENT, s=18, zorder=4,
                label="before correction",
            )  # fmt: skip
        axes.set_yticks(y, [r.label for r in rows])
        axes.set_ylim(-0.7, len(rows) - 0.3)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="y", color=QUIET, lw=0.3)
        _percent_axis(axes)
        axes.set_xlabel(title)
        figure.legend(
            loc="outside upper left", ncols=4, frameon=False, fontsize=9, handletextpad=0.3
        )
        words = f"{title}: " + "; ".join(
            f"{r.label} {100 * r.estimate:.0f} %" for r in rows if math.isfinite(r.estimate)
        )
        return _svg(figure, name, words)


def distribution(name: str, score: np.ndarray, held: np.ndarray, threshold: float) -> str:
    """Similarity to the nearest training image against that to the nearest held-out one."""
    with _canvas(7.2, 2.9) as (figure, axes):
        import seaborn as sns

        both = np.concatenate([score, held])
        low = float(np.nanmin(both)) if len(both) else 0.0
        bins = np.linspace(min(low, 0.95), 1.0, 46)
        for values, colour, style, label in (
            (held, SECOND, "--", "nearest held-out image (the null)"),
            (score, ACCENT, "-", "nearest training image"),
        ):
            if len(values):
                sns.histplot(
                    x=values, bins=bins.tolist(), element="step", fill=False, color=colour,
                    linestyle=style, ax=axes, label=label, linewidth=1.7,
                )  # fmt: skip
        if math.isfinite(threshold):
            axes.axvline(threshold, color=INK, lw=1, ls=":", label="lowest score called a copy")
        axes.set_xlabel("cosine of the copy descriptor")
        axes.set_ylabel("images")
        figure.legend(loc="outside upper left", ncols=3, frameon=False, fontsize=9)
        words = (
            f"Similarity of {len(score)} generated images: median {np.nanmedian(score):.2f} to the "
            f"training set, {np.nanmedian(held):.2f} to held-out images."
            if len(score)
            else "No images."
        )
        return _svg(figure, name, words)


def changes(name: str, title: str, rows: Sequence[Row]) -> str:
    """Before (hollow) to after (filled) with the target; one arrow per subject."""
    with _canvas(7.2, 0.9 + 0.34 * len(rows)) as (figure, axes):
        y = np.arange(len(rows))[::-1].astype(float)
        before = [r.references["before"] for r in rows]
        after = [r.references["after"] for r in rows]
        axes.hlines(y, before, after, ACCENT, lw=1.4)
        axes.scatter(
            before, y, facecolors="none", edgecolors=ACCENT, s=38, label="before", linewidths=1.4
        )
        axes.scatter(after, y, c=ACCENT, s=38, label="after")
        target = [r.references["target"] for r in rows]
        axes.scatter(
            target, y, marker="D", facecolors="none", edgecolors=SECOND, s=46, label="target"
        )
        axes.set_yticks(y, [r.label for r in rows])
        axes.set_ylim(-0.7, len(rows) - 0.3)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="y", color=QUIET, lw=0.3)
        _percent_axis(axes)
        axes.set_xlabel(title)
        figure.legend(loc="outside upper left", ncols=3, frameon=False, fontsize=9)
        words = f"{title}: " + "; ".join(
            f"{r.label} from {100 * b:.0f} % to {100 * a:.0f} %"
            for r, b, a in zip(rows, before, after, strict=True)
        )
        return _svg(figure, name, words)
