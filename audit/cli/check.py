"""`check`: gates on a finished run; exit 0 all pass, 1 any fails, 3 any is undecided."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from audit.cli.shared import GATE_FAILED, INCOMPLETE, Json, say, say_json
from audit.errors import harmless


def check(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    gate: Annotated[
        list[str] | None,
        typer.Option(
            "--gate",
            "-g",
            help="A condition, such as 'replication.rate <= 1 %'; may be repeated; the "
            "suite's own `checks` apply as well.",
        ),
    ] = None,
    junit: Annotated[
        Path | None, typer.Option(help="Also write the result as JUnit XML to this file.")
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Judge nothing: list the findings that the gates name, or all without a --gate, "
            "with their values.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Check a finished run against gates, by interval: a small sample never passes by luck."""
    from audit.design.suites import conditions
    from audit.files import write_atomic
    from audit.findings import gates
    from audit.store import RunFolder

    folder = RunFolder(run)
    found = folder.findings()
    if dry_run:
        listed(gates.named([conditions.parse(t) for t in gate or []], found), as_json)
        return
    texts = [*folder.checks(), *(gate or [])]
    checks = gates.check([conditions.parse(t) for t in dict.fromkeys(texts)], found)
    if junit is not None:
        write_atomic(junit, gates.junit(checks, run.resolve().name))
    show(checks)
    verdict = gates.overall(checks)
    if as_json:
        say_json(json.loads(gates.to_json(checks)), indent=1)
    else:
        say(verdict)
    if verdict != gates.PASS:
        raise typer.Exit(GATE_FAILED if verdict == gates.FAIL else INCOMPLETE)


def show(checks: Any) -> None:
    """A table of the checks on stderr: the gate, the finding with its interval, the verdict."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    # The log of a build is wider than a terminal.
    console = Console(stderr=True, width=None if sys.stderr.isatty() else 200)
    table = Table(box=None, pad_edge=False)
    for head in ("verdict", "gate", "finding", "estimate", "interval", "n", "why"):
        right = head in ("estimate", "n")
        table.add_column(head, justify="right" if right else "left", overflow="fold")
    colours = {"pass": "green", "fail": "bold red", "undecided": "yellow"}
    for c in checks:
        f = c.finding
        cells = (c.gate.text, f.id, f"{f.estimate:.4g}", f"[{f.low:.4g}, {f.high:.4g}]", str(f.n))
        # Text, not str: user-supplied text must not be read as markup.
        row = [
            Text(c.verdict, colours[c.verdict]),
            *(Text(harmless(x)) for x in (*cells, c.reason)),
        ]
        table.add_row(*row)
    console.print(table)


def listed(findings: Any, as_json: bool) -> None:
    """The names that gates take, with unit, estimate and interval: tabs between them, or JSON."""
    import math

    columns = ("name", "unit", "estimate", "low", "high", "n", "missing")
    rows = [{c: getattr(f, c) for c in columns} for f in findings]
    if as_json:
        plain = [{k: None if isinstance(v, float) and not math.isfinite(v) else v
                  for k, v in row.items()} for row in rows]  # fmt: skip
        say_json(plain)
        return
    say("\t".join(columns))
    for row in rows:
        cells = (f"{v:.4g}" if isinstance(v, float) else str(v) for v in row.values())
        say("\t".join(" ".join("".join(c for c in cell if c.isprintable()).split())
                      for cell in cells))  # fmt: skip
