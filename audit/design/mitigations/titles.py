"""Capitals inside a text that show a title or a name: what works, ships, horses and places are
called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit.design.mitigations.gate_names import PLACE_FIRST
from audit.design.mitigations.people_words import ORIGINS

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
