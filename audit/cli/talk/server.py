"""The server: tools, resources and prompts by the official SDK, over stdio or on this machine."""

from __future__ import annotations

import functools
import hmac
import inspect
import os
import secrets
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from types import FrameType
from typing import Any, TextIO

from audit.cli.talk.house import House
from audit.cli.talk.log import Log, crashed
from audit.cli.talk.pictures import Pictures
from audit.cli.talk.reading import Reading
from audit.cli.talk.running import Caps, Running
from audit.cli.talk.telling import INSTRUCTIONS, Telling
from audit.errors import Incomplete, UserError

NAME = "t2i-audit"
LARGEST = 4 << 20
"""Bytes of a resource, and of a request over HTTP."""


@dataclass
class Talk:
    """A server over one house; with caps it may start runs."""

    house: House
    caps: Caps | None = None
    log: TextIO = field(default_factory=lambda: sys.stderr)

    def __post_init__(self) -> None:
        self.reading, self.pictures = Reading(self.house), Pictures(self.house)
        self.running = Running(self.reading, self.caps) if self.caps else None

    def made(self) -> Any:
        """The SDK's `MCPServer`, with every tool, resource and prompt."""
        from mcp.server.mcpserver import MCPServer

        server: Any = MCPServer(
            NAME, title="Audits of text-to-image models", instructions=INSTRUCTIONS,
            version=version(NAME), log_level="CRITICAL", middleware=[Log(self.log)],
        )  # fmt: skip
        self._tools(server)
        self._resources(server)
        self._prompts(server)
        return server

    def _tools(self, server: Any) -> None:
        from mcp.server.mcpserver.exceptions import ToolError
        from mcp.types import ToolAnnotations

        reading = self.reading
        tools: list[Any] = [
            reading.list_suites, reading.list_runs, reading.plan, reading.findings,
            reading.explain, reading.compare, reading.check, reading.rewrite,
            self.pictures.search_picture,
        ]  # fmt: skip
        if self.running:
            tools += [self.running.start_run, self.running.run_status]
        for tool in tools:
            only_reads = tool.__name__ != "start_run"
            about = ToolAnnotations(read_only_hint=only_reads, destructive_hint=False,
                                    idempotent_hint=only_reads, open_world_hint=False)  # fmt: skip
            server.add_tool(self._answering(tool, ToolError), annotations=about,
                            description=inspect.getdoc(tool), structured_output=True)  # fmt: skip

    def _resources(self, server: Any) -> None:
        from mcp.server.mcpserver.exceptions import ResourceError

        pages: dict[str, tuple[Any, str]] = {
            "findings.json": (self.findings, "application/json"),
            "report.html": (self.report, "text/html"),
            "images.json": (self.images, "application/json"),
            "image/{id}": (self.pictures.thumbnail, "image/webp"),
        }
        for path, (read, kind) in pages.items():
            server.resource(
                f"run://{{name}}/{path}", name=path.partition("/")[0], mime_type=kind,
                description=inspect.getdoc(read),
            )(self._answering(read, ResourceError))  # fmt: skip

    def _prompts(self, server: Any) -> None:
        from mcp.shared.exceptions import MCPError
        from mcp.types import INVALID_PARAMS

        def refused(words: str) -> Exception:
            return MCPError(code=INVALID_PARAMS, message=words)

        telling = Telling(self.house, self.caps is not None)
        titles: dict[Any, str] = {
            telling.audit_this_model: "Audit this model",
            telling.explain_to_a_lawyer: "Explain this report to a lawyer",
        }
        for prompt, title in titles.items():
            server.prompt(title=title, description=inspect.getdoc(prompt))(
                self._answering(prompt, refused)
            )

    def _answering(
        self, function: Callable[..., Any], refused: Callable[[str], Exception]
    ) -> Callable[..., Any]:
        """The function, whose UserErrors reach the caller as one sentence without a place."""

        @functools.wraps(function)
        def call(*given: Any, **named: Any) -> Any:
            try:
                return function(*given, **named)
            except (UserError, Incomplete) as error:
                raise refused(self.house.say(error)) from None
            except Exception as error:
                crashed(self.log, function.__name__, error)
                raise

        return call

    def findings(self, name: str) -> str:
        """All findings of a run: estimates, intervals and verdicts, as JSON."""
        from audit.records import to_json

        folder = self.house.run(name)
        return _fitting(to_json(folder.findings(), folder.head()))

    def images(self, name: str) -> str:
        """The first images of a run: id, prompt and arm, as JSON."""
        return _fitting(self.pictures.listed(name))

    def report(self, name: str) -> str:
        """The report of a run as HTML without images, made again from the run's data."""
        from audit.report import from_folder
        from audit.runs.pictures import of_run

        folder = self.house.run(name)
        made = from_folder.html(folder, of_run(folder, {}).read, None, "none")
        return _fitting(self.house.unplaced(made))

    @contextmanager
    def _open(self) -> Iterator[Any]:
        """The server; runs that it started end with it."""
        try:
            yield self.made()
        finally:
            self._close()

    def _close(self) -> None:
        if self.running:
            self.running.close()

    def stdio(self) -> None:
        """Serve one client over this process's input and output until it leaves."""
        with self._open() as server, _ended_by_signals(self._close):
            server.run("stdio")

    def http(self, port: int, ready: Callable[[str, str], None]) -> None:
        """Serve on this machine until interrupted; `ready` gets the address and the key.

        Raises UserError where the port is taken.
        """
        import uvicorn

        from audit.view.serve import ADDRESS, bind

        made, key = bind(port), secrets.token_urlsafe(32)
        number = int(made.getsockname()[1])
        with made, self._open() as server:
            config = uvicorn.Config(self.pages(server, number, key), log_level="error",
                                    access_log=False, server_header=False, proxy_headers=False,
                                    ws="none", lifespan="on")  # fmt: skip
            made.listen()
            ready(f"http://{ADDRESS}:{number}/mcp", key)
            with suppress(KeyboardInterrupt):  # which ends it normally
                uvicorn.Server(config).run(sockets=[made])

    @staticmethod
    def pages(server: Any, port: int, key: str) -> Any:
        """The server as an ASGI application that answers to the key, and under its own names."""
        from mcp.server.transport_security import TransportSecuritySettings

        hosts = [f"{host}:{port}" for host in ("127.0.0.1", "localhost")]
        safe = TransportSecuritySettings(
            enable_dns_rebinding_protection=True, allowed_hosts=hosts,
            allowed_origins=[f"http://{host}" for host in hosts],
        )  # fmt: skip
        inner = server.streamable_http_app(
            stateless_http=True, json_response=True, transport_security=safe,
            max_request_body_size=LARGEST,
        )  # fmt: skip
        return Keyed(inner, key)


