"""Whom a rewriter writes about: a suite's declared subject, or the people of a typed prompt."""

from __future__ import annotations

import re
from collections.abc import Iterable

from audit.design.mitigations import parser, reading
from audit.design.mitigations.gate import gate
from audit.design.mitigations.grammar import find
from audit.design.mitigations.people import Person, people
from audit.design.mitigations.phrases import Spot
from audit.records import Prompt

_FREE_BEFORE = frozenset(
    """
    a an the of in at by with and or to from is as for this that my our your some one each every
    young old elderly happy sad good bad proud poor rich female male smiling tired
    """.split()
)
"""Words that no compound begins with: without another before a subject, no parser is needed."""
_FREE_AFTER = frozenset(
    """
    in at on with and or of from for to by is are who whose that while as under over near behind
    beside before after during into holding wearing sitting standing working looking if
    """.split()
)


def is_typed(prompt: Prompt) -> bool:
    """Whether a prompt's people are read from its text, because it declares no subject.

    The captions of a suite, which are there for their images, have no subject either.
    """
    return not prompt.subject and prompt.purpose == "representation"


def why_not(
    text: str, prompt: Prompt, attribute: str, phrases: Iterable[str] = (), several: bool = False
) -> str | None:
    """Why a text must not be rewritten, or None if it may be."""
    if is_typed(prompt):
        return reading.why_not(text, attribute, phrases, several) or None
    return gate(text, prompt, attribute, phrases)


def spots(text: str, prompt: Prompt) -> list[Spot]:
    """The noun phrases of the people that a text is about, in its order."""
    if is_typed(prompt):
        seen = reading.read(text)
        return [_spot(seen, p) for p in seen.people]
    noun = find(text, prompt.subject)
    return [] if noun is None else [_declared(text, noun)]


def already_read(prompt: Prompt) -> reading.Reading | None:
    """The reading of a typed prompt if one is kept; None also for a declared subject."""
    return reading.kept(prompt.text) if is_typed(prompt) else None


def nouns(text: str) -> list[str]:
    """The nouns of the first person of a typed prompt: the whole compound, then ever less of it."""
    first = reading.read(text).people[:1]
    words = first[0].noun.split() if first else []
    return [" ".join(words[k:]) for k in range(len(words))]


def _spot(seen: reading.Reading, person: Person) -> Spot:
    head, start = seen.readable.span(*person.head), seen.readable.at[person.start]
    # A compound may begin inside of a choice, `a {sushi|pastry} chef`, which stays whole.
    start = next((a for a, b in seen.readable.kept if a < start < b and b <= head[0]), start)
    return Spot(start, head, True, person.number, person.noun)


def _declared(text: str, noun: re.Match[str]) -> Spot:
    """The compound around a declared subject, by the parser if its neighbours leave it open."""
    span = noun.span()
    before = re.search(r"([\w'-]+)\s+$", text[: noun.start()])
    after = re.match(r"\s+([\w'-]+)", text[noun.end() :])
    open_before = before is not None and before[1].lower() not in _FREE_BEFORE
    open_after = after is not None and after[1].lower() not in _FREE_AFTER
    if open_before or (open_after and after is not None and not after[1].endswith("ing")):
        seen = next(iter(parser.parsed([text])))
        for person in people(seen)[0]:
            if person.start <= span[1] and person.head[1] >= span[1] and person.start <= span[0]:
                return Spot(person.start, (max(span[0], person.head[0]), person.head[1]))
    return Spot(span[0], span)
