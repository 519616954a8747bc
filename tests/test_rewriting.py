"""Mitigations by name: what they parse to, where they go, and what they make of one prompt."""

from __future__ import annotations

import doctest
import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from audit import registry, rewriting, suites
from audit.cli import app
from audit.errors import UserError
from audit.mitigate.methods import AGAINST_COPIES, METHODS
from audit.rewriting import parse, rewrite, with_arms


def test_the_examples_of_the_documentation() -> None:
    """They run, and give what they say."""
    assert doctest.testmod(rewriting).failed == 0
    assert doctest.testmod(rewriting).attempted >= 3


def test_every_method_has_a_name_a_first_option_and_a_function() -> None:
    """Nothing is parsed that cannot be run."""
    assert set(METHODS) == set(rewriting.FIRST) <= set(registry.MITIGATIONS)
    for name, first in rewriting.FIRST.items():
        assert first in METHODS[name].model_fields
    assert set(METHODS) >= AGAINST_COPIES


@pytest.mark.parametrize(
    ("spec", "method", "options"),
    [
        ("inject:gender", "inject", {"attribute": "gender"}),
        ("inject:gender,target=labour", "inject", {"attribute": "gender", "target": "labour"}),
        ("guidance:6.5", "guidance", {"scale": 6.5}),
        ("fair-guidance:gender", "fair-guidance", {"attribute": "gender"}),
        ("paraphrase:2,steps=4", "paraphrase", {"count": 2, "steps": 4}),
        ("negative:a man, a boy", "negative", {"text": "a man, a boy"}),
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
     ("noise:-1", "level"), ("inject:gender,aim=x", "aim"), ("mine.mod:thing", "Unknown")],
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


def test_quotas_are_met_and_drawn_alike_every_time() -> None:
    """Ten images of a nurse: five of each; the same again, whoever asks."""
    rows = rewrite("a photo of a nurse", "inject:gender", images=10)
    assert Counter(r.drawn["gender"] for r in rows) == {"woman": 5, "man": 5}
    assert rows == rewrite("a photo of a nurse", "inject:gender", images=10)
    assert {r.text for r in rows} == {"a photo of a male nurse", "a photo of a female nurse"}


GATED = ("Marie Curie, a scientist", "a female judge", "a 1920s pilot", "3 nurses")
SPOKEN = ("inject:gender", "ethical:gender", "placebo:gender", "neutral")


@given(st.sampled_from(GATED), st.sampled_from(SPOKEN))
def test_gated_prompts_stay_and_the_reason_is_given(text: str, spec: str) -> None:
    """Names, history, stated genders and counted groups."""
    (row,) = rewrite(f"a photo of {text}", spec)
    assert not row.changed
    assert row.reason


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
