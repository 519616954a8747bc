"""The report in another language: complete, honest about what is not, and the same numbers."""

from __future__ import annotations

import ast
import html
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.errors import Said, UserError, figure, listed, ours, parts, say, stem
from audit.files import toml
from audit.findings import personal as claims
from audit.findings import triplets, turns
from audit.findings import wording as english
from audit.records import Finding, from_json, to_json
from audit.report import from_folder, language, page, wording
from audit.report.language import kept, speaking
from audit.runs import choosing
from audit.runs.options import Options
from audit.store import RunFolder
from tests.builders import groups as builders
from tests.builders import personal
from tests.findings import test_shown, test_turns
from tests.report import pages
from tests.report.made import evidence

OTHERS = [code for code in language.LANGUAGES if code != language.ENGLISH]
ROOT = Path(page.__file__).parent.parent
COMPOSERS = ("design", "findings", "evidence", "runs", "report")
"""Rooms whose texts know how they were composed."""
FUNCTION_WORDS = re.compile(
    r"\b(the|of|and|with|is|are|than|by|from|for|not|which|images?|shares?|to|who|that|or|each|"
    r"changes?|paired|over|pairs|subjects?|known)\b"
)
"""Words of English that German does not have."""


def leaves(texts: Mapping[str, Any], at: str = "") -> Iterator[tuple[str, str]]:
    """Every text of a file of texts with its place."""
    for name, value in texts.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{at}{name}.")
        elif isinstance(value, list):
            yield from leaves({str(i): v for i, v in enumerate(value)}, f"{at}{name}.")
        else:
            yield f"{at}{name}", value


def names(template: str) -> set[str]:
    """Its placeholders."""
    return {name for _, name, _, _ in Formatter().parse(template) if name}


def read(code: str) -> dict[str, str]:
    """All texts of a language's file but those of findings, by their place."""
    texts = toml((language.FOLDER / f"{code}.toml").read_text("utf-8"))
    return dict(leaves({k: v for k, v in texts.items() if k != "said"}))


@pytest.mark.parametrize("code", OTHERS)
def test_a_language_has_every_text_with_the_same_placeholders(code: str) -> None:
    """No text of the page is missing, idle, or lacks a number."""
    first, other = read(language.ENGLISH), read(code)
    assert set(first) == set(other)
    assert {k for k in first if names(first[k]) != names(other[k])} == set()
    bare = {k: re.sub(r"{\w+}", "", words) for k, words in first.items()}
    same = {k for k in first if first[k] == other[k] and FUNCTION_WORDS.search(bare[k])}
    assert {k for k in same if not k.startswith("sources.")} == set()


@cache
def composed() -> set[str]:
    """The template of every `say` in the package."""
    found = set()
    for room in COMPOSERS:
        for path in sorted((ROOT / room).rglob("*.py")):
            source = path.read_text("utf-8")
            if not re.search(r"^from audit\.errors import (\([^)]*|.*)\bsay\b", source, re.M):
                continue
            for node in ast.walk(ast.parse(source)):
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "say":
                    found |= set(constants(node.args[0]))
    return found


def constants(node: ast.expr) -> Iterator[str]:
    """The texts that a template may be; one made at run time cannot be listed."""
    if isinstance(node, ast.IfExp):
        yield from constants(node.body)
        yield from constants(node.orelse)
    elif isinstance(node, ast.Constant):
        yield str(node.value)


@pytest.mark.parametrize("code", OTHERS)
def test_a_language_has_every_template_of_findings(code: str) -> None:
    """What is composed anywhere has a translation with the same values; or it is listed here."""
    said = language.language(code).said
    wordless = {t for t in composed() if not re.search(r"[^\W\d_]", re.sub(r"{\w+}", "", t))}
    assert composed() - wordless - set(said) == set()
    assert {t for t in said if names(t) != names(said[t])} == set()
    assert {t for t in said if names(t)} - composed() == set()  # translations of nothing


@cache
def german() -> str:
    """The whole report in German, with sections that most runs do not have."""
    with speaking("de"):
        return pages.run_page()


