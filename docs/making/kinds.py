"""Further lists for the reader of prompts, out of WordNet: what only looks like a person.

`python -m docs.making.people` writes them too:

- `compounds.txt`: things of two words, one of them a noun for a person (`record player`);
- `pairs.txt`: an adjective and a noun that name one thing (`major league`);
- `animals.txt`, and `beings.txt`, which are imaginary; `dishes.txt`: food and drink;
- `dated.txt`: people of the past, by their glosses;
- `proper.txt`: words in the names of places, firms and peoples of today;
- `alike.txt`: words that are one typing error away from a noun for a person;
- `adverbs.txt`: adverbs without -ly; `joined.txt` and `in_y.txt`: adjectives with two
  hyphens, and those in -y; `seeming_nouns.txt`: nouns that end like adjectives.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from audit.design.mitigations.lexicon import SHORTEST, slips

ANIMAL, ARTIFACT, FOOD, PERSON, PLANT = 5, 6, 13, 18, 20
"""WordNet's numbers of its files of nouns."""
IMAGINARY = ("imaginary_being", "spiritual_being")
_DATED = re.compile(
    r"\(?(?:ancient|medieval|middle ages|feudal)\b(?! commentator)|^\(?formerly\)?,? (?:an?|the)\b"
    r"|\(formerly\)|\bprior to 1|ancient regime|\bin former times|world war"
    r"|ottoman empire|colonial india",
    re.IGNORECASE,
)
_PAST = re.compile(
    r"\bancient|^\(?an? (?:former|extinct)|medieval|mytholog|\bbattle|\bwar\b|rock group|\bnovel\b"
    r"|centur(?:y|ies)|\bera\b|reign|\bperiod (?:of|from|in)\b|fiction|dynasty|legend",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Sense:
    """One noun synset of a lemma."""

    file: int
    """WordNet's number of the file."""
    lemma: str
    """As WordNet writes it, with capitals."""
    instance: bool
    """Whether it is one place, person or thing, and no kind."""
    gloss: str
    synset: str


def synsets(folder: Path) -> Iterator[tuple[list[str], list[str], list[str], str]]:
    """First fields (offset, file, ...), lemmas, pointers and gloss of each noun synset."""
    for line in (folder / "data.noun").read_text("utf-8").splitlines():
        if line.startswith(" "):
            continue
        head, _, gloss = line.partition(" | ")
        parts = head.split()
        end = 4 + 2 * int(parts[3], 16)
        yield parts[:4], parts[4:end:2], parts[end + 1 :], gloss.strip()


def senses(folder: Path) -> dict[str, list[Sense]]:
    """Lemma in lower case to its senses, the most usual first."""
    by_synset: dict[str, dict[str, Sense]] = {}
    for (offset, file, *_), lemmas, pointers, gloss in synsets(folder):
        by_synset[offset] = {
            lemma.lower(): Sense(int(file), lemma, "@i" in pointers, gloss, offset)
            for lemma in lemmas
        }
    out: dict[str, list[tuple[int, Sense]]] = defaultdict(list)
    for line in (folder / "index.sense").read_text("utf-8").splitlines():
        key, offset, number, _ = line.split()
        lemma, _, kind = key.partition("%")
        if kind.startswith("1:") and lemma in by_synset.get(offset, {}):
            out[lemma].append((int(number), by_synset[offset][lemma]))
    return {lemma: [s for _, s in sorted(rows, key=lambda r: r[0])] for lemma, rows in out.items()}


def _words(folder: Path, kind: str) -> set[str]:
    lines = (folder / f"index.{kind}").read_text("utf-8").splitlines()
    return {line.split()[0] for line in lines if not line.startswith(" ")}


def only_names(known: Mapping[str, list[Sense]]) -> set[str]:
    """Words all of whose senses are written with a capital: `thatcher`."""
    return {w for w, rows in known.items() if all(s.lemma != s.lemma.lower() for s in rows)}


def _two(known: Mapping[str, list[Sense]]) -> Iterator[tuple[str, str, list[Sense]]]:
    """Names of two words in lower case that never mean a person."""
    for lemma, rows in known.items():
        found = re.fullmatch(r"([a-z]+)_([a-z]+)", lemma)
        own = rows[0].lemma == lemma
        if found and own and not any(s.file == PERSON for s in rows):
            yield found[1], found[2], rows


def compounds(known: Mapping[str, list[Sense]], people: Collection[str]) -> list[str]:
    """Names of things with a noun for a person as their first or last word."""
    return sorted(
        f"{a} {b}" for a, b, rows in _two(known)
        if (a in people or b in people) and rows[0].file in (ANIMAL, ARTIFACT, FOOD, PLANT)
    )  # fmt: skip


def pairs(folder: Path, known: Mapping[str, list[Sense]], people: Collection[str]) -> list[str]:
    """An adjective and a noun that together name something, and no person."""
    adjectives = _words(folder, "adj")
    return sorted(
        f"{a} {b}" for a, b, rows in _two(known)
        if a in adjectives and b in known and b not in people
    )  # fmt: skip


def animals(known: Mapping[str, list[Sense]]) -> list[str]:
    """Nouns of one word that mean an animal in their most usual sense, and seldom a person."""
    return sorted(
        w for w, rows in known.items()
        if re.fullmatch("[a-z]{3,}", w) and rows[0].lemma == w and rows[0].file == ANIMAL
        and not any(s.file == PERSON for s in rows[:2])
    )  # fmt: skip


def beings(known: Mapping[str, list[Sense]], imaginary: Collection[str]) -> list[str]:
    """Nouns of one word for imaginary beings."""
    return sorted(
        w for w, rows in known.items()
        if re.fullmatch("[a-z]{3,}", w) and not rows[0].instance
        and any(s.synset in imaginary and not s.instance for s in rows[:2])
    )  # fmt: skip


def joined(folder: Path) -> list[str]:
    """Adjectives of three words or more, without those that are also nouns: `hard-of-hearing`."""
    nouns = _words(folder, "noun")
    found = _words(folder, "adj") - nouns
    return sorted(w for w in found if re.fullmatch("[a-z]+(-[a-z]+){2,}", w))


def seeming_nouns(folder: Path) -> list[str]:
    """Nouns in use that end like adjectives: `funeral`."""
    used = set()
    for line in (folder / "index.sense").read_text("utf-8").splitlines():
        key, _, _, count = line.split()
        lemma, _, kind = key.partition("%")
        if kind.startswith("1:") and int(count):
            used.add(lemma)
    ending = r"[a-z]{2,}(?:al|ic|ent|ant|ary|an|ile|ar|ive|est|er|st)"
    return sorted(w for w in used - _words(folder, "adj") if re.fullmatch(ending, w))


def in_y(folder: Path) -> list[str]:
    """Adjectives that end in -y."""
    return sorted(w for w in _words(folder, "adj") if re.fullmatch("[a-z]+y", w))


def adverbs(folder: Path) -> list[str]:
    """Adverbs of one word that do not end in -ly."""
    return sorted(w for w in _words(folder, "adv") if re.fullmatch("[a-z]+(?<!ly)", w))


def dated(known: Mapping[str, list[Sense]], people: Collection[str]) -> list[str]:
    """Nouns for people whose gloss says that there were such people in the past only."""
    return sorted(
        noun for noun in people
        if (rows := [s for s in known.get(noun.replace(" ", "_"), ()) if s.file == PERSON])
        and _DATED.search(rows[0].gloss) and not noun.startswith("ex-")
        and "roman catholic" not in rows[0].gloss.lower()
    )  # fmt: skip


def dishes(known: Mapping[str, list[Sense]]) -> list[str]:
    """Nouns of one word with a sense that is food or drink among the first three."""
    return sorted(
        w for w, rows in known.items()
        if re.fullmatch("[a-z]{3,}", w) and any(s.file == FOOD for s in rows[:3])
    )  # fmt: skip


def proper(known: Mapping[str, list[Sense]], folder: Path) -> list[str]:
    """Words with a capital in names that are not those of persons: places, firms, nationalities.

    Names from the past or from stories, and of groups of musicians, are left out.
    """
    found: set[str] = set()
    for rows in known.values():
        for sense in rows:
            dweller = sense.file == PERSON and not sense.instance
            other = sense.file != PERSON and not dweller
            if sense.lemma[0].isupper() and (dweller or other) and not _PAST.search(sense.gloss):
                found |= set(re.findall(r"[A-Z][a-z]{2,}", sense.lemma))
    for line in (folder / "data.adj").read_text("utf-8").splitlines():
        words, _, gloss = line.partition(" | ")
        lives = re.search(r"\b(?:inhabitants|people|peoples|natives?|citizens)\b", gloss)
        if lives and not line.startswith(" ") and not _PAST.search(gloss):
            found |= set(re.findall(r"(?<= )[A-Z][a-z]{2,}(?= )", words))
    return sorted(w.lower() for w in found)


def alike(
    folder: Path, known: Mapping[str, list[Sense]], people: Collection[str]
) -> list[str]:  # fmt: skip
    """Words of WordNet that do not mean people, one slip away from such a noun."""
    names = only_names(known)
    every = {w for kind in ("noun", "verb", "adj", "adv") for w in _words(folder, kind)} - names
    near = {w for noun in people if len(noun) >= SHORTEST for w in slips(noun)}
    return sorted(w for w in every & near if w not in people and w.isalpha())


def every(
    folder: Path, people: Collection[str], imaginary: Collection[str]
) -> dict[str, list[str]]:
    """All lists by name. `people` are the nouns for people, `imaginary` the synsets of beings."""
    known = senses(folder)
    return {
        "compounds": compounds(known, people), "pairs": pairs(folder, known, people),
        "animals": animals(known), "beings": beings(known, imaginary),
        "adverbs": adverbs(folder), "joined": joined(folder), "in_y": in_y(folder),
        "seeming_nouns": seeming_nouns(folder),
        "dated": dated(known, people),
        "dishes": dishes(known), "proper": proper(known, folder),
        "alike": alike(folder, known, people),
    }  # fmt: skip
