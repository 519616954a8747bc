"""The readers' errors: from human labels of this run, from labelled images that the user gives,
or from images that the classifier comes with, if the same model drew them.

Errors belong to a kind of images. Where none were measured on this kind, shares are printed as they
were read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from audit.evidence.measured import Calibration, Errors, Labelled
from audit.records import Attribute
from audit.runs import choosing, validating
from audit.runs.context import Run
from audit.runs.work import remembered

LABELS = "label of "
"""Before the name of an attribute, in the arrays that are kept of labelled images."""
PEOPLE = "images of this run that people labelled, weighted to all of its images"


def errors(run: Run, encoder: Any) -> Errors:
    """The errors on this run's own images where people labelled them, else on images of their kind.

    Those are the user's labelled images (`--validation`), or the encoder's own where the same model
    drew them. Without either there is no table.
    """
    given = run.options.validation
    known = validating.errors(run, encoder, given) if isinstance(given, str) else (
        brought(run, encoder)
    )  # fmt: skip
    found = with_people(run, known)
    return replace(found, doubt=choosing.DOUBT) if choosing.foreign(run.options, encoder) else (
        found
    )  # fmt: skip


def with_people(run: Run, known: Errors) -> Errors:
    """Errors from human labels of this run, replacing those known before."""
    from audit.evidence.labels.draw import OPEN
    from audit.evidence.labels.sheet import settle
    from audit.runs.labelling import labels

    got = labels(run.folder)
    if got is None:
        return known
    judged, drawn = got
    settled = settle(judged).merge(drawn.rows, on=["sample", "attribute"], how="inner")
    settled = settled[~settled.read.isin(OPEN)]  # what the reader left open is not an error of it
    tables, sources = dict(known.tables), dict(known.sources)
    for attribute in run.suite.attributes:
        sizes = {s.read: s.size for s in drawn.strata if s.attribute == attribute.name}
        table = _people(settled, attribute, sizes)
        if table is not None:
            tables[attribute.name], sources[attribute.name] = table, PEOPLE
    strata = {(s.attribute, s.read): s.size for s in drawn.strata}
    return replace(
        known, tables=tables, sources=sources, judged=judged, settled=settled, sizes=strata
    )


def _people(
    settled: pd.DataFrame, attribute: Attribute, sizes: Mapping[str, int]
) -> np.ndarray | None:
    """Weighted confusion of one attribute; None where no rater saw a class.

    `sizes` says how many images were read as each class; each labelled one represents an equal
    part of them, so an image left blank gives the others of its class more weight.
    """
    from audit.stats.labels import weighted_confusion

    place = {c: i for i, c in enumerate(attribute.classes)}
    rows = settled[(settled.attribute == attribute.name) & (settled.outcome == "label")]
    true, read = (rows[c].map(place).to_numpy(int) for c in ("value", "read"))
    table = weighted_confusion(true, read, np.array([sizes.get(c, 0) for c in place])).counts
    return table if table.sum(1).all() else None


def brought(run: Run, encoder: Any) -> Errors:
    """Errors on the images with known labels that a classifier comes with; empty if it has none.

    int[K, K] per attribute, of the readings that its threshold keeps, and the calibration of all.
    Also empty for no images (`--validation 0`), and where another model drew the run's images:
    errors on one kind of images say nothing about another.
    """
    validation = getattr(encoder, "validation", None)  # other encoders need not have it
    if validation is None or not run.options.validation:
        return Errors()
    if not encoder.drawn_by or encoder.drawn_by != choosing.drawn_by(run.options):
        return Errors()
    from audit.evidence.attributes.zero_shot import classifier

    classes = {a.name: a.classes for a in run.suite.attributes}
    zero_shot = tuple(replace(a, threshold=0.0) for a in run.suite.attributes if a.reader == "clip")

    def seen() -> dict[str, np.ndarray]:
        shown: Labelled = validation(run.options.validation, classes)
        run.progress("classifier errors", 0, len(shown.pictures))
        vectors = encoder.images(shown.pictures)
        run.progress("classifier errors", len(shown.pictures), len(shown.pictures))
        labels = {f"{LABELS}{name}": np.asarray(v) for name, v in shown.labels.items()}
        return {"vectors": vectors, "source": np.array([shown.source]), **labels}

    known = remembered(
        run.folder, "calibration", [encoder.key, run.options.validation, classes], seen
    )
    labels = {n.removeprefix(LABELS): v for n, v in known.items() if n.startswith(LABELS)}
    reader = classifier(zero_shot, (), encoder.texts, encoder.scale)
    read = reader.read(known["vectors"])
    tables: dict[str, np.ndarray] = {}
    calibration: dict[str, Calibration] = {}
    for attribute in run.suite.attributes:
        if attribute.name in labels:
            part = read[read.attribute == attribute.name]
            true = labels[attribute.name][part.row.to_numpy(int)]
            score, value = part.score.to_numpy(float), part.value.to_numpy(object)
            kept = score >= attribute.threshold
            table = confusion(true[kept], value[kept].tolist(), attribute.classes)
            if table.sum(1).all():  # a class that was never shown leaves its errors unknown
                tables[attribute.name] = table
                told = true >= 0
                names = np.asarray(attribute.classes, object)
                calibration[attribute.name] = score[told], names[true[told]] != value[told]
    return Errors(tables, dict.fromkeys(tables, str(known["source"][0])), calibration=calibration)


def confusion(true: np.ndarray, read: list[str], classes: Sequence[str]) -> np.ndarray:
    """Counts int[K, K], rows true; a true class of -1 is not in the list and is left out."""
    known = true >= 0
    seen = np.array([list(classes).index(v) for v in read], int)
    table = np.zeros((len(classes),) * 2, int)
    np.add.at(table, (true[known], seen[known]), 1)
    return table
