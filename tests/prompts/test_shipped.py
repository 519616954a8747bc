"""Every shipped suite: it reads, asks what it says, and its documentation's numbers are its own."""

from __future__ import annotations

import csv
import re
from collections import Counter
from pathlib import Path

import pytest

from audit import registry, suites
from audit.records import Settings, Suite

SETTINGS = Settings("m", "r", 20, 3.0, 16)
NAMES = [name for name, _ in suites.list_suites()]
FOLDER = suites.folder()
DOCS = Path(__file__).parents[2] / "docs" / "suites.md"
OPEN = {"occupations", "traits", "households", "world", "world_full"}
"""Suites that ask about whom a model draws by itself."""


def plan_size(suite: Suite) -> tuple[int, int]:
    """Prompts, and images of the baseline."""
    return len(suite.prompts), sum(p.seeds for p in suite.prompts)


@pytest.mark.parametrize("name", NAMES)
def test_every_suite_reads_expands_and_leaves_no_gap_in_a_text(name: str) -> None:
    """Ids are unique, texts are whole, each prompt of the baseline has its seeds."""
    suite = suites.read_suite(name)
    arms = {m.name: registry.load("mitigation", m.method) for m in suite.mitigations}
    plan = suites.expand(suite, SETTINGS, arms)
    assert len({p.id for p in suite.prompts}) == len(suite.prompts)
    assert not [p.text for p in suite.prompts if re.search(r"[{}]|  |^\s|\s$", p.text)]
    base = Counter(s.prompt for s in plan if s.arm == "none")
    assert base == {p.id: p.seeds for p in suite.prompts}
    assert plan_size(suites.read_suite(name, quick=True))[1] < plan_size(suite)[1]


@pytest.mark.parametrize("name", NAMES)
def test_articles_are_right(name: str) -> None:
    """`a` before a consonant and `an` before a vowel, as they sound."""
    texts = " ".join(p.text for p in suites.read_suite(name).prompts)
    assert not re.findall(r"\ban? (?:an?|the)\b", texts)
    assert not re.findall(
        r"\ba (?:accountant|architect|engineer|elderly|honest|intellectual)", texts
    )
    assert not re.findall(r"\ban (?:nurse|doctor|person|woman|United)", texts)


@pytest.mark.parametrize("name", NAMES)
def test_suites_that_state_say_so_and_those_that_ask_do_not(name: str) -> None:
    """A prompt that states a gender in words also says so in its `states`, and the other way."""
    words = re.compile(r"\b(wom[ae]n|m[ae]n|female|male)\b", re.I)
    for p in suites.read_suite(name).prompts:
        if p.purpose == "representation":
            stated = bool(words.search(p.text))
            assert not stated or "gender" in p.states, p.text
            if name in OPEN:
                assert not p.states
                assert not p.expects


def test_demographic_prompts_hold_what_they_state() -> None:
    """Each stated value has its words in the text."""
    words = {
        "woman": ("female", "woman"), "man": ("male", "man"), "darker": ("dark",),
        "lighter": ("light",), "old": ("elderly", "seventies"), "young": ("young", "twenties"),
    }  # fmt: skip
    suite = suites.read_suite("demographic")
    for p in suite.prompts:
        ((_, value),) = p.states.items()
        assert any(re.search(rf"\b{w}", p.text) for w in words[value]), p.text
    per = Counter((p.subject, *p.states.values()) for p in suite.prompts)
    assert len(set(per.values())) == 1  # every noun is asked of every value equally often


def test_history_gives_its_reasons_and_both_genders() -> None:
    """At least forty cases; each says why it is fixed, and neither gender is a rarity."""
    suite = suites.read_suite("history")
    with (FOLDER / "history.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(suite.prompts) >= 40
    assert all(r["why"].strip() for r in rows)
    fixed = Counter(p.states["gender"] for p in suite.prompts)
    assert min(fixed.values()) >= 15


def test_objects_expect_nobody() -> None:
    """All prompts of the suite without people say that nobody is asked for."""
    assert {p.expects for p in suites.read_suite("objects").prompts} == {"nobody"}


def test_labour_shares_are_those_of_the_table_and_doubts_are_marked() -> None:
    """Every occupation has its row, named with year and source; ambiguous ones say why."""
    with (FOLDER / "labour_us_2022.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    nouns = {p.subject for p in suites.read_suite("occupations").prompts}
    listed = {r["subject"] for r in rows}
    assert nouns <= listed
    assert len(nouns) >= 90
    assert all("Table 11, annual averages 2022" in r["source"] for r in rows)
    doubtful = {r["subject"] for r in rows if r["note"].startswith("ambiguous: ")}
    assert {"doctor", "teacher", "CEO", "cook", "truck driver"} <= doubtful


def test_the_documentation_has_every_suite_with_its_own_numbers() -> None:
    """docs/suites.md: one section per suite, prompts and images as they are."""
    text = DOCS.read_text("utf-8")
    sections = dict(re.findall(r"^## `(\w+)`\n(.*?)(?=^## |\Z)", text, re.M | re.S))
    assert set(sections) == set(NAMES)
    for name, body in sections.items():
        prompts, images = plan_size(suites.read_suite(name))
        assert f"{prompts:,} prompts, {images:,} images" in body, name
