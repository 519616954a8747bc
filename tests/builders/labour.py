"""Jobs for worker processes, without models: they square numbers, warn, fail or die."""

from __future__ import annotations

import os
import signal
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from audit.errors import Notice, UserError


@dataclass(frozen=True)
class Squares:
    """Squares of numbers; each process leaves its number in a folder."""

    folder: Path

    def worker(self, number: int) -> Squares:
        """This one; its process is known by a file."""
        (self.folder / f"worker-{os.getpid()}").touch()
        return self

    def do(self, task: tuple[str, int], tell: Callable[[str, int, int], None]) -> int:
        """What a task's first part says, then the square of the second."""
        how, n = task
        print("a library prints this")
        tell("squares", n, n)
        once = self.folder / f"died-{n}"
        if how == "die" or (how == "die once" and not once.exists()):
            once.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if how == "refuse":
            raise UserError("It cannot be done.")
        if how == "fail":
            raise ZeroDivisionError("by zero")
        if how == "warn":
            warnings.warn("A note.", Notice, stacklevel=1)
        if how == "sleep":
            time.sleep(600)
        return n * n
