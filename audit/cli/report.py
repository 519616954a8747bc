"""`report`: the page of a finished run, written anew from its folder without computing anything."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from audit.cli.shared import Blur, Json, NoImages, finish, shown, training_images


def report(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="File to write, in place of the run's own.")
    ] = None,
    no_images: NoImages = False,
    blur: Blur = False,
    corpus: Annotated[
        str,
        typer.Option(
            help="Training images to show beside copies, where the run's own have moved: what "
            "`run --corpus` took, or `world`."
        ),
    ] = "",
    as_json: Json = False,
) -> None:
    """Write the page of a finished run anew, with other pictures or none; prints its path."""
    from audit.report import from_folder
    from audit.runs.pictures import of_run
    from audit.store import RunFolder

    folder = RunFolder(run)
    results = folder.results()
    train = None if no_images else training_images(folder, corpus)
    image = of_run(folder, {} if no_images else results).read
    with folder.lock():
        path = from_folder.render(folder, image, train, shown(no_images, blur), out)
    finish(path, folder.path / "findings.json", as_json)
