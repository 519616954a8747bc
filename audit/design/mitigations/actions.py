"""What people do, in -ing: verbs of WordNet whose subject is a person, and look-alikes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from audit.design.mitigations.lexicon import listed

if TYPE_CHECKING:
    from spacy.tokens import Token

DOES = frozenset(
    """
    filming tasting baking singing dancing painting typing shouting testing feeding climbing
    counting playing building repairing waiting listening
    wearing smiling holding standing sitting looking talking working walking playing reading
    cooking laughing sleeping writing running drinking eating teaching explaining carrying crying
    posing fixing
    """.split()
)
"""What people are seen doing."""
INGS = frozenset(
    """
    building training meeting housing clothing wedding evening morning string ceiling earring
    seating lodging crossing parking gathering greeting setting painting drawing outing opening
    landing carving stocking
    """.split()
)
"""Words in -ing that are mostly nouns."""
WHERE = frozenset(
    """
    underwater outdoors indoors upstairs downstairs outside inside midair airborne backstage onstage
    overseas downtown nearby alone together mid overhead
    vs versus
    """.split()
)
"""Adverbs of place, and `versus`, that the parser takes for nouns."""


def acts(verb: str) -> bool:
    """Whether a verb in -ing (or -in) is one for what people do and things do not: `raking`."""
    found = re.fullmatch(r"([a-z]{2,})in[g']?", verb)
    if found is None:
        return False
    stem = found[1]
    double = len(stem) > 2 and stem[-1] == stem[-2]
    return bool({stem, stem + "e", stem[:-1] if double else stem} & listed("acts"))


def doing(token: Token) -> bool:
    """Whether a word in -ing, or in -in as people write it, says what someone does."""
    low = token.lower_
    if low in INGS or len(low) < 5:
        return False
    return acts(low) or f"{low}g" in DOES or (low.endswith("ing") and token.tag_ == "VBG")
