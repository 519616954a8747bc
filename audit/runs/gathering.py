"""Parts of a run that separate commands do, and the command that finishes it from them.

Each part writes what was asked next to the shards, so the run can be finished from its folder. What
lets foreign code run or keys be sent is not in that file: the user gives it again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from audit.errors import Damaged, Incomplete, UserError, counted
from audit.files import checked, loads, write_atomic
from audit.runs import choosing, detecting, distributing, line, locks, mending, shards
from audit.runs.context import Progress, Run, silent
from audit.runs.given import AUTO
from audit.runs.opt import declared
from audit.runs.options import HOW, Options
from audit.runs.planning import asked, open_run, versions

FILE = Path(shards.FOLDER) / "request.json"
GIVEN_AGAIN = ("trust", "trust_code", "send_key", "device")
SHOWN = 5
"""Unfinished shards that an error lists."""


@dataclass(frozen=True)
class Request:
    """What was asked: the arguments of `planning.asked`, and the options by field."""

    suite: str
    mitigations: list[str]
    seeds: int | None
    quick: bool
    options: dict[str, Any]  # values of fields of `Options` as JSON


def request(
    suite: str, mitigations: list[str], seeds: int | None, run: Run, quick: bool = False
) -> Request:
    """What was asked, with the precision and batch size that were chosen for the device."""
    chosen = replace(run.options, dtype=run.settings.dtype or AUTO, batch=run.settings.batch)
    kept = {n: _plain(getattr(chosen, n)) for n in declared(Options)
            if n not in (*GIVEN_AGAIN, *HOW, "out")}  # fmt: skip
    return Request(suite, mitigations, seeds, quick, {**kept, "command": chosen.command})


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    return str(value) if isinstance(value, Path) else value


def part(run: Run, wanted: Request) -> Path:
    """Do part I of N of a run's shards; returns the run's folder.

    Raises UserError for a run that cannot be cut into parts, and where another command works on it.
    """
    if run.options.precision:
        raise UserError(
            "--precision decides after each round what is drawn next, so one command must see all "
            "images. Give --workers instead of --shard."
        )
    if run.plan.labels is not None:
        raise UserError("A table of labels has nothing to draw or to read. Leave --shard out.")
    choosing.ready(run.options)
    detecting.fits(run)
    classifier, descriptor = choosing.encoders(run)
    with _written(run, wanted):
        distributing.part(run, [e for e in (classifier, descriptor) if e is not None])
    return run.folder.path


@contextmanager
def _written(run: Run, wanted: Request) -> Iterator[None]:
    """Plan and request on disk, the lock of the part held; other parts may run meanwhile."""
    folder, text = run.folder, json.dumps(asdict(wanted), indent=1, sort_keys=True) + "\n"
    with ExitStack() as held:
        with locks.moment(folder):
            path = folder.path / FILE
            if path.is_file() and path.read_text("utf-8") != text:
                with locks.alone(folder):
                    pass  # nobody works on the other request
            folder.write_manifest(
                run.suite, run.settings, {**versions(), "device": run.plan.device}
            )  # fmt: skip
            folder.write_plan(run.samples)
            write_atomic(path, text.encode())
            held.enter_context(locks.registered(folder, run.options.shard))
        yield


def gather(
    path: Path, again: Mapping[str, Any] | None = None, progress: Progress = silent
) -> Path:  # fmt: skip
    """Finish a run of which all parts are there; returns the path of the report.

    `again` are options that a file may not decide, such as `trust_code`. Raises Incomplete with the
    shards that are not finished, and UserError for a folder without parts.
    """
    run, encoders = _reopened(path, dict(again or {}), progress)
    with run.folder.lock(), locks.alone(run.folder):
        ids = [s.id for s in run.samples] if run.plan.pictures is None else []
        there = run.folder.present().intersection(ids)
        gone = mending.removed(run, there)
        lost = distributing.missing(run, encoders, gone)
        shards.collect_notes(run.folder)
    if lost:
        raise unfinished(counted(len(lost), f"shard of {path} is", f"shards of {path} are"), lost)
    return line.execute(run)


def unfinished(what: str, lost: Sequence[str]) -> Incomplete:
    """The error for shards or blocks of parts that are missing; `lost` has a reason for each."""
    more = f"; and {len(lost) - SHOWN} more" if len(lost) > SHOWN else ""
    return Incomplete(
        f"{what} not finished: {'; '.join(lost[:SHOWN])}{more}. Run the command of "
        f"{'its part' if len(lost) == 1 else 'their parts'} again, then gather again."
    )


def _reopened(path: Path, again: dict[str, Any], progress: Progress) -> tuple[Run, list[Any]]:
    """The run that was asked for, in its folder, with its encoders."""
    file = path / FILE
    try:
        found = checked(Request, loads(file.read_bytes()))
    except FileNotFoundError as error:
        raise UserError(
            f"{path} has no parts to gather. Give the folder that `t2i-audit run --shard I/N` "
            "printed."
        ) from error
    except (OSError, ValueError) as error:
        raise Damaged(f"{file} is damaged: {error}. Run the command of one part again.") from error
    allowed = declared(Options).keys() | {"command"}
    known = {n: v for n, v in found.options.items()
             if n in allowed and n not in (*GIVEN_AGAIN, *HOW, "out")}  # fmt: skip
    options = Options(**{**known, **again, "out": path.resolve().parent})
    suite = asked(found.suite, found.mitigations, found.seeds, found.quick, options.trust_code)
    run = open_run(suite, options, progress)
    if run.folder.path.resolve() != path.resolve():
        raise UserError(
            f"The suite or the model of {path} has changed since its parts were made: the same "
            f"request is now {run.folder.path.name}. Run its parts again."
        )
    return run, [e for e in choosing.encoders(replace(run, notes=[])) if e is not None]
