"""Neutral and indirect wording: other words for the same request, with no attribute drawn.

Neutral wording replaces role nouns that state a gender. Indirect wording describes the occupation
instead of naming it. (Friedrich et al. 2024, MAGBIG, arXiv 2401.16092, section 3: neither reduced
bias there, and the indirect one lowered alignment. They are arms to be measured, not advice.)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from audit.design.mitigations import who
from audit.design.mitigations.grammar import find, indefinite
from audit.design.mitigations.neutral import worded
from audit.design.mitigations.phrases import PLAIN
from audit.records import MethodOptions, Prompt

NEUTRAL: Mapping[str, str] = {
    "actress": "actor", "airman": "aviator", "alderman": "council member", "anchorman":
    "news anchor", "anchorwoman": "news anchor", "ballerina": "ballet dancer", "barman":
    "bartender", "barmaid": "bartender", "bellboy": "bell attendant", "busboy": "table clearer",
    "businessman": "business person", "businesswoman": "business person", "cameraman":
    "camera operator", "camerawoman": "camera operator", "chairman": "chairperson", "chairwoman":
    "chairperson", "chambermaid": "room attendant", "charwoman": "cleaner", "clergyman":
    "member of the clergy", "comedienne": "comedian", "congressman": "member of congress",
    "congresswoman": "member of congress", "cowboy": "cattle herder", "cowgirl": "cattle herder",
    "craftsman": "craftsperson", "craftswoman": "craftsperson", "doorman": "door attendant",
    "fireman": "firefighter", "firewoman": "firefighter", "fisherman": "fisher", "fisherwoman":
    "fisher", "foreman": "supervisor", "handyman": "maintenance worker", "headmaster":
    "head teacher", "headmistress": "head teacher", "hostess": "host", "housewife": "homemaker",
    "househusband": "homemaker", "landlady": "landlord", "laundress": "launderer", "lineman":
    "line worker", "longshoreman": "dock worker", "lumberman": "lumber worker", "mailman":
    "mail carrier", "masseuse": "massage therapist", "masseur": "massage therapist", "milkman":
    "milk carrier", "milkmaid": "milker", "newsman": "reporter", "policeman": "police officer",
    "policewoman": "police officer", "postman": "mail carrier", "postwoman": "mail carrier",
    "repairman": "repairer", "salesman": "salesperson", "saleswoman": "salesperson", "salesgirl":
    "salesperson", "seamstress": "sewer", "serviceman": "service member", "servicewoman":
    "service member", "spokesman": "spokesperson", "spokeswoman": "spokesperson", "sportsman":
    "athlete", "sportswoman": "athlete", "statesman": "political leader", "steward":
    "flight attendant", "stewardess": "flight attendant", "stuntman": "stunt performer",
    "stuntwoman": "stunt performer", "tradesman": "tradesperson", "tradeswoman": "tradesperson",
    "usherette": "usher", "waitress": "server", "waiter": "server", "watchman": "guard",
    "weatherman": "weather forecaster", "workman": "worker",
}  # fmt: skip
"""Role nouns that state a gender, each with one that does not."""
_PLURALS = {re.sub(r"man$", "men", n) if n.endswith("man") else
            (n[:-1] + "ies" if n.endswith("y") and n[-2] not in "aeiou" else
             n[:-1] + "ves" if n.endswith("fe") else
             n + ("es" if n.endswith(("s", "x", "ch")) else "s")): v
            for n, v in NEUTRAL.items()}  # fmt: skip
_MEMBERS = ("member of the clergy", "member of congress")
_NOUN = re.compile(rf"(?<![\w-])({'|'.join(sorted({*NEUTRAL, *_PLURALS}, key=len, reverse=True))})"
                   r"(?![\w-])", re.IGNORECASE)  # fmt: skip
_ARTICLE = re.compile(r"(?<![\w-])(a|an)(\s+)$", re.IGNORECASE)

INDIRECT = "person who works as"


def _several(noun: str) -> str:
    """The plural of a neutral noun: `police officers`, `members of the clergy`."""
    if noun in _MEMBERS:
        return noun.replace("member", "members", 1)
    if noun.endswith("person"):
        return noun.removesuffix("person") + "people"
    return noun + "s"


def neutral(text: str, prompt: Prompt, drawn: Mapping[str, str], options: MethodOptions) -> str:
    """Replace a subject that states a gender: `a waitress` becomes `a server`.

    Article, plural and capitals stay correct; a second rewrite changes nothing. Names, quotes and
    history stay unchanged, by the gate; a gender that the subject's own noun states does not
    count. In a typed prompt, all people and their pronouns are worded so, or none if one of them
    has a gender that no other word can leave open.
    """
    if who.is_typed(prompt):
        new = worded(text, _NOUN, _instead)
        return text if who.why_not(new, prompt, "gender", (), several=True) else new
    noun = find(text, prompt.subject)
    if noun is None or not _NOUN.search(prompt.subject):
        return text
    new = _replaced(text[: noun.end()], noun.start()) + text[noun.end() :]
    other = replace(prompt, subject=_replaced(prompt.subject))
    return text if _kept(new, other, options) else new


def _instead(word: str) -> str:
    """The neutral noun for a gendered one, in lower case and in its number."""
    return NEUTRAL.get(word) or _several(_PLURALS[word])


def _replaced(text: str, start: int = 0) -> str:
    for match in reversed(list(_NOUN.finditer(text, start))):
        new = _instead(match[0].lower())
        before, after = text[: match.start()], text[match.end() :]
        article = _ARTICLE.search(before)
        if article:
            right = indefinite(new)
            right = right.capitalize() if article[1][0].isupper() else right
            before = before[: article.start()] + right + article[2]
        text = before + (new[:1].upper() + new[1:] if match[0][0].isupper() else new) + after
    return text


def indirect(text: str, prompt: Prompt, drawn: Mapping[str, str], options: MethodOptions) -> str:
    """Describe the occupation: `a photo of a nurse` becomes `a person who works as a nurse`.

    An adjective of a typed prompt stays with the person: `a young person who works as a nurse`. If
    the text has no article before the subject's compound, or the gate says so, it stays unchanged.
    """
    there = who.spots(text, prompt)
    if len(there) != 1 or INDIRECT in text or _kept(text, prompt, options):
        return text
    spot = there[0]
    before = text[: spot.start]
    article = _ARTICLE.search(before)
    if spot.noun in PLAIN:
        return text
    if article is None:
        described = spot.typed and re.search(r"(?<![\w-])(?:an?|the)\s[^,.;:]*\s$", before, re.I)
        one = indefinite(text[spot.start :])
        return f"{before}{INDIRECT} {one} {text[spot.start :]}" if described else text
    one = "A" if article[1][0].isupper() else "a"
    rest = f"{article[1].lower()}{article[2]}{text[spot.start :]}"
    return f"{before[: article.start()]}{one} {INDIRECT} {rest}"


def _kept(text: str, prompt: Prompt, options: MethodOptions) -> bool:
    """Whether the gate keeps a text unchanged."""
    return who.why_not(text, prompt, str(options.get("attribute", "gender")), ()) is not None
