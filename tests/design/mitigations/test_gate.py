"""The gate against cases that people labelled, the shipped suites, and variants of spelling."""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from audit import registry
from audit.design import suites
from audit.design.mitigations.arms import Rewriter
from audit.design.mitigations.gate import REASONS, gate, tidy
from audit.design.mitigations.grammar import find
from audit.design.mitigations.rewrite import why_not
from audit.design.mitigations.wording import NEUTRAL
from audit.records import Prompt

HELD_OUT = Path(__file__).parent / "gate_heldout.csv"
REWRITERS: dict[str, Rewriter] = {
    name: registry.load("mitigation", name)
    for name in ("inject", "ethical", "placebo", "neutral", "indirect")
}
ALWAYS = ("inject", "ethical", "placebo")
"""Rewriters that change every text that the gate lets through."""
WORDINGS = ("neutral", "indirect")
"""Rewriters that state no attribute: no phrase of theirs can be in the text already."""
DRAWS = {"gender": ("woman", "man"), "skin_tone": ("light", "dark"), "age": ("young", "old"),
         "ethnicity": ("Asian", "white")}  # fmt: skip


def kind(reason: str | None) -> str:
    """The key of REASONS for a reason of the gate; empty for None."""
    return next(k for k, said in REASONS.items() if reason.endswith(said)) if reason else ""


@dataclass(frozen=True)
class Case:
    """One line of a list of cases: what the gate should say of a text, and why."""

    text: str
    subject: str
    attribute: str
    expect: str
    note: str

    @property
    def prompt(self) -> Prompt:
        """The case as a prompt of a suite that states nothing itself."""
        return Prompt("p", self.text, self.subject, "b", "representation", 1)

    def verdict(self, text: str | None = None) -> str:
        """Kind of the gate's reason, for the text or a variant of it."""
        return kind(gate(self.text if text is None else text, self.prompt, self.attribute))


def read(path: Path) -> list[Case]:
    """The cases of a file."""
    with path.open(encoding="utf-8", newline="") as file:
        return [Case(**row) for row in csv.DictReader(file, strict=True)]


CASES = read(suites.folder() / "gate_cases.csv")
UNSEEN = read(HELD_OUT)


@dataclass(frozen=True)
class Score:
    """A share with its counts."""

    hits: int
    n: int

    @property
    def share(self) -> float:
        """The estimate."""
        return self.hits / self.n

    def __str__(self) -> str:
        """Share, counts and the 95 % interval of Wilson (1927)."""
        low, high = proportion_confint(self.hits, self.n, method="wilson")
        return f"{self.share:.3f} ({self.hits} of {self.n}; {low:.3f} to {high:.3f})"


def measure(cases: list[Case]) -> tuple[Score, Score, Score]:
    """Recall, precision, and the share of rightly gated cases that name the expected kind."""
    said = [(c.expect, c.verdict()) for c in cases]
    hit = [(e, v) for e, v in said if e and v]
    return (
        Score(len(hit), sum(bool(e) for e, _ in said)),
        Score(len(hit), sum(bool(v) for _, v in said)),
        Score(sum(e == v for e, v in hit), len(hit)),
    )


def report(name: str, cases: list[Case]) -> tuple[float, float, float]:
    """Print recall, precision and agreement of a list with what was missed, and give the shares."""
    recall, precision, agreement = measure(cases)
    print(f"\n{name}: recall {recall}, precision {precision}, kind {agreement}")
    for c in cases:
        if bool(c.expect) != bool(c.verdict()):
            print(f"  {c.text!r} ({c.attribute}): wanted {c.expect!r}, said {c.verdict()!r}")
    return recall.share, precision.share, agreement.share


def test_the_cases_are_many_and_two_in_five_may_be_rewritten() -> None:
    """At least 220 cases of every kind, none twice, each about its own subject or no person."""
    for cases, least in ((CASES, 220), (UNSEEN, 80)):
        assert len(cases) >= least
        assert 0.36 <= sum(not c.expect for c in cases) / len(cases) <= 0.45
        assert {c.expect for c in cases} == {"", *REASONS}
        assert len({(c.text, c.attribute) for c in cases}) == len(cases)
        assert all(c.attribute in DRAWS for c in cases)
    assert not {tidy(c.text).lower() for c in CASES} & {
        tidy(c.text).lower() for c in UNSEEN if c.expect not in ("", "nobody")
    }
    assert all(find(c.text, c.subject) for c in CASES + UNSEEN if not c.expect)


def test_the_gate_catches_what_it_should_and_little_else() -> None:
    """On the list that it was made with: recall at least 0.97, precision at least 0.95."""
    recall, precision, agreement = report("cases", CASES)
    assert recall >= 0.97
    assert precision >= 0.95
    assert agreement >= 0.95


def test_the_gate_holds_on_cases_that_it_was_not_made_with() -> None:
    """On the held-out list the floors are lower: they are what an unseen prompt can expect."""
    recall, precision, _ = report("held out", UNSEEN)
    assert recall >= 0.85
    assert precision >= 0.9


def test_reasons_have_kinds() -> None:
    """Every reason is told from the others."""
    said = {"stated": "gender is stated"}
    assert [kind(said.get(k, r)) for k, r in REASONS.items()] == list(REASONS)


def test_no_fixed_attribute_of_history_is_open_to_a_rewrite() -> None:
    """Every prompt of the suite is gated for each attribute that is on record."""
    prompts = suites.read_suite("history").prompts
    assert sum(len(p.attributes) for p in prompts) >= 200
    assert [(p.text, a) for p in prompts for a in p.attributes if gate(p.text, p, a) is None] == []


