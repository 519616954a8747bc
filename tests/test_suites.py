"""Suites: what a person may write, and what they are told when it is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit import registry, suites
from audit.errors import UserError
from audit.records import Settings, Suite

GOOD = """
name = "mine"
title = "T"
question = "Q?"
[[blocks]]
id = "jobs"
purpose = "representation"
templates = ["a photo of {a_subject}"]
subjects = ["nurse", "astronaut"]
seeds = 4
attributes = ["gender"]
[attributes.gender]
classes = ["woman", "man"]
templates = ["a photo of {a_value}"]
[[references]]
name = "uniform"
label = "even"
uniform = true
[[mitigations]]
name = "fix"
method = "inject"
blocks = ["jobs"]
options = { attribute = "gender", target = "uniform" }
"""
SETTINGS = Settings("m", "r", 4, 3.0, 2)


def read(folder: Path, text: str) -> Suite:
    """Write a suite file and read it."""
    path = folder / "mine.toml"
    path.write_text(text, "utf-8")
    return suites.read_suite(str(path))


def rewriters(suite: Suite) -> dict[str, suites.Rewriter]:
    """The suite's rewriters by name."""
    return {m.name: registry.load("mitigation", m.method) for m in suite.mitigations}


@pytest.mark.parametrize(("name", "title"), suites.list_suites())
def test_shipped_suites_are_sound(name: str, title: str) -> None:
    """Every shipped suite reads, expands, and has a title."""
    for quick in (False, True):
        suite = suites.read_suite(name, quick)
        plan = suites.expand(suite, SETTINGS, rewriters(suite))
        keys = [(s.prompt, s.arm, s.seed) for s in plan]
        assert len(keys) == len(set(keys))
    assert title


def test_texts_have_the_right_article(tmp_path: Path) -> None:
    """{a_subject} is a nurse, an astronaut."""
    texts = [p.text for p in read(tmp_path, GOOD).prompts]
    assert texts == ["a photo of a nurse", "a photo of an astronaut"]


def test_arms_are_paired_by_noise_and_meet_their_quota(tmp_path: Path) -> None:
    """Each arm repeats the baseline's prompts and seeds; half of each prompt's images is women."""
    suite = read(tmp_path, GOOD)
    plan = suites.expand(suite, SETTINGS, rewriters(suite))
    base = [(s.prompt, s.seed) for s in plan if s.arm == "none"]
    arm = [s for s in plan if s.arm == "fix"]
    assert [(s.prompt, s.seed) for s in arm] == base
    for p in suite.prompts:
        drawn = [s.drawn["gender"] for s in arm if s.prompt == p.id]
        assert drawn.count("woman") == drawn.count("man") == 2
    assert all(("female" if s.drawn["gender"] == "woman" else "male") in s.text for s in arm)


def test_growing_keeps_what_was_planned(tmp_path: Path) -> None:
    """More seeds add baseline samples and change none of the old ids."""
    suite = read(tmp_path, GOOD)
    few = {s.id for s in suites.expand(suite, SETTINGS, rewriters(suite)) if s.arm == "none"}
    more = suites.with_seeds(suite, 9)
    many = {s.id for s in suites.expand(more, SETTINGS, rewriters(more)) if s.arm == "none"}
    assert few < many


def test_settings_and_text_change_the_id() -> None:
    """Whatever produces the pixels is in the id."""
    from dataclasses import replace

    from audit.records import sample_id

    base = sample_id("t", 1, SETTINGS)
    others = [replace(SETTINGS, **c) for c in ({"steps": 5}, {"guidance": 4.0}, {"revision": "x"})]
    assert len({base, sample_id("u", 1, SETTINGS), sample_id("t", 2, SETTINGS)}) == 3
    assert base not in {sample_id("t", 1, s) for s in others}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('name = "mine"', 'name = "mine'), r"not valid TOML: .*line 2"),
        (("seeds = 4", "seeds = 0"), r"blocks\.0\.seeds"),
        (("seeds = 4", "sedes = 4"), r"sedes|seeds"),
        (("seeds = 4", "seeds = 4\nsubject = []"), "Did you mean subjects"),
        (('attributes = ["gender"]', 'attributes = ["gendre"]'), "Did you mean gender"),
        (('blocks = ["jobs"]', 'blocks = ["job"]'), "Did you mean jobs"),
        (('target = "uniform"', 'target = "labour"'), "target"),
        (("uniform = true", 'file = "none.csv"'), "There is no table"),
        (('subjects = ["nurse", "astronaut"]', "subjects = []"), "need `subjects`"),
        (('purpose = "representation"', 'purpose = "other"'), "purpose"),
        (('"nurse", "astronaut"', '"nurse", "nurse"'), "two prompts have the id"),
    ],
)
def test_mistakes_get_one_sentence(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    """What is wrong, where, and what was probably meant."""
    assert change[0] in GOOD
    with pytest.raises(UserError, match=message) as caught:
        read(tmp_path, GOOD.replace(*change))
    assert "mine.toml" in str(caught.value) or "none.csv" in str(caught.value)


def test_tables_are_checked(tmp_path: Path) -> None:
    """Shares must sum to one; prompts need a text."""
    (tmp_path / "ref.csv").write_text(
        "subject,attribute,value,share,source\nnurse,gender,woman,0.9,x\nnurse,gender,man,0.3,x\n"
    )
    with pytest.raises(UserError, match=r"sum to 1\.200"):
        read(tmp_path, GOOD.replace("uniform = true", 'file = "ref.csv"'))
    (tmp_path / "p.csv").write_text("id,text\n1,\n")
    broken = GOOD.replace('templates = ["a photo of {a_subject}"]', 'file = "p.csv"', 1)
    with pytest.raises(UserError, match="line 2"):
        read(tmp_path, broken)


def test_unknown_names_suggest_the_nearest() -> None:
    """A typo in a suite, and names that cannot be imported."""
    with pytest.raises(UserError, match="Did you mean world"):
        suites.read_suite("wrold")
    with pytest.raises(UserError, match="There is no suite file"):
        suites.read_suite("nowhere.toml")
    with pytest.raises(UserError, match="Did you mean inject"):
        registry.load("mitigation", "injct")
    with pytest.raises(UserError, match="cannot be imported"):
        registry.load("encoder", "no_such_module:thing")
    assert registry.load("encoder", "json:dumps")


@pytest.mark.parametrize("kind", registry.TABLES)
def test_every_registered_name_can_be_imported(kind: str) -> None:
    """No table promises what is not there."""
    assert all(callable(registry.load(kind, name)) for name in registry.TABLES[kind])
