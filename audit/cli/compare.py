"""`compare`: changes from one finished run to another, on the prompts that both have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from audit.cli.options import with_options
from audit.cli.shared import Json, say, say_json
from audit.runs.options import Options


@with_options("out")
def compare(
    a: Annotated[Path, typer.Argument(help="Folder of a finished run (A).")],
    b: Annotated[Path, typer.Argument(help="Folder of another one (B). Changes are B minus A.")],
    options: Options,
    margin: Annotated[
        float,
        typer.Option(min=0, max=1, help="Changes of shares smaller than this count as no change."),
    ] = 0.1,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Compare runs even if their classifiers differ.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Compare two runs prompt by prompt and seed by seed; print the report's path."""
    from audit.runs import comparing

    found = comparing.compare(comparing.read(a, "A"), comparing.read(b, "B"), anyway, margin)
    report = comparing.write(found, options.out, margin)
    for note in found.notes:
        say(note, err=True)
    if as_json:
        findings = str(report.with_name("findings.json"))
        body = {"report": str(report), "findings": findings, "notes": found.notes}
        say_json(body)
    else:
        say(report)
