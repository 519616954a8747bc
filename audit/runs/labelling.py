"""The labelling of a run on disk: sheet, page and draw, and the labels that were read back."""

from __future__ import annotations

import hashlib
import json
import math
import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd

from audit.datasets import cells, strict
from audit.errors import UserError, unknown
from audit.evidence.labels import sheet
from audit.evidence.labels.draw import Drawn, draw
from audit.files import loads
from audit.keys import OUTCOMES
from audit.records import Finding
from audit.runs.pictures import of_run
from audit.store import RunFolder

SHEET, PAGE, RECORD, LABELS = "sheet.csv", "index.html", "drawn.json", "labels.csv"
COUNTED = "labels.json"
"""Number and digest of the labels that were read back."""
DEFAULT_SEED = 0
"""Seed of a draw where none is given."""
DAMAGED = (OSError, ValueError, KeyError, TypeError, AttributeError)
"""What reading a damaged record of a draw raises."""
KEPT = ("sample", "attribute", "rater", "outcome", "value")


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
    or a damaged one already exists: labels that people filled in are never overwritten. A damaged
    record of the draw is written again if the draw gives the sheet's rows.
    """
    from audit.report.labels import labelling_page

    results = folder.results()
    classes = classes_of(results)
    for name in attributes:
        if name not in classes:
            raise unknown("attribute", name, classes)
    wanted = attributes or list(results["classes"])
    chosen = {a: c for a, c in classes.items() if a in wanted}
    drawn = draw(_one_person(folder), chosen, n, seed, everything)
    record, path = sheet.record(drawn, seed), folder.label_file(SHEET)
    if path.exists():
        _same_draw(folder, drawn, seed)
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
    again, browse = (
        _command(folder, "--read", path),
        shlex.join(["t2i-audit", "view", str(folder.path)]),
    )
    return {
        "path": str(folder.label_file(PAGE)),
        "sheet": str(path),
        "pictures": len(drawn.rows),
        "next": f"Label in the browser, by keys: {browse}\n"
        f"Or open the page, fill in {path}, and then: {again}",
    }


def _one_person(folder: RunFolder) -> pd.DataFrame:
    """The readings of images that do not show several people: a label could be of any of them."""
    table = folder.read_table("attributes")
    if "people" not in folder.results()["tables"]:
        return table
    counted = folder.read_table("people")
    return table[~table["sample"].isin(counted["sample"][counted.people > 1])]


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
    from audit.findings import agreement  # with SciPy, which those who only look do not need

    results = folder.results()
    was, classes = drawn_of(folder), classes_of(results)
    parts = [sheet.read(p, was, classes) for p in paths]
    if len(parts) > 1:  # copies without initials still belong to different raters
        parts = [p.assign(rater=p.rater.where(p.rater != "", f"sheet {i + 1}"))
                 for i, p in enumerate(parts)]  # fmt: skip
    judged = pd.concat(parts, ignore_index=True)
    first = {cells.fold(r): r for r in reversed(judged.rater.tolist())}
    judged["rater"] = [first[cells.fold(r)] for r in judged.rater.tolist()]
    if judged.duplicated(["sample", "attribute", "rater"]).any():
        raise UserError(
            "Two of the sheets label the same image by the same rater. Give each rater their "
            "own initials in the column `rater`."
        )
    data = cells.of_frame(judged[list(KEPT)])
    path = folder.write_label_file(LABELS, data)
    counted = {"labels": len(judged), "digest": hashlib.sha256(data).hexdigest()}
    folder.write_label_file(COUNTED, (json.dumps(counted, sort_keys=True) + "\n").encode())
    return {
        "path": str(path),
        "labels": len(judged),
        "pictures": int(judged.drop_duplicates(["sample", "attribute"]).shape[0]),
        "unlabelled": len(was.rows) - len(judged.drop_duplicates(["sample", "attribute"])),
        "raters": int(judged.rater.nunique()),
        "agreement": [_agreed(f) for f in agreement.findings(judged, classes, seed=0)],
        "next": f"Run the audit again to correct by them: {_repeated(results.get('command'))}",
    }


def _agreed(f: Finding) -> dict[str, Any]:
    numbers = {k: getattr(f, k) for k in ("estimate", "low", "high")}
    known = {k: x if math.isfinite(x) else None for k, x in numbers.items()}
    return {"id": f.id, "images": f.n, **known, "sentence": f.sentence}


def _same_draw(folder: RunFolder, drawn: Drawn, seed: int) -> None:
    """Raise UserError where the sheet of the run is not whole, or of another draw than this one."""
    path = folder.label_file(SHEET)
    away = f"Read it back first ({_command(folder, '--read', 'FILE')}), or move it away."
    try:
        kept = folder.label_file(RECORD).read_bytes()
        sheet.drawn(kept)
    except DAMAGED:
        if not sheet.rows_are(path, drawn):
            raise UserError(
                f"{folder.label_file(RECORD)} is damaged, and {path} is the sheet of another draw. "
                "Give the --n, --seed, --attribute and --everything with which it was drawn to "
                "write it again."
            ) from None
        return
    if kept != sheet.record(drawn, seed):
        raise UserError(f"{path} is the sheet of another draw. {away}")
    try:
        sheet.check(path, drawn)
    except UserError as error:
        raise UserError(f"The run's own sheet is damaged: {error} {away}") from error


def drawn_of(folder: RunFolder) -> Drawn:
    """The draw of a run's sheet.

    A damaged record is drawn again from the run's table where that gives the rows of the sheet,
    and written; raises UserError where there is no draw, or it cannot be found again.
    """
    path = folder.label_file(RECORD)
    try:
        return sheet.drawn(path.read_bytes())
    except FileNotFoundError as error:
        if not folder.label_file(SHEET).exists():
            raise UserError(
                f"{folder.path} has no sheet yet. Write one: {_command(folder)}"
            ) from error
    except DAMAGED:
        pass
    found = _again(folder)
    if found is None:
        raise UserError(
            f"{path} is damaged. Write it again with the --n, --seed, --attribute and --everything "
            f"with which the sheet was drawn ({_command(folder)} ...); the sheet stays "
            "as it is."
        )
    with suppress(UserError):  # a run that cannot be written can still be read
        folder.write_label_file(RECORD, sheet.record(found, DEFAULT_SEED))
    return found


def _again(folder: RunFolder) -> Drawn | None:
    """The draw by the default seed that has the rows of the run's sheet, if there is one."""
    try:
        counts = sheet.counts(folder.label_file(SHEET))
        table, classes = _one_person(folder), classes_of(folder.results())
    except UserError:
        return None
    chosen = {a: c for a, c in classes.items() if a in counts}
    for everything in (False, True):
        # All attributes are drawn with one n; a small one may have fewer images than that.
        drawn = draw(table, chosen, max(counts.values(), default=2), DEFAULT_SEED, everything)
        if sheet.rows_are(folder.label_file(SHEET), drawn):
            return drawn
    return None


