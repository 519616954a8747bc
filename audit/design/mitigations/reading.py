"""The reading of a prompt that a person typed: who is in it, what is said of them, and by what.

A parser finds the nouns (`people.py`), the gate's rules find names, periods and roles. A suite's
prompts name their subject and need no parser; see `gate.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from audit.design.mitigations import languages, parser, titles
from audit.design.mitigations.evidence import Statement, told
from audit.design.mitigations.gate import REASONS, ruled
from audit.design.mitigations.gate_text import named, unbranded
from audit.design.mitigations.lexicon import listed
from audit.design.mitigations.nobody import Nobody
from audit.design.mitigations.people import Person, people
from audit.design.mitigations.people_words import is_person, singular
from audit.design.mitigations.syntax import Readable, readable

LONGEST = 20_000
"""Characters of the longest prompt that is read."""
LANGUAGE, LENGTH = "not English", "too long to read"
_KEPT = 8192
_WHY = {
    "thing": "part of the name of a thing", "artificial": "not a living person",
    "animal": "an animal", "possession": "whose thing it is", "negated": "said to be absent",
    "title": "part of a title", "role": "what someone named is shown as", "name": "a name",
}  # fmt: skip


@dataclass(frozen=True)
class Reading:
    """What a prompt says of people; offsets are those of `readable.text`."""

    readable: Readable
    language: str
    """The language if it is not English, else nothing."""
    people: tuple[Person, ...]
    """In the order of the text."""
    nobody: tuple[Nobody, ...]
    """Nouns for people that show none, with reasons."""
    names: tuple[str, ...]
    """Names of people that the parser sees."""
    headline: bool
    """Whether capitals are those of a headline, and tell nothing."""

    def statement(
        self, person: Person, attribute: str, phrases: Iterable[str] = ()
    ) -> Statement | None:
        """What states an attribute of a person, or None if it is open."""
        return told(self.readable, person, attribute, phrases)


_known: dict[str, Reading] = {}


def read(prompt: str) -> Reading:
    """Read one prompt; repeated ones are kept."""
    return read_many([prompt])[0]


def kept(prompt: str) -> Reading | None:
    """The reading of a prompt that was read lately, without reading it now."""
    return _known.get(prompt)


def read_many(prompts: Sequence[str]) -> list[Reading]:
    """Read prompts in one batch. Raises UserError if the parser is not installed."""
    new = [p for p in dict.fromkeys(prompts) if p not in _known]
    if not new:
        return [_known[p] for p in prompts]
    if len(_known) + len(new) > _KEPT:
        _known.clear()
        new = list(dict.fromkeys(prompts))
    rows = [(p, readable(p[: LONGEST + 1])) for p in new]
    english = [(p, r, _headline(r.text)) for p, r in rows if not _foreign(p)]
    texts = [r.text.lower() if headline else r.text for _, r, headline in english]
    for (p, r, headline), doc in zip(english, parser.parsed(texts), strict=True):
        found, none = people(doc)
        names = tuple(e.text for e in doc.ents if e.label_ == "PERSON" and _full(e.text))
        _known[p] = Reading(r, "", tuple(found), tuple(none), names, headline)
    for p, r in rows:
        if p not in _known:
            _known[p] = Reading(r, _foreign(p), (), (), (), False)
    return [_known[p] for p in prompts]


def _foreign(prompt: str) -> str:
    return LENGTH if len(prompt) > LONGEST else languages.other(readable(prompt).text)


def _full(name: str) -> bool:
    """Whether a name has at least two words in capitals."""
    return len(re.findall(r"\b[A-Z][a-z'-]+", name)) > 1 and not re.search(r"\d", name)


_SMALL = frozenset("a an the of in at on by for with and or to from as is is".split())


def _headline(text: str) -> bool:
    found = [w for w in re.findall(r"[A-Za-z']+", text) if w.lower() not in _SMALL and len(w) > 1]
    if not text.isupper():
        found = [w for w in found if not w.isupper()]
    titled = len(found) > 1 and all(w[0].isupper() for w in found)
    return titled and (len(found) > 2 or not re.search(r"\b[a-z]{2}", text))


def why_not(prompt: str, attribute: str, phrases: Iterable[str] = (), several: bool = False) -> str:
    """Why a typed prompt must not be rewritten, or nothing if it may be.

    `phrases` are the words with which a rewriter would state `attribute`. With `several`, a prompt
    with more than one person may be rewritten too, unless one of them is stated.
    """
    return _why_not(prompt, attribute, tuple(phrases), several)


@lru_cache(maxsize=_KEPT)
def _why_not(prompt: str, attribute: str, phrases: tuple[str, ...], several: bool) -> str:
    seen = read(prompt)
    if seen.language:
        return seen.language if seen.language == LENGTH else f"{LANGUAGE}: {seen.language}"
    if not seen.people:
        return _empty(seen)
    for person in seen.people:
        if (len(seen.people) == 1 or several) and (
            found := seen.statement(person, attribute, phrases)
        ):
            return f"{attribute} {REASONS['stated']}: {found.words}"
    if name := _name(seen):
        return f"{REASONS['named']}{name}"
    crowd = len(seen.people) > 1 or seen.people[0].number != 1
    if crowd and not several:
        return REASONS["group"] + ": " + " and ".join(p.noun for p in seen.people[:4])
    return _ruled(seen, attribute)


def _ruled(seen: Reading, attribute: str) -> str:
    """What the gate's rules say: periods, roles, and what they read as stated."""
    text = seen.readable.text
    for person in seen.people:
        last = person.noun.split()[-1]
        if {last, person.noun} & listed("dated"):
            return f"{REASONS['period']}: {person.noun}"
        if attribute == "gender" and last in _CLERICS:
            return f"{REASONS['fixed role']}: {person.noun}"
        if said := ruled(
            _unsigned(text), _uncapped(text[person.start : person.head[1]]), attribute
        ):
            return said
    return ""


