"""`label`: draw images for people to label, and read their labels back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from audit.cli.options import with_options
from audit.cli.shared import Json, say, say_json
from audit.runs.options import Options


@with_options("lang")
def label(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    options: Options,
    n: Annotated[
        int, typer.Option("--n", "-n", min=2, help="Images to label, per attribute.")
    ] = 100,
    attribute: Annotated[
        list[str] | None, typer.Option(help="Label only this attribute; may be repeated.")
    ] = None,
    everything: Annotated[
        bool,
        typer.Option(
            "--everything", help="Draw images that the classifier left open, too, to label all."
        ),
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the draw.")] = 0,
    read: Annotated[
        list[Path] | None,
        typer.Option(help="A completed sheet; may be repeated, once per rater."),
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(help="Where the images of a run over existing images are now, if moved."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write a blind sheet for human labels, or read completed ones to correct the shares."""
    from audit.report.language import speaking
    from audit.runs.labelling import read_back, write_sheet
    from audit.store import RunFolder

    folder = RunFolder(run)
    with folder.lock(), speaking(options.lang):
        found: dict[str, Any] = (
            read_back(folder, read)
            if read
            else write_sheet(folder, n, attribute or [], seed, everything, images)
        )
    if as_json:
        say_json(found)
        return
    say(found["path"])
    if found.get("unlabelled"):
        say(f"{found['unlabelled']} rows of the sheet have no label.", err=True)
    for agreed in found.get("agreement", ()):
        say(agreed["sentence"], err=True)
    say(found["next"], err=True)
