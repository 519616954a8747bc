"""Suites, which can be edited without Python: read and check them.

A suite is a TOML file with prompts, attributes, references and mitigations; its tables are CSV
files next to it. Everything is checked here, before an image is drawn.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from audit.datasets.cells import fold, tidy
from audit.datasets.cells import name as name_of
from audit.design.mitigations import arms, stacks
from audit.design.mitigations.grammar import article
from audit.design.sentences import read_toml
from audit.design.suites import conditions, strangers, tables, turns
from audit.design.suites.changing import with_seeds
from audit.design.suites.schema import (
    PARTS,
    RawAttribute,
    RawBlock,
    RawGroups,
    RawReference,
    RawSuite,
)
from audit.errors import UserError, known, unknown
from audit.files import inside
from audit.keys import Margins
from audit.records import (
    Association,
    Attribute,
    Mitigation,
    Prompt,
    Reference,
    Suite,
)

DEPTH = 2
"""Folders between this file and the package's own."""


def folder() -> Path:
    """Where the shipped suites are: inside an installed package, or at the top of a checkout."""
    package = Path(__file__).parents[DEPTH]
    inside = package / "_prompts"
    return inside if inside.is_dir() else package.parent / "prompts"


def list_suites() -> list[tuple[str, str]]:
    """Names and titles of the shipped suites."""
    return [(p.stem, _parse(p).title) for p in sorted(folder().glob("*.toml"))]


def read_suite(name: str, quick: bool = False, trust_code: bool = False) -> Suite:
    """A shipped suite by name, or a TOML file by path; raises UserError for mistakes, with place.

    With `quick`, blocks use the seeds of the suite's own `[quick]` table. A file that names code
    outside of this package (`module:object`) is refused unless `trust_code`.
    """
    path = Path(name)
    if path.suffix != ".toml":
        path = folder() / f"{name}.toml"
        if not path.is_file():
            raise unknown("suite", name, [p.stem for p in folder().glob("*.toml")])
    elif not path.is_file():
        raise UserError(f"There is no suite file {path}. Give a path to a TOML file.")
    raw = _parse(path)
    try:
        strangers.check(raw, trust_code)
        suite = _build(raw, path.parent)
        for block in raw.quick:
            known("block", block, raw.ids(), "quick")
    except UserError as error:
        raise type(error)(f"{path}: {error}") from error
    return with_seeds(suite, raw.quick) if quick else suite


def _parse(path: Path) -> RawSuite:
    return read_toml(path, RawSuite, PARTS)


def _spelled_once(prompts: Iterable[Prompt]) -> None:
    """Raise UserError for a subject in two spellings, which would be two subjects."""
    seen: dict[str, str] = {}
    for p in prompts:
        first = seen.setdefault(fold(p.subject), p.subject)
        if first != p.subject:
            raise UserError(
                f"prompt {p.id}: the subject {p.subject!r} is written {first!r} elsewhere. Use one "
                "spelling."
            )


def _unique(what: str, values: Iterable[str]) -> None:
    twice = [v for v, n in Counter(values).items() if n > 1]
    if twice:
        raise UserError(f"two {what} {twice[0]!r}. Give each its own, or take one out.")


