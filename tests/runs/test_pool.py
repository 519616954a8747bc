"""Worker processes: what they return, raise and leave, and what one that dies costs."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from audit.errors import Incomplete, Notice, UserError
from audit.runs import pool
from tests.builders.labour import Squares


def done(folder: Path, tasks: list[tuple[str, int]], count: int = 2) -> dict[int, int]:
    """Results by position."""
    return dict(pool.work(Squares(folder), tasks, count, lambda *told: None))


def workers(folder: Path) -> list[int]:
    """Process numbers of all workers that have begun."""
    return [int(p.name.partition("-")[2]) for p in folder.glob("worker-*")]


def gone(number: int) -> bool:
    """Whether a process has ended, within some seconds."""
    for _ in range(200):
        if not psutil.pid_exists(number) or psutil.Process(number).status() == "zombie":
            return True
        time.sleep(0.05)
    return False


@pytest.mark.slow
def test_a_dead_worker_costs_its_task_alone(tmp_path: Path) -> None:
    """Two tasks end their process once: they are done again, and all others but once."""
    tasks = [("die once" if n in (1, 4) else "square", n) for n in range(6)]
    with pytest.warns(Notice, match=r"A note\.") as notes:
        assert done(tmp_path, [*tasks, ("warn", 6), ("warn", 7)]) == {n: n * n for n in range(8)}
    assert len(notes) == 1  # of two processes
    assert len(workers(tmp_path)) == 4
    assert all(map(gone, workers(tmp_path)))


@pytest.mark.slow
def test_a_task_that_ends_every_process_is_given_up(tmp_path: Path) -> None:
    """After three processes, with how they ended and what to do."""
    with pytest.raises(Incomplete, match=r"ended 3 times over the same shard \(signal 9\)"):
        done(tmp_path, [("die", 1), ("square", 2)])
    assert all(map(gone, workers(tmp_path)))


@pytest.mark.slow
def test_errors_of_a_worker_are_those_of_the_command(tmp_path: Path) -> None:
    """A sentence for the user stays one; any other error has the worker's traceback with it."""
    with pytest.raises(UserError, match=r"^It cannot be done\.$"):
        done(tmp_path, [("refuse", 1)])
    with pytest.raises(RuntimeError, match="ZeroDivisionError: by zero") as error:
        done(tmp_path, [("fail", 1)])
    assert "in do\n" in error.value.__notes__[0]


@pytest.mark.slow
def test_workers_end_with_their_command(tmp_path: Path) -> None:
    """Also where it is killed: nothing goes on behind it."""
    code = (
        "from pathlib import Path\nfrom audit.runs import pool\n"
        "from tests.builders.labour import Squares\n"
        f"list(pool.work(Squares(Path({str(tmp_path)!r})), [('sleep', 1)] * 2, 2, print))"
    )
    command = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL)
    while len(workers(tmp_path)) < 2 and command.poll() is None:
        time.sleep(0.05)
    command.send_signal(signal.SIGKILL)
    command.wait()
    assert len(workers(tmp_path)) == 2
    assert all(map(gone, workers(tmp_path)))
