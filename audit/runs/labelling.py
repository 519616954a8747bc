"""The labelling of a run on disk: sheet, page and draw, and the labels that were read back."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from audit.errors import UserError, unknown
from audit.evidence.labels import sheet
from audit.evidence.labels.draw import Drawn, draw
from audit.findings import agreement
from audit.records import Finding
from audit.runs.pictures import of_run
from audit.store import RunFolder

SHEET, PAGE, RECORD, LABELS = "sheet.csv", "index.html", "drawn.json", "labels.csv"


def classes_of(results: Mapping[str, Any]) -> dict[str, list[str]]:
    """Classes by attribute that people may label: those of people, and the subject's own."""
    return {**results["classes"], **results.get("subject_classes", {})}


def write_sheet(
    folder: RunFolder, n: int, attributes: Sequence[str], seed: int, everything: bool = False,
    images: Path | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Draw images and write the sheet with its page; returns their paths and the next step.

    `images` is where images made elsewhere are now, if they have moved.

    Raises UserError for an attribute that the run did not read, and where a sheet of another draw
    already exists: labels that people filled in are never overwritten.
    """
    from audit.report.labels import labelling_page

    results = folder.results()
    classes = classes_of(results)
    for name in attributes:
        if name not in classes:
            raise unknown("attribute", name, classes)
    wanted = attributes or list(results["classes"])
    chosen = {a: c for a, c in classes.items() if a in wanted}
    drawn = draw(folder.read_table("attributes"), chosen, n, seed, everything)
    record = sheet.record(drawn, seed)
    path = folder.label_file(SHEET)
    if path.exists() and folder.label_file(RECORD).read_bytes() != record:
        raise UserError(
            f"{path} is the sheet of another draw. Read it back first "
            f"({_command(folder, '--read', 'FILE')}), or move it away."
        )
    page = labelling_page(
        drawn.rows,
        chosen,
        sheet.REASONS,
        of_run(folder, results, images).read,
        folder.path.name,
    )
    folder.write_label_file(RECORD, record)
    folder.write_label_file(PAGE, page.encode())
    if not path.exists():
        folder.write_label_file(SHEET, sheet.blank(drawn, folder.files()))
    again = _command(folder, "--read", path)
    return {
        "path": str(folder.label_file(PAGE)),
        "sheet": str(path),
        "pictures": len(drawn.rows),
        "next": f"Open the page, fill in {path}, and then: {again}",
    }


def _command(folder: RunFolder, *more: object) -> str:
    """A `label` command for this run, quoted for a shell."""
    return shlex.join(["t2i-audit", "label", str(folder.path), *map(str, more)])


def _repeated(said: object) -> str:
    """The command of a run, from its folder, quoted for a shell.

    The folder is untrusted: only a command of this program that trusts no code is repeated.
    """
    try:
        words = shlex.split(str(said or "t2i-audit run"))
    except ValueError:
        words = []
    ours = words[:1] == ["t2i-audit"] and words[1:2] in (["run"], ["mitigate"], ["demo"])
    if ours and not any(w.startswith(("--trust", "--send-key")) for w in words):
        return shlex.join(words)
    return "the same command or call of audit.run as before"


def read_back(folder: RunFolder, paths: Sequence[Path]) -> dict[str, Any]:
    """Check filled sheets and keep their labels in the run.

    Returns how many there are, and for each attribute that several raters labelled how far they
    agree: estimates with limits as in findings, None for unknown ones.
    """
    results = folder.results()
    was, classes = _drawn(folder), classes_of(results)
    parts = [sheet.read(p, was, classes) for p in paths]
    if len(parts) > 1:  # copies without initials still belong to different raters
        parts = [p.assign(rater=p.rater.where(p.rater != "", f"sheet {i + 1}"))
                 for i, p in enumerate(parts)]  # fmt: skip
    judged = pd.concat(parts, ignore_index=True)
    if judged.duplicated(["sample", "attribute", "rater"]).any():
        raise UserError(
            "Two of the sheets label the same image by the same rater. Give each rater their "
            "own initials in the column `rater`."
        )
    data = judged.to_csv(index=False).encode()
    path = folder.write_label_file(LABELS, data)
    return {
        "path": str(path),
        "labels": len(judged),
        "pictures": int(judged.drop_duplicates(["sample", "attribute"]).shape[0]),
        "raters": int(judged.rater.nunique()),
        "agreement": [_agreed(f) for f in agreement.findings(judged, classes, seed=0)],
        "next": f"Run the audit again to correct by them: {_repeated(results['command'])}",
    }


def _agreed(f: Finding) -> dict[str, Any]:
    numbers = {k: getattr(f, k) for k in ("estimate", "low", "high")}
    known = {k: x if math.isfinite(x) else None for k, x in numbers.items()}
    return {"id": f.id, "images": f.n, **known, "sentence": f.sentence}


def _drawn(folder: RunFolder) -> Drawn:
    try:
        return sheet.drawn(folder.label_file(RECORD).read_bytes())
    except FileNotFoundError as error:
        raise UserError(f"{folder.path} has no sheet yet. Write one: {_command(folder)}") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{folder.label_file(RECORD)} is damaged. Move the folder `labels` away and draw again."
        ) from error


def labels(folder: RunFolder) -> tuple[pd.DataFrame, Drawn] | None:
    """Every judgement that was read back, and the draw; None if there are no labels.

    Columns sample, attribute, rater, outcome, value.
    """
    path = folder.label_file(LABELS)
    if not path.exists():
        return None
    judged = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")
    return judged.assign(value=judged.value.where(judged.value != "", None)), _drawn(folder)
