"""The package is imported on systems that are not POSIX, too."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "audit"
MODULES = sorted(p for p in ROOT.rglob("*.py") if "_prompts" not in p.parts)
POSIX = ("fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty")
"""Modules of the standard library that only POSIX systems have."""
ELSEWHERE = {
    "chown", "fchmod", "fchown", "fork", "forkpty", "getegid", "geteuid", "getgid", "getpgid",
    "getuid", "killpg", "lockf", "mkfifo", "mknod", "nice", "posix_fallocate", "pread", "pwrite",
    "sched_getaffinity", "sched_setaffinity", "sendfile", "setsid", "statvfs", "sysconf", "sync",
    "uname", "wait3", "wait4", "WNOHANG",
}  # fmt: skip
"""Names of `os` that Windows lacks."""
GUARDED = {("evidence/copies/reading.py", "sched_getaffinity"), ("report/pdf.py", "geteuid")}
"""Calls behind a test of the platform."""

IMPORT = """
import importlib, sys
import diffusers, faiss, filelock, open_clip, pandas, peft, pyarrow.parquet
import scipy.stats, sklearn.metrics
import matplotlib.figure, torch, transformers, uvicorn, starlette.applications
from diffusers import StableDiffusionPipeline, UNet2DConditionModel
for name in {blocked}:
    sys.modules[name] = None
for name in {names}:
    importlib.import_module(name)
print("imported")
"""


def modules() -> list[str]:
    """Dotted names of every module of the package but its entry point, which would run it."""
    found = [".".join(("audit", *p.relative_to(ROOT).with_suffix("").parts)) for p in MODULES]
    return [n.removesuffix(".__init__") for n in found if not n.endswith("__main__")]


@pytest.mark.slow
def test_every_module_is_imported_without_posix() -> None:
    """None needs `fcntl`, `resource` or their like when it is imported."""
    # Other libraries ask for the platform first, so they are imported before the names are gone.
    code = IMPORT.format(blocked=("fcntl", "resource", "pwd", "grp", "termios"), names=modules())
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.stdout.endswith("imported\n"), done.stderr[-2000:]


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_no_call_that_other_systems_lack(path: Path) -> None:
    """Neither a POSIX module nor a function of `os` that Windows does not have."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [a.name for a in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        assert not {n.partition(".")[0] for n in names} & {*POSIX}
        if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "os":
            place = (path.relative_to(ROOT).as_posix(), node.attr)
            assert node.attr not in ELSEWHERE or place in GUARDED
