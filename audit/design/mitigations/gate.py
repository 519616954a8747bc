"""The do-not-rewrite gate: prompts that a diversity rewrite would falsify stay untouched.

Named people, periods, roles with one gender, quoted text, stated attributes, counted groups and
prompts without a known person noun are left alone, because systems have falsified such prompts
(historical scenes, named families; Wan et al. 2024, "The Factuality Tax of Diversity-Intervened
Text-to-Image Generation"). The gate reads spelling, lists and a little grammar, not meaning: it
misses an unlisted name in lower case, or a period that only context reveals. A suite can close
such a gap itself with a block's `states`. Tests measure how often the gate errs on
prompts/gate_cases.csv. Its weakness is events that a text names without a year: of 38 items
of that paper's list, drawn before any of their words were in gate_words.py, it caught 25.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cache

from audit.design.mitigations import gate_words as words
from audit.design.mitigations.gate_text import named
from audit.design.mitigations.gate_words import GENDERED
from audit.design.mitigations.grammar import find, plural
from audit.records import Prompt

__all__ = ["GENDERED", "REASONS", "gate", "states", "tidy"]

REASONS = {
    "nobody": "no known person",
    "stated": "is stated",
    "quoted": "quoted text",
    "named": "named person",
    "period": "historical or period term",
    "fixed role": "role of one gender",
    "group": "counted group",
}
"""Kind of a reason to the gate's text for it; `stated` follows the attribute."""

