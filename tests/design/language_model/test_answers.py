"""The file of answers: only added to, first answers count, damage costs only damaged lines."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from audit.design.language_model.answers import Answer, Answers
from audit.errors import UserError

ONE = Answer("k1", "m", "a nurse", "", "rewritten", "any nurse", "", "any nurse")
TWO = Answer("k2", "m", "a cook", "", "refused", "a cook", "the model refused", "I cannot.")


def test_answers_come_back_as_they_were_and_the_first_stands(tmp_path: Path) -> None:
    """Two writers on one file see each other; the file only grows."""
    path = tmp_path / "deep" / "llm.jsonl"
    mine, other = Answers(path, Answer), Answers(path, Answer)
    assert mine.get("k1") is None
    assert not path.exists()
    assert mine.put(ONE) == ONE
    before = path.read_bytes()
    assert other.put(replace(ONE, text="another nurse")) == ONE
    assert other.put(TWO) == TWO
    assert mine.get("k2") == TWO
    assert path.read_bytes().startswith(before)
    assert len(path.read_text().splitlines()) == 2


def test_a_torn_last_line_costs_one_answer(tmp_path: Path) -> None:
    """A killed writer's half line is ignored, and the next answer is not glued to it."""
    path = tmp_path / "llm.jsonl"
    Answers(path, Answer).put(ONE)
    whole = path.read_bytes()
    for cut in range(1, len(whole)):
        path.write_bytes(whole + whole[:cut].replace(b"k1", b"k3"))
        torn = Answers(path, Answer)
        assert torn.get("k3") is None
        assert torn.put(TWO) == TWO
        again = Answers(path, Answer)
        assert (again.get("k1"), again.get("k2")) == (ONE, TWO)


@pytest.mark.parametrize(
    "change",
    [
        {"text": "a nurse\x1b[2J"}, {"text": "two\nlines"}, {"text": "w " * 900}, {"text": 7},
        {"outcome": "done"}, {"outcome": "refused"}, {"outcome": "refused", "text": "a nurse",
        "reason": "\x1b[2J"}, {"extra": 1}, {"reason": "both"}, {"text": ""}, {"text": "\ud800"},
    ],
)  # fmt: skip
def test_a_line_that_cannot_be_is_not_believed(tmp_path: Path, change: dict[str, object]) -> None:
    """Files of answers are edited and passed on: a strange line counts as no answer."""
    path = tmp_path / "llm.jsonl"
    path.write_text(json.dumps({**asdict(ONE), **change}) + "\n[1]\nnull\n" + "[" * 9999 + "\n")
    assert Answers(path, Answer).get("k1") is None


def test_a_file_that_cannot_be_read_or_written_is_named(tmp_path: Path) -> None:
    """One sentence with the path; a file of answers that may not be written can still be played."""
    with pytest.raises(UserError, match="cannot be read"):
        Answers(tmp_path, Answer).get("k1")
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="answers=FILE"):
        Answers(tmp_path / "file" / "llm.jsonl", Answer).put(ONE)
