"""Processes that do the tasks of a job; a process that dies loses its task alone.

`python -m audit.runs.pool` is such a process. Pickled objects pass only between a command and the
processes that it started, through pipes; pictures stay on disk.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import struct
import subprocess
import sys
import threading
import traceback
import warnings
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import IO, Any, Protocol, TextIO

from audit.errors import Incomplete, Notice, UserError
from audit.runs.given import AUTO
from audit.runs.options import Options

HEAD = struct.Struct(">Q")
TRIES = 3
"""Processes that may die over a task before it is given up."""
CORES = 4
"""Processor cores of a worker by `auto` where there is no GPU."""
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
Tell = Callable[[str, int, int], None]
"""Receives step, done and total of a task under way."""


class Worker(Protocol):
    """Does tasks one after another; models that it has loaded stay loaded."""

    def do(self, task: Any, tell: Tell) -> Any:
        """Do a task; UserError where it cannot be done by anyone."""


class Job(Protocol):
    """What all workers need to know; can be pickled."""

    def worker(self, number: int) -> Worker:
        """The worker of that number, from 0."""


def cores() -> int:
    """Processor cores that this process may use, or as many as OMP_NUM_THREADS allows."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    if given.isdigit() and int(given):
        return int(given)
    from audit.evidence.copies.reading import cores as usable

    return usable()


