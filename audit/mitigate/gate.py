"""The do-not-rewrite gate: prompts that a diversity rewrite would falsify stay untouched.

Named people, periods, quoted text, stated attributes, counted groups and prompts without a known
person noun are left alone; systems that rewrote them are the reason why (historical scenes, named
families). It reads spelling, not meaning: a single name, a fictional character or a period that
only context reveals passes. A suite can close such a gap itself with a block's `states`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from audit.mitigate.grammar import find, plural
from audit.records import Prompt

GENDERED = frozenset(
    """
    woman women man men female females male males girl girls boy boys lady ladies gentleman
    gentlemen gentlewoman guy guys mother mothers father fathers mom dad grandmother grandfather
    wife wives husband husbands sister sisters brother brothers daughter daughters son sons aunt
    uncle niece nephew bride groom widow widower queen king princess prince duke duchess empress
    emperor actress waitress hostess stewardess heroine nun monk mr mrs ms miss sir madam
    she he her his him hers herself himself cowboy cowgirl feminine masculine
    """.split()
)
_OFFICES = (
    "air alder anchor business camera chair clergy congress council crafts door fire fisher fore "
    "handy horse mail news police repair sales sea service spokes sports states work yacht"
)
_COMPOUND = re.compile(rf"\b(?:{'|'.join(_OFFICES.split())})(?:wo)?m[ae]n\b")
"""Offices with a gender in them; any word in -man would catch humans and Germans."""
_SKIN = re.compile(
    r"\b(?!(?:with|without|the|their|his|her|its|your|my|of|and|or|for|on|to|by|in|no|a|an)\b)"
    r"[\w-]+[ -]skin(?:ned)?\b"
)
_DESCENT = (
    "black|white|brown|asian|african|latino|latina|latinx|hispanic|caucasian|indian|arab|arabic"
    "|european|indigenous|chinese|japanese|korean|nigerian|mexican|pale|dark|tanned"
)
_PEOPLE = "person|people|persons|individual|individuals|adult|adults|woman|women|man|men"
PERIODS = re.compile(
    r"\b(?:1[0-9]{3}s?|[0-9]{1,2}(?:st|nd|rd|th)[- ]century|[0-9]+ (?:bc|bce)|medieval|ancient"
    r"|antiquity|prehistoric|(?:stone|bronze|iron|middle) ages?|feudal|byzantine|aztecs?|tudor"
    r"|victorian|edwardian|colonial|renaissance|baroque|vikings?|samurais?|nazis?|wehrmacht"
    r"|confederate|founding fathers?|world war|civil war|crusaders?|gladiators?|romans?|popes?"
    r"|pharaohs?|cardinals?|rabbis?|imams?)\b"
)
_QUOTED = re.compile(
    r"[\"\u201c\u201d\u201e\u00ab\u00bb]|(?<!\w)['\u2018][^'\u2019]+['\u2019](?!\w)"
)
_NUMBERS = "two|three|four|five|six|seven|eight|nine|ten|twelve|both|several|many|[0-9]+"
_GROUP = re.compile(
    rf"\b(?:{_NUMBERS})\s+(?:\w+\s+)?(?:{_PEOPLE})\b|\b(?:group|team|crowd|pair|couple)s? of\b"
)


def states(text: str, attribute: str, subject: str = "", phrases: Iterable[str] = ()) -> bool:
    """Whether a text states an attribute of a person already.

    Gender and skin tone are known; `phrases` are what would state any attribute.
    """
    lower = text.lower()
    if any(find(text, phrase) for phrase in phrases):
        return True
    if attribute == "gender":
        return bool(GENDERED & set(re.findall(r"[a-z]+", lower)) or _COMPOUND.search(lower))
    if attribute == "skin_tone":
        nouns = "|".join(filter(None, (re.escape(subject.lower()), _PEOPLE)))
        near = re.search(rf"\b(?:{_DESCENT})(?:[ -]\w+){{0,2}}[ -](?:{nouns})\b", lower)
        return bool(_SKIN.search(lower) or near)
    return False


def _title_case(word: str) -> bool:
    return len(word) > 1 and word[0].isupper() and word[1:] != word[1:].upper()


def _named(text: str, noun: re.Match[str]) -> bool:
    """Two capitalised words in a row, `van` and the like between them, or a title and a name."""
    after = re.match(r"\s+([^\W\d_][\w'\u2019-]*)", text[noun.end() :])
    if after and _title_case(after.group(1)):
        return True
    rest = f"{text[: noun.start()]},{text[noun.end() :]}"
    last, small = "", 0
    for token in re.findall(r"[^\W\d_][\w'\u2019-]*|[^\s\w]", rest):
        initial = len(token) == 1 and token.isupper() and token != "A"
        if initial or (_title_case(token) and token not in ("An", "The")):
            if last and not initial:
                return True
            last, small = token, 0
        elif last and token.islower() and len(token) <= 3 and small < 2:
            small += 1
        elif not (token == "." and 0 < len(last) <= 3):
            last = ""
    return False


def gate(
    text: str, prompt: Prompt, attribute: str = "gender", phrases: Iterable[str] = ()
) -> str | None:
    """Why a text must not be rewritten, or None where it may be.

    A text that lacks the prompt's subject, as whole words, is not about that person. `phrases`
    are the words by which a rewriter would state `attribute`.
    """
    noun = find(text, prompt.subject)
    if noun is None:
        return "no known person"
    if attribute in prompt.states or states(text, attribute, prompt.subject, phrases):
        return f"{attribute} is stated"
    if _QUOTED.search(text):
        return "quoted text"
    if _named(text, noun):
        return "named person or place"
    if PERIODS.search(text.lower()):
        return "historical or period term"
    counted = find(text, plural(prompt.subject)) or _GROUP.search(text.lower())
    return "counted group" if counted else None