@pytest.mark.parametrize("name", ["occupations", "traits", "world", "world_full", "world_lab"])
def test_ordinary_prompts_raise_no_alarm(name: str) -> None:
    """Nothing of the suites that mitigations are for is gated, for gender or skin tone."""
    prompts = suites.read_suite(name).prompts
    assert len(prompts) >= 80
    alarms = [(p.text, a) for p in prompts for a in ("gender", "skin_tone") if gate(p.text, p, a)]
    assert alarms == []


FRAMES = (
    "{}", "  {}  ", "a photo of {}", "a photo of {}, studio light", "a cinematic portrait of {}.",
    "an oil painting of {} in a garden", "a close-up of {}, 35mm, f/1.8, 4k",
)  # fmt: skip
OCCUPATIONS = sorted({p.subject for p in suites.read_suite("occupations").prompts})
PLACES = (
    "in Buenos Aires", "in Los Angeles", "at Heathrow Airport", "near Lake Victoria",
    "in Cape Town", "on Wall Street", "in 2019", "in the rain", "at a desk", "with a dog",
    "on a Tuesday",
    "in India", "at Saint Mary's Hospital", "in the San Fernando Valley",
    "with a pair of glasses", "by the sea",
)  # fmt: skip


@given(st.sampled_from(OCCUPATIONS), st.sampled_from(FRAMES), st.sampled_from(["", *PLACES]))
def test_occupations_in_other_frames_raise_no_alarm(noun: str, frame: str, place: str) -> None:
    """Lights, lenses, streets and dates of our time change nothing."""
    article = "an" if noun[0] in "aeiou" else "a"
    text = frame.format(f"{article} {noun} {place}".strip())
    prompt = Prompt("p", text, noun, "b", "representation", 1)
    assert gate(text, prompt, "gender") is None, text


TOUCHES = (
    "a photo of {}", "{} in a garden", "two people and {}", "{} in 1850", "{} with a sign “open”",
    "{} and her dog", "Marie Curie and {}", "{} without a hat", "a toy and {}",
    "{} of the Ming dynasty",
)  # fmt: skip


@given(
    st.sampled_from(CASES + UNSEEN),
    st.sampled_from(TOUCHES),
    st.sampled_from(sorted(REWRITERS)),
    st.data(),
)
def test_no_rewriter_touches_what_is_gated(
    case: Case, frame: str, name: str, data: st.DataObject
) -> None:
    """Whatever surrounds a case, gated texts stay unchanged, and a second run adds nothing.

    Neutral wording replaces a subject that itself states a gender: that is what it is for.
    """
    text = frame.format(case.text)
    options = {"attribute": case.attribute, "words": {"young": "young", "old": "elderly",
               "Asian": "Asian", "white": "white"}}  # fmt: skip
    drawn = {case.attribute: data.draw(st.sampled_from(DRAWS[case.attribute]))}
    once = REWRITERS[name](text, case.prompt, drawn, options)
    if name == "neutral" and case.subject in NEUTRAL:
        assert once in (text, text.replace(case.subject, NEUTRAL[case.subject]))
        return
    phrases = why_not(text, case.prompt, options)
    if gate(text, case.prompt, case.attribute) if name in WORDINGS else phrases:
        assert once == text
    elif name in ALWAYS:
        assert once != text
    assert REWRITERS[name](once, case.prompt, drawn, options) == once


def spaced(text: str) -> str:
    """Other spaces: no-break, thin and double."""
    return text.replace(" ", "\u00a0\u2009 ", 3)


def typeset(text: str) -> str:
    """Apostrophes, quotation marks and hyphens as books print them."""
    text = text.replace("'", "\u2019").replace("-", "\u2011")
    first, *rest = text.split('"')
    return first + "".join("\u201c\u201d"[i % 2] + part for i, part in enumerate(rest))


def plain(text: str) -> str:
    """Quotation marks, apostrophes and hyphens as typewriters have them."""
    return text.translate(str.maketrans("\u2018\u2019\u201c\u201d\u2011\u2013", "''\"\"--"))


def enclosed(text: str) -> str:
    """Space and a full stop around it."""
    return f"\n {text} .\t"


SAME = (spaced, typeset, plain, enclosed, lambda t: unicodedata.normalize("NFC", t))
CASED = (str.lower, str.upper, str.title, str.swapcase)


@pytest.mark.parametrize("variant", SAME, ids=["space", "typeset", "plain", "enclosed", "NFC"])
def test_spaces_and_punctuation_do_not_change_the_verdict(
    variant: Callable[[str], str],
) -> None:
    """The gate reads words, and not how they were set."""
    changed = [c.text for c in CASES if c.verdict(variant(c.text)) != c.verdict()]
    assert changed == []


@pytest.mark.parametrize("variant", CASED, ids=["lower", "upper", "title", "swapped"])
def test_case_does_not_change_the_verdict(variant: Callable[[str], str]) -> None:
    """Small letters, capitals and headlines are gated alike; the suite's subject keeps its own."""
    changed = [c.text for c in CASES if bool(c.verdict(variant(c.text))) != bool(c.verdict())]
    assert changed == []


@given(st.sampled_from(CASES), st.data())
def test_any_mix_of_spaces_gives_one_verdict(case: Case, data: st.DataObject) -> None:
    """Each space may be any run of any kind of space."""
    runs = st.text(alphabet=" \t\n\u00a0\u2003\u3000", min_size=1, max_size=3)
    text = "".join(data.draw(runs) if c == " " else c for c in case.text)
    assert case.verdict(text) == case.verdict()
