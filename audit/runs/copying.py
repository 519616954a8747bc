"""Copying a finished run or an index to an address, or from one."""

from __future__ import annotations

from pathlib import Path

from audit.datasets import far
from audit.errors import UserError


def copied(source: str, target: str) -> tuple[str, int]:
    """Copy a folder, one of whose places is an address; where it is now, and the number of files.

    UserError where none or both are addresses, and as `far.upload` and `far.download` do.
    """
    here, there = far.address(source), far.address(target)
    if bool(here) == bool(there):
        raise UserError(
            "One of the two must be an address, such as s3://BUCKET/FOLDER, and the other a folder "
            "on this machine."
        )
    if here:
        return target, far.download(here, Path(target))
    if not any((Path(source) / name).is_file() for name in far.LAST):
        raise UserError(f"{source} is not the folder of a run or an index. Give one that is.")
    return there, far.upload(Path(source), there)
