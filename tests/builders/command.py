"""The command inside this process: libraries are loaded once for many calls."""

from __future__ import annotations

import contextlib
import io
import signal
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from audit.cli import main as cli


@dataclass(frozen=True)
class Done:
    """What a command left: its exit code and its two streams."""

    returncode: int
    stdout: str
    stderr: str


def call(*arguments: str, cwd: Path | None = None) -> Done:
    """`t2i-audit ARGUMENTS` in the folder `cwd`; signals, arguments and warnings are put back."""
    out, err = io.StringIO(), io.StringIO()
    terminated, shown = signal.getsignal(signal.SIGTERM), warnings.showwarning
    code: object = 0
    with contextlib.ExitStack() as held:
        held.enter_context(mock.patch.object(sys, "argv", ["t2i-audit", *arguments]))
        held.enter_context(warnings.catch_warnings())
        held.enter_context(contextlib.chdir(cwd or Path.cwd()))
        held.enter_context(contextlib.redirect_stdout(out))
        held.enter_context(contextlib.redirect_stderr(err))
        try:
            cli.main()
        except SystemExit as end:
            code = end.code
        finally:
            signal.signal(signal.SIGTERM, terminated)
            warnings.showwarning = shown
    return Done(int(code) if isinstance(code, int) else int(code is not None), out.getvalue(),
                err.getvalue())  # fmt: skip
