"""What holds for every typed prompt: what stays, what repeats, and that reading ends."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import audit
from audit.design.mitigations.others import of_others
from audit.design.mitigations.phrases import Spot, stated
from audit.design.mitigations.syntax import readable

NOUNS = ("nurse", "software engineer", "person", "child", "high school teacher", "taxidermist",
         "firefighter", "ice cream truck driver", "umbrella repairer", "hiker")  # fmt: skip
ADJECTIVES = ("", "young ", "very tired ", "Kenyan ", "{happy|sad} ", "(bored:1.2) ", "[old] ",
              "__mood__ ", "award-winning ")  # fmt: skip
BEFORE = ("", "a photo of ", "RAW photo, ", "<lora:film:0.6> ", "(best quality:1.3), ",
          "In the rain, ", "masterpiece, BREAK ")  # fmt: skip
AFTER = ("", " in a hall", ", 35mm, f/1.4", " --ar 16:9 --no queen", " <lora:kings:0.4>",
         ". Negative prompt: blurry, a man", ' under a sign "open late"', " in {fog|rain}",
         " [day:night:0.4]", "::2 street::1", " with a café crème ☕", " at 5 o'clock")  # fmt: skip
ARMS = ("inject:gender", "inject:skin_tone", "ethical:gender", "indirect", "neutral")
phrases = st.tuples(st.sampled_from(ADJECTIVES), st.sampled_from(NOUNS))
frames = st.tuples(st.sampled_from(BEFORE), phrases, st.sampled_from(AFTER))


def suite(arm: str) -> str:
    """A suite that has the arm's attribute."""
    return "world_full" if "skin" in arm else "occupations"


def check(frame: tuple[str, tuple[str, str], str], arm: str, seed: int) -> None:
    """What is outside of the phrase stays byte for byte, as does syntax; twice is as once."""
    before, (adjective, noun), after = frame
    prompt = f"{before}a {adjective}{noun}{after}"
    (row,) = audit.rewrite(prompt, arm, seed=seed, suite=suite(arm))
    (again,) = audit.rewrite(prompt, arm, seed=seed, suite=suite(arm))
    (twice,) = audit.rewrite(row.text, arm, seed=seed, suite=suite(arm))
    assert row.text == again.text == twice.text
    assert row.changed or row.reason or arm in ("neutral", "indirect")
    at = 0
    for start, end in readable(prompt).kept:
        found = row.text.find(prompt[start:end].strip(), at)
        assert found >= 0, (prompt, row.text)
        at = found
    assert row.text.startswith(before)
    if not arm.startswith("ethical"):
        assert row.text.endswith(after)
    assert arm != "inject:gender" or row.changed, row


@pytest.mark.slow
@given(frames, st.sampled_from(ARMS), st.integers(0, 9))
@settings(deadline=None, max_examples=12)
def test_what_is_outside_of_the_phrase_stays(frame, arm: str, seed: int) -> None:
    """A few prompts of each form."""
    check(frame, arm, seed)


@pytest.mark.nightly
@given(frames, st.sampled_from(ARMS), st.integers(0, 9))
@settings(deadline=None, max_examples=1500)
def test_what_is_outside_of_the_phrase_stays_in_all_forms(frame, arm: str, seed: int) -> None:
    """Many prompts of each form."""
    check(frame, arm, seed)


@pytest.mark.nightly
@given(st.text(min_size=1, max_size=15), st.sampled_from(ARMS))
@settings(deadline=None, max_examples=40)
def test_ten_thousand_characters_are_answered(chunk: str, arm: str) -> None:
    """Of any Unicode, repeated, in at most twenty seconds of the processor, and once as twice."""
    prompt = (chunk * (10_000 // len(chunk) + 1))[:9_980] + " a nurse at work"
    began = time.process_time()
    (row,) = audit.rewrite(prompt, arm, suite=suite(arm))
    assert time.process_time() - began < 20
    assert audit.rewrite(row.text, arm, suite=suite(arm))[0].text == row.text


@given(st.text(max_size=60), st.sampled_from(("a ", "An ", "the ", "")), st.text(max_size=60))
def test_only_the_article_and_the_phrase_change(before: str, article: str, after: str) -> None:
    """What is written into a noun phrase leaves the text before its article and after its noun."""
    before = f"{before.rstrip()}, " if before.strip() else ""
    text = f"{before}{article}engineer, {after}"
    start = len(before) + len(article)
    for words, place in (("female", "before"), ("male", "before"), ("with dark skin", "after")):
        new = stated(text, Spot(start, (start, start + 8), True), words, place, "gender")
        assert new.startswith(before)
        assert new.endswith(f", {after}")
        assert words in new.lower()


@given(st.text(max_size=80), st.integers(0, 80))
def test_what_is_said_of_others_keeps_its_place(text: str, end: int) -> None:
    """Blanked words leave all others where they are."""
    said = f"{text} with a male Labrador and men's shirts"
    new = of_others(said, min(end, len(text)))
    assert len(new) == len(said)
    assert all(a in (b, " ") for a, b in zip(new, said, strict=True))
    assert new[: min(end, len(text))] == said[: min(end, len(text))]
    assert "Labrador" not in new
    assert "shirts" not in new


CHOICES = (
    ("a {happy|sad} clown", "a happy clown"), ("a {tall|short} nurse", "a tall nurse"),
    ("a {male|female} nurse", "a male nurse"), ("a {nurse|doctor} at work", "a , at work"),
    ("a nurse in {fog|rain}", "a nurse in ,"), ("a __mood__ nurse", "a nurse"),
    ("a cyclist [sun:rain:0.5] street", "a cyclist , street"),
)  # fmt: skip


@pytest.mark.parametrize(("prompt", "read"), CHOICES)
def test_a_choice_inside_a_noun_phrase_is_read_as_one_of_its_options(prompt, read) -> None:
    """One that may state a gender is read so, and people to choose from are not read."""
    assert readable(prompt).text.rstrip() == read
