"""Actors on a Ray cluster that do the tasks of a job; a lost actor or node loses its task alone.

A cluster is attached to, never built; `local` starts Ray on this machine with as much of it as the
process may use. Tasks and results that pass through Ray are names and numbers: all nodes share the
folder that the job writes.
"""

from __future__ import annotations

import importlib
import logging
import os
import socket
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from audit.errors import Incomplete, UserError
from audit.runs import pool
from audit.runs.given import AUTO, LOCAL
from audit.runs.options import Options
from audit.runs.planning import versions

STORE = 100 << 20
"""Bytes of a local object store, which holds names of samples alone."""
WAIT = 5.0
"""Seconds for the first answer of a head node."""
OWN = "t2i-audit"


@dataclass
class Actor:
    """A worker inside Ray."""

    job: pool.Job
    folder: Path
    number: int
    version: str
    told: dict[str, tuple[int, int]] = field(default_factory=dict)
    worker: Any = None

    def do(self, task: Any) -> tuple[str, Any]:
        """A task, by `pool.attempt`."""
        self.told = {}
        return pool.attempt(lambda: self._do(task))

    def _do(self, task: Any) -> Any:
        fits("Ray", self.version, self.folder)
        if self.worker is None:
            self.worker = self.job.worker(self.number)
        return self.worker.do(task, self._tell)

    def _tell(self, step: str, done: int, total: int) -> None:
        self.told[step] = done, total

    def progress(self) -> dict[str, tuple[int, int]]:
        """Done and total by step of the task under way."""
        return dict(self.told)


def fits(cluster: str, version: str, folder: Path) -> None:
    """Raise UserError on a node that has another version, or does not see the folder."""
    own = versions()[OWN]
    if own != version:
        raise UserError(
            f"A node of the {cluster} cluster has t2i-audit {own}, this machine {version}. Install "
            "the same version on all of them."
        )
    if not folder.is_dir():
        raise UserError(
            f"A node of the {cluster} cluster does not see {folder}. Give a folder with --out that "
            "all nodes share."
        )


def work(
    job: pool.Job, tasks: Sequence[Any], folder: Path, options: Options,
    tell: Callable[[int, str, int, int], None],
) -> Iterator[tuple[int, Any]]:  # fmt: skip
    """As `pool.work`, by actors: one for each GPU, or share of one, of the cluster.

    Raises UserError where Ray is not installed, or the cluster cannot be reached or used.
    """
    ray, mine = _connected(options.ray)
    try:
        crew = _Crew(ray, job, tasks, folder.resolve(), options, tell)
        yield from crew.results()
    finally:
        if mine:
            ray.shutdown()


def _connected(address: str) -> tuple[Any, bool]:
    """Ray, and whether it was connected here: a program that uses it already goes on with it."""
    try:
        ray: Any = importlib.import_module("ray")
    except ImportError as error:
        raise UserError(
            '--ray needs Ray. Install it with `pip install "t2i-audit[ray]"`.'
        ) from error
    if ray.is_initialized():
        return ray, False
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        if address == LOCAL:
            import torch

            ray.init(
                "local", num_cpus=pool.cores(), num_gpus=torch.cuda.device_count(),
                object_store_memory=STORE, include_dashboard=False, **quiet,
            )  # fmt: skip
        else:
            at = os.environ.get("RAY_ADDRESS", "") if address == AUTO else address
            host, _, port = at.rpartition(":")
            if port.isdigit() and "//" not in host:  # Ray itself waits a minute for a dead one
                socket.create_connection((host, int(port)), WAIT).close()
            ray.init(address, **quiet)
    except Exception as error:  # Ray raises many kinds, for other versions too
        first = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise UserError(
            f"No Ray cluster can be used at --ray {address}: {first}. Check the address and that "
            "the cluster runs the same versions of Ray and Python, or give --ray local."
        ) from error
    return ray, True


