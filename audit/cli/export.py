"""`export`: a finished run for spreadsheets, programs, model cards and evidence, or whole."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from audit.cli.shared import Json, say, say_json
from audit.errors import UserError, unknown

if TYPE_CHECKING:
    from audit.store import RunFolder

FORMATS = ("csv", "parquet", "xlsx", "zip", "model-card", "evidence")


def export(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="File to write; with csv or parquet, a folder receives all tables.",
        ),
    ] = None,
    form: Annotated[
        str,
        typer.Option(
            "--format",
            "-f",
            help="csv, parquet, xlsx (a workbook of all tables), zip (the whole run, to be sent), "
            "model-card (Markdown with metadata for the Hub), or evidence (a table that follows "
            "NIST's AI RMF and the EU's AI Act, .md or .csv).",
        ),
    ] = "csv",
    images: Annotated[
        Path | None,
        typer.Option(help="Where the images of a run over existing images are now, if moved."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write the findings of a run in another format, or all of it; print the paths of the files.

    A zip has the run's images and works wherever it is unpacked; images made elsewhere are in it
    without the metadata of their files.
    """
    from audit.store import RunFolder

    if form not in FORMATS:
        raise unknown("format", form, FORMATS)
    if out is None:
        raise UserError("--out is missing: give the file to write, --out FILE.")
    folder = RunFolder(run)
    if form in ("csv", "parquet", "xlsx"):
        from audit.report.exports import tables

        paths = tables.write(folder, form, out)
    elif form == "zip":
        from audit.report.exports import archive
        from audit.runs.pictures import of_run

        paths = [archive.write(folder, of_run(folder, folder.results(), images).read, out)]
    else:
        paths = [_document(folder, form, out)]
    if as_json:
        say_json([str(p) for p in paths])
    else:
        for path in paths:
            say(path)


def _document(folder: RunFolder, form: str, out: Path) -> Path:
    """A Markdown or CSV file of the model card or the evidence."""
    from audit.files import write_atomic
    from audit.report.exports import card, evidence, tables

    endings = (".md", ".csv") if form == "evidence" else (".md",)
    if out.suffix not in endings:
        raise UserError(f"{out} must end in {' or '.join(endings)}.")
    found = folder.findings()
    if form == "model-card":
        readers = folder.results()["instruments"] if folder.finished else {}
        told = {**folder.manifest(), "written": folder.head().written, "readers": readers}
        data = card.card(found, told).encode("utf-8")
    elif out.suffix == ".csv":
        data = tables.FORMATS["csv"](evidence.rows(found))
    else:
        data = evidence.markdown(found, folder.path.resolve().name).encode("utf-8")
    write_atomic(out, data)
    return out
