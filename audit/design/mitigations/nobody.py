"""Nouns for people that show nobody: things, animals, whose things they are, who is absent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from audit.design.mitigations import nobody_words
from audit.design.mitigations import people_words as words
from audit.design.mitigations.noun_phrases import nounish
from audit.design.mitigations.person_nouns import ending_at, follows
from audit.design.mitigations.titles import in_name

if TYPE_CHECKING:
    from spacy.tokens import Doc, Token


@dataclass(frozen=True)
class Nobody:
    """A noun for people that shows no person here."""

    why: str
    """Kind of reason: thing, artificial, animal, possession, negated, role, name."""
    words: str
    """The words that show it."""


_NO = frozenset("no without zero lacking sans".split())


def nobody(token: Token, first: int, seen: bool) -> Nobody | None:
    """Why a noun for people shows nobody, None if it shows someone; no kind if it is only a part of
    another noun for a person. `seen` tells whether someone is in the text before it."""
    doc = token.doc
    if follows(token):
        return _modifies(token)
    after = doc[token.i + 1] if token.i + 1 < len(doc) else None
    if after is not None and after.tag_ == "POS":
        return _possesses(token)
    before = [t for t in _before(token, first)]
    pair = doc[max(token.i - 1, 0) : token.i + 1].text
    if nobody_words.THING_PAIRS.match(pair.lower()):
        return Nobody("thing", pair)
    lead = doc[first - 1].lower_ if first else ""
    if lead in ("called", "titled", "entitled", "named", "labelled", "labeled", "spelling"):
        return Nobody("title", f"{lead} {token.text}")
    if token.lower_ == "model" and token.i + 1 < len(doc) and doc[token.i + 1].lower_ == "of":
        return Nobody("thing", "model of")
    if token.lower_ in _PIECES and any(t.lower_ == "chess" for t in doc):
        return Nobody("thing", f"chess {token.text}")
    if name := in_name(token):
        return Nobody("title", name)
    then = doc[token.i + 1].lower_ if token.i + 1 < len(doc) else ""
    if then in _HOLDS and words.also_thing(token.lower_):
        return Nobody("thing", f"{token.text} {then}")
    if seen and lead in ("a", "an", "the") and _portrayed(doc, first):
        return Nobody("artificial", f"{doc[first - 3].text} of {token.text}")
    owned = first > 1 and doc[first - 1].tag_ == "POS"
    if owned and words.also_thing(token.lower_):
        return Nobody("possession", doc[first - 2 : token.i + 1].text)
    for t in before:
        if why := nobody_words.stands_in(t.lower_, token.lower_):
            return Nobody(why, f"{t.text} {token.text}")
        if t.lower_ in _NO:
            return Nobody("negated", f"{t.text} {token.text}")
    return _governed(token)


def _portrayed(doc: Doc, first: int) -> bool:
    """Whether `a portrait of a` and the like precede a noun: an image inside of the image."""
    if first < 3 or doc[first - 2].lower_ != "of" or doc[first - 3].lower_ not in _IMAGES:
        return False
    return not {"taking", "making", "painting", "drawing", "sketching", "shooting"} & {
        t.lower_ for t in doc[max(first - 6, 0) : first - 3]
    }


_IMAGES = frozenset(
    "portrait painting photo photograph picture poster drawing sketch mural fresco".split()
)
_HOLDS = frozenset("full filled made plugged loaded".split())
"""What is said of things, and not of people, right after their nouns."""
_PIECES = frozenset("bishop king queen knight rook pawn".split())


def _before(token: Token, first: int) -> Iterator[Token]:
    """The words of a noun's phrase before it, from the nearest."""
    doc = token.doc
    for i in range(first - 1, max(first - 6, -1), -1):
        t = doc[i]
        if not (t.is_alpha or t.text == "-" or t.like_num) or t.pos_ in (
            "ADP",
            "VERB",
            "AUX",
            "CCONJ",
        ):
            if t.lower_ in ("without", "no"):
                yield t
            return
        yield t


def _modifies(token: Token) -> Nobody:
    doc, i = token.doc, token.i + 1
    while i + 1 < len(doc) and (
        (nounish(doc[i + 1]) and doc[i + 1].is_alpha) or doc[i].text == "-"
    ):
        i += 1
    last = doc[i]
    if ending_at(doc, i) and not nobody_words.THING_PAIRS.match(doc[token.i : i + 1].text.lower()):
        return Nobody("", "")
    if token.text[:1].isupper() and last.pos_ == "PROPN":
        return Nobody("name", f"{token.text} {last.text}")
    return Nobody("thing", f"{token.text} {last.text}")


def _possesses(token: Token) -> Nobody | None:
    for t in token.doc[token.i + 2 : token.i + 5]:
        if t.lower_ in nobody_words.BODY_PARTS:
            return None
    doc, end = token.doc, min(token.i + 3, len(token.doc))
    while end < len(doc) and nounish(doc[end]) and not doc[end - 1].is_punct:
        end += 1
    return Nobody("possession", doc[token.i : end].text)


_AS = frozenset(("as", "like"))


def _governed(token: Token) -> Nobody | None:
    """What is `of`, `as` or `like` a person, if that is a thing or an animal."""
    doc, head = token.doc, token
    while head.dep_ == "conj" and head.head.i != head.i:
        head = head.head
    link = head.head
    if link.pos_ != "ADP" and link.lower_ not in _AS:
        left = next(
            (t for t in reversed(list(doc[: token.i])) if t.pos_ not in ("DET", "ADJ", "NOUN")),
            None,
        )
        link = left if left is not None and left.lower_ in (*_AS, "of") else link
    word = link.lower_
    if word in _NO:
        return Nobody("negated", f"{link.text} {token.text}")
    if word == "of":
        thing = next((t for t in reversed(list(doc[: link.i])) if nounish(t)), None)
        if thing is not None and thing.i >= link.i - 2 and thing.lower_ in nobody_words.SHAPES:
            return Nobody("artificial", f"{thing.text} of {token.text}")
    if word in _AS:
        return _role(token, link)
    return None


def _role(token: Token, link: Token) -> Nobody | None:
    """Someone or something shown as a person: it is not another one."""
    for t in reversed(list(token.doc[: link.i])):
        if t.lower_ in nobody_words.ANIMALS and nounish(t):
            return Nobody("animal", f"{t.text} {link.text} {token.text}")
        if nounish(t) and (ending_at(token.doc, t.i) or t.pos_ == "PROPN"):
            return Nobody("role", f"{t.text} {link.text} {token.text}")
    return None
