"""What verbs share: exit codes, common options, and how a run is started and its result printed."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from audit.commands.meter import Meter

DONE, GATE_FAILED, USAGE, INCOMPLETE, CRASHED, INTERRUPTED = 0, 1, 2, 3, 70, 130

Out = Annotated[Path, typer.Option("--out", "-o", help="Folder in which run folders are made.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
References = Annotated[
    list[str] | None,
    typer.Option(
        "--reference",
        help="Your own target as NAME=FILE.csv (subject, attribute, value, share, source); may be "
        "repeated.",
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")]


def finish(report: Path, as_json: bool) -> None:
    """Print the path of the report, or the paths as JSON."""
    if as_json:
        body = {"report": str(report), "findings": str(report.with_name("findings.json"))}
        typer.echo(json.dumps(body))
    else:
        typer.echo(report)


def command() -> str:
    """The command as it was typed, for the page."""
    return shlex.join(["t2i-audit", *sys.argv[1:]])


def audit(suite: Any, options: Any, quiet: bool, as_json: bool) -> None:
    """Plan and run a suite under a meter, and print where the report is."""
    from audit import pipeline

    meter = Meter(quiet)
    try:
        report = pipeline.execute(pipeline.open_run(suite, options, meter))
    except KeyboardInterrupt:
        typer.echo("\nInterrupted. Run the same command to continue.", err=True)
        raise typer.Exit(INTERRUPTED) from None
    finally:
        meter.close()
    finish(report, as_json)
