"""Conversations in suite files: their prompts, their samples, and what is said of mistakes."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from audit.design import suites
from audit.design.suites.turns import captioned
from audit.errors import UserError
from audit.keys import Step
from audit.records import Sample, Settings, Suite
from audit.store import asdict_sample, sample_from

TALK = """
name = "mine"
title = "T"
question = "Q?"
[[turns]]
id = "talk"
subjects = ["nurse", "judge"]
seeds = 2
attributes = ["gender"]
states = "gender"
turns = [
  { draw = "a photo of {a_subject}" },
  { edit = "{a_subject} on a blue background", strength = 0.5 },
  { another = true },
  { another = true, strength = 0.8 },
  { caption = "a photo of {a_gender}", rounds = 2 },
]
[attributes.gender]
classes = ["woman", "man"]
templates = ["a photo of {a_value}"]
[attributes.job]
classes = ["nurse", "judge"]
templates = ["a photo of {a_value}"]
[attributes.seen]
classes = ["a", "b"]
reader = "face-gender"
"""
SETTINGS = Settings("m", "r", 4, 3.0, 2)


def read(folder: Path, text: str = TALK) -> Suite:
    """Write a suite file and read it."""
    (folder / "mine.toml").write_text(text, "utf-8")
    return suites.read_suite(str(folder / "mine.toml"))


def plan(suite: Suite, settings: Settings = SETTINGS) -> list[Sample]:
    """The samples of a suite without arms."""
    return list(suites.expand(suite, settings, {}))


def test_each_turn_is_a_prompt_of_every_group(tmp_path: Path) -> None:
    """Nothing stated, then each class; only the first turn has the words; another repeats."""
    texts = {p.id: p.text for p in read(tmp_path).prompts if p.subject == "nurse"}
    bare = ["a photo of a nurse", *["a nurse on a blue background"] * 3,
            *["a photo of {a_gender}"] * 2]  # fmt: skip
    assert [texts[f"talk/nurse/{n}"] for n in range(1, 7)] == bare
    stated = [texts[f"talk/nurse/gender=woman/{n}"] for n in range(1, 7)]
    assert stated == ["a photo of a woman nurse", *bare[1:]]
    assert len(texts) == 18


def test_texts_are_remembered_where_the_suite_says_so(tmp_path: Path) -> None:
    """Earlier texts come first, stated classes with them; captions forget."""
    words = 'states = "gender"\nmemory = "texts"\nwords = { woman = "female" }'
    suite = read(tmp_path, TALK.replace('states = "gender"', words))
    by_id = {p.id: p for p in suite.prompts}
    assert by_id["talk/judge/gender=woman/2"].text == (
        "a photo of a female judge. a judge on a blue background"
    )
    assert by_id["talk/judge/gender=woman/5"].text == "a photo of {a_gender}"
    bound = [by_id[f"talk/judge/{n}"].turn.bound for n in range(1, 7)]  # type: ignore[union-attr]
    assert all(bound)


def test_only_what_reaches_a_turn_binds_it(tmp_path: Path) -> None:
    """An edit is bound by its image; another one with new noise by nothing, nor what follows it."""
    prompts = [p for p in read(tmp_path).prompts if p.id.startswith("talk/nurse/gender=man/")]
    assert [p.turn.bound for p in prompts if p.turn] == [True, True, False, False, False, False]
    assert [p.states for p in prompts] == [{"gender": "man"}, *[{}] * 5]


def test_samples_go_on_from_their_own_conversation(tmp_path: Path) -> None:
    """Each needs the sample of the turn before with the same number, and its id depends on it."""
    suite = read(tmp_path)
    samples = plan(suite)
    by_id = {s.id: s for s in samples}
    order = {s.id: i for i, s in reversed(list(enumerate(samples)))}
    for s in samples:
        turn = next(p.turn for p in suite.prompts if p.id == s.prompt)
        assert turn is not None
        assert bool(s.last) == bool(turn.step.strength or turn.step.read)
        if s.last:
            assert order[s.last] < order[s.id]
            assert by_id[s.last].text in {p.text for p in suite.prompts if p.id == turn.last}
    weaker = plan(read(tmp_path, TALK.replace("strength = 0.5", "strength = 0.6")))
    same = {s.id for s in samples} & {s.id for s in weaker}
    assert {s.prompt.rsplit("/", 1)[1] for s in samples if s.id in same} == {
        "1",
        "3",
        "4",
        "5",
        "6",
    }
    others = plan(suite, replace(SETTINGS, steps=5))
    assert not {s.id for s in samples} & {s.id for s in others}


def test_groups_share_their_noise_and_turns_do_not(tmp_path: Path) -> None:
    """A conversation that states a class has the noise of the one that states nothing."""
    seeds: dict[str, list[int | None]] = {}
    for s in plan(read(tmp_path)):
        seeds.setdefault(s.prompt, []).append(s.seed)
    for n in range(1, 7):
        groups = [seeds[f"talk/nurse/{g}{n}"] for g in ("", "gender=woman/", "gender=man/")]
        assert groups[0] == groups[1] == groups[2]
    each = [x for n in range(1, 7) for w in ("nurse", "judge") for x in seeds[f"talk/{w}/{n}"]]
    assert max(Counter(each).values()) == 1


def test_first_turns_share_images_with_blocks(tmp_path: Path) -> None:
    """The same text and noise give the same id, in a block and in a first turn."""
    block = (
        '[[blocks]]\nid = "jobs"\npurpose = "representation"\nseeds = 2\n'
        'templates = ["a photo of {a_subject}"]\nsubjects = ["nurse"]\nattributes = ["gender"]\n'
    )
    samples = plan(read(tmp_path, TALK.replace("[[turns]]", f"{block}[[turns]]")))
    jobs, talk = (
        [s.id for s in samples if s.prompt == p] for p in ("jobs/nurse/0", "talk/nurse/1")
    )
    assert jobs == talk


def test_samples_are_kept_whole(tmp_path: Path) -> None:
    """What the plan of a run folder keeps is read back equal; without turns it is as before."""
    for s in plan(read(tmp_path)):
        assert sample_from(asdict_sample(s)) == s
    assert not {"last", "reason"} & set(asdict_sample(Sample("i", "p", "none", 1, "t")))


def test_captions_fill_in_what_was_read() -> None:
    """With and without an article; every field once or more."""
    values = {"gender": "woman", "job": "astronaut"}
    assert captioned("{a_job}, {job}, {a_gender}", values) == "an astronaut, astronaut, a woman"
    assert Step(read=("gender",)) != Step()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("{ draw = ", "{ drw = "), r"turns\.0\.turns\.0\.drw: Unknown key"),
        (("{ draw = ", "{ another = true, draw = "), "one of `draw`, `edit`, `another` and"),
        ((", strength = 0.5", ""), "an `edit` needs `strength`, such as 0.6"),
        (("strength = 0.5", "strength = 1.5"), r"turns\.0\.turns\.1\.strength"),
        (("{ another = true }", "{ another = true, rounds = 2 }"), "only a `caption` has `rounds`"),
        (("rounds = 2", "rounds = 2, strength = 0.5"), "is not made on the last image"),
        (("rounds = 2", "rounds = 17"), "more than 20 turns"),
        (('{ draw = "a photo of {a_subject}" },', ""), "it needs `draw`"),
        (('states = "gender"', 'states = "gendr"'), "turns talk: .*Did you mean gender"),
        (('states = "gender"', 'states = "job"'), "it states job, so add this"),
        (('states = "gender"', 'words = { woman = "lady" }'), "`words` need `states`"),
        (('states = "gender"', 'states = "gender"\nwords = { wman = "lady" }'), "mean wom[ae]n"),
        (('draw = "a photo of {a_subject}"', 'draw = "a photo"'), "so it states nothing"),
        (('draw = "a photo of {a_subject}"', 'draw = "{a_subject} {x}"'), "may contain only"),
        (("{a_gender}", "someone"), "needs attributes in braces"),
        (("{a_gender}", "{a_gendr}"), "turns talk, caption: .*Did you mean gender"),
        (("{a_gender}", "{a_seen}"), "seen has a reader of its own"),
        (('id = "talk"', 'id = "a/b"'), r"turns\.0\.id"),
        (("[attributes.gender]", '[[mitigations]]\nname = "e"\nmethod = "ethical"\n'
          'blocks = ["talk"]\noptions = { attribute = "gender" }\n[attributes.gender]'),
         "talk is a conversation, which no mitigation changes"),
        (("[attributes.gender]", "[quick]\ntlk = 1\n[attributes.gender]"), "Did you mean talk"),
    ],
)  # fmt: skip
def test_mistakes_get_one_sentence(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    """What is wrong, where, and what was probably meant."""
    assert change[0] in TALK
    with pytest.raises(UserError, match=message) as caught:
        read(tmp_path, TALK.replace(*change, 1))
    assert "mine.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_suite_asks_something(tmp_path: Path) -> None:
    """Without blocks and turns there is nothing to draw."""
    with pytest.raises(UserError, match="give `blocks` of prompts, or `turns`"):
        read(tmp_path, 'name = "m"\ntitle = "T"\nquestion = "Q?"\n')
