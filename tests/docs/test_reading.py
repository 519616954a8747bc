"""The reading test: 24 questions of five roles, at least half of them for the first screen."""

from __future__ import annotations

from audit.keys import id_of
from audit.records import from_json
from docs.making import reading


def test_questions_are_those_of_five_roles() -> None:
    """None is asked twice, and at least twelve are for the first screen."""
    assert len({q.asks for q in reading.QUESTIONS}) == 24
    assert len({q.role for q in reading.QUESTIONS}) == 5
    assert sum(q.first for q in reading.QUESTIONS) >= 12


def test_answers_come_from_the_example() -> None:
    """Every finding that an answer needs is in the committed example, if it has the kind at all."""
    found = {id_of(f.key): f for f in from_json(reading.EXAMPLE.read_text("utf-8"))}
    kinds = {f.key.kind for f in found.values()}
    missing = {i for i in reading.FINDINGS.values() if i not in found}
    assert all(i.endswith("-needed") and "needed" not in kinds for i in missing)
    known = reading.values(found | {i: next(iter(found.values())) for i in missing})
    assert all(reading.answer(q, known) for q in reading.QUESTIONS)