_PUNCTUATION = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u02bc\u00b4`\u2032\uff07", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033\uff02", '"'),
        **dict.fromkeys("\u300c\u300d\u300e\u300f", '"'),
        **dict.fromkeys("\u2010\u2011\u2012\u2013", "-"),
        **dict.fromkeys("\u2014\u2015", ","),
        **dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff\u00ad", ""),
    }
)  # fmt: skip
_QUOTED = re.compile(r"(?<!\d)\"|\"[^\"]*\"|(?<!\w)'(?!n'|\d0s)[^']+'(?!\w)")


def tidy(text: str) -> str:
    """The text with one kind of space, quotation mark, apostrophe and hyphen, without accents.

    Letters keep their case; quotation marks of any language become straight ones.
    """
    text = unicodedata.normalize("NFKD", text.translate(_PUNCTUATION))
    plain = "".join(c for c in text if not unicodedata.combining(c))
    return re.sub(r"\s+", " ", plain).strip()


def _gender_stated(text: str, subject: str) -> bool:
    plain = words.NOT_GENDER.sub(" ", text)
    at = plain.find(subject)
    if at >= 0 and subject:
        end = at + len(subject)
        plain = plain[:end] + words.OTHER_PERSON.sub(" ", plain[end:])
        if subject and re.search(rf"\bpregnant (?:[\w-]+ )?{re.escape(subject)}\b", plain):
            return True
    return bool(GENDERED & set(re.findall(r"[a-z]+", plain)) or words.GENDER.search(plain))


@cache
def _near(adjectives: str, subject: str) -> re.Pattern[str]:
    nouns = "|".join(filter(None, (re.escape(subject), words.PEOPLE)))
    return re.compile(rf"\b(?:{adjectives})(?:[ -]\w+){{0,2}}[ -](?:{nouns})\b")


def _said(adjectives: str, things: re.Pattern[str], text: str, subject: str) -> bool:
    """Whether one of the adjectives is before or inside the subject, and not about a thing."""
    within = re.search(rf"\b(?:{adjectives}) ", things.sub(" ; ", subject))
    return bool(within or _near(adjectives, subject).search(things.sub(" ; ", text)))


def _skin_stated(text: str, subject: str) -> bool:
    skin = words.SKIN.search(words.NO_DESCENT.sub(" ; ", text))
    return bool(skin or _said(words.DESCENT, words.NO_DESCENT, text, subject))


_OLD_THINGS = re.compile(
    r"\b(?:old|aged|young adult)[- ](?:\w+ )?(?:houses?|cars?|books?|buildings?|towns?|ships?"
    r"|clocks?|castles?|trucks?|fiction|growth|school|trees?|maps?|furniture|records?|cheese|wine|church"
    r"|homes?|bridge|factory|city)\b"
)


def _age_stated(text: str, subject: str) -> bool:
    after = words.AGE_AFTER.search(_OLD_THINGS.sub(" ; ", text))
    return bool(after or _said(words.AGE, _OLD_THINGS, text, subject))


_STATED = {
    "gender": _gender_stated,
    "skin_tone": _skin_stated,
    "ethnicity": _skin_stated,
    "race": _skin_stated,
    "age": _age_stated,
}


def states(text: str, attribute: str, subject: str = "", phrases: Iterable[str] = ()) -> bool:
    """Whether a text already states an attribute of a person.

    Gender, skin tone (with ethnicity and race) and age are recognized; `phrases` are further words
    that state the attribute.
    """
    if any(find(text, phrase) for phrase in phrases):
        return True
    reader = _STATED.get(attribute)
    return reader is not None and reader(tidy(text).lower(), tidy(subject).lower())


def _nobody(text: str, noun: re.Match[str]) -> bool:
    """Whether the noun is part of a thing's name, an animal's costume, or negated."""
    before, after = tidy(text[: noun.start()] + "|").lower()[:-1], tidy(text[noun.end() :]).lower()
    joined = text[noun.end() : noun.end() + 1].isspace() or after.startswith("-")
    thing = joined and re.match(rf"-?(?:{words.THINGS})\b", after)
    return bool(thing or words.NOBODY_BEFORE.search(before))


def _period(lower: str) -> bool:
    plain = words.NOT_PERIOD.sub(" ", lower)
    if words.PERIODS.search(plain):
        return True
    years = (m.group().rstrip("s'") for m in words.YEARS.finditer(plain))
    return any(int(y) <= words.LAST_YEAR for y in years)


def _fixed(lower: str, subject: str, attribute: str) -> bool:
    if attribute != "gender":
        return False
    return bool(words.FIXED_GENDER.search(lower) or words.FIXED_SUBJECT.match(subject))


def _several(lower: str, subject: str) -> bool:
    """Whether people are counted or gathered, or the subject is plural; false without a subject."""
    if not subject:
        return False
    many = rf"(?<![\w-]){re.escape(plural(subject))}(?!['\w-])"
    return bool(re.search(many, lower) or words.groups(plural(subject)).search(lower))


def ruled(plain: str, subject: str, attribute: str) -> str | None:
    """The reason of the rules for names, periods and roles on a tidy text, or None."""
    if named(plain, tidy(subject)):
        return REASONS["named"]
    if _period(plain.lower()):
        return REASONS["period"]
    fixed = _fixed(plain.lower(), tidy(subject).lower(), attribute)
    return REASONS["fixed role"] if fixed else None


def gate(
    text: str, prompt: Prompt, attribute: str = "gender", phrases: Iterable[str] = ()
) -> str | None:
    """Why a text must not be rewritten, or None if it may be.

    A text that lacks the prompt's subject, as whole words, is not about that person. `phrases`
    are the words with which a rewriter would state `attribute`. Case, kinds of space and of
    punctuation do not matter, except for names that only capitals show. The reason is a value of
    REASONS, the first that applies, in their order.
    """
    plain, subject = tidy(text), tidy(prompt.subject).lower()
    lower, noun = plain.lower(), find(text, prompt.subject)
    if noun is None or _nobody(text, noun):
        return REASONS["nobody" if noun or not _several(lower, subject) else "group"]
    if attribute in prompt.states or states(text, attribute, prompt.subject, phrases):
        return f"{attribute} {REASONS['stated']}"
    if _QUOTED.search(lower):
        return REASONS["quoted"]
    if reason := ruled(plain, prompt.subject, attribute):
        return reason
    return REASONS["group"] if _several(lower, subject) else None
