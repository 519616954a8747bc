"""Servers that hold their caller: the time limit is one for the whole exchange."""

from __future__ import annotations

import itertools
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from audit.design.language_model import endpoint
from audit.design.language_model.questions import Question
from audit.errors import UserError

ASKED = Question("small-1", "a nurse", "", "Rewrite: a nurse", 0.0, 50, None)
LIMIT = 0.5
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
DRIPPED = {
    "status line": b"HTTP/1.1 200 " + b"O" * 60_000,
    "a header": b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 60_000,
    "headers": HEAD + b"".join(b"X-%d: 1\r\n" % i for i in range(9999)),
    "the body": HEAD + b"Content-Length: 900000\r\n\r\n" + b" " * 900_000,
    "chunks": HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\n \r\n" * 9999,
    "an error's body": b"HTTP/1.1 400 No\r\nContent-Length: 90000\r\n\r\n" + b" " * 90_000,
    "nothing": b"",
}
"""What comes a few bytes at a time, each well within the limit of a socket."""
WHOLE = {
    "100 Continue": b"HTTP/1.1 100 Continue\r\n\r\n",
    "100 Continue and a header": b"HTTP/1.1 100 Go\r\nX: 1\r\n\r\n",
}
"""What comes again and again at full speed."""


@contextmanager
def holding(parts: Iterator[bytes], pause: float) -> Iterator[str]:
    """A server that sends parts to a client until the client goes; its address."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):
                made, _ = server.accept()
                with made:
                    made.recv(65_536)
                    for part in parts:
                        made.sendall(part)
                        time.sleep(pause)
                    time.sleep(30)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/v1"


def held(parts: Iterator[bytes], pause: float) -> None:
    """Ask such a server; the caller is free in time, with the sentence."""
    with holding(parts, pause) as url:
        started = time.monotonic()
        with pytest.raises(UserError, match=r"did not answer within 0\.5 s|answered HTTP 400"):
            endpoint.ask(ASKED, url, LIMIT, 1)
        assert time.monotonic() - started < 6 * LIMIT


@pytest.mark.parametrize("what", DRIPPED)
def test_a_dripping_server_holds_no_one(what: str) -> None:
    """Whichever part of the answer comes slowly."""
    held((DRIPPED[what][i : i + 2] for i in itertools.count(0, 2)), 0.02)


@pytest.mark.parametrize("what", WHOLE)
def test_an_answer_that_never_begins_holds_no_one(what: str) -> None:
    """Preliminary answers forever."""
    held(itertools.repeat(WHOLE[what]), 0)


def test_a_handshake_that_drips_holds_no_one() -> None:
    """TLS, whose first record never ends."""
    with holding(iter([b"\x16\x03\x03\x3f\xff", *([b"x"] * 999)]), 0.02) as url:
        started = time.monotonic()
        with pytest.raises(UserError, match="did not answer within"):
            endpoint.ask(ASKED, url.replace("http:", "https:"), LIMIT, 1)
        assert time.monotonic() - started < 6 * LIMIT
