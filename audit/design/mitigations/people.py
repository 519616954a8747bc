"""Who is in a parsed prompt: nouns for people, where their phrases begin, and who is nobody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from audit.design.mitigations import people_words as words
from audit.design.mitigations.actions import WHERE
from audit.design.mitigations.nobody import Nobody, nobody
from audit.design.mitigations.noun_phrases import compound, nounish
from audit.design.mitigations.person_nouns import as_noun, ending_at, follows

if TYPE_CHECKING:
    from spacy.tokens import Doc, Token


@dataclass(frozen=True)
class Person:
    """One person, or several of a kind, in a text."""

    noun: str
    """The noun in the singular and in lower case, with its compound: `software engineer`."""
    head: tuple[int, int]
    """Span of the noun itself in the text: `engineer`."""
    start: int
    """Where its compound begins: before `software`, also before adjectives that name a kind."""
    phrase: int
    """Where its noun phrase begins, with article and adjectives."""
    number: int
    """How many there are: 1, a count, or 0 for several without a count."""
    gender: str
    """`f` or `m` if the noun states a gender, else nothing."""


_SEXES = frozenset("boy girl woman man lady gentleman women men girls boys".split())
_NUMBERS = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
            "ten": 10, "both": 2}  # fmt: skip


def people(doc: Doc) -> tuple[list[Person], list[Nobody]]:
    """The people of a parsed text, in order, and the nouns that show none, with the reasons."""
    found: list[Person] = []
    none: list[Nobody] = []
    for token in doc:
        if token.lower_ in WHERE:
            continue
        if token.lower_ in words.CROWDS and _crowd(token, bool(found)):
            found.append(_person(token, token.lower_, token.i, True))
            continue
        known = ending_at(doc, token.i) if token.is_alpha or "-" in token.text else None
        if known is None or not as_noun(token):
            continue
        noun, first, many = known
        why = nobody(token, first, bool(found))
        if why is None:
            found.append(_person(token, noun, first, many))
        elif why.why:
            none.append(why)
    return found, none


def _crowd(token: Token, beside: bool) -> bool:
    """Whether a noun for many shows people of its own, rather than an institution or onlookers."""
    after = token.doc[token.i + 1].lower_ if token.i + 1 < len(token.doc) else ""
    if not nounish(token) or follows(token) or after == "of":
        return False
    return not beside or token.lower_ in words.COMPANY


def _person(token: Token, noun: str, first: int, many: bool) -> Person:
    start = compound(token, min(first, token.i))
    phrase, number = start, 0 if many else 1
    doc = token.doc
    for i in range(start - 1, max(start - 8, -1), -1):
        t = doc[i]
        if (
            t.pos_ in ("ADP", "VERB", "AUX", "CCONJ", "PUNCT", "SPACE")
            and t.text != "-"
            and t.tag_ not in ("VBN", "VBG")
        ):
            break
        if t.lower_ in _NUMBERS or (t.like_num and t.text.isdigit()):
            if many:
                number = _NUMBERS.get(t.lower_) or int(t.text[:4])
            elif t.lower_ in _NUMBERS:
                break
        if t.lower_ in ("every", "each", "all"):
            number = 0
        phrase = i
        if t.pos_ == "DET" or t.lower_ in ("a", "an", "the"):
            break
    said = "".join(t.lower_ + t.whitespace_ for t in doc[start : token.i]) + (
        noun if first == token.i else words.singular(token.lower_)
    )
    gender = next(
        (words.gender_of(t.lower_) for t in doc[start : token.i] if t.lower_ in _SEXES), ""
    )
    end = token.idx + len(token.text)
    said_by = words.gender_of(noun) or words.gender_of(words.singular(token.lower_)) or gender
    return Person(said, (token.idx, end), doc[start].idx, doc[phrase].idx, number, said_by)