@contextmanager
def _ended_by_signals(last: Callable[[], None]) -> Iterator[None]:
    """End the process at a signal, after `last`: the SDK waits for input in a thread forever."""

    def end(number: int, frame: FrameType | None) -> None:
        last()
        os._exit(128 + number)

    before = {n: signal.signal(n, end) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Keyed:
    """ASGI middleware: a request needs the key, because others may use the same machine."""

    def __init__(self, app: Any, key: str) -> None:
        self.app, self._wanted = app, f"Bearer {key}".encode()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass on what has the key; 401 for every other request."""
        given = [v for k, v in scope.get("headers", ()) if k == b"authorization"]
        known = len(given) == 1 and hmac.compare_digest(given[0], self._wanted)
        if scope["type"] == "lifespan" or (scope["type"] == "http" and known):
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            head = [(b"content-type", b"text/plain"), (b"www-authenticate", b"Bearer")]
            await send({"type": "http.response.start", "status": 401, "headers": head})
            await send({"type": "http.response.body",
                        "body": b"Send the key that `t2i-audit mcp` printed.\n"})  # fmt: skip


def _fitting(text: str) -> str:
    """The text; UserError where it is larger than LARGEST."""
    if len(text.encode()) > LARGEST:
        raise UserError(f"This is larger than {LARGEST >> 20} MiB. Use the tools to read parts.")
    return text
