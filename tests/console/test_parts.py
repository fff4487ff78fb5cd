"""A page shows what it got in time, and says what is missing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence

import pytest

from share_actors.audit.explanation import Explanation
from share_actors.cli.console import parts, views
from share_actors.cli.console.parts import Shared, part
from share_actors.cli.console.system_source import SystemSource
from share_actors.client.results import SystemStatus
from share_actors.errors import Forbidden, Unavailable
from share_actors.events.envelope import Recorded
from share_actors.values import BackendReport
from tests.console.site import Site, config, play


class Partial(SystemSource):
    """A system whose manager never answers, and whose log cannot be read."""

    async def status(self) -> SystemStatus:
        raise Unavailable("the manager was killed", next_step="Wait a moment.")

    async def reports(self) -> dict[str, BackendReport]:
        await asyncio.Event().wait()
        raise AssertionError

    async def explain(self, share_id: str) -> Explanation:
        raise ValueError("a defect")

    async def history(self, share_id: str) -> Sequence[Recorded]:
        await asyncio.Event().wait()
        raise AssertionError


@pytest.fixture(autouse=True)
def short_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    async def soon(asked: Awaitable[object], limit_s: float = 0.3) -> parts.Part[object]:
        return await part(asked, min(limit_s, 0.3))

    for module in (
        views,
        parts,
        __import__("share_actors.cli.console.capacity", fromlist=["part"]),
    ):
        monkeypatch.setattr(module, "part", soon)


def test_a_page_is_shown_without_the_parts_that_do_not_answer() -> None:
    async def scenario(site: Site) -> None:
        share = await site.system.create_share(size=1, name="home")
        now, shares = await site.page("/"), await site.page("/shares")
        one, capacity = await site.page(f"/shares/{share.id}"), await site.page("/capacity")

        assert "Status of the system: unavailable.</b> the manager was killed" in now
        assert "Wait a moment." in now
        assert "1</b> available" in now
        assert "Not everything is known" in now
        assert "home" in shares
        assert "The timeline: unavailable.</b> no answer within 0.3 s" in one
        assert "unexpected ValueError: a defect" in one
        assert "100%" not in one
        assert "The last reports: unavailable" in capacity
        assert "Pools of main" in capacity

    play(scenario, config(), Partial)


class WithoutCatalog(SystemSource):
    """A system whose catalog is being restarted."""

    async def status(self) -> SystemStatus:
        return {**await super().status(), "catalog": {"error": "it was killed"}}


def test_without_the_catalog_no_page_says_that_there_are_no_events() -> None:
    async def scenario(site: Site) -> None:
        for path in ("/events", "/placements"):
            assert "the catalog does not answer: it was killed" in await site.page(path)
        assert "The catalog does not answer" in await site.page("/")

    play(scenario, config(), WithoutCatalog)


def test_an_answer_an_error_and_a_refusal_are_parts() -> None:
    async def fails(error: Exception) -> int:
        raise error

    async def answers() -> int:
        return 7

    async def run() -> list[parts.Part[int]]:
        refused = Forbidden("not for bob")
        return [await part(answers()), await part(fails(refused)), await part(fails(OSError("x")))]

    answer, refused, defect = asyncio.run(run())

    assert (answer.value, answer.problem) == (7, None)
    assert (refused.problem, refused.forbidden) == ("not for bob", True)
    assert (defect.problem, defect.forbidden) == ("unexpected OSError: x", False)


def test_viewers_at_the_same_time_share_one_answer() -> None:
    made = 0

    async def make() -> int:
        nonlocal made
        made += 1
        await asyncio.sleep(0)
        return made

    async def run() -> list[int]:
        shared = Shared(make, keep_s=3600)
        together = await asyncio.gather(*(shared.get() for _ in range(5)))
        return [*together, await shared.get(), await Shared(make, keep_s=-1).get()]

    assert asyncio.run(run()) == [1] * 6 + [2]


def test_an_old_answer_is_made_anew() -> None:
    numbers = iter(range(10))

    async def make() -> int:
        return next(numbers)

    async def run() -> list[int]:
        shared = Shared(make, keep_s=-1)
        return [await shared.get(), await shared.get()]

    assert asyncio.run(run()) == [0, 1]
