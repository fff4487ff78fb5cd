"""Share actors on a node that is cut off: their calls get no answer, and Ray says so a minute later."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from share_actors.actors.hosting.timings import HostTimings, SupervisorTimings
from share_actors.actors.manager.timings import ManagerTimings
from share_actors.actors.messaging import entity_client
from share_actors.actors.messaging.messages import CommandMessage, CommandReply
from share_actors.actors.ports import Host
from share_actors.config import Config
from share_actors.events.share.messages import ExtendShare
from share_actors.testing.in_process.manager import InProcessManager
from share_actors.values import SYSTEM_CONTEXT
from tests.actors.in_process import DummyCluster, config, create, in_memory, managed, tell
from tests.actors.outcomes import outcomes
from tests.conftest import within
from tests.waiting import until_async

IMPATIENT = ManagerTimings(
    recovery_retry_s=0.05, supervisor=SupervisorTimings(report_every_s=0.05, start_timeout_s=60.0)
)
HOSTING = {"min_actors": 2, "max_actors": 2, "unresponsive_s": 0.3}


class Link:
    """The connection to a host, which may be cut: then its calls have no result, also if it is killed."""

    def __init__(self, host: Host) -> None:
        self._host, self._is_cut = host, False
        self.made: list[tuple[str, Any]] = []
        """The calls to the host, each with its first argument."""
        self.unanswered: list[str] = []

    def cut(self) -> None:
        """Cut it; the host goes on."""
        self._is_cut = True

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        async def call(*given: Any) -> Any:
            self.made.append((name, given[0] if given else None))
            if not self._is_cut:
                return await getattr(self._host, name)(*given)
            self.unanswered.append(name)
            if name == "restart":  # Ray is told, and does it once it knows that the node is lost
                return None
            return await asyncio.Event().wait()

        return call


class LinkedCluster(DummyCluster):
    """A cluster with links to its hosts."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.links: dict[str, Link] = {}

    async def start_host(self, node: str | None = None) -> tuple[str, Host]:
        """See `Cluster.start_host`."""
        name, host = await super().start_host(node)
        self.links[name] = Link(host)
        return name, cast(Host, self.links[name])


@asynccontextmanager
async def two_hosts(
    home: Path, **options: Any
) -> AsyncIterator[tuple[InProcessManager, LinkedCluster]]:
    """A manager with two hosts, and its cluster."""
    hasty = HostTimings(stop_timeout_s=0.1)
    cluster = LinkedCluster(config(home, hosting=HOSTING, **options), in_memory, IMPATIENT, hasty)
    manager = cluster.start_manager().manager
    try:
        await manager.ready()
        yield manager, cluster
    finally:
        manager.abandon()
        await cluster.close()


def home_of(manager: InProcessManager, share_id: str) -> str:
    host = manager._supervisor.directory.home(share_id)
    assert host is not None
    return host


async def extended(manager: InProcessManager, command_id: str) -> object:
    [reply] = await outcomes(manager, [tell("s", ExtendShare(size=2))])
    return reply.status


async def seen(manager: InProcessManager, command_id: str) -> object:
    return (await manager.view("s")).status


async def ended(manager: InProcessManager, command_id: str) -> object:
    """The outcome of a command that is known, as far as one call waits for it, or the next ones."""
    while not (replies := await manager.wait([("s", command_id)], 1000.0)):
        pass
    return replies[0].status


@pytest.mark.parametrize(
    ("call", "request_", "answer"),
    [("begin", extended, "done"), ("view", seen, "available"), ("wait", ended, "done")],
)
def test_a_call_to_an_actor_whose_node_is_cut_off_is_answered_by_another(
    tmp_path: Path,
    call: str,
    request_: Callable[[InProcessManager, str], Awaitable[object]],
    answer: str,
) -> None:
    async def scenario() -> None:
        async with two_hosts(tmp_path) as (manager, cluster):
            creation = create("s")
            await outcomes(manager, [creation])
            link = cluster.links[home_of(manager, "s")]
            link.cut()

            assert await request_(manager, creation.command_id) == answer
            assert call in link.unanswered

    within(20, scenario())


def test_recovery_goes_on_when_a_host_that_it_waits_for_is_cut_off(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with two_hosts(tmp_path, delay_s=2) as (manager, cluster):
            await manager.submit([create("s", wait=False)])
            host = home_of(manager, "s")
            [other] = cluster.links.keys() - {host}
            cluster.links[host].cut()
            await until_async(lambda: "wake" in cluster.links[host].unanswered)

            await until_async(lambda: ("wake", ["s"]) in cluster.links[other].made)

    within(20, scenario())


def two_backends(home: Path, **of_far: Any) -> Config:
    """Two backends, `near` and `far`; options of the latter."""
    options = {"near": {}, "far": of_far}
    backends = {
        name: {
            "driver": "dummy",
            "timeout_s": 0.2,
            "options": {"directory": str(home / name), **more},
        }
        for name, more in options.items()
    }
    return Config(home=home, backends=backends, hosting=HOSTING)


def test_statistics_of_a_backend_that_is_cut_off_keep_no_others_waiting(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with managed(two_backends(tmp_path)) as (manager, cluster):
            await manager.init_host()
            cluster.stats_actors["far"].process.suspend()

            reports = await manager.publish_service_capabilities()

            assert reports["near"].reason is None
            assert reports["far"].reason == "its stats actor has not answered for 0.5 s"

    within(20, scenario())


def test_a_reload_starts_a_stats_actor_again_that_is_cut_off(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with managed(two_backends(tmp_path)) as (manager, cluster):
            await manager.init_host()
            former = cluster.stats_actors["far"]
            former.process.suspend()

            await manager.reload(two_backends(tmp_path, capacity_gib=123))
            await until_async(lambda: cluster.stats_actors.get("far") not in {None, former})
            reports = await manager.init_host("far")

            pools = reports["far"].capabilities
            assert pools is not None
            assert [pool.total_capacity_gib for pool in pools.pools] == [123]

    within(20, scenario())


class ForgetfulManager:
    """A manager whose first call gets no answer: its node was cut off meanwhile."""

    def __init__(self) -> None:
        self.taken: list[CommandMessage] = []

    async def submit(self, messages: list[CommandMessage], /) -> list[CommandReply]:
        """See `ManagerActor.submit`."""
        self.taken += messages
        if len(self.taken) == 1:
            await asyncio.Event().wait()
        return [CommandReply("s", messages[0].command_id, "accepted")]


def test_an_entity_asks_the_manager_again_whose_node_was_cut_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(entity_client, "LIMIT_S", 0.05)
    manager = ForgetfulManager()
    client = entity_client.EntityClient(lambda: cast(entity_client.Manager, manager))

    within(20, client.tell("s", ExtendShare(size=2), SYSTEM_CONTEXT))

    first, second = manager.taken
    assert first._replace(repeated=True) == second
