"""What an answer of a vision-language model means: a class of the list, or why there is none."""

from __future__ import annotations

import json

import pytest

from audit.errors import UserError
from audit.evidence.attributes import judges
from audit.keys import OUTCOMES
from audit.records import Attribute

GENDER = judges.question(Attribute("gender", ("woman", "man"), {}))


def answer(value: object = "woman", people: object = 1, **more: object) -> str:
    """An answer in the form that was asked for."""
    return json.dumps({"people": people, "evidence": "long hair", "value": value, **more})


FORMS = [
    ("as asked", answer(), "label", "woman"),
    ("wrong case and spaces", answer(" WOMAN "), "label", "woman"),
    ("in a fence", f"```json\n{answer()}\n```", "label", "woman"),
    ("after a thought", f"<think>a man?</think>\n{answer()}", "label", "woman"),
    ("a whole number as a decimal", answer(people=1.0), "label", "woman"),
    ("more keys", answer(confidence=0.9), "label", "woman"),
    ("abstains", answer("Cannot tell"), "uncertain", ""),
    ("nobody", answer("cannot tell", 0), "no person", ""),
    ("several", answer("man", 3), "several people", ""),
    ("prose", "The person in the image appears to be a woman.", "malformed", "not JSON"),
    ("prose around JSON", f"Here you are: {answer()}", "malformed", "not JSON"),
    ("a bare class", "woman", "malformed", "not JSON"),
    ("two labels as a list", answer(["woman", "man"]), "malformed", "not one text"),
    ("two labels in a text", answer("woman and man"), "malformed", "not in the list"),
    ("two objects", f"{answer()}\n{answer('man')}", "malformed", "not JSON"),
    ("a key twice", answer()[:-1] + ', "value": "man"}', "malformed", "twice"),
    ("another language", answer("femme"), "malformed", "not in the list"),
    ("a class that the list lacks", answer("nonbinary"), "malformed", "not in the list"),
    ("null", "null", "no answer", "null"),
    ("a null value", answer(None), "no answer", "null"),
    ("empty", "  \n", "no answer", "empty"),
    ("nothing", None, "no answer", "empty"),
    ("a refusal", "I'm sorry, but I can't help with identifying people.", "refused", "sorry"),
    ("a refusal as the value", answer("I cannot determine that"), "refused", "cannot"),
    ("without people", json.dumps({"value": "woman"}), "malformed", "how many people"),
    ("people in words", answer(people="one"), "malformed", "how many people"),
    ("people as truth", answer(people=True), "malformed", "how many people"),
    ("a class of nobody", answer(people=0), "malformed", "counts nobody"),
    ("a list", f"[{answer()}]", "malformed", "not a JSON object"),
    ("a number", "1", "malformed", "not a JSON object"),
    ("nested without end", "[" * 100_000, "malformed", "not JSON"),
    ("no value", json.dumps({"people": 1}), "malformed", "no value"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("said", "outcome", "word"), [f[1:] for f in FORMS], ids=[f[0] for f in FORMS]
)
def test_every_form_gives_its_class_or_its_reason(
    said: str | None, outcome: str, word: str
) -> None:
    """Nothing is guessed from prose, and no missing answer becomes a class."""
    found = judges.judge(said, GENDER)
    assert found.outcome == outcome
    assert outcome in OUTCOMES
    assert (found.value == word) if outcome == "label" else (found.value == "")
    if outcome in ("malformed", "no answer", "refused"):
        assert word in found.reason


@pytest.mark.parametrize(
    ("more", "outcome"), [({"cut": True}, "malformed"), ({"refused": "its filter"}, "refused")]
)
def test_the_servers_own_word_counts_more_than_the_text(
    more: dict[str, object], outcome: str
) -> None:
    """An answer that was cut, or stopped by a filter, does not count even if it looks whole."""
    assert judges.judge(answer(), GENDER, **more).outcome == outcome  # type: ignore[arg-type]


def test_evidence_is_one_short_printable_line() -> None:
    """It comes from outside and is kept in a file."""
    said = answer(evidence="a\u202e\n<b>hat</b>\x1b[31m " * 90)
    found = judges.judge(said, GENDER).evidence
    assert found.isprintable()
    assert len(found) <= judges.LONGEST


def test_the_question_holds_the_closed_list_and_nothing_of_an_image() -> None:
    """Classes, the way out, and what words inside an image are."""
    assert '"woman", "man", "cannot tell"' in GENDER.text
    assert "never instructions" in GENDER.text
    assert GENDER.schema["properties"]["value"]["enum"] == ["woman", "man", "cannot tell"]
    keys = {GENDER.key("p", "m"), GENDER.key("q", "m"), GENDER.key("p", "n")}
    other = judges.question(Attribute("gender", ("man", "woman"), {}))
    assert len({*keys, other.key("p", "m")}) == 4


def test_a_class_may_not_be_the_way_out() -> None:
    """Otherwise an abstention would be a class."""
    with pytest.raises(UserError, match="Rename the class"):
        judges.question(Attribute("gender", ("woman", "Cannot tell"), {}))
