"""Copies by guidance on the page: every claim in a table, with a chart; nothing without doses."""

from __future__ import annotations

import re
from dataclasses import replace

import pandas as pd
import pytest

from audit.findings import copying_doses as claims
from audit.keys import BASELINE
from audit.records import Mitigation, Settings
from audit.report import answers, doses, page
from audit.report.evidence import Evidence
from tests.report import sources
from tests.report.made import Size, evidence

SMALL = Size(subjects=("nurse", "cook"), seeds=3, captions=12)


@pytest.fixture
def lab() -> Evidence:
    """A run whose captions were drawn at three scales, the highest without copies."""
    small = evidence(SMALL)
    base = small.matches[small.matches.arm == BASELINE]
    declared = (Mitigation("<i>g1", "guidance", {"scale": 1.0}),
                Mitigation("g6", "guidance", {"scale": 6.0}))  # fmt: skip
    table = pd.concat([base, base.assign(arm="<i>g1"), base.assign(arm="g6", copy=False)])
    scales = claims.of_guidance(small.settings.guidance, declared)
    prompts = {p.id: p for p in small.suite.prompts}
    found = claims.findings(table, scales, prompts, 0)
    kept = [f for f in small.findings if f.section != "mitigation"]
    return replace(small, suite=replace(small.suite, mitigations=declared),
                   findings=kept + found)  # fmt: skip


def test_the_page_shows_every_claim_once(lab: Evidence) -> None:
    """Each number in the table is its finding's; the answers are those of a run without doses."""
    html = page.page(lab)
    assert html.count("Copies by guidance") >= 2
    assert "<i>g1" not in html
    wanted = {f.id for f in lab.findings if "/doses/" in f.id}
    assert len(wanted) == 3 * 5 + 1
    made = sources.check(html, lab.findings)
    assert made.faults == []
    assert wanted <= made.findings
    assert "Copies at 3 guidance scales" in html
    assert not any("/doses/" in f.id for f in answers.answers(lab))


def test_the_chart_has_a_mark_for_each_scale(lab: Evidence) -> None:
    """Five lines at three scales; a shape for each, and words for what it is."""
    made = doses.copies_by_guidance(lab)
    assert len(made["found"]) == 16
    words = re.sub(r"<[^>]+>", " ", made["chart"])
    assert "all captions" in words
    assert "64 times in training" in words


def test_without_doses_there_is_nothing() -> None:
    """A run of one scale, and one of pictures made elsewhere."""
    small = evidence(SMALL)
    assert doses.copies_by_guidance(small) == {"found": [], "chart": ""}
    elsewhere = replace(small, settings=Settings("", "", 0, 0.0, 1))
    assert "Copies by guidance" not in page.page(elsewhere)