def fragments(text: str) -> set[str]:
    """Texts of a page and its text alternatives; not those of commands, or marked as English."""
    text = re.sub(r"<(script|style|code|pre)\b.*?</\1>", "", text, flags=re.DOTALL)
    text = re.sub(r'<span lang="en">.*?</span>', "", text)
    labels = re.findall(r'\b(?:aria-label|alt|data-tip|data-label)="([^"]*)"', text)
    return {html.unescape(t).strip() for t in [*labels, *re.split(r"<[^>]*>", text)]}


def outside() -> list[str]:
    """Texts that are a user's, or names: they are the same in every language."""
    one = pages.whole()
    texts = [p.text for p in one.suite.prompts] + [s.text for s in one.samples.values()]
    texts += [str(c) for c in one.matches.train_caption] + list(one.suite.attributes[2].classes)
    texts += [m.name for m in one.suite.mitigations] + [p.subject for p in one.suite.prompts]
    return sorted({*texts, *language.now().citations}, key=len, reverse=True)


@pytest.mark.slow
def test_no_english_is_left_on_the_german_page() -> None:
    """Without names, prompts, citations and commands there is no English word."""
    left = []
    for text in fragments(german()):
        for known in outside():
            text = text.replace(known, "")
        if FUNCTION_WORDS.search(text):
            left.append(text)
    assert left == []


@pytest.mark.slow
def test_only_names_and_numbers_are_the_same_in_both_languages() -> None:
    """Equal fragments of the two pages are names, not sentences."""
    same = fragments(pages.run_page()) & fragments(german())
    known = outside()
    words = {t for t in same if re.search(r"[^\W\d_]{3}", t) and not any(k in t for k in known)}
    assert words <= {
        "Arm", "Median", "Name", "Placebo", "Prompt", "Prompts", "Revision", "Seed", "Suite world",
        "Text", "Training", "diffusers", "embedded", "gender", "t2i-audit", "torch", "verdict",
        "log(d_held / d_train)", "W = log(d_held / d_train)", "world",
    }  # fmt: skip


def conversations() -> list[Finding]:
    """Claims on conversations, by a reader that has never seen such images."""
    asked = test_turns.prompts(6, 4, states=True)
    table = test_turns.table(asked, test_turns.kept_then_redrawn)
    doubted = replace(test_turns.CONTEXT, doubt=choosing.DOUBT)
    return turns.findings(table, asked, doubted)


def groups() -> list[Finding]:
    """What is shown of stated groups, and whom neutral images resemble."""
    asked = builders.suite(8, 4)
    table, scores = builders.table(asked, {("man", "suit"): 0.9}), test_shown.scores(asked, 0.1)
    near = triplets.findings(builders.threes(asked, 0.3))
    near = [f for f in near if f.key.subject == "*"]  # others are about a user's words
    return [*test_shown.found(asked, table, scores).values(), *near]


def personalised() -> list[Finding]:
    """Every measure of personalised models, and all their comparisons."""
    made = personal.tables(personal.drifted, lambda a, model, i: i > model, lambda *_: "man")
    return claims.findings(made, personal.SUITE, [personal.GENDER])


@pytest.mark.parametrize("made", [conversations, groups, personalised])
def test_claims_that_the_page_lacks_are_translated_too(made: Callable[[], list[Finding]]) -> None:
    """No text of a finding is marked as English."""
    found = made()
    assert found
    with speaking("de"):
        said = {language.prose(t) for f in found for t in (f.quantity, f.method, f.sentence)}
    assert {t for t in said if language.FOREIGN in t} == set()
    assert {t for t in said if FUNCTION_WORDS.search(t.replace("SSIM", ""))} == set()


@pytest.mark.slow
def test_the_german_page_is_german() -> None:
    """Language, numbers as words, decimal commas, and limits that these do not run into."""
    text = html.unescape(german())
    assert '<html lang="de"' in text
    assert "Wer erscheint: wenn der Prompt es offenlässt" in text
    assert re.search(r"\d von 10\b", text)
    assert re.search(r"\[\d+\N{NO-BREAK SPACE}%;\N{NO-BREAK SPACE}\d+\N{NO-BREAK SPACE}%\]", text)
    assert re.search(r">\d,\d+<", text)
    visible = "\n".join(fragments(german()))
    assert not re.search(r"(?<![\d.])0\.\d", visible.replace("0.42.0", "").replace("0.1.0", ""))
    assert "hyphens: auto" in text


