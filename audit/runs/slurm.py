"""Jobs of a SLURM cluster that do the tasks of a job, a share each; a lost job loses its share.

submitit writes the script of the array, submits it, and says how jobs end. Between this command
and its jobs pass a folder of its own inside the folder that the job writes, which no one else may
open: submitit pickles into it what a job does and what it returned.
"""

from __future__ import annotations

import importlib
import json
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from audit.errors import Incomplete, UserError, counted
from audit.files import checked, loads, write_atomic
from audit.runs import pool
from audit.runs.cluster import OWN, fits
from audit.runs.given import minutes
from audit.runs.locks import registered
from audit.runs.options import Options
from audit.runs.planning import versions
from audit.store import RunFolder

CLUSTER = "slurm"
"""The executor of submitit; `local` runs the jobs as processes of this machine."""
LIMIT = 240
"""Minutes of a job where --slurm-option time does not say."""
AGAIN = 10_000
"""Times that a job may come to its limit; it then goes on where it was."""
EVERY = 2.0
"""Seconds between two looks at the jobs, and between what a job says of its progress."""
SHOWN = 3
"""Failed jobs that an error names."""


@dataclass
class Share:
    """What one job does: its tasks by position, one after another or in several processes."""

    job: pool.Job
    tasks: Mapping[int, Any]
    folder: Path
    number: int
    """From 1 to `of`."""
    of: int
    options: Options
    version: str
    said: Path
    """File in which the job says how far it is."""
    _told: dict[str, list[Any]] = field(default_factory=dict)
    _last: float = 0.0

    def __call__(self) -> tuple[str, Any]:
        """Results by position, by `pool.attempt`."""
        return pool.attempt(self._do)

    def checkpoint(self) -> Any:
        """The same again, where the job is preempted or comes to its limit: what is done stays."""
        helpers: Any = importlib.import_module("submitit.helpers")
        return helpers.DelayedSubmission(self)

    def _do(self) -> dict[int, Any]:
        fits("SLURM", self.version, self.folder)
        with registered(RunFolder(self.folder), f"{self.number}/{self.of}"):
            places, tasks = list(self.tasks), list(self.tasks.values())
            found = pool.here(self.job, tasks, pool.count(self.options), self._tell)
            return {places[at]: result for at, result in found}

    def _tell(self, at: int, step: str, done: int, total: int) -> None:
        place = list(self.tasks)[at]
        self._told[f"{place} {step}"] = [place, step, done, total]
        if time.monotonic() - self._last > EVERY:
            self._last = time.monotonic()
            write_atomic(self.said, json.dumps([*self._told.values()]).encode())


def ready() -> Any:
    """submitit; UserError where it is not installed, or jobs cannot be submitted here."""
    try:
        found: Any = importlib.import_module("submitit")
    except ImportError as error:
        raise UserError(
            '--slurm needs submitit. Install it with `pip install "t2i-audit[slurm]"`.'
        ) from error
    if CLUSTER == "slurm" and not all(map(shutil.which, ("sbatch", "srun"))):
        raise UserError(
            "--slurm needs the commands sbatch and srun, and they are not here. Run it on a "
            "machine that submits jobs, or give --workers."
        )
    return found


def work(
    job: pool.Job, tasks: Sequence[Any], folder: Path, options: Options,
    tell: Callable[[int, str, int, int], None],
) -> Iterator[tuple[int, Any]]:  # fmt: skip
    """As `pool.work`, by the jobs of an array, each with every Nth task.

    Raises UserError where they cannot be submitted, and Incomplete, once all have ended, where some
    did not finish: their logs are then kept. They are cancelled where this command ends before.
    """
    submitit = ready()
    place = folder.resolve() / f".slurm-{secrets.token_hex(8)}"
    place.mkdir(mode=0o700, parents=True)
    crew = _Crew(place, tell)
    try:
        crew.submit(submitit, job, tasks, options)
        yield from crew.results()
    finally:
        crew.stop()


