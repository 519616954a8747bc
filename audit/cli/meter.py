"""Progress on stderr."""

from __future__ import annotations

import sys
import time
from typing import Any

from audit.errors import harmless


class Meter:
    """Progress on stderr: bars with rate and time left on a terminal, else a line every 30 s."""

    def __init__(self, quiet: bool) -> None:
        self.quiet = quiet
        self.step, self.started, self.first, self.last = "", 0.0, 0, 0.0
        self.bars: Any = None
        self.tasks: dict[str, Any] = {}

    def __call__(self, step: str, done: int, total: int) -> None:
        """Show that `done` of `total` units of `step` are finished."""
        if self.quiet:
            return
        step = harmless(step)
        if sys.stderr.isatty():
            self._bar(step, done, total)
        else:
            self._line(step, done, total)

    def _bar(self, step: str, done: int, total: int) -> None:
        if self.bars is None:
            from rich.console import Console
            from rich.progress import (
                BarColumn,
                MofNCompleteColumn,
                Progress,
                TaskProgressColumn,
                TextColumn,
                TimeRemainingColumn,
            )

            self.bars = Progress(
                TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
                TaskProgressColumn(show_speed=True), TimeRemainingColumn(),
                console=Console(stderr=True),
            )  # fmt: skip
            self.bars.start()
        if step not in self.tasks:
            self.tasks[step] = self.bars.add_task(step, total=total)
        self.bars.update(self.tasks[step], completed=done, total=total)

    def _line(self, step: str, done: int, total: int) -> None:
        now = time.monotonic()
        if step != self.step:
            self.step, self.started, self.first, self.last = step, now, done, 0.0
        if done < total and now - self.last < 30:
            return
        self.last = now
        spent, made = now - self.started, done - self.first
        rate = made / spent if spent > 0 else 0.0
        text = f"{step}: {done} of {total}"
        if rate:
            text += f", {rate:.1f}/s"
            text += f", {(total - done) / rate:.0f} s left" if done < total else ""
        sys.stderr.write(text + "\n")
        sys.stderr.flush()

    def close(self) -> None:
        """Remove the bars and restore the terminal."""
        if self.bars is not None:
            self.bars.stop()
