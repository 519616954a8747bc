"""Copies of parts on the page and in Markdown: four classes of each kind of prompts, once each."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from audit.evidence.copies import flags
from audit.evidence.copies.facts import DecisionFacts
from audit.findings import segments
from audit.report import page
from audit.report.exports.card import card
from tests.report import sources
from tests.report.made import Size, evidence

SMALL = Size(subjects=("nurse", "cook"), seeds=3, captions=12)


@pytest.mark.slow
def test_every_class_is_on_the_page_and_in_markdown() -> None:
    """Each number is its finding's; the section says what a part that many share means."""
    small = evidence(SMALL)
    rng, n = np.random.default_rng(0), len(small.matches)
    table = small.matches[["sample", "prompt", "arm", "seed", "outcome"]].reset_index(drop=True)
    for part in ("foreground", "background"):
        flagged = flags.column(rng.random(n) < 0.3, np.ones(n, bool))
        more = pd.DataFrame({part: flagged, f"{part}_train": small.matches.train.to_numpy()})
        table = table.join(more)
    decided = dict.fromkeys(("foreground", "background"), DecisionFacts(0.05, True, "", "alike"))
    prompts = {p.id: p for p in small.suite.prompts}
    found = segments.findings(table, prompts, 0, decided)
    own = {f.id for f in found if f.arm == "none"}
    assert len(own) == 8
    html = page.page(replace(small, findings=[*small.findings, *found]))
    made = sources.check(html, [*small.findings, *found])
    assert made.faults == []
    assert own <= made.findings
    assert "Which part of an image copies a training image" in html
    text = card(found, {})
    assert all(f"`{id}`" in text for id in own)
