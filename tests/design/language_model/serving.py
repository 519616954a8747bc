"""An endpoint that answers as a test tells it to, and remembers what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Answer:
    """A response: status, body, headers; `wait` holds it back until the server closes."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    wait: bool = False


def said(content: object, **more: object) -> Answer:
    """A chat completion with that content; `finish` and `refusal` where they are given."""
    finish = more.pop("finish", "stop")
    message = {"role": "assistant", "content": content, **more}
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return Answer(json.dumps({"object": "chat.completion", "choices": [choice]}).encode())


@dataclass
class Server:
    """One endpoint: `script` is used up from the left, its last entry stays."""

    url: str
    script: list[Answer | Callable[[dict[str, Any]], Answer]]
    asked: list[dict[str, Any]] = field(default_factory=list)
    """Bodies of the requests, in order."""
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)
    stop: Callable[[], None] = lambda: None

    def next(self, body: dict[str, Any]) -> Answer:
        """What the script says to one request."""
        step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        return step if isinstance(step, Answer) else step(body)


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            server.asked.append(body)
            server.headers.append(dict(self.headers.items()))
            server.paths.append(self.path)
            answer = server.next(body)
            if answer.wait:
                server.closing.wait(30)
                return
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        do_GET = do_POST  # a redirect that was followed would come this way

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name upstream
            """Say nothing."""

    return Handler


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is part of the tests."""


@contextmanager
def serving(*script: Answer | Callable[[dict[str, Any]], Answer]) -> Iterator[Server]:
    """A running endpoint on this machine; `stop` ends it early."""
    server = Server("", list(script))
    http = _Quiet(("127.0.0.1", 0), _handler(server))
    server.url = f"http://127.0.0.1:{http.server_address[1]}/v1"
    thread = threading.Thread(target=http.serve_forever, args=(0.01,))
    thread.start()

    def stop() -> None:
        server.closing.set()
        if thread.is_alive():
            http.shutdown()
            thread.join()
            http.server_close()

    server.stop = stop
    try:
        yield server
    finally:
        stop()
