"""Mitigations as typed: what they parse to, and the blocks that they go to."""

from __future__ import annotations

import doctest

import pytest

from audit import registry
from audit.design import suites
from audit.design.mitigations import specs
from audit.design.mitigations.methods import METHODS, STACK, family
from audit.design.mitigations.specs import parse, with_arms
from audit.errors import UserError


def test_the_examples_of_the_documentation() -> None:
    """They run, and give what they say."""
    assert doctest.testmod(specs).failed == 0
    assert doctest.testmod(specs).attempted >= 1


def test_every_method_has_a_name_a_first_option_and_a_function() -> None:
    """Nothing is parsed that cannot be run."""
    firsts = {name: row.first_option for name, row in METHODS.items() if row.first_option}
    assert set(METHODS) == {*firsts, STACK, "personalised"} == set(registry.MITIGATIONS)
    for name, first in firsts.items():
        model = METHODS[name].options
        assert model is not None
        assert first in model.model_fields
    assert set(METHODS) >= set(family("copies"))


@pytest.mark.parametrize(
    ("spec", "method", "options"),
    [
        ("inject:gender", "inject", {"attribute": "gender"}),
        ("inject:gender,target=labour", "inject", {"attribute": "gender", "target": "labour"}),
        ("guidance:6.5", "guidance", {"scale": 6.5}),
        ("fair-guidance:gender", "fair-guidance", {"attribute": "gender"}),
        ("paraphrase:2,steps=4", "paraphrase", {"count": 2, "steps": 4}),
        ("negative:a man, a boy", "negative", {"text": "a man, a boy"}),
        ("negative:attribute", "negative", {"text": "attribute"}),
        (
            "negative:attribute=gender,target=labour",
            "negative",
            {"attribute": "gender", "target": "labour"},
        ),
        ("add-words", "add-words", {}),
        ("token-noise:0.9,probability=0.3", "token-noise", {"width": 0.9, "probability": 0.3}),
        ("neutral", "neutral", {"attribute": "gender"}),
    ],
)
def test_what_a_name_means(spec: str, method: str, options: dict[str, object]) -> None:
    """The value is the method's first option, others follow by name."""
    arm = parse(spec)
    assert (arm.method, dict(arm.options)) == (method, options)


@pytest.mark.parametrize(
    ("spec", "words"),
    [("injct:gender", "Did you mean inject"), ("guidance", "scale"), ("guidance:high", "scale"),
     ("noise:-1", "level"), ("inject:gender,aim=x", "aim"), ("mine.mod:thing", "Unknown"),
     ("negative", "text"),
     ("negative:attribute=gender,text=x", "either `text` or `attribute`")],
)  # fmt: skip
def test_invalid_mitigations_are_refused(spec: str, words: str) -> None:
    """One sentence that names the option or a near name."""
    with pytest.raises(UserError, match=words):
        with_arms(suites.read_suite("occupations"), [spec])


def test_arms_go_to_the_blocks_that_they_are_for() -> None:
    """Rewriters of people to blocks about people, those of copying and of the engine everywhere."""
    suite = with_arms(suites.read_suite("world"), ["inject:gender", "add-words:2", "guidance:6"])
    blocks = {p.block: p.purpose for p in suite.prompts}
    people = {b for b, purpose in blocks.items() if purpose == "representation"}
    inject, words, guidance = suite.mitigations
    assert set(inject.blocks) == people < set(blocks)
    assert set(words.blocks) == set(guidance.blocks) == set(blocks)
    assert len({m.name for m in suite.mitigations}) == 3
    with pytest.raises(UserError, match="twice"):
        with_arms(suite, ["neutral", "neutral"])
    with pytest.raises(UserError, match="no block"):
        with_arms(suites.read_suite("objects"), ["inject:age"])


def test_a_target_may_be_a_number() -> None:
    """That of `optimise-states` is a magnitude, not one of the suite's references."""
    suite = with_arms(suites.read_suite("world"), ["optimise-states:0.01"])
    assert suite.mitigations[0].options == {"target": 0.01}
    with pytest.raises(UserError, match=r"Unknown target '0\.01'"):
        with_arms(suites.read_suite("world"), ["inject:gender,target=0.01"])


@pytest.mark.parametrize(
    ("spec", "methods"),
    [
        ("repeat-words:4+noise:0.5", ["repeat-words", "noise"]),
        (
            "inject:gender + inject:skin_tone,target=uniform+guidance:6",
            ["inject"] * 2 + ["guidance"],
        ),
        ("noise+negative:a man + a boy, noise:1", ["noise", "negative"]),
        ("negative:attribute=gender+noise", ["negative", "noise"]),
    ],
)
def test_a_plus_stacks_and_a_negative_text_ends_a_stack(spec: str, methods: list[str]) -> None:
    """Each part is what it is by itself, with its name; a text may hold what it likes."""
    arm = parse(spec)
    assert [m.method for m in arm.parts] == methods
    assert all(m.options == parse(m.name).options for m in arm.parts if m.name == m.method)
    texts = [m.options["text"] for m in arm.parts if "text" in m.options]
    assert texts == (["a man + a boy, noise:1"] if "a man" in spec else [])


def test_a_stack_goes_where_any_part_is_for_and_none_is_lost() -> None:
    """Injection with noise reaches captions too; two injections stay with people."""
    suite = with_arms(suites.read_suite("world"), ["inject:gender+noise", "noise+add-words",
                      "inject:gender+inject:skin_tone"])  # fmt: skip
    every = {p.block for p in suite.prompts}
    people = {p.block for p in suite.prompts if p.purpose == "representation"}
    assert [set(m.blocks) for m in suite.mitigations] == [every, every, people]
    assert all(part.blocks == m.blocks for m in suite.mitigations for part in m.parts)
