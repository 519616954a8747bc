"""Every number on the page is a number of findings.json: read back from finished pages."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from audit.keys import BASELINE
from audit.records import Finding, from_json
from audit.report import compare, page
from audit.runs import comparing
from tests.builders.runs import Plan, write
from tests.report import sources
from tests.report.made import Size, evidence

EXAMPLE = Path(__file__).parents[2] / "reports" / "example"
ELSEWHERE = ("How many of", "Cosine of edited copies", "Missing data", "The two runs")
"""Tables that count samples or name settings, each with a test of its own."""


def clean(made: sources.Checked) -> None:
    """No number without a source, and no unchecked table."""
    assert made.faults == []
    assert all(t.startswith(ELSEWHERE) for t in made.other_tables)


def due(findings: Sequence[Finding]) -> set[str]:
    """What a page must show: all but the shares under a rewrite, which its effects cover.

    Of two classes, nor the distance from the reference that the share is compared with.
    """
    classes = defaultdict[str, set[str]](set)
    for f in findings:
        if f.key.kind == "share":
            classes[f.key.attribute].add(f.key.detail)
    twice = {(f.key.attribute, f.against) for f in findings
             if f.key.kind == "share" and len(classes[f.key.attribute]) == 1}  # fmt: skip
    return {
        f.id for f in findings
        if (f.section != "representation" or f.arm == BASELINE)
        and not (f.key.kind == "distance" and (f.key.attribute, f.key.detail) in twice)
    }  # fmt: skip


def test_the_example_is_its_findings() -> None:
    """The report of a real run: every estimate, interval, n and p is in findings.json, rounded."""
    findings = from_json((EXAMPLE / "findings.json").read_text("utf-8"))
    made = sources.check((EXAMPLE / "report.html").read_text("utf-8"), findings)
    clean(made)
    assert made.numbers > 1000
    assert all(i.endswith("/verdict") for i in due(findings) - made.findings)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_a_page_is_its_findings(seed: int) -> None:
    """Other runs, other numbers: every finding is shown, and nothing else is."""
    one = evidence(Size(subjects=("nurse", "cook", "judge"), seeds=4 + seed, captions=8, seed=seed))
    made = sources.check(page.page(one), one.findings)
    clean(made)
    assert made.findings == due(one.findings)


def test_a_comparison_is_its_findings(tmp_path: Path) -> None:
    """A, B and their change, from two runs with planted shares."""
    first = comparing.read(write(tmp_path / "a", Plan(seed=3)), "A")
    other = Plan("two", {"nurse": 0.3, "cook": 0.5}, seed=4)
    second = comparing.read(write(tmp_path / "b", other), "B")
    found = comparing.compare(first, second)
    runs = ({"suite": "small"}, {"suite": "small"})
    text = compare.page(compare.Pair(("one", "two"), runs, found.findings, found.notes, 0.1))
    made = sources.check(text, found.findings)
    clean(made)
    assert made.findings == {f.id for f in found.findings}


@pytest.mark.parametrize("seed", range(4))
def test_a_number_that_was_altered_is_seen(seed: int) -> None:
    """One digit changed in a cell, or a finding that lost its numbers: the check says which."""
    one = evidence(Size(subjects=("nurse", "cook"), seeds=4, captions=4))
    text, chance = page.page(one), random.Random(seed)
    cells = list(re.finditer(r'<td class="(?:n|i|n est)"[^>]*>[^<]*?(\d)[^<]*</td>', text))
    rows = ((m, text[text.rfind("<tr>", 0, m.start()) : text.find("</tr>", m.start())])
            for m in cells)  # fmt: skip
    spot = chance.choice([m.start(1) for m, row in rows if "data-finding" in row])
    digit = str((int(text[spot]) + chance.randint(2, 7)) % 10)
    assert sources.check(text[:spot] + digit + text[spot + 1 :], one.findings).faults
    victim = chance.choice([f for f in one.findings if f.n and f.id in due([f])])
    other = [replace(f, n=f.n + 3) if f is victim else f for f in one.findings]
    faults = sources.check(text, other).faults
    assert faults
    assert all(victim.id in f for f in faults)
