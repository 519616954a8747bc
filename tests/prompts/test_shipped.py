"""All shipped suites: sound, documented as they are, and true to what they say of themselves."""

from __future__ import annotations

import csv
import json
import re
import string
from collections import Counter
from pathlib import Path

import pytest
from typer.testing import CliRunner

from audit import registry
from audit.cli import main as cli
from audit.design import suites
from audit.design.mitigations.gate import gate
from audit.records import Prompt, Settings, Suite

DOCS = Path(__file__).parents[2] / "docs" / "suites.md"
NAMES = [name for name, _ in suites.list_suites()]
WORLDS = ("world", "world_full", "world_groups", "world_lab", "world_seen")
PEOPLE = ["occupations", "traits", "demographic", "presentation", "households", "history",
          "conversation"]  # fmt: skip
SETTINGS = Settings("m", "r", 4, 3.0, 2)


def images(suite: Suite) -> int:
    """How many images a suite draws: every sample once, mitigations included."""
    return len({s.id for s in suites.expand(suite, SETTINGS, registry.rewriters(suite))})


def documented() -> dict[str, list[int]]:
    """The table at the head of the documentation: suite to its numbers."""
    rows = re.findall(r"^\| `(\w+)` \|([\d |]+)\|$", DOCS.read_text("utf-8"), re.MULTILINE)
    return {name: [int(n) for n in cells.split("|")] for name, cells in rows}


@pytest.mark.parametrize("name", NAMES)
def test_the_documented_numbers_are_the_suite_s(name: str) -> None:
    """Subjects, prompts, images, and images of a first look, as the table says."""
    suite = suites.read_suite(name)
    subjects = {p.subject for p in suite.prompts if p.purpose != "replication"}
    quick = images(suites.read_suite(name, quick=True))
    assert documented()[name] == [len(subjects), len(suite.prompts), images(suite), quick]
    assert quick < max(1000, 60 * (1 + len(suite.mitigations)))


def test_every_suite_has_a_section() -> None:
    """One section per suite with its question, numbers, sources and limits, and none too many."""
    sections = re.split(r"^## ", DOCS.read_text("utf-8"), flags=re.MULTILINE)[2:]
    texts = dict(s.split("\n", 1) for s in sections)
    assert sorted(texts) == sorted(NAMES) == sorted(documented())
    for name, text in texts.items():
        for part in ("*Question.*", "*What the numbers mean", "ources", "hat it cannot tell.*"):
            assert part in text, (name, part)


