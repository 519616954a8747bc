"""What `audit.runs.slurm` uses of submitit, without a cluster and without processes."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any


@dataclass
class Job:
    """One that ran when it was submitted, or was lost."""

    job_id: str
    found: Any = None
    lost: bool = False
    cancelled: list[str] = field(default_factory=list)

    @property
    def state(self) -> str:
        """As sacct says."""
        return "NODE_FAIL" if self.lost else "COMPLETED"

    def done(self) -> bool:
        """At once."""
        return True

    def result(self) -> Any:
        """What the function returned."""
        if self.lost:
            raise RuntimeError("no output")
        return self.found

    def stderr(self) -> str:
        """Its log."""
        return "slurmstepd: error\n*** node-7 is gone ***\n"

    def cancel(self, check: bool) -> None:
        """Noted."""
        self.cancelled.append(self.job_id)


@dataclass
class Site:
    """A cluster, with what was asked of it; jobs whose number is in `losing` are lost."""

    losing: tuple[int, ...] = ()
    refuses: str = ""
    asked: dict[str, Any] = field(default_factory=dict)
    jobs: list[Job] = field(default_factory=list)
    folder: Path | None = None

    @property
    def module(self) -> SimpleNamespace:
        """In place of the package."""
        return SimpleNamespace(AutoExecutor=self._executor)

    def _executor(self, folder: Path, cluster: str, **more: Any) -> Site:
        self.folder, self.asked = folder, {"cluster": cluster, **more}
        return self

    def update_parameters(self, **given: Any) -> None:
        """Noted."""
        self.asked |= given

    @contextmanager
    def batch(self) -> Iterator[None]:
        """sbatch is asked at the end."""
        yield
        if self.refuses:
            raise RuntimeError(self.refuses)

    def submit(self, function: Callable[[], Any]) -> Job:
        """Run a function as a job would: a copy of it, that came from a file."""
        assert self.folder is not None
        number, data = len(self.jobs), pickle.dumps(function)
        (self.folder / f"{number}_submitted.pkl").write_bytes(data)
        (self.folder / f"{number}_0_log.err").write_text("log")
        lost = number in self.losing
        found = None if lost or self.refuses else pickle.loads(data)()
        self.jobs.append(Job(f"7_{number}", found, lost))
        return self.jobs[-1]
