"""`report`: regenerate the report of a finished run from its folder; nothing is computed."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from audit.cli.options import with_options
from audit.cli.shared import Json, finish, training_images
from audit.runs.options import Options


@with_options("pictures", "lang")
def report(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    options: Options,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="File to write; default: the run's report."),
    ] = None,
    corpus: Annotated[
        str,
        typer.Option(
            help="Training images to show next to copies, if those of the run have moved: as in "
            "`run --corpus`, or `world`."
        ),
    ] = "",
    images: Annotated[
        Path | None,
        typer.Option(help="Where the images of a run over existing images are now, if moved."),
    ] = None,
    pdf: Annotated[
        bool,
        typer.Option(
            "--pdf", help="Also print the report to a PDF next to it, by an installed Chromium."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Regenerate the report of a finished run, with or without images; print its path."""
    from audit.report import from_folder
    from audit.report import pdf as printed
    from audit.runs.pictures import of_run
    from audit.store import RunFolder

    if pdf:
        printed.browser()
    folder = RunFolder(run)
    results = folder.results()
    train = None if options.pictures == "none" else training_images(folder, corpus)
    image = of_run(folder, {} if options.pictures == "none" else results, images).read
    # Another file can be written where the run itself cannot.
    with folder.lock() if out is None else nullcontext():
        path = from_folder.render(folder, image, train, options.pictures, out, options.lang)
    paper = printed.write(path, path.with_suffix(".pdf")) if pdf else None
    finish(path, folder.path / "findings.json", as_json, paper)
