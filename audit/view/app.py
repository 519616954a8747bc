"""The addresses: functions from a request to a response. Ids are looked up, never paths."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import Environment
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from audit.datasets import pixels
from audit.errors import UserError
from audit.files import loads
from audit.report import wording
from audit.view import images, pages, query, queue, sides, walls
from audit.view.desk import Desk
from audit.view.guard import Guard
from audit.view.journal import QUEUE, rater
from audit.view.pictures import FORMS

STATIC = Path(__file__).parent / "static"
REPORT_STYLE = Path(wording.__file__).with_name("templates") / "style.css"
FILES = {
    "report.css": (REPORT_STYLE, "text/css"),
    "view.css": (STATIC / "view.css", "text/css"),
    "view.js": (STATIC / "view.js", "text/javascript"),
    "icon.svg": (STATIC / "icon.svg", "image/svg+xml"),
    "label.js": (STATIC / "label.js", "text/javascript"),
}
"""Every file that is served unchanged; the report's style sheet defines the tokens of both."""


def build(desk: Desk, port: int, key: str) -> Guard:
    """The whole server of one run as an ASGI application behind its guard."""
    return Guard(site(desk), port, key)


def site(desk: Desk, base: str = "") -> Starlette:
    """The pages of one run below `base`, which is empty where there is no other run."""
    site = Site(desk, base)
    routes = [
        Route("/", site.wall),
        Route("/image/{id}", site.image),
        Route("/thumb/{id}", site.thumb),
        Route("/picture/{id}", site.picture),
        Route("/train/{id}", site.train),
        Route("/sides", site.sides),
        Route("/label", site.label),
        Route("/labels", site.labels),
        Route("/labels", site.put, methods=["POST"]),
        Route("/static/{name}", site.static),
    ]
    handlers: dict[Any, Any] = {
        UserError: site.mistake, HTTPException: site.lost, pixels.Unreadable: site.unreadable,
    }  # fmt: skip
    return Starlette(routes=routes, exception_handlers=handlers)


class Site:
    """The pages of one run. Functions without `async` run in threads: they read files."""

    def __init__(self, desk: Desk, base: str = "") -> None:
        self.desk = desk
        self._templates: Environment = pages.environment(base, bool(base))

    def _page(self, name: str, status: int = 200, **values: Any) -> Response:
        template = self._templates.get_template(name)
        several = self.desk.several
        html = template.render(run=self.desk.folder.path.resolve().name, several=several, **values)
        return HTMLResponse(html.encode("utf-8", "replace"), status)

    def wall(self, request: Request) -> Response:
        """The images that fit the filters, one page of them."""
        opened = self.desk.open()
        asked = query.read(request.query_params)
        return self._page("wall.html.j2", here="wall", opened=opened, **walls.wall(opened, asked))

    def image(self, request: Request) -> Response:
        """An image with everything known about it."""
        opened, id = self.desk.open(), request.path_params["id"]
        if not opened.table.rows(id):
            raise HTTPException(404, "This run has no such image.")
        asked = query.read(request.query_params)
        values = images.image(self.desk, opened, id, asked, request.query_params)
        return self._page("image.html.j2", here="image", **values)

    def sides(self, request: Request) -> Response:
        """Two arms side by side, pair by pair."""
        values = sides.sides(self.desk.open(), request.query_params)
        return self._page("sides.html.j2", here="sides", **values)

    def thumb(self, request: Request) -> Response:
        """A thumbnail of an image."""
        return _sent(request, self.desk.picture, "small")

    def picture(self, request: Request) -> Response:
        """An image at its own size, or scaled down to a screen's."""
        return _sent(request, self.desk.picture, "large")

    def train(self, request: Request) -> Response:
        """The training image that is nearest to a sample."""
        return _sent(request, lambda id, _: self.desk.training(id), "large")

    def label(self, request: Request) -> Response:
        """The labelling queue: first the rater's name, then the images."""
        folder = self.desk.folder
        draw, said = queue.drawn(folder), request.query_params.get("rater", "")
        name = rater(said) if said.strip() else ""
        asked = draw.asked if draw else ()
        command = ["t2i-audit", "label", str(folder.path)]
        return self._page(
            "label.html.j2", here="label", draw=draw, rater=name, total=len(asked),
            raters=self.desk.journal.raters(asked), parts=Counter(a for _, _, a in asked),
            draw_command=shlex.join(command),
            read_command=shlex.join([*command, "--read", str(folder.label_file(QUEUE))]),
        )  # fmt: skip

    def labels(self, request: Request) -> Response:
        """A rater's queue as JSON: images, words, and this rater's labels."""
        draw = queue.drawn(self.desk.folder)
        if draw is None:
            raise UserError("Nothing was drawn to be labelled. Run `t2i-audit label` first.")
        name = request.query_params.get("rater", "")
        state = json.dumps(queue.state(draw, self.desk.journal, name))  # file names may be no UTF-8
        return Response(state, media_type="application/json")

    async def put(self, request: Request) -> Response:
        """Keep one label."""
        body = await request.body()

        def keep() -> dict[str, Any]:
            draw = queue.drawn(self.desk.folder)
            if draw is None:
                raise UserError("The draw is gone. Run `t2i-audit label` again.")
            try:
                return queue.put(draw, self.desk.journal, loads(body))
            except ValueError:
                raise UserError("This is not a valid label in JSON. Load the page again.") from None

        return JSONResponse(await run_in_threadpool(keep))

    def static(self, request: Request) -> Response:
        """One of FILES."""
        return file(request.path_params["name"])

    def mistake(self, request: Request, error: Exception) -> Response:
        """A UserError as the client reads it: JSON for labels, else a page."""
        if request.url.path.endswith("/labels"):
            return JSONResponse({"error": str(error)}, 400)
        return self._page("error.html.j2", 400, here="", words=str(error))

    def lost(self, request: Request, error: Exception) -> Response:
        """A page for an address that does not exist."""
        status = error.status_code if isinstance(error, HTTPException) else 404
        return self._page("error.html.j2", status, here="", words="There is nothing here.")

    def unreadable(self, request: Request, error: Exception) -> Response:
        """The response for an image that is not available."""
        return Response(f"This image {error}.\n", 404, media_type="text/plain")


def file(name: str) -> Response:
    """One of FILES; 404 for any other."""
    if name not in FILES:
        raise HTTPException(404, "There is no such file.")
    path, kind = FILES[name]
    return Response(path.read_bytes(), media_type=f"{kind}; charset=utf-8",
                    headers={"Cache-Control": "private, no-cache"})  # fmt: skip


def _sent(
    request: Request, find: Callable[[str, str], tuple[str, Callable[[], bytes]]], form: str
) -> Response:
    """An image, or the answer that the browser's cached one is still current."""
    tag, data = find(request.path_params["id"], form)
    headers = {"ETag": f'"{tag}"', "Cache-Control": "private, no-cache"}
    if f'"{tag}"' in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(data(), media_type=FORMS[form][1], headers=headers)
