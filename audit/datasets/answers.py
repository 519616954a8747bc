"""Words that people write into tables of labels: classes, reasons for no label, and no answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from audit.datasets import cells
from audit.errors import UserError, unknown

ABSTAINED = {
    "": "uncertain", "unknown": "uncertain", "unclear": "uncertain", "uncertain": "uncertain",
    "ambiguous": "uncertain", "undetermined": "uncertain", "not sure": "uncertain",
    "nobody": "no person", "no person": "no person", "no face": "no person",
    "multiple": "several people", "several": "several people", "several people": "several people",
    "blocked": "blocked", "nsfw": "blocked", "unreadable": "unreadable",
}  # fmt: skip
"""Words that say why there is no label, and their outcomes."""
SYNONYMS = {
    "woman": ("female", "f", "women", "girl"), "man": ("male", "m", "men", "boy"),
}  # fmt: skip
"""Other words for a class; they count only if the class itself is in the list."""
_SILENT = """
    n/a|na|n.a.|n.a|#n/a|#na|nan|nil|null|none|-|--|---|.|..|...|*|?|??|???|x|/|missing|blank|empty|
    other|others|another|something else|non-binary|nonbinary|non binary|nb|enby|third gender|
    genderqueer|androgynous|neither|none of these|none of the above|both|either|
    can't tell|cannot tell|can not tell|can't say|cannot say|can't decide|
    cannot decide|can't determine|cannot determine|cannot be determined|could not tell|hard to tell|
    hard to say|impossible to tell|impossible to say|indeterminate|inconclusive|undecided|
    don't know|do not know|dk|idk|i don't know|no idea|not known|
    prefer not to say|prefer not to answer|prefer not to disclose|prefer not to respond|
    rather not say|decline|declined|decline to answer|declined to answer|decline to state|refused|
    unsure|not certain|i'm not sure|maybe|not applicable|not available|not visible|not clear|
    no answer|no response|no label|no opinion|not answered|unanswered|not stated|not specified|
    unspecified|not given|not labelled|not labeled|unlabelled|unlabeled|unclassified|unassigned|
    undefined|skip|skipped|tbd|todo|to do|invalid
"""
_WORDS = [w.strip() for w in _SILENT.replace("\n", "").split("|")]
NO_ANSWER = {*_WORDS, *(w.replace("'", "") for w in _WORDS)}
"""What labelling tools and people write where there is no answer, folded. None of these is taken
for missing unasked: `NA` may be a country, and `other` a class."""
SHOWN = 50
"""Words that are listed in a message."""


@dataclass
class Words:
    """What a cell of an attribute may say."""

    attribute: str
    classes: Sequence[str]
    reasons: Mapping[str, str]
    """Folded words that say why there is no label, and their outcomes."""

    def __post_init__(self) -> None:
        self._known = {cells.fold(c): c for c in self.classes}
        for c in self.classes:
            for word in SYNONYMS.get(cells.fold(c), ()):
                self._known.setdefault(word, c)

    def class_of(self, word: str) -> str | None:
        """The class that a word names, whatever its capitals and spaces; None for others."""
        return self._known.get(cells.fold(word))

    def read(self, word: str) -> tuple[str, str | None] | None:
        """Outcome and class of a cell, such as ("label", "woman"); None for an unknown word."""
        found = self.class_of(word)
        if found is not None:
            return "label", found
        outcome = self.reasons.get(cells.fold(word))
        return None if outcome is None else (outcome, None)

    def near(self, word: str) -> UserError:
        """The message for an unknown word: the nearest classes, or the nearest of all words."""
        named = [*self.classes, *dict.fromkeys(self.reasons.values())]
        if not get_close_matches(word, named, 1, 0.5):
            named += [w for w in self._known if len(w) > 1 and w not in named]
        return unknown(f"value of {self.attribute}", word[:60], named)


@dataclass(frozen=True)
class Strange:
    """A word that is neither a class nor a reason, how often it is there, and where first."""

    attribute: str
    word: str
    count: int
    where: str


def refuse(strange: Sequence[Strange], words: Mapping[str, Words], way: str, path: object) -> None:
    """Raise UserError for unknown words, all of them in one sentence; nothing where there is none.

    `way` says what to do with words for no answer: `{words}` are these, each in one spelling,
    `{attribute}` and `{classes}` the first one's attribute and its class list.
    """
    silent = [s for s in strange if cells.fold(s.word) in NO_ANSWER]
    other = [s for s in strange if cells.fold(s.word) not in NO_ANSWER]
    said = []
    if other:
        first = other[0]
        said.append(f"{first.where}: {words[first.attribute].near(first.word)}")
        if other[1:]:
            said.append(f"Other unknown words: {counted(other[1:])}.")
    if silent:
        total = sum(s.count for s in silent)
        start = f"{path}, first in {silent[0].where.rpartition(', ')[2]}: " if not other else ""
        each = {cells.fold(s.word): s.word for s in reversed(silent)}
        told = way.format(
            words=",".join(each[k] for k in dict.fromkeys(cells.fold(s.word) for s in silent)),
            attribute=silent[0].attribute, classes=",".join(words[silent[0].attribute].classes),
        )  # fmt: skip
        cell = "cell says" if total == 1 else "cells say"
        said.append(f"{start}{total} {cell} neither a class nor why there is none: "
                    f"{counted(silent)}. {told}")  # fmt: skip
    elif other:
        said.append("Give other classes with --classes, or leave the cell empty."
                    if "--classes" in way else "Correct it, or leave the cell empty.")  # fmt: skip
    if said:
        raise UserError(" ".join(said))


def counted(strange: Iterable[Strange]) -> str:
    """The words with their counts, the most frequent first: `'N/A' 20 times, '-' once`."""
    rows = sorted(strange, key=lambda s: -s.count)
    several = len({s.attribute for s in rows}) > 1
    shown = [
        f"{s.word[:40]!r} {'once' if s.count == 1 else f'{s.count} times'}"
        + (f" ({s.attribute})" if several else "")
        for s in rows[:SHOWN]
    ]
    return ", ".join(shown) + (f", and {len(rows) - SHOWN} more" if rows[SHOWN:] else "")
