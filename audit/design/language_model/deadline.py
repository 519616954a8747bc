"""One time limit for a whole HTTP exchange: connection, handshake, headers and body.

The limit of a socket is one for each read, so a server that sends a byte now and then, or answers
`100 Continue` again and again, would hold its caller for as long as it likes.
"""

from __future__ import annotations

import http.client
import socket
import threading
import time
import urllib.request
from contextlib import suppress
from types import TracebackType
from typing import TypeVar

_Connection = TypeVar("_Connection", bound=http.client.HTTPConnection)


class Deadline:
    """Closes every connection that was opened within it when its time is over."""

    def __init__(self, seconds: float) -> None:
        self.over = False
        self._until = time.monotonic() + seconds
        self._lock = threading.Lock()
        self._held: list[socket.socket] = []
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def __enter__(self) -> Deadline:
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._timer.cancel()
        with self._lock:
            for held in self._held:
                held.close()
            self._held.clear()

    def connect(
        self, address: tuple[str, int], timeout: float | None = None,
        source: tuple[str, int] | None = None,
    ) -> socket.socket:  # fmt: skip
        """A connection for the time that is left, not for `timeout`; or TimeoutError."""
        left = self._until - time.monotonic()
        if self.over or left <= 0:
            raise TimeoutError
        made = socket.create_connection(address, left, source)
        with self._lock:
            self._held.append(made.dup())  # TLS takes the socket itself over
        return made

    def handlers(self) -> list[urllib.request.BaseHandler]:
        """Handlers for urllib whose connections end with this deadline."""
        deadline = self

        def watched(connection: _Connection) -> _Connection:
            # The only hook of http.client that sees the socket before the handshake.
            vars(connection)["_create_connection"] = deadline.connect
            return connection

        class Plain(urllib.request.HTTPHandler):
            def http_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
                return self.do_open(
                    lambda host, **rest: watched(http.client.HTTPConnection(host, **rest)), request
                )

        class Secure(urllib.request.HTTPSHandler):
            def https_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
                return self.do_open(
                    lambda host, **rest: watched(http.client.HTTPSConnection(host, **rest)), request
                )

        return [Plain(), Secure()]

    def _end(self) -> None:
        self.over = True
        with self._lock:
            for held in self._held:
                with suppress(OSError):
                    held.shutdown(socket.SHUT_RDWR)