def labels(folder: RunFolder) -> tuple[pd.DataFrame, Drawn] | None:
    """Every judgement that was read back, and the draw; None if there are no labels.

    Raises UserError as `kept` and `drawn_of` do.
    """
    if not folder.label_file(LABELS).exists():
        return None
    was = drawn_of(folder)
    return kept(folder, was), was


def kept(folder: RunFolder, was: Drawn | None = None) -> pd.DataFrame:
    """The judgements in a run: sample, attribute, rater, outcome and value, None for a reason.

    Raises UserError where they are not the labels that were kept, by their digest, and for a row
    that does not belong to the draw, if that is given.
    """
    asked = None if was is None else set(sheet.drawn_names(was).values())
    try:
        _counted(folder)
        table = strict.read(folder.label_file(LABELS), sheet.MAX_ROWS, KEPT, ours=True)
        at = table.need(KEPT)
        rows = [[row[i] for i in at] for row in table.rows]
        for i, (sample, attribute, _, outcome, value) in enumerate(rows):
            drawn = asked is None or (sample, attribute) in asked
            if not drawn or outcome not in OUTCOMES or (outcome == "label") != bool(value):
                raise UserError(f"{table.where(i)} is not a label of this draw.")
    except (UserError, FileNotFoundError) as error:
        raise UserError(
            f"The labels of this run are damaged: {error} Read the filled sheets back again: "
            f"t2i-audit label {folder.path} --read FILE"
        ) from error
    judged = pd.DataFrame(rows, columns=list(KEPT))
    return judged.assign(value=judged.value.where(judged.value != "", None))


def _counted(folder: RunFolder) -> None:
    """Raise UserError for labels that are not those that were kept; older runs have no count."""
    path, data = folder.label_file(COUNTED), folder.label_file(LABELS).read_bytes()
    try:
        kept = loads(path.read_bytes())
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read.") from error
    if not isinstance(kept, dict) or kept.get("digest") != hashlib.sha256(data).hexdigest():
        n = kept.get("labels", "?") if isinstance(kept, dict) else "?"
        raise UserError(
            f"{folder.label_file(LABELS)} is not the file with {n} labels that was kept."
        )
