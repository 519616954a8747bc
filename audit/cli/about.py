"""`doctor` and `list`: what is installed, and what can be named."""

from __future__ import annotations

import json
from typing import Any

import typer

from audit.cli.shared import USAGE, Json


def doctor(as_json: Json = False) -> None:
    """Check the installation and this machine, and say how to fix what is missing."""
    from audit.cli import doctor as check

    found = check.examine(lambda step: typer.echo(step, err=True))
    typer.echo(json.dumps(found, indent=1) if as_json else check.page(found))
    if any(line["state"] == "missing" for line in found["parts"] if line["needed"]):
        raise typer.Exit(USAGE)


def list_(as_json: Json = False) -> None:
    """List available suites, models, encoders, training sets, mitigations and readers."""
    from audit import registry
    from audit.design import suites

    found: dict[str, Any] = {"suites": dict(suites.list_suites()), **registry.names()}
    if as_json:
        typer.echo(json.dumps(found, indent=1))
        return
    for kind, names in found.items():
        typer.echo(f"{kind}:")
        for name in names:
            title = f"  {names[name]}" if isinstance(names, dict) else ""
            typer.echo(f"  {name}{title}")
