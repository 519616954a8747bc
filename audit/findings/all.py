"""All sections in order: from measurements to claims."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from audit.design import suites
from audit.evidence.measured import Measured
from audit.findings import (
    agreement,
    amplification,
    arms,
    associations,
    conditions,
    copying_doses,
    detectors,
    distances,
    doses,
    effects,
    extraction,
    following,
    intersections,
    needed,
    obedience,
    personal,
    quality,
    replication,
    representation,
    segments,
    shown,
    templates,
    tones,
    triplets,
    turns,
    why,
)
from audit.findings.pairs import Question, Tables
from audit.findings.readings import with_everyone
from audit.findings.representation import Context
from audit.records import Attribute, Finding, Prompt, Reference


def findings(m: Measured) -> list[Finding]:
    """Every claim of a run, section by section, in the order of the report."""
    talks, m = turns.apart(m)
    prompts = {p.id: p for p in m.suite.prompts}
    table = following.open_questions(m.table, prompts)
    labelled = quality.with_subjects(m.errors.settled, table)
    uneven = quality.uneven_errors(labelled, _asked(m), m.seed)
    context = _context(m, labelled, uneven)
    return [
        *_representation(m, table, context, prompts),
        *_copies(m, prompts),
        *turns.findings(talks, m.suite.prompts, context),
        *_mitigations(m, table, context, prompts),
        *_instruments(m, table, context.attributes),
        *tones.findings(m.tones, m.suite.attributes, prompts),
        *conditions.findings(m, table, context, prompts),
        *uneven,
    ]


def _asked(m: Measured) -> list[Attribute]:
    """Attributes of people, not the subject's own."""
    return [a for a in m.suite.attributes if a.name != m.suite.subject_attribute]


def _context(m: Measured, labelled: pd.DataFrame, uneven: Sequence[Finding]) -> Context:
    """Context of the estimates, other than tables; `uneven` says where reading errors differ."""
    truth = m.truth.planted if m.truth else None
    return Context(
        _asked(m), _references(m), m.errors.tables, truth, m.seed, m.level,
        margin=m.suite.margins.difference,
        labelled=labelled,
        uneven=frozenset(f.key.attribute for f in uneven if f.verdict == "above"),
        doubt=m.errors.doubt,
    )  # fmt: skip


def _references(m: Measured) -> tuple[Reference, ...]:
    """The suite's references; after the first what is known of the model, and what readers saw."""
    if m.truth is None:
        return m.suite.references
    return (*m.suite.references[:1], m.truth.training, m.truth.seen, *m.suite.references[1:])


def _representation(
    m: Measured, table: pd.DataFrame, context: Context, prompts: Mapping[str, Prompt]
) -> list[Finding]:
    subjects: dict[str, int] = {}
    for p in m.suite.prompts:
        if p.purpose == "representation":
            subjects[p.subject] = subjects.get(p.subject, 0) + 1
    others = following.open_questions(m.others, prompts) if len(m.others) else m.others
    found = representation.findings(with_everyone(table, others), context, subjects)
    found += needed.findings(found, context.margin)
    found += following.findings(m.table, context, prompts)
    found += distances.findings(table, context, subjects)
    found += amplification.findings(table, m.training, context, subjects)
    found += intersections.findings(table, context)
    found += templates.findings(table, context, prompts)
    found += shown.findings(m.table, m.nudity, context, prompts)
    found += triplets.findings(m.triples)
    if len(m.nearness):
        found += associations.findings(m.nearness, m.suite.associations, m.seed)
    return found


def _copies(m: Measured, prompts: Mapping[str, Prompt]) -> list[Finding]:
    found: list[Finding] = []
    if len(m.matches):
        found += replication.findings(m.matches, prompts, m.seed, m.decided)
        found += obedience.findings(m.matches)
        scales = copying_doses.of_guidance(m.guidance, m.suite.mitigations)
        found += copying_doses.findings(m.matches, scales, prompts, m.seed)
    if len(m.segments):
        found += segments.findings(m.segments, prompts, m.seed, m.parts)
    if len(m.factors):
        found += why.findings(m.factors, m.seed, "excess")
    found += extraction.of_run(m.extracted, prompts, m.seed)
    return found + detectors.findings(m.detectors, prompts, m.seed) + list(m.whole)


def _mitigations(
    m: Measured, table: pd.DataFrame, context: Context, prompts: Mapping[str, Prompt]
) -> list[Finding]:
    """Effects, costs and verdict of every arm; `table` has prompts that state no attribute."""
    tables = Tables(m.table, m.alignment, m.matches, m.vectors)
    found: list[Finding] = []
    for arm in m.suite.mitigations:
        aims = {a.name: suites.targets(m.suite, arm, a) for a in suites.aims(m.suite, arm)}
        if any((t.arm == arm.name).any() for t in (m.table, m.matches) if len(t)):
            found += effects.findings(
                tables, Question(arm.name, aims, context, prompts, m.suite.margins)
            )
    found += personal.findings(tables, m.suite, context.attributes)
    own = {"guidance": m.guidance}
    found += doses.findings(table, m.suite.mitigations, context, own)
    return found + arms.findings(found, m.suite.mitigations, m.suite.margins)


def _instruments(m: Measured, table: pd.DataFrame, asked: Sequence[Attribute]) -> list[Finding]:
    """Findings on the classifier's errors, its abstentions and people's labels."""
    errors, attributes = m.errors, m.suite.attributes
    found = quality.classifier(errors.tables, attributes, errors.sources)
    found += quality.abstention(errors.calibration, asked)
    found += quality.missing_by_subject(table, asked, m.seed)
    found += quality.people(errors.judged, errors.settled)
    judged = errors.judged if m.raters is None else m.raters
    found += agreement.findings(judged, {a.name: a.classes for a in attributes}, m.seed)
    if len(errors.settled):
        found += quality.labelled_shares(errors.settled, errors.sizes, attributes)
    subjects = quality.subjects(m.alignment, m.seed) if len(m.alignment) else []
    return found + subjects
