"""`copy`: a run or an index to an address, or from one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from audit.cli.shared import Json, say, say_json
from audit.errors import UserError


def copy(
    source: Annotated[str, typer.Argument(help="Folder of a run or an index, or its address.")],
    target: Annotated[
        str, typer.Argument(help="Where it goes: s3://BUCKET/FOLDER, gs://, hf://, or a folder.")
    ],
    as_json: Json = False,
) -> None:
    """Copy a finished run or an index to an address, or from one to this machine.

    Each file is there whole or not at all, and what says that the run is there comes last. The same
    command again continues after an interruption.
    """
    from audit.datasets import far

    here, there = far.address(source), far.address(target)
    if bool(here) == bool(there):
        raise UserError(
            "One of the two must be an address, such as s3://BUCKET/FOLDER, and the other a folder "
            "on this machine."
        )
    if here:
        count = far.download(here, Path(target))
    else:
        if not any((Path(source) / name).is_file() for name in far.LAST):
            raise UserError(f"{source} is not the folder of a run or an index. Give one that is.")
        count = far.upload(Path(source), there)
    if as_json:
        say_json({"files": count, "copied_to": there or target})
    else:
        say(there or target)
