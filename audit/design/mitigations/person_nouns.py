"""Nouns for people in a parsed text: which they are, and whether they are used as nouns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit.design.mitigations import nobody_words
from audit.design.mitigations import people_words as words
from audit.design.mitigations.actions import DOES, INGS, WHERE, acts, doing
from audit.design.mitigations.lexicon import listed
from audit.design.mitigations.noun_phrases import PLAIN, nounish

if TYPE_CHECKING:
    from spacy.tokens import Doc, Token

_LONGEST = 4


def ending_at(doc: Doc, i: int) -> tuple[str, int, bool] | None:
    """The longest known noun for a person that ends at a word: it, its first word, and plural."""
    last = doc[i].lower_
    one = words.singular(last)
    forms = [(last, doc[i].tag_ in ("NNS", "NNPS") and last == one and last == "staff")]
    if one != last:
        forms.append((one, True))
    for width in range(min(_LONGEST, i + 1), 0, -1):
        those = doc[i - width + 1 : i]
        if any(t.pos_ == "ADP" or t.lower_ in PLAIN for t in those):
            continue
        before = "".join(t.lower_ + t.whitespace_ for t in those)
        for form, many in forms:
            if words.is_person(f"{before}{form}"):
                return f"{before}{form}", i - width + 1, many
    # No list has it: with a capital, it is rather a surname; and `older` is not a noun.
    capital = (i > 0 and doc[i].text.istitle()) or (
        doc[i].tag_ in ("JJR", "RBR") and words.describes(doc[i].lower_[:-2], True)
    )
    adjective = doc[i].pos_ == "ADJ" and i > 0 and doc[i - 1].pos_ in ("DET", "NOUN")
    if not capital and (nounish(doc[i]) or adjective):
        for form, many in forms:
            acts = words.is_agent(form) and form not in _NEVER and _acts(doc[i], form)
            ends = words.has_agent_ending(form) and not words.is_only_gadget(form)
            if ends or acts or (words.is_doer(form) and _one(doc, i)):
                return form, i, many
            if (noun := words.meant(form)) and _one(doc, i):
                return noun, i, many
    return None


_NEVER = frozenset("water paper flower river fiber fibre timber leather feather".split())
"""What only seems to do something before a word in -ing: `water rafting`."""


def _one(doc: Doc, i: int) -> bool:
    """Whether a noun phrase with `a` or `an` ends with a word, in lower case."""
    before = [t.lower_ for t in doc[max(i - 4, 0) : i]]
    alone = (i == 0 or doc[i - 1].is_punct) and (i + 1 == len(doc) or doc[i + 1].is_punct)
    led = bool({"a", "an"} & set(before)) or alone
    return doc[i].text.islower() and led and not follows(doc[i])


def _acts(token: Token, noun: str) -> bool:
    """Whether a noun does what people do; of a gadget's, what gadgets never do."""
    after = [t for t in token.doc[token.i + 1 : token.i + 2]]
    then = [t for t in (*after, *token.children) if t.i > token.i]
    if not words.is_gadget(noun):
        return any(t.lower_ in DOES or acts(t.lower_) for t in then)
    return any(acts(t.lower_) and t.lower_ != "reading" and t.lower_[:4] != noun[:4] for t in then)


_MISREAD = ("VB", "VBP", "VBN", "VBD", "JJ", "JJR", "JJS", "RBR", "RBS")
"""What the parser takes a rare noun for, after another noun and at the end of a phrase."""


def as_noun(token: Token) -> bool:
    """Whether a word is used as a noun; after an article it is one whatever the tag says."""
    if nounish(token) or len(token.doc) == 1:
        return True
    if token.i == 0:
        return token.lower_ in ("someone", "somebody") or _opens(token)
    if token.pos_ in ("ADP", "DET", "PRON", "AUX", "CCONJ", "PART", "PUNCT"):
        return token.lower_ in ("someone", "somebody")
    before = token.doc[token.i - 1]
    leads = before.pos_ in ("DET", "ADJ") or before.lower_ in ("a", "an", "the")
    after = token.doc[token.i + 1] if token.i + 1 < len(token.doc) else None
    ends = after is None or after.pos_ in ("ADP", "PUNCT", "CCONJ", "SCONJ") or doing(after)
    ends = ends or _verb(token.doc, token.i + 1)
    leads = leads or (before.pos_ == "ADP" and after is not None and doing(after))
    both = nounish(before) or before.pos_ == "CCONJ"
    leads = leads or (both and ends and token.tag_ in _MISREAD)
    leads = leads or (
        before.tag_ in ("VBG", "VBN") and token.i > 1 and token.doc[token.i - 2].text == "-"
    )
    return leads and not follows(token)


