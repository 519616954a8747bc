"""Access control: only this machine's browser, with the key, and only for existing addresses."""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.requests import Request, cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""On every response; also `Cache-Control: no-store`, unless a response sets its own."""
WRITES = re.compile(r"(?:/run/\d+)?/labels")
"""The only addresses that accept a POST: of the run, or of a run in a list."""
LONGEST = 4096
"""Bytes of a POST that are read."""
TOO_LONG = "A label must be short and state its length."


def refused(status: int, why: str) -> Response:
    """A refusal in one plain sentence."""
    return PlainTextResponse(why + "\n", status)


class Guard:
    """ASGI middleware around the pages: host name, key, method, and response headers.

    A web page whose own name points at 127.0.0.1 (DNS rebinding) sends that name as `Host` and
    is refused. The key comes once in the address, becomes a cookie, and leaves the address.
    """

    def __init__(self, app: ASGIApp, port: int, key: str) -> None:
        self.app, self.key, self.cookie = app, key, f"t2i-audit-{port}"
        names = ("127.0.0.1", "localhost")
        self.hosts = {f"{n}:{port}" for n in names} | (set(names) if port == 80 else set())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on an allowed request; only HTTP is supported."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return

        async def headed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        answer = self.answer(Request(scope))
        if answer is None and scope["method"] == "POST":
            body = await _short(receive)
            if body is None:
                answer = refused(413, TOO_LONG)
            else:
                receive = _once(body)
        await (answer or self.app)(scope, receive, headed)

    def answer(self, request: Request) -> Response | None:
        """A refusal, the exchange of the key for a cookie, or None for an allowed request."""
        host = request.headers.getlist("host")
        if len(host) != 1 or host[0].casefold() not in self.hosts:
            return refused(421, "This server answers only to 127.0.0.1 and localhost.")
        keys = QueryParams(request.scope["query_string"]).getlist("token")
        if keys and request.method == "GET" and request.url.path == "/":
            return self._exchange(keys)
        if not self._knows(request.headers):
            return refused(403, "Open the address from `t2i-audit view`: it contains the key.")
        if request.method == "POST" and WRITES.fullmatch(request.url.path):
            return _writing(request.headers, f"http://{host[0].casefold()}")
        if request.method != "GET":
            return refused(405, "Only GET is answered here.")
        return None

    def _exchange(self, keys: Iterable[str]) -> Response:
        given = [*keys]
        if len(given) != 1 or not self._equal(given[0]):
            return refused(403, "This is the key of another session. Open the address again.")
        response = RedirectResponse("/", 303)
        response.set_cookie(self.cookie, self.key, path="/", httponly=True, samesite="strict")
        return response

    def _knows(self, headers: Headers) -> bool:
        found = [cookie_parser(c).get(self.cookie) for c in headers.getlist("cookie")]
        return any(f is not None and self._equal(f) for f in found)

    def _equal(self, given: str) -> bool:
        return hmac.compare_digest(given.encode("utf-8", "replace"), self.key.encode())


async def _short(receive: Receive) -> bytes | None:
    """A whole body, or None as soon as it is longer than LONGEST, whatever length it states."""
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > LONGEST:
            return None
        if not message.get("more_body", False):
            return body


def _once(body: bytes) -> Receive:
    """What receives this body."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


def _writing(headers: Headers, here: str) -> Response | None:
    """A refusal unless a label may be written: sent by this server's page, as JSON, and short."""
    if headers.getlist("origin") != [here]:
        return refused(403, "Labels are accepted only from this server's own page.")
    kind = headers.get("content-type", "").partition(";")[0].strip().casefold()
    if kind != "application/json":
        return refused(415, "Labels are accepted only as JSON.")
    if "transfer-encoding" in headers:
        return refused(413, TOO_LONG)
    length = headers.get("content-length", "")
    if not (length.isascii() and length.isdigit()) or int(length[:9]) > LONGEST or len(length) > 9:
        return refused(413, TOO_LONG)
    return None
