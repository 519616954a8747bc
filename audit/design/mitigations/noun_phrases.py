"""Where the compound of a noun begins: after the adjectives that describe, before those that name a
kind."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from audit.design.mitigations import people_words as words
from audit.design.mitigations.lexicon import listed
from audit.design.mitigations.nobody_words import BODY_PARTS

if TYPE_CHECKING:
    from spacy.tokens import Doc, Token


def nounish(token: Token) -> bool:
    """Whether the parser takes a word for a noun."""
    return token.pos_ in ("NOUN", "PROPN")


def compound(token: Token, first: int) -> int:
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
            if _plain(t) or _describing(doc, chain, i):
                break
            start, i = chain, chain - 1
            continue
        joined = not t.whitespace_ and (doc[start].text in "-/" or t.text in "-/")
        if not (t.is_alpha or joined) or not (joined or _kind(t, i in inside)):
            break
        start, i = i, i - 1
    while start < token.i and doc[start].text in "-/":
        start += 1
    while _inside(doc, start):
        start -= 2
    return start


def _inside(doc: Doc, start: int) -> bool:
    """Whether the word before a compound is inside of it, because the one before that is a noun:
    `trade fair planner`. An adjective that describes would come first."""
    if start < 2 or not doc[start - 2].whitespace_ or not doc[start - 1].whitespace_:
        return False
    noun, word = doc[start - 2], doc[start - 1]
    if (start > 2 and doc[start - 3].text == "-") or noun.lower_ == "year":
        return False
    open_class = word.pos_ in ("ADJ", "ADV", "NOUN", "VERB") and word.is_alpha
    joined = noun.is_alpha and noun.head.i != start - 1
    joined = joined or noun.dep_ in ("compound", "nmod", "npadvmod")
    said = noun.lower_ in PLAIN or noun.lower_ in BODY_PARTS or noun.lower_ in _MEDIA
    return open_class and joined and noun.tag_ == "NN" and not said and not _styled(noun)


_MEDIA = frozenset(
    """
    photo portrait picture painting image sketch art style drawing render headshot closeup fantasy
    photography noir quality film comic vintage retro watercolor oil color colour film digital
    """.split()
)
"""Nouns for images, whose adjectives describe the image or the person."""


def _chain(doc: Doc, i: int) -> int:
    """Index of the first word of the words that hyphens join to a word: `stay-at-home`."""
    while (
        i > 1
        and doc[i - 1].text == "-"
        and not doc[i - 2].whitespace_
        and not doc[i - 1].whitespace_
    ):
        i -= 2
    return i


def _plain(t: Token) -> bool:
    """Whether the last word of a hyphenated adjective describes: `thirty-year-old`."""
    return t.lower_ in PLAIN or t.tag_ in ("VBN", "VBG") or words.describes(t.lower_, True)


def _describing(doc: Doc, chain: int, i: int) -> bool:
    """Whether words with hyphens describe rather than name a kind: `off-duty`, `third-floor`."""
    text = doc[chain : i + 1].text.lower()
    if text.replace("-", " ") in listed("pairs"):
        return False
    first = doc[chain]
    led = first.pos_ in ("ADP", "ADV") or first.ent_type_ == "ORDINAL" or first.lower_ in _PREFIXES
    return led or text in listed("joined")


_PREFIXES = frozenset("mid semi over well ill half ever out".split())


def _kind(t: Token, inside: bool) -> bool:
    """Whether a word before a noun belongs to its compound."""
    low, after = t.lower_, t.doc[t.i + 1]
    odd = _unadjectival(t)
    if t.tag_ == "VBG" and low not in PLAIN and (_field(t) or after.lower_ in _TAUGHT):
        return True
    if t.tag_ == "NN" and t.i in range(1, len(t.doc)) and nounish(t.doc[t.i - 1]) and inside:
        return not _styled(t)
    if low.endswith("ing") and t.dep_ == "amod" and low not in words.CLASSIFYING:
        return False
    closed = t.pos_ in ("DET", "PRON", "ADP", "CCONJ", "NUM", "VERB", "AUX", "ADV")
    if closed and low not in words.CLASSIFYING and not odd:
        return False
    if (low, after.lower_) in _FIXED or f"{low} {after.lower_}" in listed("pairs"):
        return True
    origin = words.ORIGINS.match(low)
    named = t.pos_ == "PROPN" and t.text.istitle() and after.text.istitle() and not origin
    if named or low in words.CLASSIFYING or words.relates(low):
        return not _styled(t)
    if low in PLAIN or origin or words.describes(low, t.pos_ == "ADJ"):
        return False
    return not _styled(t) and (inside or nounish(t) or odd or low in listed("dishes"))


def _field(t: Token) -> bool:
    """Whether a word in -ing names a field with the noun before it: `machine learning`."""
    before = t.doc[t.i - 1] if t.i else None
    joined = t.dep_ in ("compound", "amod", "nmod") and t.head.i > t.i
    return joined and before is not None and before.tag_ == "NN" and before.lower_ not in PLAIN


_TAUGHT = frozenset(
    """
    instructor coach teacher tutor trainer student champion contestant competitor enthusiast expert
    judge referee fan specialist consultant supervisor inspector engineer officer crew manager
    """.split()
)
"""Heads before which a word in -ing names what they do: a driving instructor."""
_FIXED = frozenset(
    {
        ("prompt", "engineer"), ("ethical", "hacker"),
        ("deep", "sea"), ("high", "school"), ("middle", "school"), ("grammar", "school"),
        ("fast", "food"), ("slow", "food"), ("real", "estate"), ("supreme", "court"),
        ("hot", "dog"), ("hot", "air"), ("heavy", "metal"), ("high", "court"),
    }
)  # fmt: skip
"""Adjectives that form a compound with the noun after them: a deep sea diver."""
_STYLES = frozenset(
    "cinematic photographic style anime manga chibi cartoon lowpoly steampunk cyberpunk".split()
)
_ARTS = frozenset("pixel concept vector line clip digital fan".split())


def _styled(t: Token) -> bool:
    """Whether a word belongs to the style of an image: `pixel art`, `anime style`."""
    doc, i = t.doc, t.i
    art = t.lower_ == "art" and i > 0 and doc[i - 1].lower_ in _ARTS
    return t.lower_ in _STYLES or art


_ADJECTIVAL = re.compile(r"(?:al|ic|y|ent|ant|ary|an|ile|ar|ive|est|er|st|ing)$")


def _unadjectival(t: Token) -> bool:
    """Whether the parser takes a word before a noun for something else than it can be: in `tarot
    reader` or `tattoo artist`, a noun."""
    low = t.lower_
    if t.tag_ in ("VB", "VBP", "RB"):
        led = t.i > 0 and t.doc[t.i - 1].pos_ == "DET"
        return led and not low.endswith("ly") and low not in _DEGREES
    if t.tag_ in ("JJR", "RBR", "JJS"):
        return not words.describes(low[:-2], True) and not words.describes(low[:-3] + "y", True)
    unknown = (low.endswith("y") and low not in listed("in_y")) or low in listed("seeming_nouns")
    return t.tag_ == "JJ" and (unknown or not _ADJECTIVAL.search(low))


_DEGREES = frozenset("very so too quite rather most more less just only even ever once".split())
PLAIN = frozenset(
    """
    young old elderly tall short little big small happy sad tired smiling beautiful handsome pretty
    female male woman man dark light pale middle-aged teenage homeless lone single busy angry
    calm sweaty sweet fat thin slim chubby obese giant huge tiny massive blind mute bald blonde
    blond
    brunette redhead ginger wild mad insane crazy drunk sick ill healthy wise clever smart bright
    brave bold humble modest honest loyal gentle kind mean cruel evil good bad great fine nice
    lovely ugly plain elegant fancy chic casual formal dirty muddy bloody dusty oily wet dry cold
    hot
    warm frozen weary sleepy dreamy moody gloomy grim stern strict serene joyful pale tanned
    muscular athletic fit strong weak frail slender petite stocky lean hefty hairy curly spiky
    wrinkly freckly weathered grizzled scarred masked hooded armed naked nude shirtless barefoot
    modern futuristic alien mystic mythical legendary iconic famous local foreign native typical
    average ordinary normal random unknown anonymous lucky unlucky hungry thirsty bored excited
    surprised scared afraid shocked amazed relaxed asleep awake alone solo pregnant injured wounded
    hurt dead dying immortal married divorced widowed gay straight queer bisexual asexual
    favorite favourite cute friendly confident serious rich poor famous retired proud cheerful
    stylish muscular
    """.split()
)
"""Adjectives that no compound begins with, whatever the parser says."""
