"""`compare`: changes from one finished run to others, on the prompts that they have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from audit.cli.options import with_options
from audit.cli.shared import Json, say, say_json
from audit.runs.options import Options


@with_options("out", "lang")
def compare(
    a: Annotated[Path, typer.Argument(help="Folder of a finished run (A).")],
    others: Annotated[
        list[Path],
        typer.Argument(help="Folder of another one (B), or of several. Changes are B minus A."),
    ],
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
    """Compare runs with the first, prompt by prompt and seed by seed; print the report's path."""
    from audit.runs import comparing

    made = comparing.several([a, *others], anyway, margin)
    report = comparing.write_several(made, options.out, margin, options.lang)
    many = len(made) > 1
    notes = [f"{m.b.name}: {note}" if many else note for m in made for note in m.notes]
    for note in notes:
        say(note, err=True)
    if as_json:
        findings = str(report.with_name("findings.json"))
        body = {"report": str(report), "findings": findings, "notes": notes}
        say_json(body)
    else:
        say(report)
