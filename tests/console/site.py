"""A console of a system in this process, and a client that is signed in to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

import httpx2

from share_actors.cli.console.app import Console
from share_actors.cli.console.guard import Keys
from share_actors.cli.console.source import Source
from share_actors.cli.console.system_source import SystemSource
from share_actors.config import BackendSettings, Config
from share_actors.testing import InProcessSystem, system

PORT = 8470
BASE = f"http://127.0.0.1:{PORT}"


class Site(NamedTuple):
    """A console: its system, its keys, and a browser that is signed in."""

    system: InProcessSystem
    keys: Keys
    browser: httpx2.AsyncClient

    async def page(self, path: str, status: int = 200) -> str:
        """The text of a page."""
        answer = await self.browser.get(path)
        assert answer.status_code == status, answer.text
        return answer.text


Scenario = Callable[[Site], Awaitable[None]]
MakeSource = Callable[[InProcessSystem], Source]


def config(**options: object) -> Config:
    """A system with the backends `main`, of two pools, and `other`, which has these *options*."""
    pools = {"pools": {"fast": 100, "bulk": 1000}}
    return Config(
        backends={
            "main": BackendSettings(driver="dummy", options=pools),
            "other": BackendSettings(driver="dummy", options=options),
        }
    )


def browser_of(source: Source, keys: Keys, *, signed_in: bool = True) -> httpx2.AsyncClient:
    """A browser without redirects, for the pages of *source*."""
    transport = httpx2.ASGITransport(app=Console(source, keys, PORT).app)
    client = httpx2.AsyncClient(transport=transport, base_url=BASE)
    if signed_in:
        client.cookies.set(f"share_actors_console_{PORT}", keys.session, domain="127.0.0.1")
    return client


@asynccontextmanager
async def site(
    settings: Config | None = None, make_source: MakeSource = SystemSource
) -> AsyncIterator[Site]:
    """A console of a new system."""
    async with system(settings or config()) as running:
        keys = Keys()
        async with browser_of(make_source(running), keys) as browser:
            yield Site(running, keys, browser)


def play(
    scenario: Scenario, settings: Config | None = None, make_source: MakeSource = SystemSource
) -> None:
    """Run *scenario* with a console of a new system."""

    async def run() -> None:
        async with site(settings, make_source) as made, asyncio.timeout(60):
            await scenario(made)

    asyncio.run(run())