_CLERICS = frozenset("bishop archbishop rabbi".split())
"""Most communities have only men in these offices."""
_SIGNED = re.compile(
    r"(?<!standing )(?<!sitting )(?<!walking )(?<!followed )(?<!accompanied )(?<!surrounded )"
    r"\bby (?!(?:an?|the|his|her|my|its|their|two)\b)[\w.'-]+(?: [\w.'-]+){0,2}(?=\s*(?:[,.;]|$))"
    r"|(?:\b[\w.'-]+ ){1,2}(?:style|lighting|aesthetics?|render|engine)\b(?! of)",
    re.IGNORECASE,
)
"""Who made an image, and names of styles, which do not say who is shown."""


def _uncapped(noun: str) -> str:
    """A noun without the capital that a sentence's first word has."""
    return noun[:1].lower() + noun[1:]


def _unsigned(text: str) -> str:
    return _SIGNED.sub(" ; ", text)


def _name(seen: Reading) -> str:
    """How a name is told, as the end of a reason; nothing without one."""
    text = seen.readable.text
    if found := titles.work(text) or _held(seen):
        return f": {found}"
    if any(re.search(r"[A-Z]", q) and named(q, "") for q in seen.readable.quoted if " " in q):
        return ": in a quotation"
    subject = max((text[p.start : p.head[1]] for p in seen.people), key=len, default="")
    subject = _uncapped(subject)
    if not seen.headline and (office := _OFFICE.search(text)):
        return f": {office.group()}"
    given = [
        n
        for n in map(unbranded, seen.names)
        if n and n.lower() not in subject.lower() and _shown(text, n)
    ]
    if given and not seen.headline:
        return f": {given[0]}"
    return ": by its capitals or a list" if named(_unsigned(text), subject) else ""


def _held(seen: Reading) -> str:
    """An office with one holder, or a name beside a noun for a person or in its phrase."""
    text = seen.readable.text
    if seen.headline:
        return ""
    for person in seen.people:
        phrase, after = text[person.phrase : person.head[1]], text[person.head[1] :]
        if found := titles.office(phrase, after):
            return found
        if text[person.head[0]].islower() and (found := titles.proper(_unsigned(phrase))):
            return found
    return titles.beside(_unsigned(text))


_OFFICE = re.compile(
    r"\b[Tt]he (?:[\w-]+ ){0,2}(?:president|prime minister|chancellor|mayor|governor|founder"
    r"|inventor|author"
    r"|CEO|ceo|leader|director|composer|discoverer|head) of (?:the )?[A-Z][\w-]+|\bDoctor Who\b"
)
"""An office with one holder, which is as good as a name."""
_MAKER = re.compile(
    r"\b(?:by|style of|inspired by|like|at|in|on|near|from|of the|the|playing|reading"
    r"|wearing|performing|(?:copy|edition|volume|recording|album) of)\s+(?:an?\s|the\s)?$"
    r"|\b[a-z]+ing an?\s$",
    re.IGNORECASE,
)


def _shown(text: str, name: str) -> bool:
    """Whether a name is of someone who is shown, and not of a maker or a place."""
    at = text.find(name)
    after = text[at + len(name) :]
    place = re.match(r"\s+(?:[A-Z][a-z]+|style|hospital|street|park|bridge|museum)\b|'s\b", after)
    return not _MAKER.search(text[:at]) and not place and "," not in text[max(0, at - 2) : at]


def _empty(seen: Reading) -> str:
    """The reason for a prompt without people."""
    if any(_mentions(q) for q in seen.readable.quoted):
        return REASONS["quoted"]
    if seen.names and not seen.headline and _shown(seen.readable.text, seen.names[0]):
        return f"{REASONS['named']}: {seen.names[0]}"
    if named(seen.readable.text, ""):
        return f"{REASONS['named']}: by its capitals or a list"
    if seen.nobody:
        first = seen.nobody[0]
        return f"{REASONS['nobody']}: {first.words}, {_WHY[first.why]}"
    return REASONS["nobody"]


def _mentions(text: str) -> bool:
    return any(is_person(singular(w)) for w in re.findall(r"[a-z]+", text.lower()))
