"""`runs`: the runs of a folder, the newest first."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from audit.cli.shared import Json, say, say_json


def runs(
    folder: Annotated[Path, typer.Argument(help="Folder that contains runs.")] = Path("reports"),
    as_json: Json = False,
) -> None:
    """List the runs of a folder: date, suite, model, and what the first finding says."""
    from audit.report import wording
    from audit.runs import catalogue

    found = catalogue.runs(folder)
    if as_json:
        say_json([{**asdict(x), "folder": str(x.folder)} for x in found])
        return
    for i, x in enumerate(found):
        date = x.written[:16].replace("T", " ") or "date unknown"
        what = [date, wording.clip(x.suite, 60), wording.clip(x.model, 60)]
        say(("\n" if i else "") + "  ".join(w for w in what if w))
        say(f"  {wording.clip(x.headline, 240)}")
        say(f"  {x.folder}")
