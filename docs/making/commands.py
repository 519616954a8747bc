"""The page of commands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from audit.cli import main as cli
from docs.making.markdown import code, doc, quoted, section, table


def page() -> str:
    """One section per verb, including those of `world`."""
    group: Any = typer.main.get_command(cli.app)
    head = (
        "`t2i-audit VERB --help` prints the same. Results go to stdout, progress to stderr. Exit "
        "codes: 0 done, 1 a gate failed, 2 usage error, 3 incomplete or undecided, 70 internal "
        "error, 130 interrupted (run the same command to continue).\n\n"
    )
    return head + "".join(_command(name, c) for name, c in _verbs(group, ""))


def _verbs(group: Any, before: str) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _verbs(command, f"{before}{name} ")
        else:
            yield f"{before}{name}", command


def _command(name: str, command: Any) -> str:
    arguments = [p for p in command.params if not p.opts[0].startswith("-")]
    options = [p for p in command.params if p.opts[0].startswith("-") and p.name != "help"]
    words = [p.name.upper() if p.required else f"[{p.name.upper()}]" for p in arguments]
    usage = " ".join(["t2i-audit", name, *words, *(["[OPTIONS]"] if options else [])])
    rows = [(code(p.name.upper()), p.help or "", _default(p)) for p in arguments]
    rows += [(quoted([*p.opts, *p.secondary_opts]), p.help or "", _default(p)) for p in options]
    return section(name, doc(command.help or ""), f"```sh\n{usage}\n```",
                   table(("argument or option", "description", "default"), rows))  # fmt: skip


def _default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    value = parameter.default
    plain = isinstance(value, str | int | float | Path) and not isinstance(value, bool)
    return code(f"{value:g}" if isinstance(value, float) else value) if plain else ""
