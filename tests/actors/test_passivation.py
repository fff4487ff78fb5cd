"""Entities that are idle leave the memory of their host, and come back."""

import asyncio
from pathlib import Path

import pytest

from share_actors.errors import NotFound
from share_actors.events.share.messages import ExtendShare
from tests.actors.hosts import hosting
from tests.actors.in_process import create, tell
from tests.conftest import within


def test_an_idle_share_is_passivated_and_activated_by_its_next_command(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with hosting(tmp_path, hosting={"idle_timeout_s": 0.1}) as host:
            await host.submit([create("a")])
            while await host.resident():
                await asyncio.sleep(0.02)

            assert await host.passivated([]) == ["a"]
            assert await host.passivated([]) == []
            (reply,) = await host.submit([tell("a", ExtendShare(size=2))])
            assert reply.status == "done"
            assert list(await host.resident()) == ["a"]

    within(10, scenario())


def test_a_share_that_is_active_again_does_not_count_as_passivated(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with hosting(tmp_path) as host:
            await host.submit([create("a"), create("b")])
            await host.passivate(0.0)
            await host.view("a")

            assert await host.passivated(["a", "c"]) in (["b", "c"], ["c", "b"])

    within(10, scenario())


def test_a_share_with_pending_work_is_not_passivated(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with hosting(tmp_path, delay_s=0.3) as host:
            await host.submit([create("a", wait=False)])

            assert await host.passivate(0.0) == 0
            assert list(await host.resident()) == ["a"]

    within(10, scenario())


def test_beyond_the_limit_of_entities_the_longest_active_idle_one_is_passivated(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with hosting(tmp_path, hosting={"entities_per_actor": 2}) as host:
            for share_id in ("a", "b", "c"):
                await host.submit([create(share_id)])

            assert list(await host.resident()) == ["b", "c"]
            assert (await host.view("a")).status == "available"
            assert len(await host.resident()) == 2

    within(10, scenario())


def test_a_share_that_does_not_exist_does_not_stay_in_memory(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with hosting(tmp_path, hosting={"idle_timeout_s": 0.1}) as host:
            await host.submit([create("a")])
            with pytest.raises(NotFound):
                await host.view("nobody")
            while "nobody" in await host.resident():
                await asyncio.sleep(0.02)

    within(10, scenario())
