"""Who may see the pages of a console, and what a browser is told of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from http.cookies import SimpleCookie
from typing import Any, cast

import httpx2
import pytest

from share_actors.cli.console.guard import Keys, host_of
from share_actors.cli.console.source import About, Source
from share_actors.values import RequestContext
from tests.console.site import browser_of

COOKIE = "share_actors_console_8470"


class NoSystem:
    """A source whose system tells its name, and fails at everything else."""

    async def about(self) -> About:
        return About("share-actors", RequestContext(user_id="alice"))

    def __getattr__(self, question: str) -> Any:
        async def fail(*_: object) -> None:
            raise RuntimeError(f"{question} is not asked")

        return fail


def visit(scenario: Callable[[httpx2.AsyncClient, Keys], Awaitable[None]]) -> None:
    """Run *scenario* with a browser that is not signed in."""

    async def run() -> None:
        keys = Keys()
        async with browser_of(cast("Source", NoSystem()), keys, signed_in=False) as browser:
            await scenario(browser, keys)

    asyncio.run(run())


@pytest.mark.parametrize("path", ["/", "/shares", "/events/stream", "/nothing", "/static"])
def test_nothing_is_shown_without_the_token(path: str) -> None:
    async def scenario(browser: httpx2.AsyncClient, _: Keys) -> None:
        answer = await browser.get(path)

        assert answer.status_code == 401
        assert "share-actors console" in answer.text
        assert "alice" not in answer.text

    visit(scenario)


@pytest.mark.parametrize("given", ["", "x", "é", "\udc80", "a" * 10_000])
def test_another_token_or_session_is_refused(given: str) -> None:
    async def scenario(browser: httpx2.AsyncClient, keys: Keys) -> None:
        answer = await browser.get("/", params={"token": given.encode("utf-8", "replace").decode()})

        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers
        assert not keys.is_token(given)
        assert not keys.is_session(given)
        assert not keys.is_session(keys.token)

    visit(scenario)


def test_the_token_gives_a_cookie_that_scripts_and_other_sites_do_not_get() -> None:
    async def scenario(browser: httpx2.AsyncClient, keys: Keys) -> None:
        answer = await browser.get(f"/shares?token={keys.token}&status=error")
        cookie = SimpleCookie(answer.headers["set-cookie"])[COOKIE]

        assert (answer.status_code, answer.headers["location"]) == (303, "/shares?status=error")
        assert cookie["httponly"]
        assert cookie["samesite"] == "strict"
        assert keys.token not in answer.headers["set-cookie"]
        assert (await browser.get("/nothing")).status_code == 404

    visit(scenario)


def test_a_sign_in_never_leads_to_another_site() -> None:
    async def scenario(browser: httpx2.AsyncClient, keys: Keys) -> None:
        for path in ("//evil.example/", "/\\evil.example/", "//evil.example/%2e%2e"):
            url = httpx2.URL(f"http://127.0.0.1:8470{path}?token={keys.token}")
            location = (await browser.get(url)).headers["location"]
            assert not location.startswith(("//", "/\\", "http"))

    visit(scenario)


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example:8470", "", "[::2]", "a b"]
)
def test_a_browser_that_was_sent_here_by_another_name_is_refused(host: str) -> None:
    async def scenario(browser: httpx2.AsyncClient, keys: Keys) -> None:
        browser.cookies.set(COOKIE, keys.session, domain="127.0.0.1")
        for path in ("/", f"/?token={keys.token}", "/static/console.css"):
            answer = await browser.get(path, headers={"host": host})
            assert answer.status_code == 421
            assert "set-cookie" not in answer.headers

    visit(scenario)


@pytest.mark.parametrize("host", ["127.0.0.1:8470", "localhost", "LOCALHOST:9000", "[::1]:8470"])
def test_a_forwarded_port_is_answered(host: str) -> None:
    async def scenario(browser: httpx2.AsyncClient, _: Keys) -> None:
        assert (await browser.get("/", headers={"host": host})).status_code == 401

    visit(scenario)


def test_every_answer_tells_browsers_to_run_nothing_else_and_to_keep_nothing() -> None:
    async def scenario(browser: httpx2.AsyncClient, keys: Keys) -> None:
        refused = await browser.get("/")
        style = await browser.get("/static/console.css")
        browser.cookies.set(COOKIE, keys.session, domain="127.0.0.1")
        page, absent = await browser.get("/shares"), await browser.get("/nothing")

        for answer in (refused, style, page, absent):
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert answer.headers["referrer-policy"] == "no-referrer"
            assert answer.headers["x-content-type-options"] == "nosniff"
        assert page.headers["cache-control"] == "no-store"
        assert (style.status_code, style.headers["cache-control"]) == (200, "no-cache")

    visit(scenario)


def test_no_page_has_a_script_or_a_style_of_its_own() -> None:
    async def scenario(browser: httpx2.AsyncClient, keys: Keys) -> None:
        browser.cookies.set(COOKIE, keys.session, domain="127.0.0.1")
        for path in ("/", "/shares", "/capacity", "/placements", "/events"):
            text = (await browser.get(path)).text
            assert "<script>" not in text
            assert "<style" not in text
            assert " style=" not in text
            assert "http://" not in text
            assert "https://" not in text

    visit(scenario)


@pytest.mark.parametrize(
    ("header", "host"),
    [
        ("Example.org:80", "example.org"),
        ("[::1]:8470", "::1"),
        ("a:b", None),
        ("user@127.0.0.1", None),
        ("127.0.0.1:", None),
        ("[::1", None),
    ],
)
def test_a_host_header_is_a_name_with_a_port_or_nothing(header: str, host: str | None) -> None:
    assert host_of(header) == host
