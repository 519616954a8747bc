"""Answers about stated groups: whom neutral images resemble, and how many differences hold."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from audit.findings import shown, triplets
from audit.findings.representation import Context
from audit.keys import NUDITY_COLUMNS
from audit.records import Finding
from audit.report import answers, cards
from tests.builders.groups import suite, table, threes
from tests.report.made import Size, evidence

SMALL = Size(subjects=("nurse", "cook"), seeds=3, captions=12)


def found(shift: float) -> list[Finding]:
    """Men in suits more often by `shift`, and neutral images nearer to women's."""
    asked = suite(40, 4)
    prompts = {p.id: p for p in asked.prompts}
    context = Context(asked.attributes, (), {}, None, 0)
    rows = table(asked, {("man", "suit"): shift})
    nothing = pd.DataFrame(columns=list(NUDITY_COLUMNS))
    alike = triplets.findings(threes(asked, 0.9))
    return [*alike, *shown.findings(rows, nothing, context, prompts)]


@pytest.mark.parametrize("shift", [0.9, 0.0])
def test_differences_between_stated_groups_are_one_card(shift: float) -> None:
    """It counts those that hold of all that were compared, and says one of them."""
    claims = found(shift)
    made = replace(evidence(SMALL), findings=claims)
    chosen = [f for f in answers.answers(made) if f.key.kind == "shown"]
    assert len(chosen) == 1
    (card,) = cards.cards(made, chosen)
    every = [f for f in claims if f.key.kind == "shown"]
    held = [f for f in every if f.verdict in ("above", "below")]
    assert bool(held) == bool(shift)
    assert card.figure == f"{len(held)} of {len(every)}"
    assert (card.finding in held) == bool(held)
    assert ("suit" in card.says or "dress" in card.says or "uniform" in card.says) == bool(held)


def test_whom_neutral_images_resemble_is_one_card() -> None:
    """Over all subjects, next to one half."""
    made = replace(evidence(SMALL), findings=found(0.0))
    chosen = [f for f in answers.answers(made) if f.key.kind == "resembles"]
    assert chosen[0].key.everyone
    card = cards.cards(made, chosen)[0]
    assert "half" in card.says.lower()
    assert "nearer to woman than man" in card.title
