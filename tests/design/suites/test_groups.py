"""Groups that a block's prompts state in turn: texts, what they state, and the noise they share."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit.cli.power import images_of
from audit.design import suites
from audit.errors import UserError
from audit.findings.following import open_questions
from audit.records import Settings, Suite
from tests.builders.groups import table

TEXT = """
name = "mine"
title = "T"
question = "Q?"
[[blocks]]
id = "work"
purpose = "representation"
templates = ["a photo of {a_group}", "{group} at work"]
subjects = ["nurse", "astronaut"]
seeds = 3
attributes = ["gender", "clothes"]
[blocks.groups]
attribute = "gender"
neutral = "{subject}"
words = { woman = "female {subject}", man = "male {subject}" }
[attributes.gender]
classes = ["woman", "man"]
templates = ["a photo of {a_value}"]
[attributes.clothes]
classes = ["suit", "uniform"]
templates = ["a photo of {a_value}"]
"""
SETTINGS = Settings("m", "r", 4, 3.0, 2)


def read(folder: Path, text: str = TEXT) -> Suite:
    """Write a suite file and read it."""
    path = folder / "mine.toml"
    path.write_text(text, "utf-8")
    return suites.read_suite(str(path))


def test_each_template_gives_a_neutral_prompt_and_one_for_each_group(tmp_path: Path) -> None:
    """Articles agree, ids name the group, and a group is stated where it is said."""
    prompts = read(tmp_path).prompts
    assert len(prompts) == 2 * 2 * 3
    assert [(p.id, p.text, dict(p.states)) for p in prompts[-6:]] == [
        ("work/astronaut/0", "a photo of an astronaut", {}),
        ("work/astronaut/0/woman", "a photo of a female astronaut", {"gender": "woman"}),
        ("work/astronaut/0/man", "a photo of a male astronaut", {"gender": "man"}),
        ("work/astronaut/1", "astronaut at work", {}),
        ("work/astronaut/1/woman", "female astronaut at work", {"gender": "woman"}),
        ("work/astronaut/1/man", "male astronaut at work", {"gender": "man"}),
    ]
    assert [p.grouped for p in prompts[:3]] == [False, True, True]
    assert {p.subject for p in prompts} == {"nurse", "astronaut"}


def test_prompts_of_one_frame_share_their_noise(tmp_path: Path) -> None:
    """Three texts, the noise of the neutral one; other frames have other noise."""
    suite = read(tmp_path)
    noise: dict[str, list[int | None]] = {}
    for s in suites.expand(suite, SETTINGS, {}):
        noise.setdefault(s.prompt, []).append(s.seed)
    neutral = suites.noise_seed("a photo of a nurse", 0)
    assert noise["work/nurse/0"][0] == neutral
    for id in ("work/nurse/0", "work/nurse/1"):
        assert noise[id] == noise[f"{id}/woman"] == noise[f"{id}/man"]
    assert len({n for seeds in noise.values() for n in seeds}) == 4 * 3


def test_what_the_prompt_leaves_open_is_asked_of_the_neutral_prompt_alone(tmp_path: Path) -> None:
    """Clothes of a stated woman do not say what is drawn when the prompt leaves it open."""
    suite = read(tmp_path)
    prompts = {p.id: p for p in suite.prompts}
    rows = table(suite, {})
    assert set(rows.prompt) == set(prompts)
    left = open_questions(rows, prompts)
    assert set(left.prompt) == {p.id for p in suite.prompts if p.text == p.frame}
    assert images_of(suite) == {
        (s, a): 6 for s in ("nurse", "astronaut") for a in ("gender", "clothes")
    }


def test_a_block_that_states_something_else_keeps_its_neutral_prompt_open(tmp_path: Path) -> None:
    """A neutral prompt whose block states an age states no group."""
    more = '[attributes.age]\nclasses = ["young", "old"]\ntemplates = ["{a_value} person"]\n'
    text = TEXT.replace("seeds = 3", 'seeds = 3\nstates = { age = "old" }') + more
    neutral, woman, _ = read(tmp_path, text).prompts[:3]
    assert (neutral.states, neutral.grouped) == ({"age": "old"}, False)
    assert woman.states == {"age": "old", "gender": "woman"}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"{group} at work"', '"a photo of {a_subject}"', "lacks {group} or {a_group}"),
        ('man = "male {subject}"', 'boy = "boy"', "boy"),
        (', man = "male {subject}"', "", "words"),
        ('attribute = "gender"', 'attribute = "sex"', "sex"),
        ('neutral = "{subject}"', 'neutral = "{job}"', "may contain only {subject}"),
        ('neutral = "{subject}"', 'neutral = "male {subject}"', "two representation prompts"),
        ("seeds = 3", 'seeds = 3\nstates = { gender = "man" }', "both state gender"),
        ('purpose = "representation"', 'purpose = "replication"', "block for representation"),
    ],
)
def test_mistakes_are_refused_with_their_place(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    """One sentence each, which names what is wrong."""
    with pytest.raises(UserError, match=r"mine\.toml") as caught:
        read(tmp_path, TEXT.replace(old, new))
    assert said in str(caught.value)
