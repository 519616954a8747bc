"""Who is in a parsed prompt: nouns for people, where their noun phrases begin, and who is nobody."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from audit.design.mitigations import people_words as words

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


_NUMBERS = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
            "ten": 10, "both": 2}  # fmt: skip
_NO = frozenset("no without zero lacking sans".split())
_JOINED = frozenset(("compound", "nmod", "amod", "poss", "npadvmod", "nummod"))
_DOES = frozenset(
    """
    filming tasting baking singing dancing painting typing shouting testing feeding climbing
    counting playing building repairing waiting listening
    wearing smiling holding standing sitting looking talking working walking playing reading
    cooking laughing sleeping writing running drinking eating teaching explaining carrying crying
    posing fixing
    """.split()
)
_LONGEST = 4


def nounish(token: Token) -> bool:
    """Whether the parser takes a word for a noun."""
    return token.pos_ in ("NOUN", "PROPN")


def _ending_at(doc: Doc, i: int) -> tuple[str, int, bool] | None:
    """The longest known noun for a person that ends at a word: it, its first word, and plural."""
    last = doc[i].lower_
    one = words.singular(last)
    forms = [(last, doc[i].tag_ in ("NNS", "NNPS") and last == one and last == "staff")]
    if one != last:
        forms.append((one, True))
    for width in range(min(_LONGEST, i + 1), 0, -1):
        those = doc[i - width + 1 : i]
        if any(t.pos_ == "ADP" or t.lower_ in _PLAIN for t in those):
            continue
        before = "".join(t.lower_ + t.whitespace_ for t in those)
        for form, many in forms:
            if words.is_person(f"{before}{form}"):
                return f"{before}{form}", i - width + 1, many
    if nounish(doc[i]):
        for form, many in forms:
            acts = words.may_do(form) and _acts(doc[i])
            if words.has_agent_ending(form) or acts or (words.is_doer(form) and _one(doc, i)):
                return form, i, many
    return None


def _one(doc: Doc, i: int) -> bool:
    """Whether a noun phrase with `a` or `an` ends with a word, in lower case."""
    before = [t.lower_ for t in doc[max(i - 4, 0) : i]]
    return doc[i].text.islower() and bool({"a", "an"} & set(before)) and not _follows(doc[i])


def _acts(token: Token) -> bool:
    after = token.doc[token.i + 1] if token.i + 1 < len(token.doc) else None
    said = after is not None and after.lower_ in _DOES
    return said or any(c.lower_ in _DOES for c in token.children if c.i > token.i)


def _as_noun(token: Token) -> bool:
    """Whether a word is used as a noun; after an article it is one whatever the tag says."""
    if nounish(token) or len(token.doc) == 1:
        return True
    if token.i == 0 or token.pos_ in ("ADP", "DET", "PRON", "AUX", "CCONJ", "PART", "PUNCT"):
        return token.lower_ in ("someone", "somebody")
    before = token.doc[token.i - 1]
    leads = before.pos_ in ("DET", "ADJ") or before.lower_ in ("a", "an", "the")
    leads = leads or (
        before.tag_ in ("VBG", "VBN") and token.i > 1 and token.doc[token.i - 2].text == "-"
    )
    return leads and not _follows(token)


def _follows(token: Token) -> bool:
    """Whether the next word is a noun of the same phrase."""
    doc, i = token.doc, token.i + 1
    if i >= len(doc):
        return False
    after = doc[i]
    if after.lower_ in _WHERE or _verb(doc, i):
        return False
    if after.tag_ in ("VB", "VBP") and token.tag_ == "NN" and _ends(doc, i):
        return True
    if words.is_thing(after.lower_) and (nounish(after) or after.pos_ == "ADJ"):
        return True
    if after.lower_.endswith("ing") and len(after.text) > 5:
        return _named_ing(doc, i)
    if after.pos_ == "ADJ" and token.dep_ in ("compound", "amod", "nmod") and token.head.i > i:
        return True
    if after.text == "-" and not token.whitespace_ and not after.whitespace_:
        return i + 1 < len(doc) and doc[i + 1].is_alpha
    return nounish(after) and after.is_alpha and after.tag_ != "VBG"


_WHERE = frozenset(
    """
    underwater outdoors indoors upstairs downstairs outside inside midair airborne backstage onstage
    overseas downtown nearby alone together mid overhead
    """.split()
)


def _ends(doc: Doc, i: int) -> bool:
    """Whether a phrase ends with a word: nothing, punctuation or a preposition follows."""
    return i + 1 >= len(doc) or doc[i + 1].pos_ in ("ADP", "PUNCT")


def _verb(doc: Doc, i: int) -> bool:
    """Whether a plural after a noun is a verb that the parser missed: `a driver leans on`."""
    after = doc[i]
    if after.tag_ != "NNS" or doc[i - 1].tag_ != "NN" or _ending_at(doc, i):
        return False
    then = doc[i + 1] if i + 1 < len(doc) else None
    return then is not None and (
        then.pos_ in ("DET", "PRON", "PART") or then.lower_ in ("on", "against", "at", "into", "over")
    ) and not words.is_thing(after.lower_)


_INGS = frozenset(
    """
    building training meeting housing clothing wedding evening morning string ceiling earring
    seating lodging crossing parking gathering greeting setting painting drawing outing opening
    landing carving stocking
    """.split()
)


def _named_ing(doc: Doc, i: int) -> bool:
    """Whether a word in -ing is the noun of a compound; most after a person are what they do."""
    if doc[i].lower_ not in _INGS or doc[i].tag_ == "VBG":
        return False
    after = doc[i + 1] if i + 1 < len(doc) else None
    return after is None or after.pos_ not in ("DET", "PRON", "NUM", "NOUN", "ADJ")


def people(doc: Doc) -> tuple[list[Person], list[Nobody]]:
    """The people of a parsed text, in order, and the nouns that show none, with the reasons."""
    found: list[Person] = []
    none: list[Nobody] = []
    for token in doc:
        if token.lower_ in words.CROWDS and _crowd(token, bool(found)):
            found.append(_person(token, token.lower_, token.i, True))
            continue
        known = _ending_at(doc, token.i) if token.is_alpha or "-" in token.text else None
        if known is None or not _as_noun(token):
            continue
        noun, first, many = known
        why = _nobody(token, first)
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


def _nobody(token: Token, first: int) -> Nobody | None:
    """Why a noun for people shows nobody, None if it shows someone; no kind if it is only a part of
    another noun for a person."""
    doc = token.doc
    if _follows(token):
        return _modifies(token)
    after = doc[token.i + 1] if token.i + 1 < len(doc) else None
    if after is not None and after.tag_ == "POS":
        return _possesses(token)
    before = [t for t in _before(token, first)]
    pair = doc[max(token.i - 1, 0) : token.i + 1].text
    if words.THING_PAIRS.match(pair.lower()):
        return Nobody("thing", pair)
    lead = doc[first - 1].lower_ if first else ""
    if lead in ("called", "titled", "entitled", "named", "labelled", "labeled", "spelling"):
        return Nobody("title", f"{lead} {token.text}")
    if token.lower_ == "model" and token.i + 1 < len(doc) and doc[token.i + 1].lower_ == "of":
        return Nobody("thing", "model of")
    if token.lower_ in _PIECES and any(t.lower_ == "chess" for t in doc):
        return Nobody("thing", f"chess {token.text}")
    if _titled(token, first):
        return Nobody("title", doc[max(first - 1, 0) : token.i + 1].text)
    for t in before:
        if why := words.stands_in(t.lower_, token.lower_):
            return Nobody(why, f"{t.text} {token.text}")
        if t.lower_ in _NO:
            return Nobody("negated", f"{t.text} {token.text}")
    return _governed(token)


_PIECES = frozenset("bishop king queen knight rook pawn".split())


def _titled(token: Token, first: int) -> bool:
    """Whether a noun with a capital follows `The` inside a text: a work, a ship, a card."""
    doc = token.doc
    start = next(
        (i for i in range(token.i - 1, max(token.i - 5, 0), -1) if doc[i].text == "The"), 0
    )
    inside = all(t.text[:1].isupper() for t in doc[start : token.i + 1])
    return start > 0 and inside and doc[start - 1].text not in ".!?:"


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
    if _ending_at(doc, i) and not words.THING_PAIRS.match(doc[token.i : i + 1].text.lower()):
        return Nobody("", "")
    if token.text[:1].isupper() and last.pos_ == "PROPN":
        return Nobody("name", f"{token.text} {last.text}")
    return Nobody("thing", f"{token.text} {last.text}")


def _possesses(token: Token) -> Nobody | None:
    for t in token.doc[token.i + 2 : token.i + 5]:
        if t.lower_ in words.BODY_PARTS:
            return None
    held = token.doc[token.i + 1 : token.i + 4].text
    return Nobody("possession", f"{token.text}{held}")


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
        if thing is not None and thing.i >= link.i - 2 and thing.lower_ in words.SHAPES:
            return Nobody("artificial", f"{thing.text} of {token.text}")
    if word in _AS:
        return _role(token, link)
    return None


def _role(token: Token, link: Token) -> Nobody | None:
    """Someone or something shown as a person: it is not another one."""
    for t in reversed(list(token.doc[: link.i])):
        if t.lower_ in words.ANIMALS and nounish(t):
            return Nobody("animal", f"{t.text} {link.text} {token.text}")
        if nounish(t) and (_ending_at(token.doc, t.i) or t.pos_ == "PROPN"):
            return Nobody("role", f"{t.text} {link.text} {token.text}")
    return None


def _person(token: Token, noun: str, first: int, many: bool) -> Person:
    start = _compound(token, min(first, token.i))
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
    return Person(said, (token.idx, end), doc[start].idx, doc[phrase].idx, number,
                  words.gender_of(noun) or words.gender_of(words.singular(token.lower_)) or gender)  # fmt: skip


def _compound(token: Token, first: int) -> int:
    """Index of the first word of the compound that ends with a noun: `high school teacher`."""
    doc, start = token.doc, first
    inside = {d.i for c in token.lefts if c.dep_ == "compound" for d in c.subtree}
    i = start - 1
    while i >= 0:
        t = doc[i]
        if t.tag_ == "POS":
            if start == first or i == 0 or start > token.i - 1:
                break
            start, i = i - 1, i - 2
            continue
        chain = _chain(doc, i)
        if chain < i:
            if _plain(t):
                break
            start, i = chain, chain - 1
            continue
        joined = not t.whitespace_ and (doc[start].text in "-/" or t.text in "-/")
        if not (t.is_alpha or joined) or not (joined or _kind(t, i in inside)):
            break
        start, i = i, i - 1
    while start < token.i and doc[start].text in "-/":
        start += 1
    return start


def _chain(doc: Doc, i: int) -> int:
    """Index of the first word of the words that hyphens join to a word: `stay-at-home`."""
    while i > 1 and doc[i - 1].text == "-" and not doc[i - 2].whitespace_ and not doc[i - 1].whitespace_:
        i -= 2
    return i


def _plain(t: Token) -> bool:
    """Whether the last word of a hyphenated adjective describes: `thirty-year-old`."""
    return t.lower_ in _PLAIN or t.tag_ in ("VBN", "VBG") or words.describes(t.lower_, True)


def _kind(t: Token, inside: bool) -> bool:
    """Whether a word before a noun belongs to its compound."""
    low = t.lower_
    if (
        t.pos_ in ("DET", "PRON", "ADP", "CCONJ", "NUM", "VERB", "AUX")
        and low not in words.CLASSIFYING
    ):
        return False
    if (low, t.doc[t.i + 1].lower_) in _FIXED:
        return True
    if (
        t.pos_ == "PROPN"
        and t.text.istitle()
        and t.doc[t.i + 1].text.istitle()
        and not words.ORIGINS.match(low)
    ):
        return not _styled(t)
    if low in words.CLASSIFYING:
        return not _styled(t)
    if low in _PLAIN or words.ORIGINS.match(low) or words.describes(low, t.pos_ == "ADJ"):
        return False
    return not _styled(t) and (
        inside or nounish(t) or (t.pos_ == "ADJ" and t.tag_ == "JJ" and _rare(low))
    )


_FIXED = frozenset(
    {
        ("deep", "sea"), ("high", "school"), ("middle", "school"), ("grammar", "school"),
        ("fast", "food"), ("slow", "food"), ("real", "estate"), ("supreme", "court"), ("high", "court"),
        ("hot", "dog"), ("hot", "air"), ("heavy", "metal"), ("high", "fashion"), ("black", "market"),
    }
)  # fmt: skip
"""Adjectives that form a compound with the noun after them: a deep sea diver."""
_STYLES = frozenset("style anime manga chibi cartoon lowpoly steampunk cyberpunk".split())
_ARTS = frozenset("pixel concept vector line clip digital fan".split())


def _styled(t: Token) -> bool:
    """Whether a word belongs to the style of an image: `pixel art`, `anime style`."""
    doc, i = t.doc, t.i
    art = t.lower_ == "art" and i > 0 and doc[i - 1].lower_ in _ARTS
    return t.lower_ in _STYLES or art


def _rare(low: str) -> bool:
    """Whether an adjective of the parser is more likely a noun: `tarot reader`."""
    return low in ("tarot", "crypto", "cyber", "esports", "kombucha", "snowplow")


_SEXES = frozenset("boy girl woman man lady gentleman women men girls boys".split())
_PLAIN = frozenset(
    """
    young old elderly tall short little big small happy sad tired smiling beautiful handsome pretty
    female male woman man dark light pale middle-aged teenage homeless lone single busy angry
    calm sweaty sweet fat thin slim chubby obese giant huge tiny massive blind mute bald blonde blond
    brunette redhead ginger wild mad insane crazy drunk sick ill healthy wise clever smart bright
    brave bold humble modest honest loyal gentle kind mean cruel evil good bad great fine nice
    lovely ugly plain elegant fancy chic casual formal dirty muddy bloody dusty oily wet dry cold hot
    warm frozen weary sleepy dreamy moody gloomy grim stern strict serene joyful pale tanned
    muscular athletic fit strong weak frail slender petite stocky lean hefty hairy curly spiky
    wrinkly freckly weathered grizzled scarred masked hooded armed naked nude shirtless barefoot
    modern futuristic alien mystic mythical legendary iconic famous local foreign native typical
    average ordinary normal random unknown anonymous lucky unlucky hungry thirsty bored excited
    surprised scared afraid shocked amazed relaxed asleep awake alone solo pregnant injured wounded
    hurt dead dying immortal married divorced widowed gay straight queer bisexual asexual
    cute friendly confident serious rich poor famous retired proud cheerful stylish muscular
    """.split()
)
"""Adjectives that no compound begins with, whatever the parser says."""
