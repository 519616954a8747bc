"""Readings that a run keeps: each item is read once, and finished ones survive an interruption."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from audit.datasets import pixels
from audit.runs.context import Run

Item = TypeVar("Item")
Kept = tuple[str, str | None]
"""Outcome, and the reading as text."""
CHUNK = 64
"""Items that are read between two writings."""


def kept(  # noqa: PLR0913 - what is read and how, and where it is kept and told
    run: Run, key: str, wanted: Mapping[str, Item], read: Callable[[Item], Kept], step: str,
    chunk: int = CHUNK, usable: Callable[[Kept], bool] = lambda _: True,
) -> dict[str, Kept]:  # fmt: skip
    """Readings by name, at least those of `wanted`, whose names are those in the run folder.

    Left out are items for which `read` raises pixels.Unreadable. One that was kept and is not
    `usable` is read again. `step` is the name of this work in the progress.
    """
    known = {i: x for i, x in run.folder.readings(key).items() if usable(x)}
    todo = [i for i in wanted if i not in known]
    before = len(wanted) - len(todo)
    for start in range(0, len(todo), chunk):
        part: dict[str, Kept] = {}
        try:
            for name in todo[start : start + chunk]:
                try:
                    part[name] = read(wanted[name])
                except pixels.Unreadable:
                    continue
        finally:
            if part:
                run.folder.add_readings(key, part)
        known |= part
        run.progress(step, before + start + len(part), len(wanted))
    return known