def _build(raw: RawSuite, beside: Path) -> Suite:
    attributes = {n: _attribute(n, a) for n, a in raw.attributes.items()}
    _unique("attributes have the name", map(name_of, raw.attributes))
    for b in raw.blocks:
        for a in (*b.attributes, *b.states):
            known("attribute", a, attributes, f"block {b.id}")
        stated = [*b.states.items()]
        if b.groups is not None:
            known("attribute", b.groups.attribute, attributes, f"block {b.id}, groups")
            stated += [(b.groups.attribute, value) for value in b.groups.words]
        for a, value in stated:
            known(a, value, attributes[a].classes, f"block {b.id}, states")
    notes: list[str] = []
    prompts = tuple(p for b in raw.blocks for p in _prompts(b, beside, attributes, notes))
    prompts += tuple(p for t in raw.turns for p in turns.prompts(t, attributes))
    _spelled_once(prompts)
    _unique("blocks have the id", raw.ids())
    _unique("prompts have the id", (p.id for p in prompts))
    for kind in ("representation", "replication"):
        _unique(f"{kind} prompts have the text", (p.text for p in prompts if p.purpose == kind))
    if raw.subject_attribute is not None:
        known("attribute", raw.subject_attribute, attributes, "subject_attribute")
    asked = {(p.subject, a) for p in prompts if p.purpose == "representation" for a in p.attributes}
    _unique("references have the name", (r.name for r in raw.references))
    references = tuple(_reference(r, attributes, asked, beside, notes) for r in raw.references)
    _unique("mitigations have the name", (m.name for m in raw.mitigations))
    mitigations = [
        Mitigation(m.name, m.method, m.options, tuple(m.blocks)) for m in raw.mitigations
    ]
    suite = Suite(
        name=raw.name, title=raw.title, question=raw.question, prompts=prompts,
        attributes=tuple(attributes.values()), references=references,
        mitigations=tuple(stacks.resolved(m, mitigations) for m in mitigations),
        person_texts=tuple(raw.gate.person) if raw.gate else (),
        empty_texts=tuple(raw.gate.empty) if raw.gate else (),
        several_texts=tuple(raw.gate.several) if raw.gate else (),
        corpus=raw.corpus, subject_attribute=raw.subject_attribute,
        associations=_associations(raw, prompts, attributes), checks=tuple(raw.checks),
        notes=tuple(notes),
        margins=Margins(**raw.margins.model_dump()),
    )  # fmt: skip
    for m in suite.mitigations:
        arms.check(suite, m)
    for text in suite.checks:
        conditions.parse(text)
    return suite


def _associations(
    raw: RawSuite, prompts: Sequence[Prompt], attributes: Mapping[str, Attribute]
) -> tuple[Association, ...]:
    """Declared associations, each with subjects, attributes and classes of the suite."""
    _unique("associations have the name", (a.name for a in raw.associations))
    subjects = {p.subject for p in prompts if p.purpose == "representation"}
    for a in raw.associations:
        where = f"association {a.name}"
        for subject in (*a.x.subjects, *a.y.subjects):
            known("subject", subject, subjects, where)
        known("attribute", a.attribute, attributes, where)
        for value in (a.a, a.b):
            known(a.attribute, value, attributes[a.attribute].classes, where)
        if attributes[a.attribute].reader != "clip":
            raise UserError(f"{where}: {a.attribute} is read from pixels and has no vectors.")
    return tuple(
        Association(
            a.name, a.title, tuple(a.x.subjects), tuple(a.y.subjects), a.x.label, a.y.label,
            a.attribute, a.a, a.b,
        )
        for a in raw.associations
    )  # fmt: skip


def _prompts(
    block: RawBlock, beside: Path, attributes: Mapping[str, Attribute], notes: list[str]
) -> list[Prompt]:
    """The prompts of a block; `notes` gets what was not read in its table."""
    prompt = partial(
        Prompt, block=block.id, purpose=block.purpose, seeds=block.seeds,
        attributes=tuple(block.attributes), states=block.states, expects=block.expects,
    )  # fmt: skip
    if block.groups is not None:
        return [
            prompt(
                id=f"{block.id}/{subject}/{i}{'/' if value else ''}{value}",
                text=text,
                subject=subject,
                states={**block.states, **({block.groups.attribute: value} if value else {})},
                template=t,
                frame=frame,
            )
            for subject in block.subjects
            for i, t in enumerate(block.templates)
            for frame, value, text in _stating(block.groups, t, subject, f"block {block.id}")
        ]
    if block.file is None:
        return [
            prompt(
                id=f"{block.id}/{subject}/{i}",
                text=strangers.filled(
                    t, f"block {block.id}", subject=subject, a_subject=article(subject)
                ),
                subject=subject,
                template=t,
            )
            for subject in block.subjects
            for i, t in enumerate(block.templates)
        ]
    needed = ("id", "text", "subject") if block.purpose == "representation" else ("id", "text")
    also = [c for c in ("subject", "repeats", *attributes) if c not in needed]
    found, said = tables.rows(inside(beside, block.file), needed, also)
    notes += said if beside != folder() else []
    return [
        prompt(
            id=f"{block.id}/{row.cells['id']}",
            text=strangers.fitting(row.cells["text"], row.where),
            subject=tidy(row.cells.get("subject", "")),
            repeats=_repeats(row),
            states={**block.states, **_stated(row, attributes)},
        )
        for row in found
    ]


