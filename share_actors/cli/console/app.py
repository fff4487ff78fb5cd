"""The console as an ASGI application: its addresses, its pages, and the stream of new events."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Callable, Collection
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from share_actors.cli.console import wording
from share_actors.cli.console.capacity import RANGES, Capacity, capacity
from share_actors.cli.console.feed import Feed, Interrupted, Missed, News, Resumed
from share_actors.cli.console.guard import LOOPBACK_NAMES, Guard, Keys, cookie_name
from share_actors.cli.console.parts import Shared, part
from share_actors.cli.console.rows import row
from share_actors.cli.console.source import Source
from share_actors.cli.console.views import (
    STATUSES,
    Overview,
    overview,
    recent,
    recent_placements,
    search,
    share_view,
)
from share_actors.errors import NotFound

HERE = Path(__file__).parent
SHARED_S = 2.0
"""How long all viewers of a page that is read again and again get the same answer."""
BEAT_S = 15.0
"""How often a stream without events sends something, so that a viewer who left is noticed."""
MAX_VIEWERS = 50
FILTERS = ("q", "status", "project", "backend")


class Console:
    """The pages of one system, for whoever has the token in *keys*."""

    def __init__(self, source: Source, keys: Keys, port: int, hosts: Collection[str] = ()) -> None:
        self._source, self._feed = source, Feed(source)
        self._overview: Shared[Overview] = Shared(lambda: overview(source, _now()), SHARED_S)
        self._capacities = {name: Shared(_capacity(source, name), SHARED_S) for name in RANGES}
        self._templates = _environment()
        pages = Starlette(
            routes=[
                Route("/", self._overview_page),
                Route("/shares", self._shares_page),
                Route("/shares/{share_id}", self._share_page),
                Route("/capacity", self._capacity_page),
                Route("/placements", self._placements_page),
                Route("/events", self._events_page),
                Route("/events/stream", self._stream),
                Mount("/static", StaticFiles(directory=HERE / "static")),
            ],
            exception_handlers={HTTPException: self._http_error, Exception: self._defect},
        )
        names = (*LOOPBACK_NAMES, *hosts)
        self.app = Guard(pages, keys, cookie_name(port), names, self._refusal)

    # -- pages -----------------------------------------------------------------------------------
    async def _overview_page(self, request: Request) -> Response:
        return await self._page(request, "overview.html", view=await self._overview.get())

    async def _shares_page(self, request: Request) -> Response:
        filters = {k: v.strip() for k in FILTERS if (v := request.query_params.get(k, "")).strip()}
        view = await search(self._source, filters, request.query_params.get("marker"))
        return await self._page(
            request, "shares.html", view=view, statuses=STATUSES, query=urlencode(filters)
        )

    async def _share_page(self, request: Request) -> Response:
        share_id, asked = request.path_params["share_id"], request.query_params
        before, command = _whole(asked.get("before")), asked.get("command") or None
        try:
            view = await share_view(self._source, share_id, before, command)
        except NotFound as error:
            raise HTTPException(404, error.reason) from error
        if view.share.value is not None and view.share.value.id != share_id:
            return RedirectResponse(wording.share_path(view.share.value.id), 303)
        return await self._page(
            request, "share.html", view=view, share_id=share_id, before=before, command=command
        )

    async def _capacity_page(self, request: Request) -> Response:
        chosen = request.query_params.get("range", "all")
        if chosen not in RANGES:
            raise HTTPException(400, f"range: {chosen!r} is not one of {', '.join(RANGES)}")
        view = await part(self._capacities[chosen].get())
        return await self._page(request, "capacity.html", view=view, chosen=chosen, ranges=RANGES)

    async def _placements_page(self, request: Request) -> Response:
        view = await recent_placements(self._source)
        return await self._page(request, "placements.html", view=view)

    async def _events_page(self, request: Request) -> Response:
        return await self._page(request, "events.html", view=await recent(self._source))

    async def _page(
        self, request: Request, template: str, status: int = 200, **view: Any
    ) -> Response:
        about = await part(self._source.about())
        text = self._templates.get_template(template).render(
            about=about, now=_now(), path=request.url.path, url=_url(request), **view
        )
        return HTMLResponse(text, status)

    # -- the stream of events --------------------------------------------------------------------
    async def _stream(self, request: Request) -> Response:
        if self._feed.viewers >= MAX_VIEWERS:
            raise HTTPException(503, f"{MAX_VIEWERS} viewers follow the events already")
        after = _whole(request.headers.get("last-event-id")) or _whole(
            request.query_params.get("after")
        )
        return StreamingResponse(self.told(after or 0), media_type="text/event-stream")

    async def told(self, after: int) -> AsyncGenerator[str, None]:
        """What a browser is sent of the events after position *after*: the lines of an event stream."""
        yield "retry: 2000\n\n"
        with self._feed.viewer(after) as viewer:
            while True:
                try:
                    async with asyncio.timeout(BEAT_S):
                        news = await viewer.next()
                except TimeoutError:
                    yield ": still here\n\n"
                else:
                    yield self._message(news)

    def _message(self, news: News) -> str:
        match news:
            case Missed(count):
                text = "Events were left out" if count is None else f"{count} events were left out"
                return _sent("notice", f"{text}: the history of a share has all of its events.")
            case Interrupted(reason):
                return _sent("interrupted", str(wording.shown(reason)))
            case Resumed():
                return _sent("resumed", "")
            case recorded:
                template = self._templates.get_template("event_row.html")
                html = template.render(event=row(recorded), now=_now())
                return _sent("recorded", html, recorded.position)

    # -- errors ----------------------------------------------------------------------------------
    def _refusal(self, _request: Request, status: int, text: str) -> Response:
        template = self._templates.get_template("refused.html")
        return HTMLResponse(template.render(status=status, text=text), status)

    async def _http_error(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return await self._page(
            request, "error.html", error.status_code, code=error.status_code, text=error.detail
        )

    async def _defect(self, request: Request, error: Exception) -> Response:
        text = f"This is a defect of the console: unexpected {type(error).__name__}: {error}"
        return await self._page(request, "error.html", 500, code=500, text=text)


def _capacity(source: Source, name: str) -> Callable[[], Any]:
    async def asked() -> Capacity:
        now, span = _now(), RANGES[name]
        return await capacity(source, None if span is None else now - span, now)

    return asked


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=wording.shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        clock=wording.clock,
        ago=wording.ago,
        gib=wording.gib,
        many=wording.many,
        share_path=wording.share_path,
        prose=wording.prose,
        free=wording.free,
    )
    environment.globals["static"] = _static
    return environment


@cache
def _static(name: str) -> str:
    """The address of a static file, which differs if its content does: browsers keep no old one."""
    digest = hashlib.sha256((HERE / "static" / name).read_bytes()).hexdigest()
    return f"/static/{name}?v={digest[:12]}"


def _sent(event: str, text: str, number: int | None = None) -> str:
    lines = [] if number is None else [f"id: {number}"]
    lines += [f"event: {event}", *(f"data: {line}" for line in text.splitlines() or [""])]
    return "\n".join(lines) + "\n\n"


def _url(request: Request) -> str:
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def _whole(text: str | None) -> int | None:
    """*text* as a number from 0; None if it is none."""
    return (
        int(text)
        if text is not None and text.isascii() and text.isdigit() and len(text) < 19
        else None
    )


def _now() -> datetime:
    return datetime.now(UTC)
