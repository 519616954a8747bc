"""A folder of runs for a conversation, its hostile neighbours, and a client of the SDK."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import anyio
import numpy as np

from audit.cli.talk.house import House
from audit.cli.talk.running import Caps
from audit.cli.talk.server import Talk
from audit.datasets import pixels
from tests.builders import runs

T = TypeVar("T")
SECRET = "a secret of the reader"
TOOLS = ["list_suites", "list_runs", "plan", "findings", "explain", "compare", "check", "rewrite",
         "search_picture"]  # fmt: skip
STARTING = ["start_run", "run_status"]


def house(folder: Path, **more: Any) -> House:
    """Two finished runs in `folder`/runs."""
    runs.write(folder / "runs" / "one", runs.Plan())
    other = runs.Plan("two", {"nurse": 0.5, "cook": 0.4}, seed=3)
    runs.write(folder / "runs" / "two", other)
    return House(folder / "runs", **more)


def hostile(folder: Path) -> None:
    """Runs in `folder`/runs that lead out of it, or say what they should not."""
    outside = folder / "outside"
    runs.write(outside / "run", runs.Plan())
    (outside / "secret.json").write_text(json.dumps({"schema": 2, "run": SECRET, "findings": []}))
    (outside / "secret.png").write_bytes(pixels.png(np.full((4, 4, 3), 9, np.uint8)))
    (folder / "runs" / "linked").symlink_to(outside / "run")
    leaking = runs.write(folder / "runs" / "leaking", runs.Plan())
    (leaking / "findings.json").unlink()
    (leaking / "findings.json").symlink_to(outside / "secret.json")
    evil = runs.write(folder / "runs" / "evil", runs.Plan())
    found = json.loads((evil / "results.json").read_text())
    found["tables"]["attributes"] = "../../../outside/secret.parquet"
    found |= {"corpus": "evil:f", "images": str(outside), "pictures": {}}
    (evil / "results.json").write_text(json.dumps(found))


def asked(talk: Talk, ask: Callable[[Any], Awaitable[T]]) -> T:
    """What `ask` returns of a client that is connected to the server in memory, or its MCPError."""
    from mcp import Client
    from mcp.shared.exceptions import MCPError

    if "server" not in vars(talk):  # one takes a moment to make
        vars(talk)["server"] = talk.made()

    async def conversation() -> T | MCPError:
        async with Client(vars(talk)["server"]) as client:
            try:
                return await ask(client)
            except MCPError as error:  # which would leave as part of a group
                return error

    answer = anyio.run(conversation)
    if isinstance(answer, MCPError):
        raise answer
    return answer


def talk(house: House, caps: Caps | None = None) -> Talk:
    """A server that logs into memory."""
    return Talk(house, caps, io.StringIO())


def call(talk: Talk, name: str, **arguments: Any) -> Any:
    """The structured answer of one call; AssertionError with its sentence if it is refused."""

    async def ask(client: Any) -> Any:
        done = await client.call_tool(name, arguments)
        assert not done.is_error, done.content[0].text
        return done.structured_content

    return asked(talk, ask)


def refusal(talk: Talk, name: str, **arguments: Any) -> str:
    """The sentence with which a call is refused."""

    async def ask(client: Any) -> str:
        done = await client.call_tool(name, arguments)
        assert done.is_error, done.structured_content
        return str(done.content[0].text)

    return asked(talk, ask)


def sent(picture: np.ndarray) -> str:
    """An image as a client sends it."""
    return base64.b64encode(pixels.png(picture)).decode()
