"""Words for a gender that are said of an animal, a thing or a place, and not of the person."""

from __future__ import annotations

import re

from audit.design.mitigations.nobody_words import BODY_PARTS
from audit.design.mitigations.people_words import is_person, singular

_LOOKS = BODY_PARTS | frozenset(
    """
    haircut hairstyle hairdo voice clothes clothing outfit outfits attire uniform features look
    looks appearance version form makeup physique torso chest breasts energy character gender
    anatomy dress suit underwear costume skin person persona presentation identity
    """.split()
)
"""What is said of these is said of the person who has them."""
_SAID = re.compile(
    r"\b(?:an?|the|one|another|its) (?P<sex>male|female) (?P<one>[a-z]+)"
    r"|\b(?P<owner>(?:wo)?m[ae]n|boys?|girls?|lad(?:y|ies)|gentlem[ae]n|king|queen|prince|princess"
    r"|mother|father|sister|brother)'s?'? (?P<owned>[a-z]+(?:[ -][a-z]+)?)"
    r"|\b[a-z]{3,}ing (?P<name>lady|queen|king|monk|prince|princess) (?P<kind>[a-z]+s)\b",
    re.IGNORECASE,
)


_PLACED = re.compile(
    r"(?<= )(?:Lady|Uncle|Aunt|Father|Mother|Sister|Brother|King|Queen|Prince|Princess|Duke"
    r"|Sir|Mrs?)(?: [A-Z][\w'-]+)+"
)
"""Names of places, shops and works in capitals."""


def of_others(text: str, end: int) -> str:
    """The text in which such words after a person's noun, which ends at `end`, are blank.

    A male Labrador, men's shirts and a queen ant say nothing of the trainer, the shop assistant and
    the biologist; a male voice does.
    """

    text = text[:end] + _PLACED.sub(lambda m: " " * len(m.group()), text[end:])

    def blank(found: re.Match[str]) -> str:
        noun = found["one"] or found["owned"] or found["kind"]
        heads = noun.lower().replace("-", " ").split()
        theirs = any(h in _LOOKS or is_person(singular(h)) for h in heads)
        return found.group() if theirs else " " * len(found.group())

    return text[:end] + _SAID.sub(blank, text[end:])