def _opens(token: Token) -> bool:
    """Whether a first word that the parser takes for a verb or an adjective is a noun here."""
    after = token.doc[1]
    agent = words.may_do(token.lower_) or words.has_agent_ending(token.lower_)
    return doing(after) or (agent and after.pos_ in ("ADP", "PUNCT"))


def follows(token: Token) -> bool:
    """Whether the next word is a noun of the same phrase."""
    doc, i = token.doc, token.i + 1
    if i >= len(doc):
        return False
    after = doc[i]
    if _hyphened(doc, i) or (after.lower_ in listed("acts") and _caused(doc, token.i)):
        return False
    slang = after.lower_.endswith("in") and doing(after)
    if after.lower_ in WHERE or slang or _verb(doc, i):
        return False
    if after.tag_ in ("VB", "VBP") and token.tag_ == "NN" and _ends(doc, i):
        return True
    of = i + 1 < len(doc) and doc[i + 1].lower_ == "of"
    if after.tag_ == "RB" and token.tag_ == "NN" and _ends(doc, i) and not of:
        return not after.lower_.endswith("ly") and after.lower_ not in listed("adverbs")
    if nobody_words.is_thing(after.lower_) and (nounish(after) or after.pos_ == "ADJ"):
        return True
    if after.lower_.endswith("ing") and len(after.text) > 5:
        return _named_ing(doc, i)
    if after.pos_ == "ADJ" and token.dep_ in ("compound", "amod", "nmod") and token.head.i > i:
        return True
    if after.text == "-" and not token.whitespace_ and not after.whitespace_:
        return i + 1 < len(doc) and doc[i + 1].is_alpha
    return nounish(after) and after.is_alpha and after.tag_ != "VBG"


def _hyphened(doc: Doc, i: int) -> bool:
    """Whether a word begins an adjective with a hyphen: `a nurse knee-deep in papers`."""
    joined = i + 2 < len(doc) and doc[i + 1].text == "-" and not doc[i].whitespace_
    return joined and doc[i + 2].pos_ in ("ADJ", "ADV", "VERB")


def _caused(doc: Doc, i: int) -> bool:
    """Whether a noun is who is made to do something: `making a child laugh`."""
    before = [t.lower_ for t in doc[max(i - 4, 0) : i]]
    return bool({"making", "letting", "watching", "seeing", "hearing", "helping"} & set(before))


def _ends(doc: Doc, i: int) -> bool:
    """Whether a phrase ends with a word: nothing, punctuation or a preposition follows."""
    return i + 1 >= len(doc) or doc[i + 1].pos_ in ("ADP", "PUNCT")


def _verb(doc: Doc, i: int) -> bool:
    """Whether a plural after a noun is a verb that the parser missed: `a driver leans on`."""
    after = doc[i]
    if after.tag_ != "NNS" or ending_at(doc, i):
        return False
    then = doc[i + 1] if i + 1 < len(doc) else None
    one = {"a", "an"} & {t.lower_ for t in doc[max(i - 5, 0) : i]}
    if one and then is not None and then.pos_ == "ADP" and then.lower_ != "of":
        return not nobody_words.is_thing(after.lower_)
    if doc[i - 1].tag_ != "NN":
        return False
    return (
        then is not None
        and (
            then.pos_ in ("DET", "PRON", "PART")
            or then.lower_ in ("on", "against", "at", "into", "over")
        )
        and not nobody_words.is_thing(after.lower_)
    )


def _named_ing(doc: Doc, i: int) -> bool:
    """Whether a word in -ing is the noun of a compound; most after a person are what they do."""
    if doc[i].lower_ not in INGS or doc[i].tag_ == "VBG":
        return False
    after = doc[i + 1] if i + 1 < len(doc) else None
    return after is None or after.pos_ not in ("DET", "PRON", "NUM", "NOUN", "ADJ")
