"""Placebos: as many words as the arm that they imitate, in the same place, saying nothing."""

from __future__ import annotations

import doctest
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit import registry
from audit.design import suites
from audit.design.mitigations import arms, gate_words, placebo
from audit.design.mitigations.gate import gate, states
from audit.design.mitigations.specs import paired, parse, with_arms
from audit.errors import UserError
from audit.records import Mitigation, Prompt, Suite
from audit.runs.preview import rewrite
from tests.sizes import examples, sized

OPEN = ("occupations", "traits", "world", "world_full", "world_lab")
"""Suites whose prompts leave people's attributes open."""
SHIPPED = [name for name, _ in suites.list_suites()]
OTHERS = (
    Mitigation("inject", "inject", {"attribute": "gender"}),
    Mitigation("ethical", "ethical", {"attribute": "gender"}),
    Mitigation("indirect", "indirect", {"attribute": "gender"}),
    Mitigation("tone", "inject", {"attribute": "skin_tone"}),
)


def beside(suite: Suite, other: Mitigation) -> tuple[Suite, Mitigation]:
    """The suite with an arm on every block that it is for, and its placebo."""
    asked = other.options["attribute"]
    blocks = tuple({p.block for p in suite.prompts if asked in p.attributes})
    options = {"attribute": other.options["attribute"], "like": other.name}
    both = replace(other, blocks=blocks), Mitigation("p", "placebo", options, blocks)
    return replace(suite, mitigations=both), both[1]


@sized("each", small=5, full=1)
@pytest.mark.parametrize("name", SHIPPED)
def test_placebos_are_as_long_as_their_arms_on_every_shipped_prompt(name: str, each: int) -> None:
    """Word for word as long, and unchanged where the gate keeps the arm away."""
    whole = suites.with_seeds(suites.read_suite(name), 1)
    suite = replace(whole, prompts=whole.prompts[::each])
    changed = 0
    for other in OTHERS:
        both, _ = beside(suite, other)
        one, two = (arms.texts(both, m, registry.rewriters(both)) for m in both.mitigations)
        texts = {p.id: p.text for p in suite.prompts}
        for key, (text, _, _) in two.items():
            said = one[key][0]
            assert len(text.split()) == len(said.split())
            assert (text == texts[key[0]]) == (said == texts[key[0]])
            changed += text != texts[key[0]]
    assert changed > 0 or name not in OPEN


@given(st.integers(1, 60))
def test_a_clause_has_exactly_as_many_words(n: int) -> None:
    """Any length, and nothing in it that the gate would call a statement on a person."""
    said = placebo.clause(n)
    assert len(said.split()) == placebo.count(said) == n
    for attribute in ("gender", "skin_tone", "age"):
        assert not states(f"a photo of a nurse {said}", attribute, "nurse")
    assert not set(re.findall(r"[a-z]+", said)) & gate_words.GENDERED


@pytest.mark.slow  # loads the parser
@given(
    st.sampled_from(["nurse", "astronaut", "taxi driver", "CEO"]),
    st.integers(1, 30), st.sampled_from(["before", "after", "end"]),
    st.text(alphabet="abc xyz,.", max_size=20),
)  # fmt: skip
@examples(30)
def test_a_placebo_adds_what_it_is_told_once(noun: str, n: int, place: str, tail: str) -> None:
    """`length` words more, the noun still there, the gate still open, and never twice."""
    text = f"a photo of a {noun} {tail}"
    prompt = Prompt("p", text, noun, "b", "representation", 1)
    options = {"attribute": "gender", "length": n, "place": place}
    if gate(text, prompt) is not None:
        return
    once = placebo.placebo(text, prompt, {}, options)
    assert placebo.count(once) == placebo.count(text) + n
    assert gate(once, prompt) is None
    assert placebo.placebo(once, prompt, {}, options) == once


def test_one_word_is_where_the_arm_s_word_is() -> None:
    """In the noun phrase for one word; behind the noun, or at the end, for a clause."""
    texts = [
        rewrite("a photo of an artist, smiling", spec, others=["inject:gender", "ethical:gender",
                "inject:skin_tone"], subject="artist", suite="world_full")[0].text
        for spec in ("placebo:gender,like=inject:gender", "placebo:gender,like=ethical:gender",
                     "placebo:skin_tone,like=inject:skin_tone", "placebo:gender")
    ]  # fmt: skip
    assert texts == [
        "a photo of a certain artist, smiling",
        "a photo of an artist, smiling if honesty is the best policy and practice always makes "
        "perfect",
        "a photo of an artist if patience helps, smiling",
        "a photo of an artist, smiling if honesty is the best policy",
    ]


def test_on_the_command_line_a_placebo_goes_with_the_arm_before_it() -> None:
    """The last arm that speaks of the same attribute; none, or a length, leaves it as it is."""
    specs = ["placebo:gender", "inject:gender", "guidance:6", "placebo:gender", "placebo:skin_tone",
             "placebo:gender,length=3"]  # fmt: skip
    likes = [*specs[:3], "placebo:gender,like=inject-gender", *specs[4:]]
    assert paired(specs) == [parse(spec) for spec in likes]
    assert doctest.testmod(placebo).failed == 0
    suite = with_arms(suites.read_suite("world"), specs)
    arm = suite.mitigations[3]
    assert (arm.name, arm.options["like"]) == ("placebo-gender-like-inject-gender", "inject-gender")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ('like = "injct"', "Did you mean inject-gender"),
        ('like = "guidance-6"', "adds no words"),
        ('like = "placebo"', "adds no words"),
        ('like = "inject-gender", length = 2', "either `like`, or `length`"),
        ("length = 0", "length"),
    ],
)
def test_a_placebo_like_nothing_is_refused(options: str, words: str, tmp_path: Path) -> None:
    """One sentence: an unknown arm, one without words, itself, or two lengths."""
    text = (suites.folder() / "world_lab.toml").read_text("utf-8")
    for file in suites.folder().glob("world_*.csv"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    path = tmp_path / "mine.toml"
    path.write_text(text.replace('like = "inject-gender"', options), "utf-8")
    with pytest.raises(UserError, match=words):
        suites.read_suite(str(path))


def test_the_same_placebo_every_time() -> None:
    """Nothing of it is drawn."""
    both, arm = beside(suites.read_suite("world"), OTHERS[0])
    functions = registry.rewriters(both)
    assert arms.texts(both, arm, functions) == arms.texts(both, arm, functions)


def test_a_placebo_is_held_to_the_blocks_of_its_arm() -> None:
    """Where its arm does nothing, a placebo would be held against nothing."""
    suite = suites.read_suite("world")
    both, arm = beside(suite, OTHERS[0])
    one = replace(both.mitigations[0], blocks=("headline",))
    with pytest.raises(UserError, match="leaves block"):
        arms.check(replace(both, mitigations=(one, arm)), arm)
