"""What a run gives to the embedded world: its labelled images, and its answers to an exam."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from audit.errors import UserError

if TYPE_CHECKING:
    from audit.store import RunFolder


def keep(run: RunFolder, folder: Path) -> Path:
    """Pack the images of a run that two readers labelled; returns the folder.

    Raises UserError without labels of exactly two readers, and for an image that one of them left
    out: nothing may be chosen after the labels are known.
    """
    import numpy as np

    from audit.runs import labelling
    from audit.world import seen

    if not run.label_file(labelling.LABELS).exists():
        raise UserError(f"{run.path} has no labels. Read them back: t2i-audit label --read FILE.")
    judged = labelling.kept(run).fillna({"value": ""})
    read = run.read_table("attributes")
    subjects = dict(zip(read["sample"], read.subject, strict=True))
    try:
        ids, table = seen.joined(run.plan(), judged, subjects)
    except ValueError as error:
        raise UserError(f"{run.path}: {error}") from error
    return seen.pack(np.stack([run.read_image(i) for i in ids]), table, folder)


def answers_of_run(folder: RunFolder, exam: Path) -> tuple[Any, Any]:
    """The answers that a run of this tool gives about the images of an exam.

    Two data frames, as `marks.marks` reads them; the second is None where no training set was
    searched.
    """
    from audit.world import marks

    shares = marks.of_findings(folder.findings())
    if "matches" not in folder.results()["tables"]:
        return shares, None
    samples = folder.final(folder.plan())
    return shares, marks.of_matches(exam, samples, folder.read_table("matches"))
