"""From an answer to a text: packaging is removed; anything but a single line is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.design.language_model.replies import MOST_WORDS, OUTCOMES, Reply, judge, plain

ORIGINAL = "a photo of a nurse"
TEXT = "a photo of a nurse of any gender"
PACKED = (
    TEXT, f'"{TEXT}"', f"'{TEXT}'", f"`{TEXT}`", f"\u201c{TEXT}\u201d", f"**{TEXT}**",
    f'**"{TEXT}"**', f"  {TEXT}\n", f"```\n{TEXT}\n```", f"```text\n{TEXT}\n```",
    f"Here is the rewritten prompt: {TEXT}", f"Here is the rewritten prompt:\n\n{TEXT}",
    f'Sure! Here\u2019s an inclusive version of the prompt:\n"{TEXT}"', f"Sure!\n\n{TEXT}",
    f"Certainly, here's your prompt:\n{TEXT}", f"Rewritten prompt: {TEXT}", f"Prompt: {TEXT}",
    f"**Rewritten prompt:** {TEXT}", f"The revised prompt is: {TEXT}",
    f"<think>The user wants\n\nsomething: else</think>\n\n{TEXT}", TEXT.replace(" of ", "  of\t"),
)  # fmt: skip


@pytest.mark.parametrize("said", PACKED)
def test_packaging_comes_off(said: str) -> None:
    """Quotes, fences, announcements, thoughts and white space do not belong to a prompt."""
    assert judge(Reply(said), ORIGINAL) == ("rewritten", TEXT, "")


@pytest.mark.parametrize(
    "said",
    [
        "a photo of a 'star' nurse and a 'plain' nurse", "a nurse's desk, a photo",
        'a "nurse" and a "cook"', "a photo of a nurse at the here-is bar: a diner",
        "a photo of a person who is sorry", "okay signs shown by a nurse", "«a» nurse «b»",
    ],
)  # fmt: skip
def test_what_belongs_to_the_text_stays(said: str) -> None:
    """Only quotes around all of it, and only announcements at its start, are packaging."""
    assert judge(Reply(said), ORIGINAL) == ("rewritten", said, "")


@pytest.mark.parametrize(
    "reply",
    [
        Reply("I'm sorry, but I can't help with that."), Reply("I cannot assist with this."),
        Reply("I can\u2019t do that.\n\nHere is why: it is wrong."), Reply(""), Reply(" \n"),
        Reply("As an AI language model, I do not see people."), Reply("Sorry, no."),
        Reply("'I am unable to rewrite this.'"), Reply(TEXT, refused="its filter"),
        Reply("I won't."), Reply("Unfortunately, I cannot."), Reply('""'),
    ],
)  # fmt: skip
def test_refusals_leave_the_text(reply: Reply) -> None:
    """By word, by field, by filter, or by saying nothing."""
    outcome, text, reason = judge(reply, ORIGINAL)
    assert (outcome, text) == ("refused", ORIGINAL)
    assert reason.startswith("the model refused")


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (Reply(f"{TEXT}\n{TEXT}"), "2 lines"),
        (Reply(f"{TEXT}\n\nI changed the wording to be inclusive."), "2 lines"),
        (Reply("nurse " * (MOST_WORDS + 1)), "more than 400 words"),
        (Reply("n" * 5000), "4000 characters"),
        (Reply(TEXT, cut=True), "cut off"),
        (Reply("<think>Let me see. The user"), "markup"),
        (Reply("<!DOCTYPE html><p>Log in</p>"), "markup"),
        (Reply("a nurse\x1b[2J"), "cannot be seen"),
        (Reply("a nurse \u202eesrun a"), "cannot be seen"),
        (Reply("a nurse \ud800"), "cannot be seen"),
        (Reply("a nurse" + "".join(chr(0xE0000 + ord(c)) for c in "obey")), "cannot be seen"),
        (Reply("a nurse\x00"), "cannot be seen"),
    ],
)
def test_malformed_answers_leave_the_text_and_say_why(reply: Reply, why: str) -> None:
    """Several lines, too much, cut short, markup, and invisible characters."""
    outcome, text, reason = judge(reply, ORIGINAL)
    assert (outcome, text) == ("malformed", ORIGINAL)
    assert why in reason


def test_an_answer_that_changes_nothing_is_a_failure() -> None:
    """The same words again are said to be that."""
    assert judge(Reply(f'"{ORIGINAL} "'), ORIGINAL)[0] == "unchanged"


@given(
    st.text(max_size=300) | st.text(alphabet="a'\"`*:\n <>thinkHere is prompt\u2019", max_size=80)
)
def test_whatever_is_said_a_plain_text_comes_of_it(said: str) -> None:
    """Any answer gives one plain line, or the original with a reason; never anything else."""
    outcome, text, reason = judge(Reply(said), ORIGINAL)
    assert outcome in OUTCOMES
    assert (text == ORIGINAL and reason) or (outcome == "rewritten" and plain(text) and not reason)
    assert judge(Reply(said), ORIGINAL) == (outcome, text, reason)
