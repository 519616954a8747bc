"""Runs that a conversation starts: only where the user allowed it, and within caps."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Annotated, Literal

from pydantic import Field

from audit import errors
from audit.cli.talk import answers, words
from audit.cli.talk.house import EMBEDDED
from audit.cli.talk.reading import Many, Name, Reading
from audit.errors import UserError

GRACE = 20.0
"""Seconds that a run has to end after it was asked to."""
LINE = 4096
"""Bytes of a line of its output that are kept."""


@dataclass(frozen=True)
class Caps:
    """What the user allows."""

    images: int
    """Over all runs of this server."""
    minutes: float
    """Of one run."""
    at_once: int
    """Runs at the same time."""


@dataclass
class Started:
    """A run as a process, of whose output the last line is kept."""

    suite: str
    model: str
    images: int
    process: subprocess.Popen[bytes]
    since: float = field(default_factory=time.monotonic)
    ended: float | None = None
    stopped: bool = False
    _last: dict[str, bytes] = field(default_factory=dict)
    _readers: list[threading.Thread] = field(default_factory=list)

    def __post_init__(self) -> None:
        pipes = {"out": self.process.stdout, "err": self.process.stderr}
        for name, pipe in pipes.items():
            reader = threading.Thread(target=self._follow, args=(name, pipe), daemon=True)
            reader.start()
            self._readers.append(reader)

    def _follow(self, name: str, pipe: IO[bytes]) -> None:
        with pipe:
            while line := pipe.readline(LINE):
                if line.strip():
                    self._last[name] = line

    def last(self, name: str) -> str:
        """The last line of `out` or `err`; of a process that has ended, its very last."""
        if not self.running:
            for reader in self._readers:
                reader.join(GRACE)
        return self._last.get(name, b"").decode("utf-8", "replace").strip()

    @property
    def running(self) -> bool:
        """Whether the process goes on."""
        return self.process.poll() is None

    def ask(self) -> None:
        """Ask it to end as an interrupt does, which keeps what is finished."""
        if self.running:
            self.stopped = True
            self.process.terminate()

    def end(self) -> None:
        """Ask it to end, and make it after GRACE."""
        self.ask()
        try:
            self.process.wait(GRACE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@dataclass
class Running:
    """The tools that start a run and say how it is."""

    reading: Reading
    caps: Caps
    _jobs: list[Started] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _closed: bool = False

    def start_run(
        self, suite: Name, model: Name = EMBEDDED,
        seeds: Annotated[int | None, Field(ge=1, le=1000)] = None,
        steps: Annotated[int | None, Field(ge=1, le=200)] = None,
        mitigations: Many | None = None,
        quick: bool = False,
    ) -> answers.Job:  # fmt: skip
        """Start an audit of a model within this server's caps; `run_status` says how it is.

        `seeds` is the number of images per prompt, `steps` of sampling steps. `quick` measures the
        embedded classifier's errors on fewer images. The same call continues a run that stopped.
        """
        from audit.design.suites import planned_images

        asked = self.reading.asked(suite, seeds, mitigations or [])
        images = planned_images(asked)
        command = [
            sys.executable, "-P", "-m", "audit", "run", self.reading.house.suite(suite),
            f"--model={self.reading.house.model(model)}", f"--out={self.reading.house.runs}",
            "--json", *(f"--mitigation={m}" for m in mitigations or []),
            *([f"--seeds={seeds}"] if seeds else []), *([f"--steps={steps}"] if steps else []),
            *(["--validation=300", "--training=30"] if quick and model == EMBEDDED else []),
        ]  # fmt: skip
        with self._lock:
            self._allow(images)
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": _path()},
            )  # fmt: skip
            self._jobs.append(Started(suite, model, images, process))
            job = len(self._jobs)
        threading.Thread(target=self._watch, args=(job,), daemon=True).start()
        return self.run_status(job)

    def _allow(self, images: int) -> None:
        """Raise UserError where a run of so many images is over the caps."""
        if self._closed:
            raise UserError("This server is ending.")
        if sum(j.running for j in self._jobs) >= self.caps.at_once:
            raise UserError(f"Only {self.caps.at_once} run at a time. Wait for it: `run_status`.")
        if images > self._left():
            raise UserError(
                f"This run would draw up to {images} images, and {self._left()} of the "
                f"{self.caps.images} that the user allowed are left. Plan fewer seeds, or ask the "
                "user to run it."
            )

    def _left(self) -> int:
        return self.caps.images - sum(j.images for j in self._jobs)

    def _watch(self, job: int) -> None:
        """Wait for a run, and end it when its time is over."""
        started = self._jobs[job - 1]
        try:
            started.process.wait(60 * self.caps.minutes)
        except subprocess.TimeoutExpired:
            started.end()
        started.ended = time.monotonic()

    def run_status(self, job: Annotated[int, Field(ge=1)]) -> answers.Job:
        """Say how a run is that was started here: its state, its name once finished, its words."""
        if job > len(self._jobs):
            raise UserError(f"This server has started {len(self._jobs)} runs; there is no {job}.")
        one = self._jobs[job - 1]
        state = self._state(one)
        run = Path(json.loads(one.last("out"))["report"]).parent.name if state == "finished" else ""
        seconds = int((one.ended or time.monotonic()) - one.since)
        return answers.Job(
            job, state, words.text(one.suite), words.text(one.model), one.images, seconds, run,
            self.reading.house.say(UserError(one.last("err"))), self._left(),
        )  # fmt: skip

    @staticmethod
    def _state(one: Started) -> Literal["running", "finished", "failed", "stopped"]:
        if one.running:
            return "running"
        if one.process.returncode == 0:
            return "finished"
        return "stopped" if one.stopped else "failed"

    def close(self) -> None:
        """End all runs that go on: they are kept, and the same call continues them."""
        with self._lock:
            self._closed = True
        for one in self._jobs:
            one.ask()
        for one in self._jobs:
            one.end()


def _path() -> str:
    """PYTHONPATH with this package in front: with -P, the folder one is in is not searched."""
    here = str(Path(errors.__file__).parents[1])
    return os.pathsep.join(filter(None, (here, os.environ.get("PYTHONPATH", ""))))
