"""`mcp`: audits as tools of a conversation, by the Model Context Protocol."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from audit.cli.shared import say
from audit.errors import UserError

if TYPE_CHECKING:
    from audit.cli.talk.house import House


def mcp(
    folder: Annotated[Path, typer.Argument(help="Folder that contains runs.")] = Path("reports"),
    index: Annotated[
        list[str] | None,
        typer.Option(help="An index that may be searched, NAME=FOLDER; may be repeated."),
    ] = None,
    suite: Annotated[
        list[str] | None,
        typer.Option(help="A suite of your own, NAME=FILE; may be repeated."),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(help="A model that may be run, NAME=MODEL; may be repeated."),
    ] = None,
    allow_runs: Annotated[
        bool, typer.Option("--allow-runs", help="Let the conversation start runs.")
    ] = False,
    max_images: Annotated[
        int, typer.Option(min=1, help="Images that it may have drawn in all.")
    ] = 500,
    max_minutes: Annotated[float, typer.Option(min=0.1, help="Minutes that a run may take.")] = 60,
    max_at_once: Annotated[int, typer.Option(min=1, help="Runs at the same time.")] = 1,
    clear: Annotated[
        bool, typer.Option("--clear", help="Show thumbnails as they are, not blurred.")
    ] = False,
    http: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535,
            help="Serve on this port of this machine, 0 = any, with a key; default: stdio.",
        ),
    ] = None,
    log: Annotated[
        Path | None, typer.Option(help="File to append a line to for each call; default: stderr.")
    ] = None,
) -> None:  # fmt: skip
    """Serve audits to a program that speaks MCP, such as a chat client; it only reads.

    The conversation knows runs, indexes, suites and models by name: those in the folder, those
    that ship with the program, and those given here. See docs/conversation.md.
    """
    house = _house(folder, clear, index or [], suite or [], model or [])
    from audit.cli.talk.running import Caps
    from audit.cli.talk.server import Talk

    caps = Caps(max_images, max_minutes, max_at_once) if allow_runs else None
    with ExitStack() as opened:
        talk = Talk(house, caps, opened.enter_context(_appended(log)) if log else sys.stderr)
        if http is None:
            talk.stdio()
        else:
            talk.http(http, lambda address, key: say(f"{address}\nAuthorization: Bearer {key}"))


def _house(
    folder: Path, clear: bool, index: Sequence[str], suite: Sequence[str], model: Sequence[str]
) -> House:
    """What the server may reach; UserError without the SDK, and for names that are not valid."""
    try:
        from mcp.server.mcpserver import MCPServer  # noqa: F401 - versions before 2 lack it
    except ImportError as error:
        raise UserError(
            "`mcp` needs the SDK of the protocol. Install it: pip install 'mcp>=2.3,<3'"
        ) from error
    from audit.cli.talk.house import House, labelled

    indexes = {n: Path(p) for n, p in labelled(index, "--index").items()}
    suites = {n: Path(p) for n, p in labelled(suite, "--suite").items()}
    return House(folder, indexes, suites, labelled(model, "--model"), clear)


def _appended(log: Path) -> TextIO:
    try:
        return log.open("a", encoding="utf-8")
    except OSError as error:
        raise UserError(f"--log {log} cannot be written: {error.strerror}.") from error
