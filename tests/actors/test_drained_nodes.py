"""A drained node: what can move leaves it while commands go on, and nothing is started on it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from share_actors import sentence
from share_actors.config import Config
from share_actors.drivers.registry import drivers_registered
from share_actors.errors import Refused, TimedOut, Unavailable
from share_actors.events.attempts import AttemptStarted
from share_actors.testing import system
from share_actors.testing.in_process.services import InProcessStats
from share_actors.testing.in_process.system import InProcessSystem
from tests.actors.test_batches import HeldDriver
from tests.actors.test_lost_nodes import two_backends
from tests.conftest import within
from tests.waiting import until_async

LIMIT_S = 50.0


@pytest.fixture
def released() -> Iterator[threading.Event]:
    """The event that creations of the driver `held` wait for; it is set at the end."""
    HeldDriver.began, HeldDriver.released = threading.Event(), threading.Event()
    with drivers_registered({"held": HeldDriver}):
        yield HeldDriver.released
        HeldDriver.released.set()


def slow(home: Path, driver: str = "dummy", **options: Any) -> Config:
    """One backend, whose calls may take long."""
    dummy = {"driver": driver, "options": {"directory": str(home / "dummy"), **options}}
    return Config(home=home, backends={"dummy": dummy})


@asynccontextmanager
async def on_two_nodes(config: Config) -> AsyncIterator[InProcessSystem]:
    """A system whose actors are all on the node `here`, with another node, `spare`."""
    async with system(config) as running:
        running.cluster.add_node("spare")

        async def is_there() -> bool:
            return any(node["name"] == "spare" for node in await running.nodes.list())

        await until_async(is_there)
        yield running


def nodes_of_hosts(running: InProcessSystem) -> set[str]:
    return {host.node for host in running.cluster.running.values()}


def test_what_can_move_leaves_a_drained_node_and_the_rest_is_named(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with on_two_nodes(slow(tmp_path)) as running:
            share = await running.create_share(size=1)
            drained = await running.nodes.drain("here", reason="new disks")

            assert (drained["moving"], drained["under_way"]) == ([], [])
            assert drained["staying"] == {}
            assert await running.cluster.fixed_on("spare") == {
                "the catalog": None,
                "the manager": None,
            }
            assert nodes_of_hosts(running) == {"spare"}
            assert running.cluster.stats_actors["dummy"].on_node == "spare"
            assert (await share.extend(2)).size == 2
            assert "drained node here (127.0.0.1): new disks" in sentence(
                (await running.nodes.history())[-1]
            )

    within(LIMIT_S, scenario())


def test_commands_that_run_meanwhile_are_not_lost(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with on_two_nodes(slow(tmp_path, delay_s=0.02)) as running:
            shares = [await running.create_share(size=1) for _ in range(10)]
            ended = asyncio.Event()

            async def extend(share: Any) -> int:
                size = 1
                while not ended.is_set():
                    size += 1
                    assert (await share.extend(size)).size == size
                return size

            load = [asyncio.ensure_future(extend(share)) for share in shares]
            for node in ("here", "spare"):
                await running.nodes.drain(node)
                await running.nodes.undrain(node)
            ended.set()
            sizes = await asyncio.gather(*load)

            assert [(await share.refresh()).size for share in shares] == sizes
            assert min(sizes) > 1
            for share in shares:
                attempts = [e for e in await share.history() if isinstance(e.event, AttemptStarted)]
                assert len(attempts) == (await share.refresh()).size  # none was made twice

    within(LIMIT_S, scenario())


def test_a_driver_call_in_progress_is_waited_for_and_told(
    tmp_path: Path, released: threading.Event
) -> None:
    async def scenario() -> None:
        async with on_two_nodes(slow(tmp_path, "held")) as running:
            creating = asyncio.ensure_future(running.create_share(size=1))
            await until_async(HeldDriver.began.is_set)  # a drain before it would place it elsewhere
            assert (await running.nodes.drain("here", wait=False))["under_way"]
            with pytest.raises(TimedOut, match="1 driver calls under way; the drain is recorded"):
                await running.nodes.drain("here", timeout=0.0)
            released.set()
            share = await creating

            assert share.status == "available"
            await running.nodes.drain("here")
            attempts = [e for e in await share.history() if isinstance(e.event, AttemptStarted)]
            assert len(attempts) == 1

    within(LIMIT_S, scenario())


def test_a_drain_goes_on_after_the_manager_was_killed_in_its_middle(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with on_two_nodes(slow(tmp_path)) as running:
            await running.create_share(size=1)
            await running.nodes.drain("here", wait=False)
            await running.kill_manager()

            assert await until_async(lambda: nodes_of_hosts(running) == {"spare"})
            assert (await running.nodes.drain("here"))["moving"] == []
            assert len(await running.nodes.history()) == 1
            assert (await running.create_share(size=1)).status == "available"

    within(LIMIT_S, scenario())


def test_the_manager_leaves_after_everything_else(
    tmp_path: Path, released: threading.Event
) -> None:
    async def scenario() -> None:
        async with on_two_nodes(slow(tmp_path, "held")) as running:
            creating = asyncio.ensure_future(running.create_share(size=1))
            manager = running.cluster.find_manager()

            async def only_one_left() -> bool:
                drained = await running.nodes.drain("here", wait=False)
                assert {"the manager", "the catalog"} <= set(drained["moving"])
                return bool(drained["under_way"]) and len(drained["moving"]) == 3

            await until_async(only_one_left)
            assert running.cluster.find_manager() is manager
            released.set()

            assert (await creating).status == "available"
            assert (await running.nodes.drain("here"))["staying"] == {}
            assert running.cluster.find_manager() is not manager

    within(LIMIT_S, scenario())


def test_the_manager_and_the_catalog_stay_on_the_only_node_and_are_named(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with system(slow(tmp_path)) as running:
            drained = await running.nodes.drain("here")

            for part in ("the manager", "the catalog"):
                assert drained["staying"][part] == "there is no other node that is in use"

    within(LIMIT_S, scenario())


def test_what_ray_starts_on_drained_nodes_again_and_again_stays_and_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        async with on_two_nodes(slow(tmp_path)) as running:

            async def given_up(node_id: str) -> dict[str, str | None]:
                return {"the catalog": "tried 20 times"} if node_id == "here" else {}

            monkeypatch.setattr(running.cluster, "fixed_on", given_up)
            drained = await running.nodes.drain("here")

            assert drained["staying"] == {"the catalog": "tried 20 times"}

    within(LIMIT_S, scenario())


def test_no_host_is_started_on_a_drained_node_until_it_is_undrained(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with on_two_nodes(slow(tmp_path)) as running:
            await running.nodes.drain("spare")
            supervisor = running.cluster.find_manager().manager._supervisor
            for _ in range(3):
                await supervisor.start_host()
            assert nodes_of_hosts(running) == {"here"}

            await running.nodes.undrain("spare")
            await supervisor.start_host()
            assert nodes_of_hosts(running) == {"here", "spare"}

    within(LIMIT_S, scenario())


def test_a_drained_node_stays_drained_when_it_is_started_anew(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with on_two_nodes(slow(tmp_path)) as running:
            await running.nodes.drain("spare")
            await running.cluster.lose_node("spare")
            running.cluster.return_node("spare")

            async def drained() -> bool:
                nodes = await running.nodes.list()
                return any(node["id"] == "spare-2" and node["drained"] for node in nodes)

            assert await until_async(drained)

    within(LIMIT_S, scenario())


def test_a_pinned_backend_stays_on_its_only_node_and_is_named(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with system(two_backends(tmp_path)) as running:
            share = await running.create_share(size=1, backend="far")
            drained = await running.nodes.drain("rack")

            reason = "no other node that is in use has the resource rack (pinned to rack: far)"
            assert drained["staying"]["stats actor of far"] == reason
            assert list(drained["staying"].values()) == [reason, reason]
            assert (await share.extend(2)).size == 2

    within(LIMIT_S, scenario())


async def no_answer(_: InProcessStats) -> str:
    raise Unavailable("it is being restarted", passing=True)


def test_a_pinned_backend_is_named_though_its_stats_actor_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        async with system(two_backends(tmp_path)) as running:
            monkeypatch.setattr(InProcessStats, "node", no_answer)
            drained = await running.nodes.drain("rack", wait=False)

            assert "stats actor of far" in drained["staying"]

    within(LIMIT_S, scenario())


def test_a_stats_actor_that_does_not_answer_is_where_it_was_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        async with on_two_nodes(slow(tmp_path)) as running:
            stats = running.cluster.find_manager().manager._stats

            async def is_here() -> bool:
                return (await stats.on("here"), await stats.on("spare")) == (["dummy"], [])

            await until_async(is_here)
            monkeypatch.setattr(InProcessStats, "node", no_answer)

            assert await is_here()

    within(LIMIT_S, scenario())


def test_a_pinned_backend_moves_to_another_node_with_the_resource(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with system(two_backends(tmp_path)) as running:
            share = await running.create_share(size=1, backend="far")
            running.cluster.add_node("shelf", "rack")
            running.cluster.add_node("rack", "rack")
            drained = await running.nodes.drain("rack")

            assert drained["staying"] == {}
            assert (await share.extend(2)).size == 2
            assert running.cluster.host_of(share.id).node == "shelf"
            assert running.cluster.stats_actors["far"].on_node == "shelf"

    within(LIMIT_S, scenario())


def test_a_forgotten_node_can_not_be_drained(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with on_two_nodes(slow(tmp_path)) as running:
            await running.cluster.lose_node("spare")

            async def forgotten() -> bool:
                try:
                    return bool(await running.nodes.forget("spare", "it burned"))
                except Refused:  # not lost yet
                    return False

            await until_async(forgotten)
            with pytest.raises(Refused, match="was forgotten"):
                await running.nodes.drain("spare")

    within(LIMIT_S, scenario())


def test_a_host_that_an_earlier_manager_has_begun_to_empty_ends(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with on_two_nodes(slow(tmp_path)) as running:
            share = await running.create_share(size=1)
            half_empty = running.cluster.host_of(share.id)
            await half_empty.leave()
            await running.kill_manager()

            assert await until_async(lambda: half_empty.name not in running.cluster.running)
            assert (await share.extend(2)).size == 2

    within(LIMIT_S, scenario())