class _Crew:
    """The actors, and the tasks that are left."""

    def __init__(
        self, ray: Any, job: pool.Job, tasks: Sequence[Any], folder: Path, options: Options,
        tell: Callable[[int, str, int, int], None],
    ) -> None:  # fmt: skip
        self.ray, self.job, self.tasks, self.folder, self.tell = ray, job, tasks, folder, tell
        has = ray.cluster_resources()
        gpus = float(has.get("GPU", 0)) if options.device != "cpu" else 0.0
        self.share = (options.gpus_per_worker or 1.0) if gpus else 0.0
        cores = int(has.get("CPU", 1))
        asked = 0 if options.workers == AUTO else int(options.workers)
        count = asked or (int(gpus / self.share) if gpus else max(1, cores // 4))
        self.count = max(1, min(count, len(tasks)))
        self.threads = max(1, cores // self.count)
        self.cpus = min(self.threads, cores / self.count)
        self.waiting, self.deaths = deque(range(len(tasks))), Counter[int]()
        self.at: dict[Any, tuple[Any, int, int]] = {}
        self.unborn: dict[Any, tuple[Any, int]] = {}

    def _start(self, number: int) -> None:
        paths = os.pathsep.join(p or os.getcwd() for p in sys.path)
        variables = {**dict.fromkeys(pool.THREADS, str(self.threads)), "PYTHONPATH": paths}
        kind = self.ray.remote(
            num_cpus=self.cpus, num_gpus=self.share, max_concurrency=2, max_restarts=0,
            runtime_env={"env_vars": variables},
        )(Actor)  # fmt: skip
        actor = kind.remote(self.job, self.folder, number, versions()[OWN])
        self.unborn[actor.progress.remote()] = actor, number

    def _next(self, actor: Any, number: int) -> None:
        if self.waiting:
            place = self.waiting.popleft()
            self.at[actor.do.remote(self.tasks[place])] = actor, number, place

    def results(self) -> Iterator[tuple[int, Any]]:
        """As they come. An actor that fits on no node, or not yet, has no task that others lack."""
        for number in range(self.count):
            self._start(number)
        while self.at or (self.waiting and self.unborn):
            ready, _ = self.ray.wait([*self.at, *self.unborn], timeout=1)
            for ref in ready:
                if ref in self.unborn:
                    self._born(ref)
                    continue
                actor, number, place = self.at.pop(ref)
                try:
                    kind, body = self.ray.get(ref)
                except self.ray.exceptions.RayError as error:
                    self._lost(place, number, error)
                    continue
                pool.raised(kind, body)
                self._next(actor, number)
                yield place, body
            self._progress()

    def _born(self, ref: Any) -> None:
        actor, number = self.unborn.pop(ref)
        try:
            self.ray.get(ref)
        except self.ray.exceptions.RayError as error:
            self._lost(None, number, error)
            return
        self._next(actor, number)

    def _lost(self, place: int | None, number: int, error: Exception) -> None:
        """Start another actor, for the task at that place if the lost one had a task."""
        self.deaths[-1 if place is None else place] += 1
        if pool.TRIES in self.deaths.values():
            first = (str(error).strip().splitlines() or [type(error).__name__])[0]
            when = "before it began" if place is None else "over the same shard"
            raise Incomplete(
                f"A Ray actor was lost {pool.TRIES} times {when} ({first}); everything finished so "
                "far is kept. Run the same command again."
            )
        if place is not None:
            self.waiting.appendleft(place)
        self._start(number)

    def _progress(self) -> None:
        """What the actors say; one that is lost or busy says nothing."""
        asked = {actor.progress.remote(): place for actor, _, place in self.at.values()}
        if not asked:
            return
        ready, _ = self.ray.wait(list(asked), num_returns=len(asked), timeout=1)
        for ref in ready:
            try:
                told = self.ray.get(ref)
            except self.ray.exceptions.RayError:
                continue
            for step, (done, total) in told.items():
                self.tell(asked[ref], step, done, total)
