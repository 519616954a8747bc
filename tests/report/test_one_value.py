"""One quantity has one value: no label is of two findings, and no finding has two numbers."""

from __future__ import annotations

import html
import re
from collections import defaultdict
from collections.abc import Sequence

import pytest

from audit.keys import BASELINE
from audit.records import Finding
from audit.report import page, wording
from tests.report.made import Size, evidence

SMALL = Size(subjects=("nurse", "cook"), seeds=3, captions=8)


def shown(findings: Sequence[Finding]) -> list[Finding]:
    """The findings that a report shows."""
    return [f for f in findings if f.section != "representation" or f.arm == BASELINE]


def two_of_a_name(findings: Sequence[Finding]) -> dict[tuple[str, ...], list[str]]:
    """Labels of a section and an arm that several findings of the same unit have."""
    by = defaultdict[tuple[str, ...], list[str]](list)
    for f in shown(findings):
        by[f.section, f.arm, wording.label(f), f.unit].append(f.id)
    return {label: ids for label, ids in by.items() if len(ids) > 1}


def estimates(text: str) -> dict[str, set[str]]:
    """The estimates that a page gives for each finding, in table cells and as figures of cards."""
    out = defaultdict[str, set[str]](set)
    of = r'(?:id="[^"]*" )?data-finding="([^"]+)"(?: data-anchor="[^"]*")?'
    cell = rf'<td class="n est" {of}>([^<]*)<'
    grid = rf'<td class="cell" {of}>.*?<b>([^<]*)</b>'
    big = rf'<li class="card" {of}>(?:(?!</li>).)*?<p class="big">([^<]*)<'
    for pattern in (cell, grid, big):
        for id, value in re.findall(pattern, text, re.S):
            if not id.endswith("/verdict"):  # its card shows the gain that it rests on
                out[html.unescape(id)].add(value.replace(" points", "").strip())
    return out


def test_labels_are_of_one_quantity() -> None:
    """The same words never name two quantities of a section and an arm."""
    assert two_of_a_name(evidence(SMALL).findings) == {}


def test_two_of_a_name_are_found() -> None:
    """Two findings that differ in their key alone are."""
    f = evidence(SMALL).findings[0]
    other = type(f)(
        f.key._replace(detail="x"), f.where, f.quantity, f.unit, f.counted, f.estimate, f.low,
        f.high, f.n, f.n_effective, f.missing, f.method,
    )  # fmt: skip
    assert two_of_a_name([f, other])


@pytest.mark.slow
def test_a_finding_has_one_number_on_the_page() -> None:
    """A card, a table and a chart's table give the same digits."""
    one = evidence(SMALL)
    told = estimates(page.page(one))
    assert len(told) > 20
    assert {i: v for i, v in told.items() if len(v) > 1} == {}
    assert len({f.key for f in one.findings}) == len(one.findings)
