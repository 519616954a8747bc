"""Who is in a parsed prompt: nouns for people, where their phrases begin, and who is nobody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from audit.design.mitigations import nobody_words
from audit.design.mitigations import people_words as words
from audit.design.mitigations.actions import DOES, INGS, WHERE, acts, doing
from audit.design.mitigations.noun_phrases import PLAIN, compound, nounish
from audit.design.mitigations.titles import in_name

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


@dataclass(frozen=True)
class Nobody:
    """A noun for people that shows no person here."""

    why: str
    """Kind of reason: thing, artificial, animal, possession, negated, role, name."""
    words: str
    """The words that show it."""


_SEXES = frozenset("boy girl woman man lady gentleman women men girls boys".split())
_NUMBERS = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
            "ten": 10, "both": 2}  # fmt: skip
_NO = frozenset("no without zero lacking sans".split())
_JOINED = frozenset(("compound", "nmod", "amod", "poss", "npadvmod", "nummod"))
_LONGEST = 4


def _ending_at(doc: Doc, i: int) -> tuple[str, int, bool] | None:
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
            acts = words.is_agent(form) and _acts(doc[i], form)
            if words.has_agent_ending(form) or acts or (words.is_doer(form) and _one(doc, i)):
                return form, i, many
    return None


def _one(doc: Doc, i: int) -> bool:
    """Whether a noun phrase with `a` or `an` ends with a word, in lower case."""
    before = [t.lower_ for t in doc[max(i - 4, 0) : i]]
    alone = (i == 0 or doc[i - 1].is_punct) and (i + 1 == len(doc) or doc[i + 1].is_punct)
    led = bool({"a", "an"} & set(before)) or alone
    return doc[i].text.islower() and led and not _follows(doc[i])


def _acts(token: Token, noun: str) -> bool:
    """Whether a noun does what people do; of a gadget's, what gadgets never do."""
    after = [t for t in token.doc[token.i + 1 : token.i + 2]]
    then = [t for t in (*after, *token.children) if t.i > token.i]
    if not words.is_gadget(noun):
        return any(t.lower_ in DOES or acts(t.lower_) for t in then)
    return any(acts(t.lower_) and t.lower_ != "reading" and t.lower_[:4] != noun[:4] for t in then)


_MISREAD = ("VB", "VBP", "VBN", "VBD", "JJ", "JJR", "JJS", "RBR", "RBS")
"""What the parser takes a rare noun for, after another noun and at the end of a phrase."""


def _as_noun(token: Token) -> bool:
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
    leads = leads or (nounish(before) and ends and token.tag_ in _MISREAD)
    leads = leads or (
        before.tag_ in ("VBG", "VBN") and token.i > 1 and token.doc[token.i - 2].text == "-"
    )
    return leads and not _follows(token)


def _opens(token: Token) -> bool:
    """Whether a first word that the parser takes for a verb or an adjective is a noun here."""
    after = token.doc[1]
    agent = words.may_do(token.lower_) or words.has_agent_ending(token.lower_)
    return doing(after) or (agent and after.pos_ in ("ADP", "PUNCT"))


def _follows(token: Token) -> bool:
    """Whether the next word is a noun of the same phrase."""
    doc, i = token.doc, token.i + 1
    if i >= len(doc):
        return False
    after = doc[i]
    slang = after.lower_.endswith("in") and doing(after)
    if after.lower_ in WHERE or slang or _verb(doc, i):
        return False
    if after.tag_ in ("VB", "VBP") and token.tag_ == "NN" and _ends(doc, i):
        return True
    if nobody_words.is_thing(after.lower_) and (nounish(after) or after.pos_ == "ADJ"):
        return True
    if after.lower_.endswith("ing") and len(after.text) > 5:
        return _named_ing(doc, i)
    if after.pos_ == "ADJ" and token.dep_ in ("compound", "amod", "nmod") and token.head.i > i:
        return True
    if after.text == "-" and not token.whitespace_ and not after.whitespace_:
        return i + 1 < len(doc) and doc[i + 1].is_alpha
    return nounish(after) and after.is_alpha and after.tag_ != "VBG"


def _ends(doc: Doc, i: int) -> bool:
    """Whether a phrase ends with a word: nothing, punctuation or a preposition follows."""
    return i + 1 >= len(doc) or doc[i + 1].pos_ in ("ADP", "PUNCT")


def _verb(doc: Doc, i: int) -> bool:
    """Whether a plural after a noun is a verb that the parser missed: `a driver leans on`."""
    after = doc[i]
    if after.tag_ != "NNS" or _ending_at(doc, i):
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
        known = _ending_at(doc, token.i) if token.is_alpha or "-" in token.text else None
        if known is None or not _as_noun(token):
            continue
        noun, first, many = known
        why = _nobody(token, first, bool(found))
        if why is None:
            found.append(_person(token, noun, first, many))
        elif why.why:
            none.append(why)
    return found, none


def _crowd(token: Token, beside: bool) -> bool:
    """Whether a noun for many shows people of its own, rather than an institution or onlookers."""
    after = token.doc[token.i + 1].lower_ if token.i + 1 < len(token.doc) else ""
    if not nounish(token) or _follows(token) or after == "of":
        return False
    return not beside or token.lower_ in words.COMPANY


def _nobody(token: Token, first: int, seen: bool) -> Nobody | None:
    """Why a noun for people shows nobody, None if it shows someone; no kind if it is only a part of
    another noun for a person. `seen` tells whether someone is in the text before it."""
    doc = token.doc
    if _follows(token):
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
    if _ending_at(doc, i) and not nobody_words.THING_PAIRS.match(doc[token.i : i + 1].text.lower()):
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
        if nounish(t) and (_ending_at(token.doc, t.i) or t.pos_ == "PROPN"):
            return Nobody("role", f"{t.text} {link.text} {token.text}")
    return None


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
