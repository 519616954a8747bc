"""The do-not-rewrite gate: prompts that a diversity rewrite would falsify stay untouched.

Named people, periods, quoted text, stated attributes and prompts without a known person noun are
left alone; systems that rewrote them are the reason why (historical scenes, named families).
"""

from __future__ import annotations

import re

GENDERED = frozenset(
    "woman women man men female male girl girls boy boys lady ladies gentleman gentlemen mother "
    "father wife husband sister brother daughter son aunt uncle queen king she he her his".split()
)
SKIN = re.compile(r"\b(?:light|medium|dark|fair|pale|brown|black|white)(?:-\w+)?[ -]skin(?:ned)?\b")
PERIODS = re.compile(
    r"\b(?:1[0-9]{3}s?|[0-9]{1,2}(?:st|nd|rd|th)[- ]century|medieval|ancient|victorian|renaissance"
    r"|viking|samurai|nazi|founding fathers?|world war|middle ages|roman|pope|pharaoh)\b"
)
NAMED = re.compile(r"\b[A-Z][a-z]+ (?:[a-z]{1,3} )?[A-Z][a-z]+\b")
QUOTED = re.compile(r"[\"\u201c\u201d]")
COUNTED = re.compile(r"\b(?:two|three|four|five|six|\d+) \w+s\b")


def states(text: str, attribute: str) -> bool:
    """Whether a text already states the attribute (gender or skin_tone) of a person."""
    lower = text.lower()
    if attribute == "skin_tone":
        return bool(SKIN.search(lower))
    return bool(GENDERED & set(re.findall(r"[a-z]+", lower)))


def gate(text: str, subject: str, attribute: str) -> str | None:
    """Why a prompt must not be rewritten, or None where it may be.

    `subject` is the person noun that the suite declares; a text that does not contain it, as a
    whole word, is not about that person.
    """
    if not subject or not re.search(rf"\b{re.escape(subject)}\b", text):
        return "no known person"
    if states(text, attribute):
        return f"{attribute} is stated"
    if QUOTED.search(text):
        return "quoted text"
    if NAMED.search(text):
        return "named person or place"
    if PERIODS.search(text.lower()):
        return "historical or period term"
    return "counted group" if COUNTED.search(text.lower()) else None
