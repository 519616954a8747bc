"""The readers' errors on labelled images that the user gives, and whether these are of one kind
with the run's own.

A reader sees them as it sees the run's images, gate and threshold included; images without a label
or a reading are left out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from audit import registry
from audit.datasets import labelled, pixels
from audit.errors import figure, say
from audit.evidence.measured import Calibration, Errors
from audit.keys import digest
from audit.records import Attribute
from audit.runs import judging
from audit.runs.context import Run
from audit.runs.work import remembered
from audit.stats.discrepancy import gaussian_kernel, median_distance, mmd_test

COMPARED = 300
"""Images of each side in the check of domain."""
LEVEL = 0.05
Seen = Mapping[str, tuple[str, str | None]]
"""Image to outcome and value."""


def errors(run: Run, encoder: Any, given: str) -> Errors:
    """Confusions int[K, K] of every attribute that the table labels, rows true.

    Notes of the run say on how many images they rest, and whether these look like the run's.
    Raises UserError for a table that cannot be used.
    """
    asked = {a.name: a.classes for a in run.suite.attributes}
    shown = labelled.load(Path(given), asked)
    vectors = _vectors(run, encoder, shown)
    tables: dict[str, np.ndarray] = {}
    calibration: dict[str, Calibration] = {}
    for attribute in run.suite.attributes:
        if not shown.has(attribute.name):
            continue
        true = shown.labels(attribute.name, attribute.classes)
        said, sure = _seen(run, attribute, encoder, shown, vectors)
        table = np.zeros((len(attribute.classes),) * 2, int)
        place = {c: i for i, c in enumerate(attribute.classes)}
        for id, label in zip(shown.ids, true, strict=True):
            outcome, value = said.get(id, ("unreadable", None))
            if label and outcome == "label" and value is not None:
                table[place[label], place[value]] += 1
        name = attribute.name.replace("_", " ")
        if not table.sum(1).all():
            run.notes.append(
                say("The labelled images of {folder} leave the errors on {name} unknown: a class "
                    "has no image with both a label and a reading.", folder=shown.name, name=name)
            )  # fmt: skip
            continue
        tables[attribute.name] = table
        if sure:
            told = [i for i, t in zip(shown.ids, true, strict=True) if t and i in sure]
            wrong = [sure[i][1] != true[int(i)] for i in told]
            calibration[attribute.name] = np.array([sure[i][0] for i in told]), np.array(wrong)
    source = say("{n} labelled images that were given as {folder}", n=len(shown.files),
                 folder=shown.name)  # fmt: skip
    run.notes += _alike(run, encoder, vectors, shown.name)
    key = digest([_hash(f) for f in (shown.table.path, *shown.files) if f.is_file()])
    return Errors(tables, dict.fromkeys(tables, source), calibration=calibration, given=key)


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _vectors(run: Run, encoder: Any, shown: labelled.Labelled) -> dict[str, np.ndarray]:
    """Vectors of the labelled images that can be read, by their place."""

    def made() -> dict[str, np.ndarray]:
        found: dict[str, np.ndarray] = {}
        for some, rows, _ in pixels.encoded(shown.ids, shown.read, encoder.images):
            found |= dict(zip(some, rows, strict=True))
            run.progress("labelled images", len(found), len(shown.files))
        return found

    stamps = [(f.name, f.stat().st_size, f.stat().st_mtime_ns) if f.is_file() else None
              for f in shown.files]  # fmt: skip
    return remembered(run.folder, "validation", [encoder.key, str(shown.table.path), stamps], made)


def read(run: Run, attribute: Attribute, encoder: Any, shown: labelled.Labelled) -> Seen:
    """What the attribute's reader says of labelled images, by their place; unreadable ones lack."""
    return _seen(run, attribute, encoder, shown, _vectors(run, encoder, shown))[0]


