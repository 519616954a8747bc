"""`copy`: a run or an index to an address, or from one."""

from __future__ import annotations

from typing import Annotated

import typer

from audit.cli.shared import Json, say, say_json


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
    from audit.runs import copying

    place, count = copying.copied(source, target)
    if as_json:
        say_json({"files": count, "copied_to": place})
    else:
        say(place)
