"""The pages in a real Chromium: with the keyboard alone, live, and at the width of a phone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

import pytest

from share_actors.cli.console.app import Console
from share_actors.cli.console.guard import Keys
from share_actors.cli.console.server import listen, serve
from share_actors.cli.console.system_source import SystemSource
from share_actors.testing import InProcessSystem, system
from tests.console.browser import PACKAGE, Browser, browser, chromium
from tests.console.site import config
from tests.waiting import until

TEXT = "document.body ? document.body.innerText : ''"
SCRIPT = "<script>document.title='run'</script>"


class Served(NamedTuple):
    """A console with one share, served on *loop*."""

    system: InProcessSystem
    address: str
    keys: Keys
    share_id: str
    loop: asyncio.AbstractEventLoop

    def rename(self, name: str) -> None:
        """Change the name of the share."""

        async def change() -> None:
            await (await self.system.share(self.share_id)).set(name=name)

        asyncio.run_coroutine_threadsafe(change(), self.loop).result(30)


def serve_while(visit: Callable[[Served], None]) -> None:
    """Serve a console as long as *visit* runs, which does so in a thread."""

    async def run() -> None:
        begun, keys = asyncio.Event(), Keys()
        with listen("127.0.0.1", 0) as listening:
            port = listening.getsockname()[1]
            async with system(config()) as running:
                share = await running.create_share(size=1, name=SCRIPT)
                app = Console(SystemSource(running), keys, port).app
                serving = asyncio.create_task(serve(app, listening, begun.set))
                await begun.wait()
                address = f"http://127.0.0.1:{port}/"
                loop = asyncio.get_running_loop()
                try:
                    await asyncio.to_thread(visit, Served(running, address, keys, share.id, loop))
                finally:
                    serving.cancel()
                    await asyncio.wait((serving,))

    asyncio.run(run())


def shows(page: Browser, words: str) -> None:
    """Wait until the page is loaded, with its style, and has *words*."""
    until(lambda: page.run("document.readyState") == "complete" and words in page.run(TEXT))


@pytest.mark.skipif(chromium() is None, reason=f"needs the package {PACKAGE}")
def test_the_console_works_in_a_browser_with_the_keyboard_alone() -> None:
    def visit(console: Served) -> None:
        with browser() as page:
            page.size(1280, 900)
            page.open(f"{console.address}?token={console.keys.token}")
            walk_by_keyboard(page, console)
            look_at_live_events(page, console)
            look_on_a_phone(page, console)
            assert page.run("document.cookie") == ""
            assert page.errors == []

    serve_while(visit)


def walk_by_keyboard(page: Browser, console: Served) -> None:
    """From the first page past its links to the share, by keys."""
    shows(page, "Nothing needs attention")
    page.press("Tab")
    assert page.run("document.activeElement.textContent") == "Skip to the content"
    page.press("Enter")
    page.press("Tab")
    assert page.run("document.activeElement.id") == "tile-all"
    page.press("Enter")
    shows(page, SCRIPT)
    link = f"s-{console.share_id}"
    for _ in range(20):
        if page.run("document.activeElement.id") == link:
            break
        page.press("Tab")
    page.press("Enter")
    shows(page, "Why it is on this pool")


def look_at_live_events(page: Browser, console: Served) -> None:
    """What happens comes by itself, and is text."""
    page.open(f"{console.address}events")
    shows(page, "Live")
    console.rename("renamed <i>now</i>")
    shows(page, "renamed <i>now</i>")


def look_on_a_phone(page: Browser, console: Served) -> None:
    """Nothing is wider than the screen."""
    for path in ("", "shares", f"shares/{console.share_id}", "capacity", "placements", "events"):
        page.size(390, 844, dark=True)
        page.open(console.address + path)
        shows(page, "Read only")
        assert page.run("document.documentElement.scrollWidth") == 390, path
        assert page.run("document.title").endswith("share_actors")
