"""Notes on readings: by whom, whether their errors are known, and what unknown ones could do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from audit.errors import say
from audit.evidence.encoders import pinned
from audit.evidence.measured import Measured
from audit.findings import sensitivity
from audit.findings.sensitivity import Published
from audit.records import Attribute
from audit.runs import choosing, judging
from audit.runs.context import Run

PUBLISHED = {
    pinned.NAME: Published(
        0.017,
        0.047,
        "zero-shot gender by race on FairFace, its sibling at 336 pixels, Radford et al. 2021, "
        "table 5",
    ),
}
"""By reader: errors on perceived gender that were published for it or its nearest kin, the least
and the most of a group. FairFace shows cropped faces of people; generated images are other
images."""
GENDERS = {"woman", "man"}


def notes(run: Run, encoder: Any, measured: Measured) -> list[str]:
    """Sentences for the report, in the order of the suite's attributes."""
    found = [judge.note for judge in run.judges.values()]
    if measured.errors.doubt:
        found.insert(0, choosing.FOREIGN)
    asked = {a for p in run.suite.prompts if p.purpose != "replication" for a in p.attributes}
    for attribute in run.suite.attributes:
        if attribute.name in asked and attribute.name != run.suite.subject_attribute:
            found += _of(run, encoder, measured, attribute)
    return found


def _of(run: Run, encoder: Any, measured: Measured, attribute: Attribute) -> Iterator[str]:
    name, rows = attribute.name.replace("_", " "), measured.table
    rows = rows[rows.attribute == attribute.name] if len(rows) else rows
    if attribute.name in measured.errors.tables or measured.errors.doubt:
        return
    by = choosing.classifier_name(run.options) if attribute.reader == "clip" else (
        judging.named(attribute)
    )  # fmt: skip
    said = say(
        "The errors of {by} in reading {name} are not known on images of this kind, so its shares "
        "are printed as they were read. `t2i-audit label {folder}` or --validation FOLDER measures "
        "them.", by=by, name=name, folder=str(run.folder.path),
    )  # fmt: skip
    rates, more = PUBLISHED.get(by), ""
    if rates and set(attribute.classes) == GENDERS:
        more = sensitivity.line(rows, attribute.name, attribute.classes, rates)
    yield say("{text} {more}", text=said, more=more) if more else said
