"""The server: on this machine only, at a free port, with its own key."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable
from contextlib import suppress

import uvicorn

from audit.errors import UserError
from audit.view.guard import Guard

ADDRESS = "127.0.0.1"


def bind(port: int) -> socket.socket:
    """A socket on this machine only, 0 for a free port; UserError where the port is taken."""
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((ADDRESS, port))
    except OSError as error:
        made.close()
        raise UserError(
            f"Port {port} is not available: {error.strerror}. Choose another with --port, or 0."
        ) from error
    return made


def serve(make: Callable[[int, str], Guard], port: int, ready: Callable[[str], None]) -> None:
    """Serve until interrupted; `ready` gets the address with the key before the first request.

    `make` gives the pages for a port and a key. Raises UserError where the port is taken.
    """
    made, key = bind(port), secrets.token_urlsafe(32)
    number = int(made.getsockname()[1])
    # No access log: its first line would contain the key.
    config = uvicorn.Config(
        make(number, key), log_level="warning", access_log=False, server_header=False,
        lifespan="off", proxy_headers=False, ws="none",
    )  # fmt: skip
    made.listen()
    ready(f"http://{ADDRESS}:{number}/?token={key}")
    # An interrupt ends it normally.
    with made, suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[made])
