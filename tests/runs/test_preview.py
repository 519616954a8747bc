"""Mitigations by name: what they parse to, where they go, and what they make of one prompt."""

from __future__ import annotations

import doctest
import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from audit import registry
from audit.cli.main import app
from audit.design import suites
from audit.design.mitigations.methods import METHODS, STACK, family
from audit.errors import UserError
from audit.runs import preview
from audit.runs.preview import parse, rewrite, with_arms


def test_the_examples_of_the_documentation() -> None:
    """They run, and give what they say."""
    assert doctest.testmod(preview).failed == 0
    assert doctest.testmod(preview).attempted >= 3


def test_every_method_has_a_name_a_first_option_and_a_function() -> None:
    """Nothing is parsed that cannot be run."""
    firsts = {name: row.first_option for name, row in METHODS.items() if row.first_option}
    assert set(METHODS) == {*firsts, STACK} == set(registry.MITIGATIONS)
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
def test_what_is_no_mitigation(spec: str, words: str) -> None:
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


def test_quotas_are_met_and_drawn_alike_every_time() -> None:
    """Ten images of a nurse: five of each; the same again, whoever asks."""
    rows = rewrite("a photo of a nurse", "inject:gender", images=10)
    assert Counter(r.drawn["gender"] for r in rows) == {"woman": 5, "man": 5}
    assert rows == rewrite("a photo of a nurse", "inject:gender", images=10)
    assert {r.text for r in rows} == {"a photo of a male nurse", "a photo of a female nurse"}


def test_each_image_has_its_own_negative_prompt() -> None:
    """Half stay away from men and half from women, of the same text; the draws say which."""
    rows = rewrite("a photo of a nurse", "negative:attribute=gender", images=6)
    assert {r.text for r in rows} == {"a photo of a nurse"}
    words = {"woman": "male, man", "man": "female, woman"}
    assert all(r.engine == {"negative": words[r.drawn["gender"]]} and r.changed for r in rows)
    assert Counter(r.drawn["gender"] for r in rows) == {"woman": 3, "man": 3}
    assert rows[0].target == {"woman": 0.5, "man": 0.5}


GATED = ("Marie Curie, a scientist", "a female judge", "a 1920s pilot", "3 nurses")
SPOKEN = ("inject:gender", "ethical:gender", "placebo:gender", "neutral",
          "negative:attribute=gender", "placebo:gender,length=3")  # fmt: skip


@given(st.sampled_from(GATED), st.sampled_from(SPOKEN))
def test_gated_prompts_stay_and_the_reason_is_given(text: str, spec: str) -> None:
    """Names, history, stated genders and counted groups."""
    (row,) = rewrite(f"a photo of {text}", spec)
    assert not row.changed
    assert row.reason


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


def test_a_stack_explains_its_parts() -> None:
    """What each part was given, drew and made; a part that the gate stops says why."""
    spec = "inject:gender+inject:skin_tone,target=uniform+repeat-words:2+noise:0.5"
    rows = rewrite("a photo of a nurse", spec, images=10, suite="world_full")
    alone = rewrite("a photo of a nurse", "inject:gender", images=10, suite="world_full")
    for row, one in zip(rows, alone, strict=True):
        first, second, third, last = row.parts
        assert (first.original, first.text, first.drawn) == (one.original, one.text, one.drawn)
        assert second.original == first.text
        assert second.text == f"{first.text} with {second.drawn['skin_tone']} skin"
        assert len(third.text.split()) == len(second.text.split()) + 2
        assert row.text == last.text == third.text
        assert row.drawn == {**first.drawn, **second.drawn}
        assert row.engine == last.engine == {"inside": "noise", "options": {"level": 0.5}}
        assert not third.engine
        assert not last.drawn
    (row,) = rewrite("a nurse with dark skin", spec, suite="world_full")
    assert [p.reason for p in row.parts] == ["", "skin_tone is stated", "", ""]
    assert list(row.drawn) == ["gender"]
    (row,) = rewrite("a nurse in 1850", "inject:gender+inject:skin_tone", suite="world_full")
    assert not row.changed
    assert row.reason == "historical or period term"


def test_a_stack_goes_where_any_part_is_for_and_none_is_lost() -> None:
    """Injection with noise reaches captions too; two injections stay with people."""
    suite = with_arms(suites.read_suite("world"), ["inject:gender+noise", "noise+add-words",
                      "inject:gender+inject:skin_tone"])  # fmt: skip
    every = {p.block for p in suite.prompts}
    people = {p.block for p in suite.prompts if p.purpose == "representation"}
    assert [set(m.blocks) for m in suite.mitigations] == [every, every, people]
    assert all(part.blocks == m.blocks for m in suite.mitigations for part in m.parts)


def test_the_verb_prints_texts_and_explains_on_the_side() -> None:
    """Texts on stdout, one a line; reasons on stderr; everything as JSON where asked."""
    runner = CliRunner()
    given = ["rewrite", "a photo of a judge", "-t", "inject:gender", "-t", "guidance:6", "-n", "2"]
    done = runner.invoke(app, [*given, "--explain"])
    assert done.exit_code == 0
    assert done.stdout.splitlines()[2:] == ["a photo of a judge"] * 2
    assert "drawn gender" in done.stderr
    assert "guidance 6" in done.stderr
    body = json.loads(runner.invoke(app, [*given, "--json"]).stdout)
    assert [r["mitigation"] for r in body] == ["inject-gender"] * 2 + ["guidance-6"] * 2