class _Crew:
    """The jobs under way."""

    def __init__(self, place: Path, tell: Callable[[int, str, int, int], None]) -> None:
        self.place, self.tell = place, tell
        self.jobs: dict[int, Any] = {}
        self.said: dict[int, Path] = {}
        self.failed: list[str] = []

    def submit(
        self, submitit: Any, job: pool.Job, tasks: Sequence[Any], options: Options
    ) -> None:  # fmt: skip
        """Submit the array; UserError as sbatch answers."""
        count, folder = min(options.slurm, len(tasks)), self.place.parent
        shares = [
            Share(
                job, {at: tasks[at] for at in range(n, len(tasks), count)}, folder, n + 1, count,
                options, versions()[OWN], self.place / f"said-{n}.json",
            )
            for n in range(count)
        ]  # fmt: skip
        try:
            executor = submitit.AutoExecutor(
                self.place, cluster=CLUSTER, slurm_max_num_timeout=AGAIN
            )
            executor.update_parameters(**_parameters(options, count))
            with executor.batch():
                made = [executor.submit(share) for share in shares]
        except (OSError, RuntimeError, ValueError) as error:  # of sbatch: FailedJobError
            raise UserError(
                f"The jobs cannot be submitted to SLURM: {_last(error) or repr(error)}. Check "
                "--slurm-option."
            ) from error
        self.jobs = dict(enumerate(made))
        self.said = {n: share.said for n, share in enumerate(shares)}

    def results(self) -> Iterator[tuple[int, Any]]:
        """As the jobs end; Incomplete at the end where some of them failed."""
        total = len(self.jobs)
        while self.jobs:
            self._progress()
            for n in [n for n, job in self.jobs.items() if job.done()]:
                job = self.jobs.pop(n)
                try:
                    kind, body = job.result()
                except Exception as error:  # submitit's, and those of a torn result
                    self.failed.append(_ended(job, error))
                    continue
                pool.raised(kind, body)
                yield from body.items()
            if self.jobs:
                time.sleep(EVERY)
        if self.failed:
            some = counted(total, "SLURM job", "SLURM jobs")
            more = len(self.failed) - SHOWN
            also = f"; and {more} more" if more > 0 else ""
            raise Incomplete(
                f"{len(self.failed)} of {some} failed: {'; '.join(self.failed[:SHOWN])}{also}. "
                f"Their logs are in {self.place}, and everything finished so far is kept. Run the "
                "same command again."
            )

    def _progress(self) -> None:
        """What the jobs under way say; one that has not begun says nothing."""
        for n in self.jobs:
            with suppress(OSError, ValueError):
                rows = loads(self.said[n].read_bytes())
                for place, step, done, total in checked(list[tuple[int, str, int, int]], rows):
                    self.tell(place, step, done, total)

    def stop(self) -> None:
        """Cancel what still runs, and remove what was exchanged; logs stay where a job failed."""
        for job in self.jobs.values():
            with suppress(Exception):  # scancel may be what is missing
                job.cancel(check=False)
        if not self.failed:
            shutil.rmtree(self.place, ignore_errors=True)
        for pattern in ("*.pkl", "said-*.json"):
            for path in self.place.glob(pattern):
                with suppress(OSError):
                    path.unlink()


def _parameters(options: Options, count: int) -> dict[str, Any]:
    """What submitit tells sbatch: the user's options, and that all jobs may run at once."""
    given: dict[str, Any] = {}
    for text in options.slurm_option:
        name, sign, value = text.partition("=")
        given[name.replace("-", "_")] = value if sign else True
    limit = given.pop("time", "")
    return {
        "name": "t2i-audit",
        "timeout_min": minutes(limit) if limit else LIMIT,
        "slurm_array_parallelism": count,
        "slurm_additional_parameters": given,
    }


def _ended(job: Any, error: Exception) -> str:
    """How a job ended: its number, its state, and the last line of its log."""
    with suppress(Exception):  # the log may be missing, too
        error = RuntimeError(job.stderr() or error)
    return f"{job.job_id} is {job.state}, {_last(error)[:200]!r}"


def _last(error: Exception) -> str:
    """The last line of what an error says that is not empty."""
    return next((s for line in reversed(str(error).splitlines()) if (s := line.strip())), "")
