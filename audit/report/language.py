"""The languages of the report: `templates/en.toml` and the files next to it with the same names.

Everything that a page prints is said in the language that `speaking` chooses. Texts of the report
have names. Texts of findings and facts are English and know how they were composed (`errors.Said`);
the section `said` of a language has their templates and the phrases and names in them. What has no
translation is printed in English and marked so (`marked`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

from audit.errors import CAPITAL, FIGURE, Said, parts
from audit.errors import LANGUAGES as CODES
from audit.files import toml
from audit.report.verdicts import Verdict

FOLDER = Path(__file__).parent / "templates"
LANGUAGES = CODES
ENGLISH = LANGUAGES[0]
PAGES = ("script", "left_out", "several")
"""Sections of the file whose texts are named `SECTION.NAME`."""
FOREIGN, NATIVE = "\ufdd0", "\ufdd1"
"""Noncharacters around a text in English on a page in another language, until it is marked up."""


@dataclass(frozen=True)
class Language:
    """All words of the report in one language."""

    code: str
    texts: Mapping[str, str]
    verdicts: Mapping[str, Verdict]
    """At most twelve, in the order of the glossary."""
    glossary: Mapping[str, Mapping[str, str]]
    """Terms with their definition, in the order of the report's list."""
    methods: Mapping[str, str]
    """What each shipped mitigation does, in a sentence."""
    references: Mapping[str, str]
    """Display names of the references of shipped suites."""
    cannot: Sequence[str]
    embedded: str
    formulas: Sequence[Mapping[str, str]]
    citations: Sequence[str]
    said: Mapping[str, str]
    """English templates, phrases and names, to those of this language."""


@cache
def language(code: str) -> Language:
    """The words of a language; what its file lacks is English. KeyError for an unknown one."""
    read = _read(ENGLISH) if code == ENGLISH else _over(_read(ENGLISH), _read(code))
    pages = {f"{p}.{name}": words for p in PAGES for name, words in read[p].items()}
    return Language(
        code,
        read["texts"] | pages,
        {name: Verdict(name, **row) for name, row in read["verdicts"].items()},
        read["glossary"], read["methods"], read["references"], read["limits"]["always"],
        read["limits"]["embedded"], read["formulas"], read["sources"]["cited"],
        read.get("said", {}),
    )  # fmt: skip


def _read(code: str) -> dict[str, Any]:
    return toml((FOLDER / f"{dict.fromkeys(LANGUAGES, code)[code]}.toml").read_text("utf-8"))


def _over(english: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """The other language's texts, and the English ones that it lacks."""
    both = {**english, **other}
    return {k: _over(english[k], v) if isinstance(v, dict) and k in english else v
            for k, v in both.items()}  # fmt: skip


@dataclass(frozen=True)
class _Speech:
    language: Language
    composed: Mapping[str, Any]
    """English texts that were read from a file, to their parts."""


_SPEECH: ContextVar[_Speech | None] = ContextVar("speech", default=None)


@contextmanager
def speaking(code: str, composed: Mapping[str, Any] | None = None) -> Iterator[None]:
    """Say everything in a language; `composed` has the parts of texts, as `kept` wrote them."""
    token = _SPEECH.set(_Speech(language(code), composed or {}))
    try:
        yield
    finally:
        _SPEECH.reset(token)


def now() -> Language:
    """The language that is spoken; English outside of `speaking`."""
    speech = _SPEECH.get()
    return language(ENGLISH) if speech is None else speech.language


def kept(*things: object) -> dict[str, object]:
    """The parts of every composed text in these, by its English text, as plain JSON."""
    found: dict[str, object] = {}
    for text in _composed(things):
        found[str(text)] = parts(text)
    return found


def _composed(thing: object) -> Iterator[Said]:
    if isinstance(thing, Said):
        yield thing
    elif is_dataclass(thing):
        for f in fields(thing):
            yield from _composed(getattr(thing, f.name))
    elif isinstance(thing, Mapping):
        yield from _composed([*thing.keys(), *thing.values()])
    elif isinstance(thing, list | tuple | set):
        for one in thing:
            yield from _composed(one)


def name(text: str) -> str:
    """A text of ours in the language, or a name as it is."""
    return _again(text) or str(text)


def prose(text: str) -> str:
    """A text of ours in the language, or marked as English where it has no translation."""
    said = _again(text)
    if said is None and re.search(r"[^\W\d_]{2}", text):
        return f"{FOREIGN}{text}{NATIVE}"
    return str(text) if said is None else said


def _again(text: str) -> str | None:
    """The text in the language, None where that is not known."""
    spoken = now()
    if spoken.code == ENGLISH:
        return str(text)
    speech = _SPEECH.get()
    known = speech.composed.get(str(text)) if speech else None
    part = parts(text) if isinstance(text, Said) else known or str(text)
    try:
        return _translated(part, spoken)
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError):
        return None  # parts from a file that nobody checked: the text is printed as it is


