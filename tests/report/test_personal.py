"""Personalised models on the page: every claim in a table, with a chart; nothing without any."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import pytest

from audit.findings import personal as claims
from audit.report import page, personal
from audit.report.evidence import Evidence
from tests.builders.personal import ARMS, GENDER, MODELS, SUITE, drifted, tables
from tests.report import sources
from tests.report.made import Size, evidence

SMALL = Size(subjects=("nurse", "cook"), seeds=3, captions=12)


@pytest.fixture
def lab() -> Evidence:
    """A small run with claims about five arms of personalised models."""
    small = evidence(SMALL)
    planted = tables(
        drifted, lambda a, model, i: "prior" not in a and (i >= MODELS or model == 5),
        lambda *_: "man",
    )  # fmt: skip
    found = claims.findings(planted, SUITE, [GENDER])
    kept = [f for f in small.findings if f.section != "mitigation"]
    return replace(small, suite=replace(small.suite, mitigations=ARMS), findings=kept + found)


def test_the_page_shows_every_claim(lab: Evidence) -> None:
    """Each number in a table is its finding's, and every kind of claim has a table."""
    html = page.page(lab)
    wanted = {f.id for f in lab.findings if f.key.kind in ("personal", "prior", "rise",
                                                           "extrapolation")}  # fmt: skip
    made = sources.check(html, lab.findings)
    assert made.faults == []
    assert wanted <= made.findings
    for words in ("What prior preservation changes", "What more steps change", "What extrapolating",
                  "6 trainings"):  # fmt: skip
        assert words in html, words


def test_the_chart_names_every_kind_of_training(lab: Evidence) -> None:
    """Two kinds, at two doses, in words and with a description."""
    made = personal.personalised(lab)
    words = re.sub(r"<[^>]+>", " ", made["chart"])
    assert "dreambooth-prior" in words
    assert "steps of training" in words
    assert "for 2 kinds of training" in made["chart"]


def test_without_personalised_models_there_is_nothing() -> None:
    """No heading, and no empty chart."""
    small = evidence(SMALL)
    assert personal.personalised(small) == {"found": [], "claims": {}, "chart": ""}
    assert "Personalised models" not in page.page(small)


def test_what_is_unknown_has_no_panel(lab: Evidence) -> None:
    """Where no image could be flagged as a copy, the chart is of drift alone."""
    both = personal.personalised(lab)["chart"]
    unknown = [
        replace(f, estimate=math.nan) if f.key.detail == "copies" else f for f in lab.findings
    ]
    alone = personal.personalised(replace(lab, findings=unknown))["chart"]
    assert "images that copy" in both
    assert "drift of the class" in alone
    assert "images that copy" not in alone
