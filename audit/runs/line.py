"""The line, left to right: each step makes what is missing and reads what is there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from audit import pixels
from audit.design import suites
from audit.errors import Incomplete
from audit.evidence.encoders import named
from audit.records import (
    ALIGNMENT_COLUMNS,
    Attribute,
    Finding,
    Reference,
    Suite,
    digest,
    to_json,
)
from audit.report import from_folder
from audit.runs import (
    comparing,
    detecting,
    extraction,
    matching,
    paraphrasing,
    reader_errors,
    reading,
    rounds,
    training_images,
)
from audit.runs.context import Progress, Run, silent
from audit.runs.options import Options
from audit.runs.planning import left_alone, open_run, versions
from audit.runs.reader_errors import Errors

if TYPE_CHECKING:
    from audit.findings.representation import Context

__all__ = ["Options", "Progress", "Run", "execute", "generate", "open_run", "silent", "versions"]


def _classifier(run: Run) -> Any:
    return named.named(run.options.classifier, str(run.device))


def _descriptor(run: Run) -> Any:
    """The copy descriptor, or None where no training set is searched.

    A finished index is searched with what it was made by.
    """
    if run.corpus is None:
        return None
    return named.named(run.corpus.descriptor or run.options.descriptor, str(run.device))


def generate(run: Run, encoders: Sequence[Any] = ()) -> None:
    """Draw the pictures that are planned and not there; each is scored while the next is drawn."""
    planned = {s.id: s for s in run.samples}
    if run.pictures is not None:
        return
    present = run.folder.present()
    todo = [s for i, s in planned.items() if i not in present]
    done = len(planned) - len(todo)
    run.progress("images", done, len(planned))
    if not todo:
        return
    from audit.engine.model import load
    from audit.engine.sampler import draw
    from audit.engine.texts import truncated
    from audit.runs.writer import Behind

    assert run.source is not None  # planned for everything that is to be drawn
    model = run.model = run.model or load(run.source, run.options.loading)
    too_long = sum(truncated(model, t) for t in {s.text for s in run.samples})
    if too_long:
        run.notes.append(f"{too_long} texts are longer than the model reads and were cut short.")

    todo = paraphrasing.reworded(todo, run.folder, model, run.settings, run.progress)

    def finished(n: int) -> None:
        nonlocal done
        done += n
        run.progress("images", done, len(planned))

    with Behind(run.folder, encoders, finished) as behind:
        for batch in draw(model, todo, run.settings, run.notes.append):
            behind.put(batch.ids, batch.pictures, batch.blocked)


def vectors(run: Run, encoder: Any, step: str) -> dict[str, np.ndarray]:
    """Vectors of every picture by one encoder; unreadable pictures are left out."""
    found = run.folder.vectors(encoder.key)
    wanted = sorted({s.id for s in run.samples} - run.folder.blocked().keys())
    todo = [i for i in wanted if i not in found]
    for start in range(0, len(todo), 256):
        ids, pictures = [], []
        for id in todo[start : start + 256]:
            try:
                pictures.append(run.picture(id))
                ids.append(id)
            except pixels.Unreadable:
                continue
        if ids:
            rows = encoder.images(pictures)
            run.folder.add_vectors(encoder.key, ids, rows)
            found.update(zip(ids, rows, strict=True))
        run.progress(step, len(wanted) - len(todo) + start + len(ids), len(wanted))
    return {i: found[i] for i in wanted if i in found}


def align(
    run: Run, encoder: Any, known: Mapping[str, np.ndarray], table: pd.DataFrame
) -> pd.DataFrame:
    """How well images fit their ORIGINAL prompts: ALIGNMENT_COLUMNS."""
    prompts = {p.id: p for p in run.suite.prompts}
    names = sorted(prompts)
    encoded = encoder.texts([prompts[n].text for n in names]) if names else np.empty((0, 1))
    texts, middle = dict(zip(names, encoded, strict=True)), encoded.mean(axis=0) if names else None
    subject = table[table.attribute == run.suite.subject_attribute]
    read = {
        (r.sample, r.prompt): (r.value == r.subject if r.outcome == "label" else False)
        for r in subject.itertuples()
        if r.outcome not in ("blocked", "unreadable")
    }
    rows = [
        (
            s.prompt, prompts[s.prompt].subject, s.arm, s.seed,
            float(known[s.id] @ texts[s.prompt]) if s.id in known else np.nan,
            float(known[s.id] @ middle) if s.id in known else np.nan,
            read.get((s.id, s.prompt)) if prompts[s.prompt].purpose == "representation" else None,
        )
        for s in run.samples
        if s.prompt in prompts
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(ALIGNMENT_COLUMNS))


def _truth(suite: Suite) -> tuple[tuple[Reference, ...], Reference | None]:
    """References with the embedded world's training shares added, and the planted truth."""
    planted = next((r for r in suite.references if r.name == "planted"), None)
    if planted is None:
        return suite.references, None
    from audit.world.models import training_shares

    measured = Reference(
        "training set",
        "the generator's training images",
        training_shares(),
        "counted from the labels",
    )
    first, *rest = suite.references
    return (first, measured, *rest), planted


