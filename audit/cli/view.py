"""`view`: browse and label a run's images in a local browser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from audit.cli.shared import Json, Quiet, say, say_json, training_images
from audit.errors import UserError


def view(
    run: Annotated[
        Path, typer.Argument(help="Folder of a finished run, or a folder that contains runs.")
    ],
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 = any free port.")] = 0,
    corpus: Annotated[
        str,
        typer.Option(
            help="Training images to show next to similar images: as in `run --corpus`, or `world`."
        ),
    ] = "",
    images: Annotated[
        Path | None,
        typer.Option(help="Where the images of a run over existing images are now, if moved."),
    ] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Browse, compare and label the images of a run, or of several; print the address.

    A folder that contains runs opens as a list of them.
    The address contains a key: anyone with the key and access to this machine can see the images.
    Labels are saved in the run folder; nothing else is written.
    """
    from audit.runs import catalogue
    from audit.store import RunFolder

    try:
        from audit.view import app, several
        from audit.view.desk import Desk
        from audit.view.serve import serve
    except ModuleNotFoundError as error:
        raise UserError(
            f"`view` needs {error.name}. Install it: pip install {error.name}"
        ) from error

    def ready(address: str) -> None:
        if as_json:
            say_json({"address": address})
        else:
            say(address)
        if not quiet:
            say("Open this address in a browser. Stop with Ctrl-C.", err=True)

    def desk(path: Path) -> Desk:
        folder = RunFolder(path)
        made = Desk(folder, training_images(folder, corpus), images)
        made.open()
        return made

    if catalogue.is_run(run):
        one = desk(run)
        serve(lambda port, key: app.build(one, port, key), port, ready)
    else:
        found = catalogue.runs(run)
        serve(
            lambda port, key: several.build(found, lambda x: desk(x.folder), port, key), port, ready
        )
