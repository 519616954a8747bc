"""Neutral wording of a typed prompt: role nouns and pronouns that state no gender."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from audit.design.mitigations import parser, reading
from audit.design.mitigations.grammar import indefinite

if TYPE_CHECKING:
    from spacy.tokens import Token

Edit = tuple[int, int, str]
_FORMS = {
    "he": "they", "she": "they", "him": "them", "hers": "theirs", "himself": "themself",
    "herself": "themself",
}  # fmt: skip
_VERBS = {"is": "are", "was": "were", "has": "have", "does": "do", "goes": "go", "'s": "'re"}


def worded(text: str, nouns: re.Pattern[str], neutral: Callable[[str], str]) -> str:
    """The text with its gendered nouns for people, and the pronouns for them, replaced.

    `nouns` finds nouns, and `neutral` gives each one's replacement. Names, quotations, syntax and
    parts of names of things stay.
    """
    seen = reading.read(text)
    if seen.language or not seen.people:
        return text
    edits = [*_nouns(seen, nouns, neutral), *_pronouns(seen)]
    at = seen.readable.at
    for start, end, new in sorted(edits, reverse=True):
        first, last = at[start], at[end - 1] + 1
        old = text[first:last]
        new = new.upper() if old.isupper() and len(old) > 1 else new
        new = new[:1].upper() + new[1:] if old[:1].isupper() else new
        text = _articled(text[:first], new) + new + text[last:]
    return text


def _articled(before: str, new: str) -> str:
    found = re.search(r"(?<![\w-])(an?)([\s(\[{*]+)$", before, re.IGNORECASE)
    if found is None:
        return before
    right = indefinite(new)
    right = right.capitalize() if found[1][0].isupper() else right
    return f"{before[: found.start()]}{right}{found[2]}"


def _nouns(
    seen: reading.Reading, nouns: re.Pattern[str], neutral: Callable[[str], str]
) -> Iterator[Edit]:
    for match in nouns.finditer(seen.readable.text):
        if any(p.start <= match.start() and match.end() <= p.head[1] for p in seen.people):
            yield (*match.span(), neutral(match.group().lower()))


def _pronouns(seen: reading.Reading) -> Iterator[Edit]:
    """Pronouns in the third person singular, with the verbs that follow them."""
    text = seen.readable.text
    if not re.search(r"\b(?:she|he|her|hers|herself|his|him|himself)\b", text, re.IGNORECASE):
        return
    doc = next(iter(parser.parsed([text.lower() if seen.headline else text])))
    for token in doc:
        low, end = token.lower_, token.idx + len(token.text)
        if low == "her":
            yield token.idx, end, "their" if _owns(token) else "them"
        elif low == "his":
            yield token.idx, end, "their" if _owns(token) else "theirs"
        elif low in _FORMS:
            yield token.idx, end, _FORMS[low]
            if low in ("he", "she") and token.i + 1 < len(doc):
                yield from _agreeing(doc[token.i + 1])


def _owns(token: Token) -> bool:
    after = token.doc[token.i + 1] if token.i + 1 < len(token.doc) else None
    return token.tag_ == "PRP$" or (after is not None and after.pos_ in ("NOUN", "PROPN", "ADJ"))


def _agreeing(verb: Token) -> Iterator[Edit]:
    low = verb.lower_
    if low in _VERBS:
        yield verb.idx, verb.idx + len(verb.text), _VERBS[low]
    elif verb.tag_ == "VBZ":
        stem = re.sub(r"(?<=[^aeiou])ies$", "y", low)
        if stem == low:
            stem = re.sub(r"(?<=[sxzo])es$|(?<=ch)es$|(?<=sh)es$", "", low)
        yield verb.idx, verb.idx + len(verb.text), stem if stem != low else low.removesuffix("s")