def _seen(
    run: Run, attribute: Attribute, encoder: Any, shown: labelled.Labelled,
    vectors: Mapping[str, np.ndarray],
) -> tuple[Seen, dict[str, tuple[float, str]]]:  # fmt: skip
    """What the attribute's reader says of labelled images; of a classifier also score and class.

    Scores are those of all images that pass the gate, whatever the threshold.
    """
    ids = sorted(vectors, key=int)
    if attribute.reader == "clip":
        return _by_classifier(run, attribute, encoder, ids, vectors)
    open_ids = [i for i, why in zip(ids, _shut(run, encoder, ids, vectors), strict=True) if not why]
    if judging.is_judge(attribute):
        judge = judging.Judge(attribute, run.options, run.costs)
        return {i: (o, v) for i, o, v in judge.read(open_ids, shown.read)}, {}
    from audit.evidence.attributes import pictures

    reader, found = registry.load("reader", attribute.reader), dict[str, tuple[str, str | None]]()
    for n, id in enumerate(open_ids, 1):
        found[id] = pictures.read(attribute, reader, shown.read(id))
        run.progress(f"errors on {attribute.name}", n, len(open_ids))
    return found, {}


def _shut(run: Run, encoder: Any, ids: list[str], vectors: Mapping[str, np.ndarray]) -> list[str]:
    from audit.evidence.attributes.zero_shot import classifier

    if not ids or not getattr(encoder, "reads", True):
        return [""] * len(ids)
    gate = classifier((), run.suite.gates, encoder.texts, encoder.scale)
    return [str(w) for w in gate.shut(np.stack([vectors[i] for i in ids]))]


def _by_classifier(
    run: Run, attribute: Attribute, encoder: Any, ids: list[str], vectors: Mapping[str, np.ndarray]
) -> tuple[Seen, dict[str, tuple[float, str]]]:
    from audit.evidence.attributes.zero_shot import classifier, probabilities

    if not ids:
        return {}, {}
    stack = np.stack([vectors[i] for i in ids])
    reader = classifier((attribute,), run.suite.gates, encoder.texts, encoder.scale)
    rows = reader.read(stack)
    found = {ids[int(r.row)]: (str(r.outcome), r.value) for r in rows.itertuples()}
    p = probabilities(stack, reader.classes[attribute.name], reader.scale)
    passed = [i for i, why in enumerate(reader.shut(stack)) if not why]
    sure = {ids[i]: (float(p[i].max()), attribute.classes[int(p[i].argmax())]) for i in passed}
    return found, sure


def _alike(
    run: Run, encoder: Any, vectors: Mapping[str, np.ndarray], name: str
) -> list[str]:  # fmt: skip
    """Whether labelled images and the run's differ as distributions: a sentence with its test."""
    own = run.folder.vectors(encoder.key)
    if not getattr(encoder, "reads", True) or min(len(own), len(vectors)) < 10:
        return []
    rng = np.random.default_rng(run.options.seed)
    prompts = {s.id: s.prompt for s in run.samples}
    mine = [i for i in rng.permutation(sorted(own)) if i in prompts][:COMPARED]
    theirs = list(rng.permutation(sorted(vectors)))[:COMPARED]
    a = np.stack([own[i] for i in mine]), np.array([prompts[i] for i in mine])
    b = np.stack([vectors[i] for i in theirs]), np.array(theirs)
    width = median_distance(np.concatenate([a[0], b[0]]))
    found = mmd_test(a, b, lambda x, y: gaussian_kernel(x, y, max(width, 1e-9)), rng)
    if np.isnan(found.p):
        return []
    test = say("kernel two-sample test over prompts, p = {p}, n = {n}+{m}", n=len(mine),
               m=len(theirs), p=figure(f"{found.p:.2g}"))  # fmt: skip
    if found.p >= LEVEL:
        return [say("The labelled images of {folder} cannot be told from this run's ({test}).",
                    folder=name, test=test)]  # fmt: skip
    return [
        say("The labelled images of {folder} look different from this run's ({test}): the "
            "correction holds only if readers err on both alike. Labels of this run's own images "
            "(`t2i-audit label RUN`) need no such assumption.", folder=name, test=test)
    ]  # fmt: skip
