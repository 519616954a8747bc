"""The steps of a run in order: each makes what is missing and reads what exists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from audit.errors import Incomplete, counted
from audit.evidence.measured import Errors, Found, Measured
from audit.runs import (
    choosing,
    conditioned,
    detecting,
    distributing,
    extraction,
    locks,
    matching,
    nudity,
    reader_errors,
    reading,
    rounds,
    segment_copies,
    tones,
    training_images,
    triples,
    unmeasured,
)
from audit.runs.conclude import Made, conclude
from audit.runs.context import Run
from audit.runs.draw import generate, vectors
from audit.runs.planning import versions

NOTHING = pd.DataFrame()


def execute(run: Run) -> Path:
    """Make everything that is missing; returns the path of the report.

    Raises Incomplete where planned images are missing.
    """
    detecting.fits(run)
    segment_copies.fits(run)
    choosing.ready(run.options)
    distributing.ready(run.options)
    with run.folder.lock(), locks.alone(run.folder):
        if run.options.precision:
            run = rounds.begin(run)
        run.folder.write_manifest(
            run.suite, run.settings, {**versions(), "device": run.plan.device}
        )
        run.folder.write_plan(run.samples)
        if run.plan.labels is not None:
            made = Made(nothing_but(run, run.plan.labels.table), {"labels": run.settings.revision})
            return conclude(run, made)
        report = conclude(*_measure(run))
    gone = run.plan.pictures is None and len(run.ids - run.folder.present())
    if gone:
        some = counted(gone, "planned image is", "planned images are")
        raise Incomplete(f"{some} missing; run the same command again.")
    return report


def nothing_but(run: Run, table: pd.DataFrame) -> Measured:
    """Readings alone, of a run without other measurements."""
    return Measured(
        run.suite, run.settings.guidance, run.options.seed, rounds.level(run), table,
        alignment=NOTHING, matches=NOTHING, training=NOTHING, nearness=NOTHING, vectors={},
        extracted=Found(), detectors=NOTHING, whole=(), factors=NOTHING, errors=Errors(),
        raters=run.plan.labels.raters if run.plan.labels is not None else None,
        truth=run.plan.truth,
    )  # fmt: skip


def _measure(run: Run) -> tuple[Run, Made]:
    """Images drawn, read and, if there is a training set, matched; the run as it was at the end."""
    encoder, descriptor = choosing.encoders(run)
    encoders = [encoder, descriptor] if descriptor else [encoder]
    more, errors = bool(run.options.precision), Errors()
    if more:
        errors = reader_errors.errors(run, encoder)
        rounds.say_limits(run, errors.tables)
    known, read = _drawn_and_read(run, encoder, encoders)
    while more:
        run, more = rounds.go_on(run, read.table, errors.tables)
        if more:
            run.folder.write_plan(run.samples)
            known, read = _drawn_and_read(run, encoder, encoders)
    if not run.options.precision:
        errors = reader_errors.errors(run, encoder)
    measured = replace(
        nothing_but(run, read.table),
        others=read.others,
        tones=tones.measure(run, known),
        nudity=nudity.measure(run, known),
        triples=triples.measure(run, encoder, known),
        adherence=conditioned.adherence(run, known),
        swaps=conditioned.swaps(run, known),
        people=read.counted.people,
        alignment=reading.align(run, encoder, known, read.table),
        errors=errors,
        nearness=reading.associate(run, encoder, known),
        vectors=known,
        extracted=extraction.search(run, reading.missing_outcomes(run, known)),
        detectors=detecting.search(run),
        raters=reading.second_judges(run, read) if not len(errors.judged) else None,
    )
    run.notes += unmeasured.notes(run, encoder, measured)
    if run.options.tone:
        run.notes.append(tones.NOTE)
    if run.options.nudity:
        run.notes.append(nudity.NOTE)
    if len(measured.triples):
        run.notes.append(triples.GROUPS_NOTE)
    made = Made(measured, {"encoder": encoder.key, "labels": errors.key})
    return run, made if run.plan.corpus is None else _match(run, made, encoder, descriptor)


def _drawn_and_read(
    run: Run, encoder: Any, encoders: Sequence[Any]
) -> tuple[dict[str, np.ndarray], reading.Read]:
    """Make the planned images that are missing, and read all of them."""
    distributing.ahead(run, encoders)
    generate(run, encoders)
    known = vectors(run, encoder, "classifier")
    return known, reading.score(run, encoder, known)


def _match(run: Run, made: Made, encoder: Any, descriptor: Any) -> Made:
    """The same with the nearest training images, and readings of the training set itself."""
    found = matching.search(run, descriptor, vectors)
    index, entries = found.index, found.index.train.entries
    segments, parts = segment_copies.search(run, descriptor, vectors)
    measured = replace(
        made.measured, matches=found.table, decided=found.decided, segments=segments, parts=parts,
        factors=matching.with_factors(run, found.table, index, found.clusters),
        whole=detecting.whole_set(
            run, run.folder.vectors(descriptor.key), index, found.obeying
        ),
        training=training_images.read(run, encoder, entries, run.options.training),
    )  # fmt: skip
    return replace(made, measured=measured, facts=found.facts, train_image=run.plan.corpus.image)
