"""A folder of runs in the browser: a list of them, and each at an address of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from audit.errors import UserError
from audit.runs.catalogue import Listed
from audit.view import app, pages
from audit.view.desk import Desk
from audit.view.guard import Guard


class Later:
    """One run, opened when its first page is asked for; a run that cannot be opened says why."""

    def __init__(self, make: Callable[[], ASGIApp]) -> None:
        self._make, self._lock = make, threading.Lock()
        self._made: ASGIApp | None = None

    def _open(self) -> ASGIApp:
        with self._lock:
            if self._made is None:
                self._made = self._make()
            return self._made

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer by the run's own pages."""
        try:
            made = await run_in_threadpool(self._open)
        except UserError as error:
            made = _shown("error.html.j2", 400, words=str(error), here="", run="", up=True)
        await made(scope, receive, send)


def _shown(template: str, status: int, **values: object) -> Response:
    html = pages.environment().get_template(template).render(several=False, **values)
    return HTMLResponse(html.encode("utf-8", "replace"), status)


def build(listed: Sequence[Listed], desk: Callable[[Listed], Desk], port: int, key: str) -> Guard:
    """The list of runs at `/` and each finished one below `/run/N`, behind one guard.

    `desk` opens a run.
    """

    def opener(one: Listed, base: str) -> Callable[[], ASGIApp]:
        return lambda: app.site(desk(one), base)

    def runs(request: Request) -> Response:
        return _shown("runs.html.j2", 200, listed=list(enumerate(listed)), here="runs", run="Runs")

    def static(request: Request) -> Response:
        return app.file(request.path_params["name"])

    mounts = [
        Mount(f"/run/{i}", app=Later(opener(one, f"/run/{i}")))
        for i, one in enumerate(listed)
        if one.run
    ]
    routes = [Route("/", runs), Route("/static/{name}", static), *mounts]
    return Guard(Starlette(routes=routes), port, key)
