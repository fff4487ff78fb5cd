"""Who may see the pages: whoever has the token, from a browser that was sent to this host by name.

The token comes once, in the address that the console prints, and a cookie takes its place. The name of the
host is checked because a page from elsewhere may have its own name resolved to 127.0.0.1 (DNS rebinding).
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Awaitable, Callable, Collection, Iterable
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
OPEN_PATHS = "/static/"
"""What every browser may fetch: the style sheet and the scripts, which tell nothing of the system."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
Refusal = Callable[[Request, int, str], Response]
"""Makes the page that says why a request is refused, with this status."""


class Keys:
    """The token of the printed address, and the session that a cookie holds, until the console ends."""

    def __init__(self) -> None:
        self.token, self.session = secrets.token_urlsafe(32), secrets.token_urlsafe(32)

    def is_token(self, text: str) -> bool:
        """Whether *text* is the token; how long that takes tells nothing about it."""
        return _same(text, self.token)

    def is_session(self, text: str) -> bool:
        """Whether *text* is the session, as `is_token`."""
        return _same(text, self.session)

    def set_cookie(self, response: Response, name: str) -> None:
        """Give the browser the session, until it is closed."""
        response.set_cookie(name, self.session, httponly=True, samesite="strict", path="/")


def _same(given: str, secret: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), secret.encode())


def cookie_name(port: int) -> str:
    """The cookie's name: a browser sends cookies to all ports of a host, and keeps one of each name."""
    return f"share_actors_console_{port}"


def host_of(header: str) -> str | None:
    """The name or address in a *Host* header, in lower case; None if it is not valid."""
    found = re.fullmatch(r"\[([0-9a-f:.]+)\](?::\d+)?|([a-z0-9._-]+)(?::\d+)?", header.lower())
    return None if found is None else found[1] or found[2]


class Guard:
    """ASGI middleware that refuses whoever has no token, and sends the headers that browsers heed."""

    def __init__(
        self, app: ASGIApp, keys: Keys, cookie: str, hosts: Collection[str], refuse: Refusal
    ) -> None:
        self._app, self._keys, self._cookie = app, keys, cookie
        self._hosts, self._refuse = frozenset(map(str.lower, hosts)), refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope)
        answer = self._answer(request) or self._app
        await answer(scope, receive, _with_headers(send, private=not _is_open(request)))

    def _answer(self, request: Request) -> Response | None:
        """The answer to a request that does not reach a page; None for one that does."""
        if host_of(request.headers.get("host", "")) not in self._hosts:
            names = ", ".join(sorted(self._hosts))
            text = f"This console answers only to requests for {names}. For another name: --allow-host."
            return self._refuse(request, 421, text)
        if _is_open(request):
            return None
        token = request.query_params.get("token")
        if token is not None:
            return self._sign_in(request, token)
        if self._keys.is_session(request.cookies.get(self._cookie, "")):
            return None
        text = "Open the address that `share-actors console` printed: it has the token of this console."
        return self._refuse(request, 401, text)

    def _sign_in(self, request: Request, token: str) -> Response:
        if not self._keys.is_token(token):
            text = "The token is not that of this console. Each start of the console has a new one."
            return self._refuse(request, 401, text)
        others = [(k, v) for k, v in parse_qsl(request.url.query) if k != "token"]
        path = "/" + request.url.path.lstrip("/\\")  # never //HOST, which is another site
        response = RedirectResponse(f"{path}?{urlencode(others)}" if others else path, 303)
        self._keys.set_cookie(response, self._cookie)
        return response


def _is_open(request: Request) -> bool:
    return request.url.path.startswith(OPEN_PATHS)


def _with_headers(send: Send, *, private: bool) -> Callable[[Message], Awaitable[None]]:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _headers(private):
                headers[name] = value
        await send(message)

    return send_with_headers


def _headers(private: bool) -> Iterable[tuple[str, str]]:
    yield from HEADERS.items()
    yield "cache-control", "no-store" if private else "no-cache"