@dataclass(frozen=True)
class Scored:
    """Everything that was read from the pictures, ready to be judged."""

    table: pd.DataFrame
    """Perceived attributes (ATTRIBUTE_COLUMNS)."""
    key: Mapping[str, str]
    """What produced the table."""
    alignment: pd.DataFrame = field(default_factory=pd.DataFrame)
    errors: Errors = field(default_factory=Errors)
    matches: pd.DataFrame = field(default_factory=pd.DataFrame)
    training: pd.DataFrame = field(default_factory=pd.DataFrame)
    """Readings of training images (`training_images.read`), where there is a training set."""
    nearness: pd.DataFrame = field(default_factory=pd.DataFrame)
    """Nearness of images to one class rather than another (`reading.associate`)."""
    vectors: Mapping[str, np.ndarray] = field(default_factory=dict)
    """The classifier's vector of every picture that has one."""
    extracted: extraction.Found = field(default_factory=extraction.Found)
    """Prompts whose images agree from noise to noise (`extraction.search`)."""
    inside: pd.DataFrame = field(default_factory=pd.DataFrame)
    """Scores of detectors that look inside the model (`detecting.search`)."""
    whole: Sequence[Finding] = ()
    """Measures of the whole set (`detecting.whole_set`)."""
    factors: pd.DataFrame = field(default_factory=pd.DataFrame)
    """The baseline's matches with what copying may go with (`matching.with_factors`)."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    train_image: Callable[[str], np.ndarray] | None = None


def conclude(run: Run, scored: Scored) -> Path:
    """Findings, tables and the page, from what was read."""
    found = evaluate(run, scored)
    chosen = run.options
    options = [chosen.validation, chosen.seed, chosen.q, chosen.copies, chosen.precision,
               chosen.training, chosen.detect]  # fmt: skip
    key = {**scored.key, "suite": digest(repr(run.suite)), "options": options}
    tables = {"attributes": scored.table, "alignment": scored.alignment, "matches": scored.matches,
              "looks": pd.DataFrame(run.looks), "detectors": scored.inside}  # fmt: skip
    names = {n: run.folder.write_table(n, key, table).name for n, table in tables.items()}
    run.folder.write_results(
        {
            "tables": names,
            "classes": {
                a.name: list(a.classes)
                for a in run.suite.attributes
                if a.name != run.suite.subject_attribute
            },
            "command": run.options.command,
            "pictures": run.names,
            "images": str(run.options.images or ""),
            "corpus": str(run.options.corpus or ""),
            "instruments": comparing.instruments(
                run.suite,
                scored.key.get("encoder", f"labels {scored.key.get('labels')}"),
                scored.facts.get("corpus"),
            ),
            "checks": list(run.suite.checks),
        }
    )
    run.folder.write_findings(to_json(found))
    run.progress("report", 0, 1)
    report = write_report(run, scored)
    run.progress("report", 1, 1)
    return report


def evaluate(run: Run, scored: Scored) -> list[Finding]:
    """Tables to findings, section by section."""
    from audit.findings import (
        amplification,
        associations,
        copying_doses,
        distances,
        following,
        intersections,
        replication,
        representation,
        templates,
        why,
    )
    from audit.findings import detectors as inside

    suite, seed, table, errors = run.suite, run.options.seed, scored.table, scored.errors
    references, planted = _truth(suite)
    asked = [a for a in suite.attributes if a.name != suite.subject_attribute]
    subjects: dict[str, int] = {}
    for p in suite.prompts:
        if p.purpose == "representation":
            subjects[p.subject] = subjects.get(p.subject, 0) + 1
    prompts = {p.id: p for p in suite.prompts}
    everything, table = table, following.open_questions(table, prompts)
    context = representation.Context(
        asked, references, errors.tables, planted, seed, rounds.level(run)
    )
    found = representation.findings(table, context, subjects)
    found += following.findings(everything, context, prompts)
    found += distances.findings(table, context, subjects)
    found += amplification.findings(table, scored.training, context, subjects)
    found += intersections.findings(table, context)
    found += templates.findings(table, context, prompts)
    if len(scored.nearness):
        found += associations.findings(scored.nearness, suite.associations, seed)
    if len(scored.matches):
        found += replication.findings(scored.matches, prompts, seed)
        scales = copying_doses.of_guidance(run.settings.guidance, suite.mitigations)
        found += copying_doses.findings(scored.matches, scales, prompts, seed)
    if len(scored.factors):
        found += why.findings(scored.factors, seed, "excess")
    found += extraction.findings(scored.extracted, prompts, seed)
    found += inside.findings(scored.inside, prompts, seed) + list(scored.whole)
    found += _mitigations(run, scored, table, context)
    return found + _instruments(run, scored, table, asked)


def _mitigations(run: Run, scored: Scored, table: pd.DataFrame, context: Context) -> list[Finding]:
    """Effects, costs and a verdict of every arm; `table` has the prompts that leave things open."""
    from audit.findings import arms, copying_effect, doses, effects, mitigation
    from audit.findings.pairs import Question, Tables

    suite, seed, found = run.suite, run.options.seed, []
    prompts = {p.id: p for p in suite.prompts}
    for arm in suite.mitigations:
        about = suites.aims(suite, arm)
        aims = [(a, suites.targets(suite, arm, a)) for a in about]
        found += mitigation.findings(table, scored.alignment, arm.name, aims, seed)
        if len(scored.matches):
            found += copying_effect.findings(scored.matches, arm.name, prompts, seed)
        if (scored.table.arm == arm.name).any():
            tables = Tables(scored.table, scored.alignment, scored.matches, scored.vectors)
            asks = Question(arm.name, tuple(a.name for a in about), context, prompts)
            found += [f for f in effects.findings(tables, asks) if _beside(f)]
    own = {"guidance": float(run.settings.guidance)}
    found += doses.findings(table, suite.mitigations, context, own)
    return found + arms.findings(found, suite.mitigations)


def _instruments(
    run: Run, scored: Scored, table: pd.DataFrame, asked: Sequence[Attribute]
) -> list[Finding]:
    """What the classifier's errors, its abstentions and people's labels say of the readings."""
    from audit.findings import quality

    suite, seed, errors = run.suite, run.options.seed, scored.errors
    found = quality.classifier(errors.tables, suite.attributes, errors.sources)
    found += quality.abstention(errors.calibration, asked)
    found += quality.missing_by_subject(table, asked, seed)
    found += quality.people(errors.judged, errors.settled)
    judged = run.labels.raters if run.labels is not None else errors.judged
    found += quality.agreement(judged, suite.attributes, seed)
    if len(errors.settled):
        found += quality.labelled_shares(errors.settled, errors.sizes, suite.attributes)
    subjects = quality.subjects(scored.alignment, seed) if len(scored.alignment) else []
    return found + subjects


def _beside(f: Finding) -> bool:
    """Whether a claim of `effects` is not made by the arm's own findings already."""
    return f.key.kind not in ("copied", "similarity", "kept")


