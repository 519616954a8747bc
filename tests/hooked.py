"""Run commands of the command line under an audit hook: `python -m tests.hooked FOLDER`.

FOLDER/commands.json lists the arguments of each; the cases are in FOLDER. Prints as JSON the exit
code and output of each command, and what the hook saw: processes, pickled names, modules, and files
outside of the allowed folders.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

PROCESSES = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.spawn",
             "os.startfile", "pty.spawn")  # fmt: skip
ROOT = Path(__file__).resolve().parents[1]


class Watch:
    """What happens while `on`."""

    def __init__(self, folder: Path) -> None:
        mine = [
            sys.prefix,
            sys.base_prefix,
            str(ROOT),
            str(folder),
            "/proc",
            "/sys",
            "/dev",
            "/usr",
        ]
        self.allowed = [os.path.realpath(p) for p in mine]
        self.seen: list[str] = []
        self.on = False

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        """Record an event; `sys.addaudithook` calls this and never lets go of it."""
        if not self.on:
            return
        if event in PROCESSES or event == "pickle.find_class":
            self.seen.append(f"{event} {args!r:.200}")
        if event == "open" and isinstance(args[0], str | bytes):
            path = os.path.realpath(os.fsdecode(args[0]))
            if not any(path == a or path.startswith(a + os.sep) for a in self.allowed):
                self.seen.append(f"open {path}")


def main(folder: Path) -> None:
    """Run the commands, one after another, in one process."""
    import diffusers  # noqa: F401 - imports may look at the machine
    import matplotlib.font_manager  # noqa: F401
    import torch  # noqa: F401
    import transformers  # noqa: F401

    from audit.cli.main import main as command

    commands = json.loads((folder / "commands.json").read_text("utf-8"))
    os.chdir(folder)
    sys.path.insert(0, str(folder))  # where a hostile module would be found
    watch, done = Watch(folder), []
    sys.addaudithook(watch)
    for argv in commands:
        out, code = io.StringIO(), 0
        sys.argv = ["t2i-audit", *argv]
        watch.seen, watch.on = [], True
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            try:
                command()
            except SystemExit as left:
                code = int(left.code or 0)
        watch.on = False
        modules = [n for n in sys.modules if n.startswith("evil")]
        done.append({"argv": argv, "code": code, "out": out.getvalue(),
                     "seen": watch.seen + [f"import {n}" for n in modules]})  # fmt: skip
    print(json.dumps(done))


if __name__ == "__main__":
    tempfile.tempdir = str(Path(sys.argv[1]) / "scratch")
    Path(tempfile.tempdir).mkdir()
    main(Path(sys.argv[1]).resolve())
