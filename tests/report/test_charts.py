"""Charts: marks are where their numbers are, text is text, nothing leaks into the page."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree

import numpy as np
import pytest

from audit.report import charts
from audit.report.charts import Row
from audit.report.svg import ACCENT, CSS, INK, QUIET, SECOND

pytestmark = pytest.mark.usefixtures("drawn_anew")
ROWS = [
    Row("high", 0.8, 0.7, 0.9, 0.75, {"planted": 0.6, "uniform": 0.5}),
    Row("low", 0.1, 0.05, 0.2, 0.15, {"planted": 0.1, "uniform": 0.5}),
]
SCORES = np.random.default_rng(0).normal(0.6, 0.1, 300).clip(-1, 1)


def uses(svg: str) -> list[tuple[float, float, str]]:
    """Every mark: x, y, and its fill; few marks of a kind are paths of their own."""
    root = ElementTree.fromstring(svg)
    marks = [
        (float(u.get("x", "nan")), float(u.get("y", "nan")), u.get("fill", ""))
        for u in root.iter("use")
    ]
    for path in root.iter("path"):
        if all(path.get(k) for k in ("d", "fill", "stroke")) and not path.get("id"):
            points = np.array(re.findall(r"[-\d.]+", path.get("d", "")), float).reshape(-1, 2)
            x, y = (points.min(0) + points.max(0)) / 2
            marks.append((float(x), float(y), path.get("fill", "")))
    return marks


def ticks(svg: str) -> dict[float, float]:
    """Percent on the axis to x, from the labels."""
    root = ElementTree.fromstring(svg)
    return {
        float((t.text or "").replace("\u00a0%", "")): float(t.get("x", "nan"))
        for t in root.iter("text")
        if (t.text or "").endswith("%")
    }


def test_marks_are_where_their_numbers_are() -> None:
    """Filled dots at the estimates, hollow ones at the naive shares, read from the axis."""
    svg = charts.dots("c", "share", ROWS)
    axis = ticks(svg)
    xs = np.interp([10, 80, 15, 75, 60, 50], list(axis), list(axis.values()))
    marks = uses(svg)
    for x, fill in zip(xs, [CSS[ACCENT]] * 2 + ["var(--page)"] * 2 + ["none"], strict=False):
        assert any(abs(m[0] - x) < 0.3 and m[2] == fill for m in marks), (x, fill)


def test_charts_are_the_same_bytes_and_have_no_styles() -> None:
    """Same rows, same SVG; ids begin with the name; no style, address, or fixed ink."""
    for make in (
        lambda: charts.dots("c", "share", ROWS),
        lambda: charts.distribution("c", SCORES, SCORES - 0.1, 0.9, "t"),
        lambda: charts.changes("c", "share", [Row("a", 0.1, 0.0, 0.2, references={"before": 0.1})]),
    ):
        svg = make()
        assert svg == make()
        assert "style" not in svg
        assert "http" not in svg
        assert not any(c in svg for c in (INK, ACCENT, SECOND, QUIET))
        assert all(i.startswith("c-") for i in re.findall(r'\bid="([^"]+)"', svg))
        refers = re.findall(r'(?:href="#|url\(#)([^")]+)', svg)
        assert set(refers) == set(re.findall(r'\bid="([^"]+)"', svg))


def test_labels_are_plain_text() -> None:
    """Markup is escaped, formulas are not set, missing glyphs do not matter."""
    names = ['<b>&"', "$\\frac{", "\N{WOMAN}\N{ZERO WIDTH JOINER}\N{ROCKET}", "\u05e9\u05dc"]
    svg = charts.dots("c", "a < b", [Row(n, 0.5, 0.4, 0.6) for n in names])
    written = {t.text for t in ElementTree.fromstring(svg).iter("text")}
    assert set(names) <= written


@pytest.mark.parametrize("n", [1, 2, 100])
def test_height_grows_with_rows(n: int) -> None:
    """Each row has the same room, whether there is one or a hundred."""
    svg = charts.dots("c", "share", [Row(f"r{i}", i / n, 0, 1) for i in range(n)])
    height = float(re.search(r'viewBox="0 0 [\d.]+ ([\d.]+)"', svg)[1])  # type: ignore[index]
    assert height == pytest.approx(72 * (0.62 + 0.27 * n), abs=1)


def test_references_never_share_a_shape() -> None:
    """Known names keep their own, others get free ones."""
    names = ["planted", "training set", "labour", "uniform", *"abcdef"]
    assert len(set(charts.markers(names).values())) == len(names)


def test_numbers_that_are_not_known_draw_nothing() -> None:
    """A row of NaN keeps its label and has no marks."""
    svg = charts.dots("c", "share", [Row("gone", math.nan, math.nan, math.nan)])
    assert "gone" in svg
    assert "nan" not in svg.lower()
    assert not any(fill == CSS[ACCENT] for _, _, fill in uses(svg))


@pytest.mark.parametrize("n", [0, 1, 2])
def test_distributions_of_almost_nothing(n: int) -> None:
    """No image, one image, no threshold: still a chart."""
    svg = charts.distribution("c", SCORES[:n], SCORES[:n], math.nan, "")
    assert f"{n} images" in svg


def test_a_histogram_counts_what_it_is_given() -> None:
    """The description tells medians and maxima as numpy does."""
    svg = charts.distribution("c", SCORES, SCORES - 0.2, 0.9, "t")
    assert f"median {np.median(SCORES):.2f}, highest {SCORES.max():.2f}" in svg