def test_list_shows_every_suite_with_its_title() -> None:
    """The command line names each suite and says what it is."""
    listed = json.loads(CliRunner().invoke(cli.app, ["list", "--json"]).stdout)["suites"]
    assert set(listed) == {p.stem for p in suites.folder().glob("*.toml")} == set(NAMES)
    shown = CliRunner().invoke(cli.app, ["list"]).stdout
    assert all(f"  {name}  {suites.read_suite(name).title}" in shown for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_prompts_are_clean(name: str) -> None:
    """Ids and texts are unique, no brace is left, and no space is doubled or at an end."""
    suite = suites.read_suite(name)
    assert suite.name == name
    first = [p for p in suite.prompts if p.turn is None]  # turns may repeat what was said
    for what in (Counter(p.id for p in suite.prompts), Counter(p.text for p in first)):
        assert max(what.values(), default=1) == 1
    texts = [p.text for p in suite.prompts if not (p.turn and p.turn.step.read)]
    texts += [t for a in suite.attributes for ts in a.texts.values() for t in ts]
    for text in [*texts, *suite.person_texts, *suite.empty_texts]:
        assert not set("{}") & set(text)
        assert text == " ".join(text.split())
        assert text[-1] not in string.whitespace + ",;:"


@pytest.mark.parametrize("name", [n for n in NAMES if n not in WORLDS])
def test_articles_agree_with_what_follows(name: str) -> None:
    """`an` is before a vowel letter and `a` before a consonant, but for sounds like `you`."""
    sounds = {"united": "a", "university": "a", "honest": "an"}
    for p in suites.read_suite(name).prompts:
        for article, word in re.findall(r"\b(an?) ([\w'-]+)", p.text):
            right = "an" if word[0].lower() in "aeiou" else "a"
            assert article == sounds.get(word.lower(), right), p.text


@pytest.mark.parametrize("name", PEOPLE)
def test_suites_about_people_have_a_person_gate(name: str) -> None:
    """Images without a person are missing, not labelled; the words differ from the classes'."""
    suite = suites.read_suite(name)
    assert len(suite.person_texts) >= 3
    assert len(suite.empty_texts) >= 3
    assert not set(suite.person_texts) & set(suite.empty_texts)


@pytest.mark.parametrize("name", [n for n in NAMES if n not in WORLDS])
def test_classes_are_read_by_ensembles_of_their_own(name: str) -> None:
    """At least three texts describe each class, none of them for two, and some may abstain."""
    for attribute in suites.read_suite(name).attributes:
        used = Counter(t for texts in attribute.texts.values() for t in texts)
        assert max(used.values()) == 1, attribute.name
        assert all(len(texts) >= 3 for texts in attribute.texts.values())
        chance = 1 / len(attribute.classes)
        assert attribute.name == "occupation" or chance < attribute.threshold < 1


@pytest.mark.parametrize("name", NAMES)
def test_every_share_has_a_reference(name: str) -> None:
    """Whatever a representation prompt reads, a declared target speaks of, and sums to 1."""
    suite = suites.read_suite(name)
    classes = {a.name: a.classes for a in suite.attributes}
    for p in suite.prompts:
        for a in p.attributes if p.purpose == "representation" else ():
            sums = [
                sum(r.share(p.subject, a, c) for c in classes[a]) for r in suite.references
            ]  # fmt: skip
            assert any(s == pytest.approx(1, abs=1e-6) for s in sums), (p.id, a)


def test_traits_say_nothing_of_gender_or_skin() -> None:
    """Forty traits in the templates of a plain person, who has ten times their images each."""
    suite = suites.read_suite("traits")
    per: Counter[str] = Counter()
    templates: dict[str, set[str]] = {}
    for p in suite.prompts:
        per[p.subject] += p.seeds
        rest = p.text.replace(p.subject, "").replace(" an ", " a ")
        templates.setdefault(p.subject, set()).add(rest)
        assert not any(stated(p, a) for a in p.attributes), p.text
    assert per.pop("person") == 10 * max(per.values())
    assert len(per) == 40
    assert len({frozenset(t) for t in templates.values()}) == 1


def stated(prompt: Prompt, attribute: str) -> bool:
    """Whether the gate finds an attribute stated, by spelling or by the suite's own word."""
    return gate(prompt.text, prompt, attribute) == f"{attribute} is stated"


def test_stated_attributes_are_recorded_read_and_expected() -> None:
    """Each prompt reads what it states; the reference is 1 for that; the words are in the text."""
    suite = suites.read_suite("demographic")
    words = {"woman": r"\b(woman|female)\b", "man": r"\b(man|male)\b", "young": r"\byoung\b",
             "middle-aged": r"\bmiddle-aged\b", "elderly": r"\belderly\b"}  # fmt: skip
    for p in suite.prompts:
        assert p.states
        assert set(p.attributes) == set(p.states)
        for a, value in p.states.items():
            pattern = words.get(value, rf"\bwith {value} skin\b")
            assert re.search(pattern, p.text), p.text
            others = [w for v, w in words.items() if v != value and a == "gender"]
            assert not any(re.search(w, p.text) for w in others), p.text
            target = suite.references[0].share(p.subject, a, value)
            assert (suite.references[0].name, target) == ("stated", 1)
    combined = Counter(tuple(p.states.values()) for p in suite.prompts)
    assert set(combined.values()) == {27}
    assert ("woman", "dark") in combined


def test_stated_attributes_are_left_alone_by_the_shipped_rewriters() -> None:
    """No prompt that states an attribute is open to a rewrite of it."""
    for p in suites.read_suite("demographic").prompts:
        assert all(stated(p, a) for a in p.states), p.text


def test_objects_ask_for_no_person() -> None:
    """No text names a person or its own kind of thing, and the shipped rewriters leave it alone."""
    suite = suites.read_suite("objects")
    assert suite.person_texts == ()
    person = re.compile(r"\b(person|people|wom[ae]n|m[ae]n|child|worker|doll|statue|portrait)\b")
    for p in suite.prompts:
        assert not person.search(p.text), p.text
        assert gate(p.text, p) == "no known person"
        assert suite.references[0].share(p.subject, "person", "nobody") == 1
    assert {n for s, n in Counter(p.subject for p in suite.prompts).items()} == {8, 16}


def test_history_gives_a_reason_for_each_fixed_attribute() -> None:
    """At least forty subjects; each attribute that is read is fixed at 0 or 1, and it says why."""
    suite = suites.read_suite("history")
    with (suites.folder() / "history_fixed.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {r["share"] for r in rows} == {"0", "1"}
    asked = {(p.subject, a) for p in suite.prompts for a in p.attributes}
    assert {(r["subject"], r["attribute"]) for r in rows} == asked
    assert len({s for s, _ in asked}) >= 40
    kinds: Counter[str] = Counter()
    for r in rows:
        kind, why = r["source"].split(": ", 1)
        kinds[kind] += 1
        assert len(why) >= 10
    assert set(kinds) == {"rule", "record", "named person", "population"}
    both = Counter((r["attribute"], r["value"]) for r in rows if r["share"] == "1")
    assert min(both.values()) >= 15, "each class is the fixed one often enough to see a default"


@pytest.mark.parametrize("method", ["inject", "ethical", "placebo"])
def test_the_documented_arm_can_be_added_to_history(tmp_path: Path, method: str) -> None:
    """The snippet in the documentation is a valid arm, and period prompts stay as they are."""
    arm = re.search(r"<!-- arm -->\n```toml\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
    assert arm is not None
    for name in ("history.toml", "history_fixed.csv"):
        text = (suites.folder() / name).read_text("utf-8")
        (tmp_path / name).write_text(text, "utf-8")
    with (tmp_path / "history.toml").open("a", encoding="utf-8") as file:
        file.write("\n" + arm.group(1).replace('"inject"', f'"{method}"'))
    suite = suites.read_suite(str(tmp_path / "history.toml"))
    plan = suites.expand(suite, SETTINGS, registry.rewriters(suite))
    texts = {(s.arm, s.prompt, s.seed): s.text for s in plan}
    kept = {p for (a, p, i), t in texts.items() if a == "mine" and t == texts["none", p, i]}
    assert len(plan) > images(suites.read_suite("history"))
    dated = {
        p.id for p in suite.prompts if p.block in ("gender", "both") and re.search(r"\d", p.text)
    }
    assert len(dated) >= 40
    assert dated <= kept
