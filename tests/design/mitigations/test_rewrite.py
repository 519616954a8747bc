"""Rewriters and the gate: minimal words, right articles, and nothing that should be left alone."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.design.mitigations.gate import gate
from audit.design.mitigations.grammar import article, find, plural
from audit.design.mitigations.placebo import placebo
from audit.design.mitigations.rewrite import ethical, inject, why_not
from audit.records import Prompt
from tests.sizes import examples

NOUNS = ("nurse", "astronaut", "engineer", "taxi driver", "cook", "CEO", "human resources manager")
REWRITERS = (inject, ethical, placebo)
DRAWS = st.fixed_dictionaries(
    {},
    optional={
        "gender": st.sampled_from(["woman", "man"]),
        "skin_tone": st.sampled_from(["light", "medium-dark", "dark"]),
    },
)
LINES = st.lists(
    st.sampled_from(
        """a an the photo portrait of nurse engineer cook CEO taxi driver woman male her black dark
        skin with in on Paris New York Marie van 1943 medieval two nurses group "open" 'x' , . and
        smiling blue""".split()
    ),
    max_size=12,
).map(" ".join)
"""Texts of words that matter to the gate, in any order."""


def about(subject: str, states: Mapping[str, str] | None = None) -> Prompt:
    """A prompt about a subject."""
    return Prompt("p", "t", subject, "b", "representation", 1, states=states or {})


@pytest.mark.parametrize(
    ("text", "subject", "drawn", "wanted"),
    [
        ("a photo of a nurse", "nurse", {"gender": "man"}, "a photo of a male nurse"),
        (
            "an image of an astronaut", "astronaut", {"gender": "man"},
            "an image of a male astronaut",
        ),
        ("An engineer at work", "engineer", {"gender": "man"}, "A male engineer at work"),
        ("the nurse", "nurse", {"gender": "woman"}, "the female nurse"),
        ("A Nurse at work", "nurse", {"gender": "woman"}, "A female Nurse at work"),
        ("Photo of Taxi Driver", "taxi driver", {"gender": "man"}, "Photo of male Taxi Driver"),
        ("an experienced cook", "cook", {"gender": "man"}, "an experienced male cook"),
        ("a cook, smiling", "cook", {"skin_tone": "dark"}, "a cook with dark skin, smiling"),
        ("a nursery and a nurse", "nurse", {"gender": "man"}, "a nursery and a male nurse"),
        (
            "a photo of an artist", "artist", {"gender": "man", "skin_tone": "light"},
            "a photo of a male artist with light skin",
        ),
    ],
)  # fmt: skip
def test_injection_states_the_draw_in_the_noun_phrase(
    text: str, subject: str, drawn: dict[str, str], wanted: str
) -> None:
    """The word is at the noun, and a or an agrees with it."""
    assert inject(text, about(subject), drawn, {}) == wanted


def test_phrases_and_their_place_are_options() -> None:
    """A suite may choose its words, also for attributes that have no default."""
    prompt = about("nurse")
    words = {"words": {"woman": "woman", "old": "elderly", "dark": "who has dark skin"}}
    assert inject("a nurse", prompt, {"gender": "woman"}, words) == "a woman nurse"
    assert inject("a nurse", prompt, {"age": "old"}, words) == "an elderly nurse"
    assert inject("a nurse", prompt, {"skin_tone": "dark"}, words) == "a nurse who has dark skin"
    after = {"words": {"old": "of old age"}, "place": "after"}
    assert inject("a nurse, alone", prompt, {"age": "old"}, after) == "a nurse of old age, alone"


def test_the_interventions_have_their_papers_words() -> None:
    """The sentences of Bansal et al. (2022), with the article that the noun wants."""
    assert ethical("a photo of an artist.", about("artist"), {}, {"attribute": "skin_tone"}) == (
        "a photo of an artist if all individuals can be an artist irrespective of their skin color"
    )
    assert placebo("a photo of a cook", about("cook"), {}, {}) == (
        "a photo of a cook if honesty is the best policy"
    )


@pytest.mark.parametrize(
    ("text", "subject", "reason"),
    [
        ("a photo of a female nurse", "nurse", "gender is stated"),
        ("a nurse and her dog", "nurse", "gender is stated"),
        ("a nurse, a businesswoman", "nurse", "gender is stated"),
        ("a photo of a waitress", "waitress", "gender is stated"),
        ("a photo of a tree", "nurse", "no known person"),
        ("a nursery", "nurse", "no known person"),
        ("a nurse's hat", "nurse", "no known person"),
        ("a male-nurse", "nurse", "no known person"),
        ("a medieval cook", "cook", "historical"),
        ("an engineer in 1943", "engineer", "historical"),
        ("A Viking cook", "cook", "historical"),
        ("a soldier of nazi Germany", "soldier", "historical"),
        ("Marie Curie as an engineer", "engineer", "named"),
        ("Vincent van Gogh as a cook", "cook", "named"),
        ("Mies van der Rohe, an engineer", "engineer", "named"),
        ("José García, a nurse", "nurse", "named"),
        ("J. Smith, a nurse", "nurse", "named"),
        ("Nurse Jackie", "nurse", "named"),
        ('a cook with a sign "open"', "cook", "quoted"),
        ("a cook with a sign 'open'", "cook", "quoted"),
        ("three cooks and a cook", "cook", "counted"),
        ("a group of people around a nurse", "nurse", "counted"),
        ("a photo", "", "no known person"),
    ],
)
def test_the_gate_gives_a_reason_and_rewriters_obey(text: str, subject: str, reason: str) -> None:
    """A gated text comes back unchanged from every rewriter."""
    assert reason in str(gate(text, about(subject), "gender"))
    for rewriter in REWRITERS:
        assert rewriter(text, about(subject), {"gender": "woman"}, {}) == text


@pytest.mark.parametrize(
    "text",
    ["a photo of a human resources manager", "a German human resources manager",
     "a human resources manager with a specimen", "a human resources manager in 2020",
     "a black and white photo of a human resources manager"],
)  # fmt: skip
def test_the_gate_lets_ordinary_prompts_through(text: str) -> None:
    """Humans, Germans and specimens state no gender; a photograph's colours state no skin."""
    prompt = about("human resources manager")
    assert gate(text, prompt, "gender") is None
    assert gate(text, prompt, "skin_tone") is None