@pytest.mark.slow
def test_the_german_page_has_the_findings_in_english() -> None:
    """What machines read is the same whatever people read."""
    data = re.search(r'id="findings">(.*?)</script>', german(), re.DOTALL)
    assert data
    rows = {f.id: f for f in from_json(data[1])}
    for f in pages.whole().findings:
        assert rows[f.id].sentence == f.sentence


@pytest.mark.parametrize("kind", sorted(pages.KINDS))
def test_every_page_says_what_it_does_not_translate(kind: str) -> None:
    """Texts of a test that no list has are marked, and nothing of ours is."""
    with speaking("de"):
        text = pages.KINDS[kind]()
    assert '<html lang="de"' in text
    marked = {html.unescape(t) for t in re.findall(r'<span lang="en">(.*?)</span>', text)}
    assert marked <= {
        "This model and its training set were made for this audit: every planted share and every "
        "repeated image is known, so each estimate can be checked.", "fresh balanced renders",
        "A note.", "not a picture", "2 images of the training set could not be read.",
    }  # fmt: skip
    assert language.FOREIGN not in text
    assert language.NATIVE not in text


def test_hostile_text_does_not_become_a_mark() -> None:
    """Noncharacters in a user's text end no mark and begin none that holds markup."""
    with speaking("de"):
        text = pages.run_page(f" {language.FOREIGN}<b>{language.NATIVE}&lt; {{x}}")
    assert "<b>" not in re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL).replace(
        "<b>none", ""
    ).replace("<b>inject-gender", "").replace("<b>Prompt", "").replace("<b>placebo", "")


@pytest.mark.slow
def test_a_run_keeps_how_its_texts_were_composed(tmp_path: Path) -> None:
    """`report --lang de` reads findings.json and page.json; the English report stays the same."""
    one = evidence(pages.SMALL)
    folder = RunFolder(tmp_path)
    folder.write_findings(to_json(one.findings))
    said = json.loads(json.dumps(kept(one.findings, one.facts)))
    back = replace(one, findings=from_json((tmp_path / "findings.json").read_text("utf-8")))
    assert page.page(back, "none") == page.page(one, "none")
    with speaking("de", said):
        assert page.page(back, "none") == in_german(one)
    with speaking("de"):  # a run of an earlier version
        old = page.page(back, "none")
    assert '<html lang="de"' in old
    assert '<span lang="en">share of women</span>' not in old  # a fixed phrase
    assert '<span lang="en">' in old


def in_german(one: Any) -> str:
    """Its page from the findings in memory."""
    with speaking("de"):
        return page.page(one, "none")


def test_page_json_keeps_the_parts(tmp_path: Path) -> None:
    """What `keep` writes is what `kept` found, and damage is named."""
    one = evidence(pages.SMALL)
    folder = RunFolder(tmp_path)
    from_folder.keep(folder, one.suite, one.facts, True, one.findings)
    body = json.loads((tmp_path / "page.json").read_text("utf-8"))
    assert body["said"] == json.loads(json.dumps(kept(one.findings, one.facts)))
    sentence = next(f.sentence for f in one.findings if f.sentence)
    assert body["said"][sentence] == json.loads(json.dumps(parts(sentence)))


@pytest.mark.parametrize("part", [["{1}", {"1": "x"}], ["{0}", []], ["#", {}], [1, 2, 3], 7, None])
def test_parts_from_a_damaged_file_leave_the_text_as_it_is(part: object) -> None:
    """What page.json says of how texts were composed comes unchecked."""
    with speaking("de", {"some text": part}):
        assert language.name("some text") == "some text"


def test_a_composed_text_is_its_english_text() -> None:
    """It is a `str` wherever one is wanted, and keeps its parts when it is added to."""
    text = say("{n} of {all}", n=3, all=figure("1,200"))
    assert text == "3 of 1,200"
    assert json.dumps(text) == '"3 of 1,200"'
    assert parts("a" + text + ".") == [
        "{a}{b}",
        {"a": ["{a}{b}", {"a": "a", "b": parts(text)}], "b": "."},
    ]
    assert parts(text) == ["{n} of {all}", {"n": "3", "all": ["#", {"0": "1,200"}]}]
    assert listed(["x", "y"], " and ") == "x and y"
    assert ours("a {b}") == "a {b}"
    assert isinstance(english.cap("a nurse"), Said)


