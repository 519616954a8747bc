"""What states an attribute of a person in a typed prompt.

It is a noun, an adjective, a pronoun, the body, dress, a tag, an emoji or a quotation.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from audit.design.mitigations.gate import states
from audit.design.mitigations.gate_words import GENDERED, NOT_GENDER
from audit.design.mitigations.others import of_others
from audit.design.mitigations.people import Person
from audit.design.mitigations.syntax import Readable


@dataclass(frozen=True)
class Statement:
    """What states an attribute, and how."""

    by: str
    """noun, adjective, pronoun, body, dress, tag, emoji, quotation, or text."""
    words: str


_WAYS = (
    ("pronoun", re.compile(r"\b(?:she|he|her|hers|herself|his|him|himself)\b")),
    ("adjective", re.compile(
        r"\b(?:female|male|woman|womanly|feminine|masculine|manly|effeminate|girly|girlish|boyish"
        r"|ladylike|trans(?:gender)?|nonbinary|non-binary|androgynous|genderfluid|gender-?neutral"
        r"|lesbian|macho|butch|motherly|fatherly|grandmotherly|maternal|paternal)\b")),
    ("body", re.compile(
        r"\b(?:beard(?:ed)?|mo?ustach(?:e|ed|ioed)|goateed?|stubbl(?:e|ed|y)|five[ -]o'clock shadow"
        r"|side(?:burns|burned|whiskers)|(?:be)?whisker(?:s|ed)|mutton ?chops|soul patch"
        r"|unshaven|unshaved|clean-?shaven|pregnant|pregnancy|breast ?-?feeding"
        r"|nursing (?:a|the) baby"
        r"|lactating|busty|curvy|voluptuous|breasts?(?! cancer| stroke)|cleavage|bosom"
        r"|adam's apple|balding"
        r"|baby bump|chest hair|(?:hairy|bare|waxed)[- ](?:chest(?:ed)?|back)|receding hairline"
        r"|expecting a baby|handlebar moustache)\b(?! trimmer| oil)")),
    ("dress", re.compile(
        r"\b(?:(?:sun|mini|maxi|night)?dress(?:es)?(?! (?:shoes?|shirts?|uniform|blues|code"
        r"|pants|rehearsal"
        r"|shop|socks|form|store|whites))|(?:mini|maxi)?skirts?(?! steak)|(?:ball|evening"
        r"|wedding|bridal) gowns?|hijab"
        r"|niqab|burqa|burka|chador|bikini|bra|corset|lingerie|lipstick|mascara|eyeliner"
        r"|high heels|stilettos?|heels"
        r"|pantyhose|sari|saree|lehenga|dirndl|lederhosen|petticoat|tiara|tuxedo|kippah|yarmulke|thobe"
        r"|stockings|kilt|turban|leotard|(?:\w+(?:ed|ing|less)|silk|satin|velvet|lace|long|red|white"
        r"|flowing|prom) gowns?|blouse|tutu|pinafore|swim trunks|bow tie|necktie|pigtails"
        r"|ponytails?)\b")),
    ("tag", re.compile(
        r"(?:(?<=[,(/])|(?<=[,(/] ))[mf](?=\s?[,)]|$)"
        r"|(?<=[,(/] )\d\d ?[mf](?=\s?[,)]|$)"
        r"|\b\d\+?(?:girl|boy|woman|man|women|men|female|male)s?\b")),
)  # fmt: skip
_MADE = re.compile(
    r"\b(?:sewing|designing|ironing|folding|selling|washing|stitching|hemming|pinning|repairing|mending"
    r"|painting|drawing|buying|steaming|packing|hanging|photographing|cutting|making|tailoring"
    r"|embroidering|altering|delivering|arranging|displaying|weaving|knitting|dyeing|sketching)"
    r"(?: up| out)? (?:an?|the|some|\w+) (?:(?!in\b|with\b|wearing\b)[\w'-]+ ){0,3}?"
    rf"(?:{_WAYS[3][1].pattern})"
)
"""Clothes that someone makes, mends or sells, and does not wear."""
_CHESS = re.compile(r"(?<!as )(?<!like )\b(?:the|an?|white|black|[^\W\d_]+'s) (?:king|queen)s?\b")
"""Pieces, where chess is played."""
_EMOJI = re.compile(
    "[\u2640\u2642\U0001f466-\U0001f469\U0001f470\U0001f474\U0001f475\U0001f478"
    "\U0001f47c\U0001f930\U0001f934\U0001f936\U0001f9d4\U0001f57a\U0001f483]"
)
_OTHERS = re.compile(
    r"\b(?:(?:wo)?men's|dress(?:ed)?(?= as)|breast cancer|(?:fe)?male (?:connector|plug|socket))\b"
)
_AGES = re.compile(
    r"\b(?:child|kid|baby|toddler|infant|teen|teenager|adolescent|youngster|youth"
    r"|seniors?(?= citizen|$|,| (?:in|at|on|with)\b)|pensioner|retiree"
    r"|elder|preschooler|schoolchild|newborn|grandparent|octogenarian|centenarian|wrinkled|gr[ae]y-haired"
    r"|white-haired|silver-haired|middle-aged|\d+[ -]?(?:years?|yo)[ -]?(?:old)?)\b"
)


def told(
    readable: Readable, person: Person, attribute: str, phrases: Iterable[str] = ()
) -> Statement | None:
    """What states an attribute of a person, or None if it is open."""
    if attribute == "gender":
        readable = replace(readable, text=of_others(readable.text, person.head[1]))
    lower = readable.text.lower()
    if attribute == "gender":
        found = _gender(readable, lower, person)
    elif attribute == "age" and (match := _AGES.search(lower)):
        found = Statement("noun", match.group())
    else:
        found = None
    start, end = person.head
    # One noun for all keeps the rules' patterns few; what the noun itself says was read above.
    plain = f"{readable.text[:start]}person{readable.text[end:]}"
    if attribute == "gender":
        plain = NOT_GENDER.sub(" ", plain.lower())
        plain = _CHESS.sub(" ", plain) if "chess" in plain else plain
    if found is None and states(plain, attribute, "person", phrases):
        found = Statement("text", _where(lower, attribute, phrases) or "in its words")
    return found


def _gender(readable: Readable, lower: str, person: Person) -> Statement | None:
    if person.gender:
        return Statement("noun", person.noun)
    plain = lower
    for others in (_OTHERS, _MADE, NOT_GENDER, *([_CHESS] if "chess" in plain else [])):
        plain = others.sub(lambda m: " " * len(m.group()), plain)
    for by, pattern in _WAYS:
        if match := pattern.search(plain):
            return Statement(by, match.group().strip())
    if match := _EMOJI.search(readable.source):
        return Statement("emoji", match.group())
    for quote in readable.quoted:
        if match := re.search(
            r"[a-z]+", " ".join(w for w in re.findall("[a-z]+", quote.lower()) if w in GENDERED)
        ):
            return Statement("quotation", match.group())
    return None


def _where(lower: str, attribute: str, phrases: Iterable[str]) -> str:
    """The words that state an attribute, where a list has them."""
    for phrase in phrases:
        if phrase.lower() in lower:
            return phrase
    if attribute == "gender":
        return next((w for w in re.findall(r"[a-z]+", lower) if w in GENDERED), "")
    found = re.search(r"\b[\w-]*(?:[ -]skinned|[ -]skin)\b|\bwith [\w -]{3,25} skin\b", lower)
    return found.group() if found else ""
