"""Capitals inside a text that show a title or a name: what works, ships, horses and places are
called, and offices with one holder."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from audit.design.mitigations.gate_names import NO_NAMES, PLACE_FIRST
from audit.design.mitigations.lexicon import listed
from audit.design.mitigations.people_words import ORIGINS, is_person, relates

if TYPE_CHECKING:
    from spacy.tokens import Doc, Token

_LINKS = frozenset("of the and in for a an".split())
_CALLED = frozenset("called named titled entitled labelled labeled dubbed spelling".split())


def in_name(token: Token) -> str:
    """The name or title that a noun for a person belongs to, or nothing.

    A headline's capitals tell nothing; such texts are parsed in lower case.
    """
    doc = token.doc
    if not _capital(token) or token.i == 0:
        return ""
    start = _beginning(doc, token.i)
    name = doc[start : token.i + 1].text
    before = doc[start - 1].lower_ if start else ""
    if start == 0 or doc[start - 1].text in ".!?:":
        place = doc[start].lower_ in PLACE_FIRST
        person = token.ent_type_ == "PERSON" and start < token.i
        return name if place or (person and doc[start].lower_ not in ("a", "an", "the")) else ""
    if doc[start].text == "The" or before in _CALLED:
        return name
    if token.i == start or before in ("a", "an"):
        return ""
    return name


def epithet(doc: Doc, first: int) -> str:
    """The name before `the` and a noun that begins at `first`: `Amara the beekeeper`.

    In lower case it must open the text or follow `of`, and be no verb.
    """
    i = first - 1
    while i > 0 and doc[i].pos_ in ("NOUN", "ADJ", "PROPN") and doc[i].text.islower():
        i -= 1
    if i < 1 or doc[i].lower_ != "the" or not doc[i - 1].is_alpha:
        return ""
    name, before = doc[i - 1], doc[i - 2].lower_ if i > 1 else ""
    if name.lower_ in listed("acts") or name.lower_ in listed("adverbs"):
        return ""
    if not _capital(name) and not (name.pos_ in ("NOUN", "PROPN") and before in ("", "of", ",")):
        return ""
    if name.pos_ in ("ADP", "SCONJ", "CCONJ", "DET", "PRON", "AUX", "PART"):
        return ""
    return "" if _capital(name) and before == "in" else f"{name.text} the"


def _capital(token: Token) -> bool:
    return token.text.istitle() and len(token.text) > 1


def _beginning(doc: Doc, i: int) -> int:
    """Index of the first word of a run of capitals, with small words between them."""
    start, k = i, i - 1
    while k >= 0 and (_capital(doc[k]) or doc[k].lower_ in _LINKS):
        if _capital(doc[k]):
            origin = ORIGINS.match(doc[k].lower_)
            start = start if origin else k
        elif not _capital(doc[k + 1]) and doc[k + 1].lower_ not in _LINKS:
            break
        k -= 1
    return start


_SMALL = "of|in|on|and|the|to|for|with|at|from|a|an"
_MEDIA = (
    "poster|dvd|blu-ray|cover|film|movie|book|novel|paperback|hardback|edition|album|vinyl|song"
    "|musical|playbill|soundtrack|trailer|series|screenshot|game|opera|ballet"
)
_WORK = re.compile(
    rf"The (?P<name>[A-Z][\w'-]*(?: (?:[A-Z][\w'-]*|\d+|{_SMALL}))*)(?P<rest>$|[,.(:]| by [A-Z]"
    rf"| (?:on |in |the |a |film |book ){{0,2}}(?:{_MEDIA})\b)"
)
_KIND = re.compile(
    r"(?P<name>[A-Z][\w'-]*(?: [A-Z\d][\w'-]*){0,3}?)(?:,? the| *\(?\d{4})"
    rf" (?:{_MEDIA}|band|show|play|painting)\b"
)


def work(text: str) -> str:
    """The title of a work with which a text begins: `The Catcher in the Rye, first edition`.

    Without a verb, and with two words in capitals or a kind of work after it.
    """
    found = _WORK.match(text)
    if found is None:
        kind = _KIND.match(text)
        return kind["name"] if kind else ""
    words = [w for w in found["name"].split() if w[0].isupper()]
    if any(re.search(r"(?:ing|ed)$", w) for w in words):
        return ""
    told = re.search(rf"\b(?:{_MEDIA})\b", text[found.end("name") :])
    return f"The {found['name']}" if len(words) > 1 or told else ""


_HEADS = "president|prime minister|chancellor|premier|vice president|monarch|head of state"
_ONE = re.compile(
    r"the (?:[\w-]+ )*?(?:\d+(?:st|nd|rd|th)|reigning|incumbent|current|sitting|acting)\b"
    rf"|the (?:[A-Z]{{2,}}|U\.S\.|[A-Z]\w+(?:an|ese|ish|ch)) (?:[\w-]+ )?(?:{_HEADS})$",
    re.IGNORECASE,
)
_MAKERS = re.compile(
    r"(?:inventor|discoverer|founder|author|creator|composer|architect|designer)$", re.IGNORECASE
)


def office(phrase: str, after: str) -> str:
    """The words that make a noun phrase one office's or one person's: `the Speaker of the House`.

    `after` is the text after the phrase.
    """
    if not phrase.lower().startswith("the "):
        return ""
    if _ONE.match(phrase):
        return phrase
    whose = re.match(r" of (?:the )?[A-Z][\w-]+", after)
    what = re.match(r" of the [\w-]+", after) if _MAKERS.search(phrase) else None
    found = whose or what
    return phrase + found.group() if found else ""


def proper(before: str) -> str:
    """A word with a capital before a noun that names no place, people or firm of today.

    It is a story's, a period's or a band's name as far as can be told: `a Hogwarts professor`.
    """
    for word in re.findall(r"(?<=[a-z,] )[A-Z][a-z]{2,}(?=[ -]|$)", before):
        low = word.lower()
        known = low in listed("proper") or low in NO_NAMES or is_person(low)
        if not known and not ORIGINS.match(low) and not relates(low):
            return str(word)
    return ""


_AGED = re.compile(r"(?P<name>[A-Z][a-z]+), (?:\d{1,3}\b(?!\s?mm)|my |our )")
_BESIDE = re.compile(
    r"(?P<before>(?:\b[\w'-]+ ){0,3})\b(?P<word>[a-z]+) (?P<name>[A-Z][a-z]+)(?=,|$)"
)
_PLACING = frozenset("in at near from on by with for to under over outside inside".split())


def beside(text: str) -> str:
    """A name that follows a noun or an adjective and ends a phrase: `my neighbor Olu, bus driver`.

    An age or an owner may follow a first word: `Ana, 34, electrician`.
    """
    if (aged := _AGED.match(text)) and not is_person(aged["name"].lower()):
        return aged["name"]
    for found in _BESIDE.finditer(text):
        word, low = found["word"], found["name"].lower()
        before = found["before"].split()
        led = _PLACING & {*before, word} or any(w.endswith("ing") for w in before)
        other = low in listed("proper") or low in NO_NAMES or is_person(low) or ORIGINS.match(low)
        if not led and not other and not re.search(r"(?:ing|ed|s)$|^(?:and|or|the|an?|as)$", word):
            return found["name"]
    return ""
