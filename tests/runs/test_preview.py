"""Mitigations applied to one prompt, in Python and on the command line."""

from __future__ import annotations

import doctest
import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from audit.cli.main import app
from audit.runs import preview
from audit.runs.preview import rewrite


@pytest.mark.slow  # loads the parser
def test_the_examples_of_the_documentation() -> None:
    """They run and give the documented output."""
    assert doctest.testmod(preview).failed == 0
    assert doctest.testmod(preview).attempted >= 3


def test_quotas_are_met_and_drawn_alike_every_time() -> None:
    """Ten images of a nurse: five of each; the same again for any caller."""
    rows = rewrite("a photo of a nurse", "inject:gender", images=10)
    assert Counter(r.drawn["gender"] for r in rows) == {"woman": 5, "man": 5}
    assert rows == rewrite("a photo of a nurse", "inject:gender", images=10)
    assert {r.text for r in rows} == {"a photo of a male nurse", "a photo of a female nurse"}


def test_each_image_has_its_own_negative_prompt() -> None:
    """Half avoid men and half avoid women, with the same text; the draws say which."""
    rows = rewrite("a photo of a nurse", "negative:attribute=gender", images=6)
    assert {r.text for r in rows} == {"a photo of a nurse"}
    words = {"woman": "male, man", "man": "female, woman"}
    assert all(r.engine == {"negative": words[r.drawn["gender"]]} and r.changed for r in rows)
    assert Counter(r.drawn["gender"] for r in rows) == {"woman": 3, "man": 3}
    assert rows[0].target == {"woman": 0.5, "man": 0.5}


GATED = ("Marie Curie, a scientist", "a female judge", "a 1920s pilot", "3 nurses")
SPOKEN = ("inject:gender", "ethical:gender", "placebo:gender", "neutral",
          "negative:attribute=gender", "placebo:gender,length=3")  # fmt: skip


@pytest.mark.slow
@given(st.sampled_from(GATED), st.sampled_from(SPOKEN))
def test_gated_prompts_stay_and_the_reason_is_given(text: str, spec: str) -> None:
    """Names, history, stated genders and counted groups."""
    (row,) = rewrite(f"a photo of {text}", spec)
    assert not row.changed
    assert row.reason


def test_a_stack_explains_its_parts() -> None:
    """Input, draw and output of each part; a part stopped by the gate says why."""
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
    assert [p.reason for p in row.parts] == ["", "skin_tone is stated: with dark skin", "", ""]
    assert list(row.drawn) == ["gender"]
    (row,) = rewrite("a nurse in 1850", "inject:gender+inject:skin_tone", suite="world_full")
    assert not row.changed
    assert row.reason == "historical or period term"


def test_the_verb_prints_texts_and_explains_on_the_side() -> None:
    """Texts on stdout, one per line; reasons on stderr; everything as JSON on request."""
    runner = CliRunner()
    given = ["rewrite", "a photo of a judge", "-t", "inject:gender", "-t", "guidance:6", "-n", "2"]
    done = runner.invoke(app, [*given, "--explain"])
    assert done.exit_code == 0
    assert done.stdout.splitlines()[2:] == ["a photo of a judge"] * 2
    assert "drawn gender" in done.stderr
    assert "guidance 6" in done.stderr
    body = json.loads(runner.invoke(app, [*given, "--json"]).stdout)
    assert [r["mitigation"] for r in body] == ["inject-gender"] * 2 + ["guidance-6"] * 2


@pytest.mark.slow
def test_a_file_of_prompts_is_rewritten_line_by_line(tmp_path) -> None:
    """One text for each line that is not empty; a prompt and a file, or neither, are refused."""
    file = tmp_path / "prompts.txt"
    file.write_text("a school nurse\n\na chef --ar 1:1\n", "utf-8")
    got = CliRunner().invoke(app, ["rewrite", "--file", str(file), "-t", "inject:gender", "--json"])
    rows = json.loads(got.stdout)
    assert [r["original"] for r in rows] == ["a school nurse", "a chef --ar 1:1"]
    assert [r["prompt"] for r in rows] == [0, 1]
    assert all(r["text"] != r["original"] and r["people"][0]["number"] == 1 for r in rows)
    for arguments in (["a nurse", "--file", str(file)], [], ["--file", str(tmp_path / "none")]):
        refused = CliRunner().invoke(app, ["rewrite", *arguments, "-t", "neutral"])
        assert refused.exit_code != 0