def drawn_and_read(
    run: Run, encoder: Any, encoders: Sequence[Any]
) -> tuple[dict[str, np.ndarray], pd.DataFrame]:
    """Make the pictures that are planned and not there, and read all of them."""
    generate(run, encoders)
    known = vectors(run, encoder, "classifier")
    return known, reading.score(run, encoder, known)


def execute(run: Run) -> Path:
    """Make everything that is missing; returns the path of the report.

    Raises Incomplete where pictures that should be there are not.
    """
    detecting.fits(run)
    with run.folder.lock():
        if run.options.precision:
            rounds.begin(run)
        run.folder.write_manifest(run.suite, run.settings, {**versions(), "device": run.device})
        run.folder.write_plan(run.samples)
        if run.labels is not None:
            return conclude(run, Scored(run.labels.table, {"labels": run.settings.revision}))
        encoder, descriptor = _classifier(run), _descriptor(run)
        encoders = [encoder, descriptor] if descriptor else [encoder]
        known, table = drawn_and_read(run, encoder, encoders)
        while run.options.precision and rounds.go_on(run, table):
            run.folder.write_plan(run.samples)
            known, table = drawn_and_read(run, encoder, encoders)
        alignment = align(run, encoder, known, table)
        known_errors = reader_errors.errors(run, encoder)
        key = {"encoder": encoder.key, "labels": known_errors.key}
        nearness = reading.associate(run, encoder, known)
        extracted = extraction.search(run, reading.missing_outcomes(run, known))
        scored = Scored(table, key, alignment, known_errors, nearness=nearness,
                        vectors=known, extracted=extracted,
                        inside=detecting.search(run))  # fmt: skip
        if run.corpus is not None:
            matches, facts, index, label = matching.search(run, descriptor, vectors)
            scored = replace(
                scored, matches=matches, facts=facts,
                factors=matching.with_factors(run, matches, index, label),
                whole=detecting.whole_set(run, run.folder.vectors(descriptor.key), index),
                train_image=run.corpus.image,
                training=training_images.read(
                    run, encoder, index.train.entries, run.options.training
                ),
            )  # fmt: skip
        report = conclude(run, scored)
    gone = run.pictures is None and len({s.id for s in run.samples} - run.folder.present())
    if gone:
        raise Incomplete(f"{gone} of the planned images are missing; run the same command again.")
    return report


def write_report(run: Run, scored: Scored) -> Path:
    """The page, from what stands in the folder."""
    everything = {
        **scored.facts,
        "command": run.options.command,
        "versions": versions(),
        "suite_hash": digest(repr(run.suite)),
        "settings_hash": digest(run.settings.__dict__),
        "wall_seed": run.options.seed,
        "notes": run.notes,
        "left_alone": left_alone(run.samples),
        "sequential": rounds.summary(run) if run.options.precision else None,
    }
    if any(r.name == "planted" for r in run.suite.references):
        everything["truth_note"] = (
            "This model and its training set were made for this audit: every planted share and "
            "every repeated image is known, so each estimate can be checked against the truth."
        )
    from_folder.keep(run.folder, run.suite, everything, run.labels is None)
    return from_folder.render(run.folder, run.picture, scored.train_image, run.options.pictures)
