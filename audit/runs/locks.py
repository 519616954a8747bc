"""Who may work on a folder: one command on all of it, or several commands on a part each."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from audit.errors import UserError
from audit.files import locked
from audit.runs.shards import FOLDER
from audit.store import RunFolder

PATIENCE = 60.0
"""Seconds that a part waits for another one to write the plan."""


@contextmanager
def alone(folder: RunFolder) -> Iterator[None]:
    """Raise UserError while other commands do parts of this run, by their locks."""
    for path in sorted((folder.path / FOLDER).glob("part-*.lock")):
        try:
            with locked(path, wait=False):
                continue
        except BlockingIOError:
            said = path.stem.removeprefix("part-").replace("-of-", "/")
            raise UserError(
                f"Another process does shard {said} of {folder.path}. Wait for it to end, or "
                "choose another folder with --out."
            ) from None
    yield


@contextmanager
def registered(folder: RunFolder, shard: str) -> Iterator[None]:
    """Hold the lock of a part; UserError where another process does the same one."""
    path = folder.path / FOLDER / f"part-{shard.replace('/', '-of-')}.lock"
    with ExitStack() as held:
        try:
            held.enter_context(locked(path, wait=False))
        except BlockingIOError:
            raise UserError(
                f"Another process does shard {shard} of {folder.path}. Give each process a part of "
                "its own."
            ) from None
        yield


@contextmanager
def moment(folder: RunFolder) -> Iterator[None]:
    """The lock of the folder, which other parts hold for a moment; UserError where a run does."""
    end = time.monotonic() + PATIENCE
    with ExitStack() as held:
        while True:
            try:
                held.enter_context(folder.lock())
                break
            except UserError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.2)
        yield
