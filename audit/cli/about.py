"""`doctor` and `list`: what is installed, and what can be named."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from audit.cli.meter import Meter
from audit.cli.options import with_options
from audit.cli.shared import USAGE, Json, Quiet, say, say_json
from audit.runs.options import Options


@with_options("readers", "classifier", "out", "send_key", "max_cost", "device")
def doctor(
    options: Options,
    labelled: Annotated[
        Path | None,
        typer.Option(
            "--readers",
            help="Measure readers (--reader) on labelled images instead: a folder with labels.csv, "
            "or a table with the columns file_name, one for each attribute, and perhaps person.",
        ),
    ] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Check the installation and this machine, and say how to fix what is missing."""
    from audit.cli import doctor as check

    if labelled is not None:
        from audit.runs import reliability

        measured = reliability.measure(labelled, options, Meter(quiet))
        if as_json:
            say_json(measured, indent=1)
        else:
            say(reliability.page(measured))
        return
    found = check.examine(lambda step: say(step, err=True))
    if as_json:
        say_json(found, indent=1)
    else:
        say(check.page(found))
    if any(line["state"] == "missing" for line in found["parts"] if line["needed"]):
        raise typer.Exit(USAGE)


def list_(as_json: Json = False) -> None:
    """List available suites, models, encoders, training sets, mitigations and readers."""
    from audit import registry
    from audit.design import suites

    found: dict[str, Any] = {"suites": dict(suites.list_suites()), **registry.names()}
    if as_json:
        say_json(found, indent=1)
        return
    for kind, names in found.items():
        say(f"{kind}:")
        for name in names:
            title = f"  {names[name]}" if isinstance(names, dict) else ""
            say(f"  {name}{title}")
