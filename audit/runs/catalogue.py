"""The runs of a folder, a row each: what they are of, when they were written, what they found."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from audit.errors import UserError
from audit.keys import BASELINE
from audit.records import Finding
from audit.report import wording
from audit.store import RunFolder


@dataclass(frozen=True)
class Listed:
    """One run, or comparison of runs, on disk."""

    folder: Path
    written: str
    """When its findings were written, `2026-11-30T19:54:01Z`; of the file where they do not say."""
    suite: str
    model: str
    findings: int
    headline: str
    """Its first finding in words, or why there is none."""
    run: bool
    """Whether it is a finished run with images, not a comparison or one that goes on."""


def runs(folder: Path) -> list[Listed]:
    """The runs directly below a folder, the newest first, or the folder itself if it is one.

    UserError for a folder that does not exist or has no run.
    """
    if not folder.is_dir():
        raise UserError(f"There is no folder {folder}. Give the folder that contains your runs.")
    inner = [folder] if is_run(folder) else sorted(p for p in folder.iterdir() if is_run(p))
    if not inner:
        raise UserError(f"No folder in {folder} is a run. Give the folder that contains your runs.")
    found = sorted((listed(p) for p in inner), key=lambda x: x.folder.name)
    return sorted(found, key=lambda x: x.written, reverse=True)


def is_run(folder: Path) -> bool:
    """Whether a folder has the record of a run, or findings."""
    return any((folder / name).is_file() for name in ("run.json", "findings.json"))


def listed(path: Path) -> Listed:
    """A run's row; a damaged or unfinished run says so in its headline."""
    folder = RunFolder(path)
    suite = model = ""
    try:
        if (path / "run.json").is_file():
            manifest = folder.manifest()
            suite, model = (str(x) for x in (manifest["suite"],
                                             manifest["settings"].get("model", "")))  # fmt: skip
        if not (path / "findings.json").is_file():
            return Listed(path, _time(path / "run.json"), suite, model, 0, "Not finished.", False)
        head, found = folder.head(), folder.findings()
        written = head.written or _time(path / "findings.json")
        return Listed(path, written, suite or head.suite, model or head.model, len(found),
                      headline(found), folder.finished)  # fmt: skip
    except UserError as error:
        return Listed(path, "", suite, model, 0, str(error), False)


def _time(file: Path) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(file.stat().st_mtime))


def first(found: Sequence[Finding]) -> Finding | None:
    """One finding with a sentence, by a rule that ignores estimates; None if there is none.

    On all subjects together if there is one, else on copies, else the first that has a sentence.
    """
    told = [f for f in found if f.sentence and f.arm == BASELINE]
    whole = [f for f in told if f.key.everyone and f.section == "representation"]
    copies = [f for f in told if f.section == "replication" and f.key.kind == "rate"]
    return next(iter([*whole, *copies, *told, *(f for f in found if f.sentence)]), None)


def headline(found: Sequence[Finding]) -> str:
    """The sentence of the first finding."""
    one = first(found)
    return wording.tie(wording.clip(one.sentence, 240)) if one else "No findings."