def count(options: Options) -> int:
    """The number of worker processes; 1 where the command does everything itself."""
    if options.workers != AUTO:
        return max(1, int(options.workers))
    import torch

    gpus = torch.cuda.device_count() if options.device in (AUTO, "cuda") else 0
    return gpus or max(1, cores() // CORES)


def here(
    job: Job, tasks: Sequence[Any], count: int, tell: Callable[[int, str, int, int], None]
) -> Iterator[tuple[int, Any]]:
    """As `work`, by this process where `count` is 1."""
    if count > 1:
        yield from work(job, tasks, count, tell)
        return
    worker = job.worker(0)
    for place, task in enumerate(tasks):
        yield place, worker.do(task, partial(tell, place))


def work(
    job: Job, tasks: Sequence[Any], count: int, tell: Callable[[int, str, int, int], None]
) -> Iterator[tuple[int, Any]]:
    """Position and result of each task, as they end, from `count` processes.

    `tell` receives position, step, done and total. Raises UserError as the workers do, and
    Incomplete where a task ends its process TRIES times.
    """
    crew = _Crew(job, tasks, min(count, len(tasks)), tell)
    try:
        yield from crew.results()
    finally:
        crew.stop()


class _Crew:
    """The running processes, and the tasks that are left."""

    def __init__(
        self, job: Job, tasks: Sequence[Any], count: int,
        tell: Callable[[int, str, int, int], None],
    ) -> None:  # fmt: skip
        self.job, self.tasks, self.tell = job, tasks, tell
        self.events: queue.Queue[tuple[_Process, str, Any]] = queue.Queue()
        self.waiting = deque(range(len(tasks)))
        self.deaths: Counter[int] = Counter()
        self.threads = max(1, cores() // max(1, count))
        self.at: dict[_Process, int] = {}
        self.said: set[str] = set()
        self.all: list[_Process] = []
        for number in range(count):
            self._start(number)

    def _start(self, number: int) -> None:
        process = _Process(number, self.threads, self.events)
        self.all.append(process)
        process.send((self.job, number))
        self._next(process)

    def _next(self, process: _Process) -> None:
        self.at.pop(process, None)
        if self.waiting:
            self.at[process] = self.waiting.popleft()
            process.send(self.tasks[self.at[process]])
        else:
            process.stop()

    def results(self) -> Iterator[tuple[int, Any]]:
        """As they come, until there are as many as tasks."""
        while self.at:
            try:
                process, kind, body = self.events.get(timeout=1)
            except queue.Empty:  # the wait is short because some systems do not interrupt it
                continue
            if process not in self.at:
                continue
            place = self.at[process]
            if kind == "done":
                self._next(process)
                yield place, body
            elif kind == "gone":
                self._lost(process, place)
            else:
                self._heard(place, kind, body)

    def _heard(self, place: int, kind: str, body: Any) -> None:
        if kind == "tell":
            self.tell(place, *body)
        elif kind == "notice" and body not in self.said:
            self.said.add(body)
            warnings.warn(body, Notice, stacklevel=2)
        else:
            raised(kind, body)

    def _lost(self, process: _Process, place: int) -> None:
        """Give the task of a dead process to another, and start one in its place."""
        self.deaths[place] += 1
        how = process.end()
        if self.deaths[place] == TRIES:
            raise Incomplete(
                f"A worker process ended {TRIES} times over the same shard ({how}), as it does "
                "where memory is too small; everything finished so far is kept. Use fewer "
                "--workers and run the same command again."
            )
        del self.at[process]
        self.waiting.appendleft(place)
        self._start(process.number)

    def stop(self) -> None:
        """End all processes; what they were working on is lost, what they had finished is not."""
        for process in self.all:
            process.stop()
        for process in self.all:
            process.end()


class _Process:
    """One process, and the thread that listens to it."""

    def __init__(
        self, number: int, threads: int, events: queue.Queue[tuple[_Process, str, Any]]
    ) -> None:
        self.number, self._events = number, events
        paths = os.pathsep.join(p or os.getcwd() for p in sys.path)
        environment = {**os.environ, **dict.fromkeys(THREADS, str(threads)), "PYTHONPATH": paths}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "audit.runs.pool"], env=environment,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        threading.Thread(target=self._listen, name=f"worker {number}", daemon=True).start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        try:
            while True:
                self._events.put((self, *_receive(self._process.stdout)))
        except (EOFError, OSError, ValueError, pickle.UnpicklingError):
            self._events.put((self, "gone", None))

    def send(self, body: Any) -> None:
        """Send a job or a task; one that is gone is noticed by its listener."""
        assert self._process.stdin is not None
        try:
            _send(self._process.stdin, body)
        except (OSError, ValueError):
            return

    def stop(self) -> None:
        """End it at once; files are whole or absent."""
        self._process.kill()

    def end(self) -> str:
        """How it ended, in words."""
        code = self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            try:
                if pipe is not None:
                    pipe.close()
            except OSError:  # what was not sent to a dead process
                continue
        return f"signal {-code}" if code < 0 else f"exit code {code}"


def _send(file: IO[bytes], body: Any) -> None:
    data = pickle.dumps(body)
    file.write(HEAD.pack(len(data)) + data)
    file.flush()


def _receive(file: IO[bytes]) -> Any:
    """One object; EOFError where the other end is gone."""
    head = file.read(HEAD.size)
    if len(head) < HEAD.size:
        raise EOFError
    (size,) = HEAD.unpack(head)
    data = file.read(size)
    if len(data) < size:
        raise EOFError
    return pickle.loads(data)


def attempt(make: Callable[[], Any]) -> tuple[str, Any]:
    """What a worker says at the end of a task: `done` with the result, or why there is none."""
    try:
        return "done", make()
    except UserError as error:
        return "refused", str(error)
    except MemoryError as error:
        return "memory", str(error)
    except Exception:
        return "failed", traceback.format_exc()


def raised(kind: str, body: Any) -> None:
    """Raise what `attempt` caught; nothing for a result."""
    if kind == "refused":
        raise UserError(body)
    if kind == "memory":
        raise MemoryError(body)
    if kind == "failed":
        error = RuntimeError(body.strip().rpartition("\n")[2])
        error.add_note(body)
        raise error


def _serve() -> None:
    """Do tasks until the command that started this process closes the pipe, or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the command ends its processes itself
    out, inbox = os.fdopen(os.dup(1), "wb"), sys.stdin.buffer
    os.dup2(2, 1)  # what libraries print must not be mistaken for a message
    lock = threading.Lock()

    def say(kind: str, body: Any) -> None:
        with lock:
            _send(out, (kind, body))

    def tell(step: str, done: int, total: int) -> None:
        say("tell", (step, done, total))

    def notice(
        message: Warning | str, category: type[Warning], filename: str, lineno: int,
        file: TextIO | None = None, line: str | None = None,
    ) -> None:  # fmt: skip
        if issubclass(category, Notice):
            say("notice", str(message))

    def listen() -> None:
        try:
            while True:
                tasks.put(_receive(inbox))
        except (EOFError, OSError):
            os._exit(0)

    tasks: queue.Queue[Any] = queue.Queue()
    threading.Thread(target=listen, daemon=True).start()
    warnings.showwarning = notice
    job, number = tasks.get()
    worker = None
    while True:
        task = tasks.get()
        if worker is None:
            kind, worker = attempt(lambda: job.worker(number))
            if kind != "done":
                say(kind, worker)
                worker = None
                continue
        say(*attempt(partial(worker.do, task, tell)))


if __name__ == "__main__":
    _serve()
