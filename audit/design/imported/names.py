"""Subjects that a reference does not know by the name in a table of labels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from audit.datasets.cells import fold
from audit.errors import say
from audit.records import Reference

LIKENESS = 0.7
"""Smallest ratio of difflib at which two names are near."""
LONGEST = 380
"""Characters of a note, which a report shows in full."""
SHOWN = 2
"""Near names that are shown for each."""


def unmatched(references: Iterable[Reference], subjects: Sequence[str]) -> list[str]:
    """Notes for each reference that knows some of the subjects: how many, and the others by name.

    Names match whatever their capitals and spaces. Near names are suggestions for renaming, and
    are not used.
    """
    notes = list[str]()
    for reference in references:
        known = {fold(s): s for s, _, _ in reference.shares}
        gone = [s for s in subjects if fold(s) not in known]
        if reference.name == "uniform" or not gone or len(gone) == len(subjects):
            continue
        taken = {fold(s) for s in subjects}
        free = {k: v for k, v in known.items() if k not in taken}
        notes.append(
            say("{known} of {n} subjects have a share in {reference}, by name; {gone} have "
                "none and are not compared with it. Rename those that mean the same as one of its "
                "names.",
                known=len(subjects) - len(gone), n=len(subjects), reference=reference.name,
                gone=len(gone))
        )  # fmt: skip
        notes += _listed(f"Without a share in {reference.name}: ",
                         [_with_near(s, near(fold(s), free), free) for s in gone])  # fmt: skip
    return notes


def _listed(start: str, words: Sequence[str]) -> list[str]:
    """The words in as many notes as they need; a report clips longer ones."""
    notes = [start]
    for word in words:
        if notes[-1] != start and len(notes[-1]) + len(word) > LONGEST:
            notes.append(start)
        notes[-1] += ("" if notes[-1] == start else "; ") + word
    return [f"{n}." for n in notes]


def near(name: str, known: Iterable[str]) -> list[str]:
    """At most SHOWN of the known names that contain the name's words, or are spelled like it."""
    names = list(known)
    words = set(name.split())
    inside = [n for n in names if words and words <= set(n.split())]
    return list(dict.fromkeys([*inside, *get_close_matches(name, names, SHOWN, LIKENESS)]))[:SHOWN]


def _with_near(name: str, found: Sequence[str], known: dict[str, str]) -> str:
    return f"{name} (near: {', '.join(known[n] for n in found)})" if found else name
