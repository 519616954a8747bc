"""`compare`: what changes from one finished run to another, on what they have in common."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from audit.commands.shared import Json, Out


def compare(
    a: Annotated[Path, typer.Argument(help="Folder of a finished run: A.")],
    b: Annotated[Path, typer.Argument(help="Folder of another: B. Every change is B minus A.")],
    out: Out = Path("reports"),
    margin: Annotated[
        float, typer.Option(help="Changes of shares nearer to 0 than this count as none.")
    ] = 0.1,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Compare even what different classifiers have read.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Compare two runs prompt by prompt and seed by seed; print the path of the page."""
    from audit import comparison
    from audit.records import digest, to_json
    from audit.report.compare import Pair, page
    from audit.store import RunFolder

    first, second = comparison.read(a, "A"), comparison.read(b, "B")
    found = comparison.compare(first, second, anyway, margin)
    names = (first.model, second.model)
    runs = tuple({"suite": s.suite, "folder": s.path.name, **s.settings} for s in (first, second))
    html = page(Pair(names, (runs[0], runs[1]), found.findings, found.notes, margin))
    key = [a.resolve().name, b.resolve().name]
    folder = RunFolder(out / f"compare-{first.suite}-{digest(key, 8)}")
    findings = folder.write_findings(to_json(found.findings))
    report = folder.write_report(html)
    for note in found.notes:
        typer.echo(note, err=True)
    if as_json:
        body = {"report": str(report), "findings": str(findings), "notes": found.notes}
        typer.echo(json.dumps(body))
    else:
        typer.echo(report)
