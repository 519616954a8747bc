"""Mitigations at a glance: rows that repeat the findings, frontiers and doses."""

from __future__ import annotations

import re
from dataclasses import replace

import pandas as pd
import pytest

from audit.findings import arms as judge
from audit.findings import doses
from audit.findings.representation import Context
from audit.records import Finding, Mitigation
from audit.report import arms, page
from audit.report.evidence import Evidence
from tests.findings.test_arms import alignment, copies, distance, removed
from tests.report import sources
from tests.report.made import GENDER, Size, evidence

SMALL = Size(subjects=("nurse", "cook"), seeds=3, captions=8)


@pytest.fixture
def lab() -> Evidence:
    """Three arms of one method with doses, and one against copies."""
    declared = [Mitigation(f"g{k}", "guidance", {"scale": float(k)}) for k in (1, 6, 9)]
    declared.append(Mitigation("<b>noise", "noise", {"level": 0.5}))
    found: list[Finding] = []
    for i, m in enumerate(declared[:3]):
        found += [distance(m.name, -0.1 * i - 0.2, -0.1 * i - 0.05), alignment(m.name, -0.02, 0.01)]
    found += [copies("<b>noise", -0.4, -0.1), removed("<b>noise", 0.2, 0.6)]
    found += [alignment("<b>noise", -0.2, -0.1)]
    found += judge.findings(found, declared)
    small = evidence(SMALL)
    rows = [small.attributes[small.attributes.arm == "none"]]
    rows += [rows[0].assign(arm=m.name) for m in declared[:3]]
    context = Context([GENDER], small.suite.references, {}, None, 0)
    found += doses.findings(pd.concat(rows), declared, context, {"guidance": 3.0})
    kept = [f for f in small.findings if f.section != "mitigation"]
    return replace(small, suite=replace(small.suite, mitigations=tuple(declared)),
                   findings=kept + found)  # fmt: skip


def test_rows_are_the_findings(lab: Evidence) -> None:
    """One row per arm with the very claims; a cell is empty where nothing was asked."""
    made = arms.overview(lab)
    assert [r["name"] for r in made["rows"]] == ["g1", "g6", "g9", "<b>noise"]
    assert made["rows"][0]["distance"].id == "mitigation/g1/all/distance"
    assert made["rows"][0]["removed"] is None
    assert made["rows"][3]["distance"] is None
    assert len(made["frontiers"]) == 1  # one arm against copies makes no frontier
    (dose,) = made["doses"]
    assert [f.references["dose"] for f in dose["rows"]] == [1.0, 3.0, 6.0, 9.0] * 2
    claims = [f.id.removeprefix("mitigation/g9/dose-guidance/") for f in dose["claims"]]
    assert claims == ["majority", "majority-woman", "majority-man"]


def test_the_page_shows_them_safely(lab: Evidence) -> None:
    """A strange name is escaped in table and chart, and every verdict is a phrase."""
    html = page.page(lab)
    assert "<b>noise" not in html
    assert "&lt;b&gt;noise" in html
    cells = re.findall(r'data-finding="(mitigation/g[169]/all/distance)"', html)
    assert set(cells) == {f"mitigation/g{k}/all/distance" for k in (1, 6, 9)}
    assert "Mitigations at a glance" in html
    checked = sources.check(html, lab.findings)
    assert checked.faults == []
    assert {f.id for f in lab.findings if "/dose-" in f.id} <= checked.findings
    assert page.page(lab) == html


def test_without_arms_there_is_nothing_to_see() -> None:
    """One arm needs no overview, and none has none."""
    small = evidence(SMALL)
    none = replace(small, suite=replace(small.suite, mitigations=()))
    assert arms.overview(none) == {"rows": [], "frontiers": [], "doses": []}
    assert "Mitigations at a glance" not in page.page(none)
