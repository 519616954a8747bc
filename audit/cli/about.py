"""`doctor` and `list`: what is installed, and what can be named."""

from __future__ import annotations

from typing import Any

import typer

from audit.cli.shared import USAGE, Json, say, say_json


def doctor(as_json: Json = False) -> None:
    """Check the installation and this machine, and say how to fix what is missing."""
    from audit.cli import doctor as check

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
