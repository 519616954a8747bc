"""Nouns for people that show nobody: things, animals, whose things they are, who is absent."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from audit.design.mitigations import nobody_words
from audit.design.mitigations import people_words as words
from audit.design.mitigations.actions import acts
from audit.design.mitigations.lexicon import listed
from audit.design.mitigations.noun_phrases import nounish
from audit.design.mitigations.person_nouns import ending_at, follows
from audit.design.mitigations.titles import epithet, in_name

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
    return _named(token, first) or _thing(token, first, seen) or _shown(token, first)


def _named(token: Token, first: int) -> Nobody | None:
    """A title, a name, or what someone or something is called."""
    doc = token.doc
    lead = doc[first - 1].lower_ if first else ""
    if lead in ("called", "titled", "entitled", "named", "labelled", "labeled", "spelling"):
        return Nobody("title", f"{lead} {token.text}")
    if name := in_name(token):
        return Nobody("title", name)
    name = epithet(doc, first)
    return Nobody("name", f"{name} {token.text}") if name else None


def _thing(token: Token, first: int, seen: bool) -> Nobody | None:
    """A thing that the words around the noun show, or an image inside of the image."""
    doc = token.doc
    lead, then = (doc[i].lower_ if 0 <= i < len(doc) else "" for i in (first - 1, token.i + 1))
    if name := _thing_name(doc, token.i, first):
        return Nobody("thing", name)
    if token.lower_ == "model" and then == "of":
        return Nobody("thing", "model of")
    if token.lower_ in _PIECES and any(t.lower_ == "chess" for t in doc):
        return Nobody("thing", f"chess {token.text}")
    if then in _HOLDS and words.also_thing(token.lower_):
        return Nobody("thing", f"{token.text} {then}")
    hung = _HUNG.match(doc[token.i + 1 :].text.lower()) is not None
    twice = _TWICE.search(doc[:first].text.lower()) is not None
    if (seen or hung or twice) and lead in ("a", "an", "the") and _portrayed(doc, first):
        return Nobody("artificial", f"{doc[first - 3].text} of {token.text}")
    if first > 1 and doc[first - 1].tag_ == "POS" and words.also_thing(token.lower_):
        return Nobody("possession", doc[first - 2 : token.i + 1].text)
    found = _meant(doc, first)
    return Nobody("thing", f"{found} {token.text}") if found else None


def _shown(token: Token, first: int) -> Nobody | None:
    """Who is absent, an animal, or made, by the words of the noun's phrase and before it."""
    if gone := _absent(token.doc, token.i, first):
        return Nobody("negated", gone)
    before = list(_before(token, first))
    said = token.doc[max(first - 6, 0) : first].text.lower()
    if made := nobody_words.formed(said, token.lower_):
        return Nobody("artificial", f"{made} {token.text}")
    for t in before:
        place = t.text.istitle() and t.lower_ in listed("proper")
        why = nobody_words.stands_in(t.lower_, token.lower_, t.i == first - 1)
        if why and not place:
            return Nobody(why, f"{t.text} {token.text}")
        if t.lower_ in _NO:
            return Nobody("negated", f"{t.text} {token.text}")
    return _governed(token)


def _thing_name(doc: Doc, i: int, first: int) -> str:
    """The name of a thing of two words that ends like one of a person: `record player`."""
    pair = doc[max(i - 1, 0) : i + 1].text.lower()
    if nobody_words.THING_PAIRS.match(pair):
        return pair
    if first < i or i == 0 or doc[i - 1].pos_ not in ("NOUN", "PROPN", "ADJ"):
        return ""
    before, noun = doc[i - 1].lower_, words.singular(doc[i].lower_)
    named = f"{before} {noun}" in listed("compounds")
    dish = {before, noun} <= listed("dishes") and not (i + 1 < len(doc) and acts(doc[i + 1].lower_))
    machine = words.is_agent(before) and words.is_gadget(before) and words.is_gadget(noun)
    return pair if named or dish or machine else ""