def _stating(
    groups: RawGroups, template: str, subject: str, where: str
) -> Iterator[tuple[str, str, str]]:
    """The neutral text, a class and the text that states it; the first states none."""
    texts = {}
    for value, words in {"": groups.neutral, **groups.words}.items():
        group = strangers.filled(words, where, subject=subject) if "{" in words else words
        texts[value] = strangers.filled(
            template, where, group=group, a_group=article(group), subject=subject,
            a_subject=article(subject),
        )  # fmt: skip
    yield from ((texts[""], value, text) for value, text in texts.items())


def _stated(row: tables.Row, attributes: Mapping[str, Attribute]) -> dict[str, str]:
    """Attributes that a row's text states: columns named after an attribute."""
    found = {}
    for a in attributes:
        value = tidy(row.cells.get(a, ""))
        if value:
            value = {fold(c): c for c in attributes[a].classes}.get(fold(value), value)
            known(a, value, attributes[a].classes, row.where)
            found[a] = value
    return found


def _repeats(row: tables.Row) -> int | None:
    cell = tidy(row.cells.get("repeats", ""))
    return int(tables.number(cell, row.where, whole=True)) if cell else None


def _attribute(name: str, raw: RawAttribute) -> Attribute:
    if raw.reader != "clip":
        return Attribute(name, tuple(raw.classes), {}, reader=raw.reader)
    texts = {
        c: tuple(raw.texts.get(c, ()))
        or tuple(
            strangers.filled(t, f"attribute {name}", value=c, a_value=article(c))
            for t in raw.templates
        )
        for c in raw.classes
    }
    return Attribute(name, tuple(raw.classes), texts, raw.threshold, raw.reader)


def _reference(
    raw: RawReference,
    attributes: Mapping[str, Attribute],
    asked: set[tuple[str, str]],
    beside: Path,
    notes: list[str],
) -> Reference:
    """A declared target; `notes` gets the rows of the user's own table that are not used."""
    if raw.file is None:
        of = {a: attributes[a].classes for _, a in asked}
        even = {(s, a, c): 1 / len(of[a]) for s, a in sorted(asked) for c in of[a]}
        return Reference(raw.name, raw.label, even, "declared")
    path = inside(beside, raw.file)
    classes = {n: a.classes for n, a in attributes.items()}
    shares, source = tables.shares_table(path, classes)
    shares = tables.matched(shares, (s for s, _ in asked))
    tables.complete(path, shares, classes)
    if not asked & {(subject, attribute) for subject, attribute, _ in shares}:
        raise UserError(f"{path} says nothing about this suite. Check its subjects and attributes.")
    if beside != folder():  # a shipped table serves several suites
        notes += tables.unused(raw.name, shares, asked)
    return Reference(raw.name, raw.label, shares, source)


def with_reference(suite: Suite, name: str, path: Path) -> Suite:
    """The suite with the user's own table of shares as its first reference, which decides verdicts.

    Columns are subject, attribute, value, share, source.
    Raises UserError for a name that is taken and a table that does not fit the suite.
    """
    _unique("references have the name", [name, *(r.name for r in suite.references)])
    attributes = {a.name: a for a in suite.attributes}
    asked = {
        (p.subject, a) for p in suite.prompts if p.purpose == "representation" for a in p.attributes
    }
    raw = RawReference(name=name, label=f"declared in {path.name}", file=path.resolve().name)
    notes = [*suite.notes]
    own = _reference(raw, attributes, asked, path.resolve().parent, notes)
    return replace(suite, references=(own, *suite.references), notes=tuple(notes))
