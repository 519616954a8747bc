"""Placebos: as many words as the compared arm adds, but without meaning.

Any longer prompt does what a placebo does, so an arm's effect is what exceeds it. (Bansal
et al. 2022, ENTIGEN, arXiv 2210.15230, section 4, append "if honesty is the best policy".)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import takewhile

from audit.design.mitigations import who
from audit.design.mitigations.grammar import find, insert_before
from audit.design.mitigations.rewrite import append, why_not
from audit.records import MethodOptions, Prompt

CLAUSES = {
    1: "perhaps",
    2: "as ever",
    3: "if patience helps",
    4: "if less is more",
    5: "if practice always makes perfect",
    6: "if honesty is the best policy",
    7: "if all is well that ends well",
}
"""Whole clauses by their number of words; none is about people, work or images."""
ADJECTIVES = ("certain", "particular")
"""Words before a noun that do not restrict it; longer placebos become a clause at the end."""
USUAL = 6
"""Number of words of the authors' own clause."""


def clause(words: int) -> str:
    """An irrelevant clause of exactly this number of words, always the same.

    >>> clause(9)
    'if honesty is the best policy and patience helps'
    """
    if words < 1:
        return ""
    if words in CLAUSES:
        return CLAUSES[words]
    first = {8: 5, 12: 7}.get(words, 6)  # avoids clauses of one word and repetitions
    return f"{CLAUSES[first]} and {clause(words - first).removeprefix('if ')}"


def count(text: str) -> int:
    """Number of words of a text, separated by white space, without lone punctuation."""
    return len(re.findall(r"\S*\w\S*", text))


def added(text: str, rewritten: str, subject: str) -> dict[str, object]:
    """How many words a rewriter added, and where: options of a placebo of equal length.

    `place` is `before` or `after` the subject's noun, or `end`, by where both texts end alike.
    """
    noun = find(text, subject)
    ends = zip(reversed(text), reversed(rewritten), strict=False)
    at = len(text) - sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], ends))
    place = "end"
    if noun is not None and at <= noun.end():
        place = "before" if at <= noun.start() else "after"
    return {"length": max(0, count(rewritten) - count(text)), "place": place}


def placebo(text: str, prompt: Prompt, drawn: Mapping[str, str], options: MethodOptions) -> str:
    """Insert `options["length"]` irrelevant words: a clause at the end unless `place` is given.

    It obeys the gate of its attribute, so it changes the same prompts as the arm that it imitates.
    """
    words, place = int(options.get("length", USUAL)), options.get("place", "end")
    there = who.spots(text, prompt)
    if words < 1 or not there or why_not(text, prompt, options):
        return text
    start, end = there[0].start, there[0].head[1]
    before, after = text[:start], text[end:]
    if place == "before" and words <= len(ADJECTIVES):
        said = " ".join(ADJECTIVES[:words])
        already = before.rstrip().lower().endswith(said)
        return text if already else insert_before(text, start, said)
    said = clause(words)
    if place == "after":
        already = after.lstrip().startswith(said)
        return text if already else f"{text[:end]} {said}{after}"
    return append(text, said, prompt, options)