_DENIED = re.compile(
    r"\b(?:not|nor|neither|nary|minus|except|instead of|rather than|without"
    r"|(?:devoid|free|empty) of)"
    r"(?: even| so much as)?(?: an?| the| one| any| its| their)?(?: single| usual)? (?:[\w-]+ )?$",
    re.IGNORECASE,
)
_GONE = re.compile(
    r"(?:,? (?:is|are|was|were|has|have)(?: just| already| now| long)?)?,? (?:gone|missing|absent"
    r"|away|nowhere(?: [\w-]+){0,3}|not (?:there|here|visible|shown|pictured)"
    r"|(?:not in|out of) (?:sight|frame|shot)|off[- ]?(?:screen|camera))\s*(?:[,.;]|$)"
    r"| (?:has|have)(?: just| already)? left\b",
    re.IGNORECASE,
)


def _absent(doc: Doc, i: int, first: int) -> str:
    """The words that say that someone is not there."""
    while first > 1 and doc[first - 1].pos_ in ("NOUN", "ADJ") and doc[first - 1].is_alpha:
        first -= 1
    before, after = doc[max(first - 8, 0) : first].text_with_ws, doc[i + 1 : i + 10].text_with_ws
    if found := _DENIED.search(before):
        return re.sub(r"^(without|no) an? $", r"\1 ", found.group()).strip() + f" {doc[i].text}"
    if found := _GONE.match(f" {after}" if doc[i].whitespace_ else after):
        return f"{doc[i].text}{found.group().rstrip(' ,.;')}"
    early = re.search(r"\b(?:before|until) the $", before.lower())
    late = re.search(r"\b(?:after|since) the $", before.lower())
    gone = late and re.match(r"(?:has |have |had )?(?:left|gone|went|leaves|goes)\b", after)
    if gone or (early and re.match(r"\w+s\b", after)):
        return f"{(late or early).group().strip()} {doc[i].text}"  # type: ignore[union-attr]
    return ""


_SENT = frozenset(
    "letter postcard note message email text gift present souvenir card invitation package".split()
)
_SHOWS = frozenset(
    """
    portrait painting photo photograph picture poster drawing sketch image illustration art render
    photography headshot prompt design idea concept shot scene cover style look time turn
    """.split()
)


def _meant(doc: Doc, first: int) -> str:
    """The thing that is for someone, about someone or from someone, who need not be there."""
    i = first - 1
    while i > 1 and doc[i].pos_ in ("ADJ", "NOUN"):
        i -= 1
    if doc[i].pos_ == "DET" or doc[i].lower_ in ("my", "our", "your"):
        i -= 1
    if i < 1:
        return ""
    thing, link = doc[i - 1], doc[i].lower_
    if not nounish(thing) or ending_at(doc, i - 1) or thing.lower_ in _SHOWS:
        return ""
    sent = link in ("from", "to") and words.singular(thing.lower_) in _SENT
    return f"{thing.text} {link}" if sent or link in ("for", "about") else ""


def _portrayed(doc: Doc, first: int) -> bool:
    """Whether `a portrait of a` and the like precede a noun: an image inside of the image."""
    if first < 3 or doc[first - 2].lower_ != "of" or doc[first - 3].lower_ not in _IMAGES:
        return False
    return not {"taking", "making", "painting", "drawing", "sketching", "shooting"} & {
        t.lower_ for t in doc[max(first - 6, 0) : first - 3]
    }


_IMAGES = frozenset(
    """
    portrait painting photo photograph picture poster drawing sketch mural fresco cartoon
    """.split()
)
_HUNG = re.compile(
    r"(?:(?!\w+ing\b)[\w-]+ ){0,2}on (?:an?|the|my|his|her) (?:[\w-]+ )?(?:wall|mug|t-?shirt|shirt"
    r"|hoodie|arm|door|card|billboard|stamp|fridge|bag|bottle|plate)\b"
)
"""Where an image is, if it is a thing in the scene."""
_TWICE = re.compile(
    r"\b(?:photo|photograph|picture|shot) of an? (?:[\w-]+ )?(?:photo|photograph|portrait|painting"
    r"|poster|drawing|sketch|mural) of (?:an?|the)(?: [\w-]+)?$|\bwanted poster of an?$"
)
"""An image of an image."""
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
        last = doc[link.i - 1] if link.i else None
        thing = next((t for t in reversed(list(doc[: link.i])) if nounish(t)), None)
        thing = last if last is not None and last.lower_ in nobody_words.SHAPES else thing
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
