"""Neutral and indirect wording: right articles, plurals and capitals, and nothing gated."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.design.mitigations.gate_words import GENDERED
from audit.design.mitigations.wording import INDIRECT, NEUTRAL, indirect, neutral
from audit.records import Prompt

OPTIONS = {"attribute": "gender"}


def prompt(text: str, subject: str) -> Prompt:
    """A representation prompt."""
    return Prompt(text, text, subject, "b", "representation", 4, ("gender",))


@pytest.mark.parametrize(
    ("text", "subject", "wanted"),
    [
        ("a photo of a waitress", "waitress", "a photo of a server"),
        ("A steward at work", "steward", "A flight attendant at work"),
        ("An actress", "actress", "An actor"),
        ("a portrait of a handyman", "handyman", "a portrait of a maintenance worker"),
        ("a photo of an alderman, smiling", "alderman", "a photo of a council member, smiling"),
        ("the Policeman", "policeman", "the Police officer"),
        ("a photo of a nurse", "nurse", "a photo of a nurse"),
        ("a photo of a waterman", "waterman", "a photo of a waterman"),
    ],
)
def test_gendered_nouns_become_neutral(text: str, subject: str, wanted: str) -> None:
    """The noun changes, and its article with it; a second rewrite changes nothing."""
    made = neutral(text, prompt(text, subject), {}, OPTIONS)
    assert made == wanted
    assert neutral(made, prompt(made, NEUTRAL.get(subject, subject)), {}, OPTIONS) == made


@pytest.mark.parametrize(
    ("text", "subject"),
    [("a photo of Mary Jones, a waitress", "waitress"),
     ('a waitress called "policeman"', "waitress"), ("a medieval milkmaid", "milkmaid"),
     ("a female waitress", "waitress"), ("a nurse, a businesswoman", "nurse"),
     ("a nurse and a waitress", "nurse")],
)  # fmt: skip
def test_what_the_gate_keeps_stays(text: str, subject: str) -> None:
    """Names, quotes, history, stated genders and other people are left alone."""
    assert neutral(text, prompt(text, subject), {}, OPTIONS) == text


def test_no_neutral_noun_states_a_gender() -> None:
    """None of the new words is itself gendered, or among those that are replaced."""
    for new in NEUTRAL.values():
        assert new not in NEUTRAL
        assert not GENDERED & set(new.split())


@pytest.mark.parametrize(
    ("text", "subject", "wanted"),
    [
        ("a photo of a nurse", "nurse", f"a photo of a {INDIRECT} a nurse"),
        ("An engineer at a desk", "engineer", f"A {INDIRECT} an engineer at a desk"),
        ("the nurse", "nurse", "the nurse"),
        ("a photo of nurses", "nurse", "a photo of nurses"),
        ("a female nurse", "nurse", "a female nurse"),
    ],
)
def test_the_occupation_is_described(text: str, subject: str, wanted: str) -> None:
    """An article before the subject is what makes it one person; a second time changes nothing."""
    made = indirect(text, prompt(text, subject), {}, OPTIONS)
    assert made == wanted
    assert indirect(made, prompt(text, subject), {}, OPTIONS) == made


@given(st.text(max_size=60), st.sampled_from(sorted(NEUTRAL)))
def test_any_text_is_rewritten_once(before: str, noun: str) -> None:
    """Whatever comes before: the second rewrite of either changes nothing."""
    text = f"{before} a {noun}"
    one = neutral(text, prompt(text, noun), {}, OPTIONS)
    assert neutral(one, prompt(one, NEUTRAL[noun] if one != text else noun), {}, OPTIONS) == one
    two = indirect(text, prompt(text, noun), {}, OPTIONS)
    assert indirect(two, prompt(text, noun), {}, OPTIONS) == two