def _translated(part: Any, to: Language) -> str | None:
    """A part in another language: plain words by the list of phrases; None where it lacks one."""
    if isinstance(part, str):
        several = [to.said.get(p) for p in part.split("; ")]  # methods are lists of phrases
        return to.said.get(part) or to.references.get(part) or (
            None if None in several else "; ".join(map(str, several))
        )  # fmt: skip
    template, values = part
    if template == FIGURE:
        return spelled(str(values["0"]))
    if template == CAPITAL:
        text = _said(values["0"], to)
        return text and text[:1].upper() + text[1:]
    shape = _shape(template, to)
    known = {k: _said(v, to, k) for k, v in values.items()}
    return None if shape is None or None in known.values() else shape.format(**known)


def _said(part: Any, to: Language, place: str = "") -> str | None:
    """A value inside a text: a name or a number that has no translation stays as it is.

    A class, which is a `value`, may be called like a reference: `uniform`.
    """
    if place == "value" and isinstance(part, str):
        return to.said.get(part, part)
    text = _translated(part, to)
    return part if text is None and isinstance(part, str) else text


def _shape(template: str, to: Language) -> str | None:
    """The template in the language, or its own where it has no words; None for any other.

    One that goes on where its full stop was (`errors.stem`) is that of the whole sentence.
    """
    shape = to.said.get(template)
    if shape is None and f"{template}." in to.said:
        return to.said[f"{template}."].removesuffix(".")
    if shape is None and re.fullmatch(r"(?:[^{}\w]|\d|{\w+})*", template):
        return template
    return shape


def spelled(number: str) -> str:
    """A formatted number as the language writes it: `0,4 %`, `[4 %; 22 %]`."""
    if now().code == ENGLISH:
        return number
    text = re.sub(r"(?<=\d),(?=\d{3}\b)", "\N{NARROW NO-BREAK SPACE}", str(number))
    text = re.sub(r"(?<=[\d%]), (?=[-+\u2212\d])", "; ", text)
    return re.sub(r"(?<=\d)\.(?=\d)", ",", text)


def marked(html: str) -> str:
    """A page whose English texts are marked as such, for screen readers and hyphenation."""
    if now().code == ENGLISH:
        return html
    pieces = re.split(r"(<svg.*?</svg>|<script.*?</script>|<[^>]*>)", html, flags=re.DOTALL)
    pieces[::2] = [_markup(text) for text in pieces[::2]]
    return "".join(pieces).replace(FOREIGN, "").replace(NATIVE, "")


def _markup(text: str) -> str:
    found: Callable[[re.Match[str]], str] = lambda m: f'<span lang="en">{m[1]}</span>'  # noqa: E731
    return re.sub(f"{FOREIGN}([^{FOREIGN}{NATIVE}]*){NATIVE}", found, text)
