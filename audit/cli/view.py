"""`view`: browse a run's images, and label them, in a browser on this machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from audit.cli.shared import Json, Quiet, training_images
from audit.errors import UserError


def view(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 0,
    corpus: Annotated[
        str,
        typer.Option(
            help="Training images to show beside what is near to them: what `run --corpus` took, "
            "or `world`."
        ),
    ] = "",
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Show a run's images in the browser, to be searched and labelled; prints the address.

    The address holds a key: whoever has it and this machine can see the pictures. Labels are kept
    in the run folder; everything else is only read.
    """
    from audit.store import RunFolder

    try:
        from audit.view.desk import Desk
        from audit.view.serve import serve
    except ModuleNotFoundError as error:
        raise UserError(
            f"`view` needs {error.name}. Install it: pip install 't2i-audit[view]'"
        ) from error

    def ready(address: str) -> None:
        typer.echo(json.dumps({"address": address}) if as_json else address)
        if not quiet:
            typer.echo("Open this address in a browser. Ctrl-C ends it.", err=True)

    folder = RunFolder(run)
    serve(Desk(folder, training_images(folder, corpus)), port, ready)
