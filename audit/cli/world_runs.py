"""What a run gives to the embedded world: its answers to an exam."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from audit.store import RunFolder


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