def test_a_sentence_goes_on_without_its_full_stop() -> None:
    """The end of the last value counts where the template ends with it."""
    whole = say("{a}: {b}", a="One", b=say("known {n}.", n=3))
    assert stem(whole) == "One: known 3"
    assert parts(stem(whole)) == ["{a}: {b}", {"a": "One", "b": ["known {n}", {"n": "3"}]}]


@given(st.text(max_size=40), st.text(max_size=40))
def test_values_are_never_templates(name: str, other: str) -> None:
    """Braces of a user-supplied name stay what they are, in every language."""
    text = say("{title}: no difference was found ({size}, {said}, {count}).", title=name,
               size=other, said="p", count="n")  # fmt: skip
    assert text == f"{name}: no difference was found ({other}, p, n)."
    with speaking("de"):
        shown = language.now().said
        if name not in shown and other not in shown:
            assert language.name(text) == (
                f"{name}: Es wurde kein Unterschied gefunden ({other}, p, n)."
            )


@pytest.mark.parametrize(
    ("number", "words"),
    [("0.4 %", "0,4 %"), ("9 % [4 %, 22 %]", "9 % [4 %; 22 %]"), ("6,704", "6\u202f704"),
     ("+0.010 [-0.020, 0.000]", "+0,010 [-0,020; 0,000]"), ("< 0.001", "< 0,001")],
)  # fmt: skip
def test_numbers_are_spelled_as_a_german_reader_expects(number: str, words: str) -> None:
    """A decimal comma, thin groups, and semicolons between limits."""
    with speaking("de"):
        assert language.spelled(number) == words
    assert language.spelled(number) == number


def test_a_share_is_said_in_german() -> None:
    """Tenths and words at the ends."""
    with speaking("de"):
        assert [wording.tens(x) for x in (0.0, 0.31, 0.04, 1.0)] == [
            "keine", "3 von 10", "4 von 100", "alle",
        ]  # fmt: skip
    assert wording.tens(0.31) == "3 in 10"


def test_a_day_is_written_as_the_language_does() -> None:
    """The time in findings.json is ISO 8601; other words stay as they are."""
    with speaking("de"):
        assert wording.date("2026-12-01T05:00:00Z") == "01.12.2026"
        assert wording.date("some day") == "some day"
    assert wording.date("2026-12-01T05:00:00Z") == "2026-12-01"


def test_the_script_reads_decimal_commas() -> None:
    """Its part that reads numbers is there to be replaced, and is not touched in English."""
    before, after = page.COMMA
    assert before in page.frame()["script"]
    with speaking("de"):
        assert after in page.frame()["script"]


def test_an_unknown_language_is_refused() -> None:
    """With the names of those that exist."""
    with pytest.raises(UserError, match="--lang must be en or de, not 'fr'"):
        Options(lang="fr")


def test_a_sentence_that_goes_on_is_translated() -> None:
    """A template without its full stop is that of the whole sentence."""
    whole = say("{words}, n = {n}{too_few}.", words="a", n=3, too_few="")
    with speaking("de"):
        assert language.name(say("{sentence} {n}!", sentence=stem(whole), n=4)) == "a, n = 3 4!"


@pytest.mark.parametrize(
    "part",
    [["{a.__class__}", {"a": "x"}], ["{a:>99999999}", {"a": "x"}], ["{a!r}", {"a": "x"}],
     ["{a}", {}], ["{a}", []], [["{a}"], {"a": "x"}], ["#", {}], {"a": "b"}, [1, 2, 3], 7,
     ["{v0}", {"v0": ["{v0}", None]}]],
)  # fmt: skip
def test_parts_from_a_file_are_no_formats(part: object) -> None:
    """Parts that `kept` does not write leave the text in English."""
    with speaking("de", {"Some words of it.": part}):
        assert language.prose("Some words of it.") in (
            f"{language.FOREIGN}Some words of it.{language.NATIVE}", "x",
        )  # fmt: skip