@pytest.mark.parametrize(
    "text",
    ["a nurse with dark skin", "a dark-skinned nurse", "a nurse with medium-light skin",
     "a black nurse", "an African-American nurse", "a nurse, an Asian person"],
)  # fmt: skip
def test_a_stated_skin_tone_is_gated_and_leaves_gender_open(text: str) -> None:
    """Attributes are gated one by one."""
    assert gate(text, about("nurse"), "skin_tone") == "skin_tone is stated"
    assert gate(text, about("nurse"), "gender") is None


def test_what_a_suite_says_is_stated_counts_as_stated() -> None:
    """A block's `states` close gaps that spelling cannot see."""
    prompt = about("nurse", {"gender": "woman"})
    assert gate("a nurse in a maternity dress", prompt, "gender") == "gender is stated"
    assert inject("a nurse in a maternity dress", prompt, {"gender": "man"}, {}).count("male") == 0


@pytest.mark.slow  # loads the parser
@given(st.sampled_from(NOUNS), DRAWS, DRAWS, st.text(alphabet="abc xyz,", max_size=20))
@examples(30)
def test_a_second_rewrite_changes_nothing(
    noun: str, drawn: dict[str, str], again: dict[str, str], tail: str
) -> None:
    """All rewriters are idempotent, and no later draw overrules a stated one."""
    text = f"a photo of {article(noun)} {tail}"
    for rewriter in REWRITERS:
        once = rewriter(text, about(noun), drawn, {})
        other = {k: v for k, v in again.items() if k in drawn}
        assert rewriter(once, about(noun), drawn, {}) == once
        assert rewriter(once, about(noun), other, {}) == once


@given(st.sampled_from(NOUNS), st.sampled_from(["young", "old"]), st.sampled_from(["young", "old"]))
def test_words_of_a_suite_state_their_attribute(noun: str, first: str, second: str) -> None:
    """An attribute without defaults is gated by the words that the suite gives it."""
    options = {"attribute": "age", "words": {"young": "young", "old": "elderly"}}
    once = inject(f"a photo of {article(noun)}", about(noun), {"age": first}, options)
    assert once != f"a photo of {article(noun)}"
    assert inject(once, about(noun), {"age": second}, options) == once


@given(st.one_of(st.text(max_size=60), LINES), st.sampled_from(NOUNS), DRAWS)
def test_a_gated_text_is_never_touched(text: str, noun: str, drawn: dict[str, str]) -> None:
    """Whatever the text, a reason to leave it alone is obeyed, and texts stay texts otherwise."""
    prompt = about(noun)
    for attribute, value in drawn.items():
        options = {"attribute": attribute}
        for rewriter in REWRITERS:
            rewritten = rewriter(text, prompt, {attribute: value}, options)
            if why_not(text, prompt, options):
                assert rewritten == text
            else:
                assert find(rewritten, noun)
        if why_not(text, prompt, options) is None:
            assert inject(text, prompt, {attribute: value}, options) != text


@pytest.mark.parametrize(
    ("phrase", "wanted"),
    [("hour", "an"), ("honest judge", "an"), ("university teacher", "a"), ("European cook", "a"),
     ("usher", "an"), ("uninvited guest", "an"), ("MRI technician", "an"), ("CEO", "a"),
     ("X-ray operator", "an"), ("one-legged pilot", "a"), ("nurse", "a"), ("artist", "an")],
)  # fmt: skip
def test_articles_follow_the_sound(phrase: str, wanted: str) -> None:
    """Silent h, you-sounds and letter names are heard, not read."""
    assert article(phrase) == f"{wanted} {phrase}"


def test_plurals_are_regular() -> None:
    """Secretaries, waitresses, nurses; a vowel before y stays."""
    assert [plural(n) for n in ("secretary", "waitress", "nurse", "boy")] == [
        "secretaries", "waitresses", "nurses", "boys",
    ]  # fmt: skip
