"""Share actors that do not answer, such as suspended processes: the manager goes on without them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from share_actors.actors.hosting.timings import SupervisorTimings
from share_actors.actors.manager.timings import ManagerTimings
from share_actors.actors.ports import Host
from share_actors.config import Config
from share_actors.testing.in_process.host import InProcessHost
from tests.actors.in_process import DummyCluster, config, create, in_memory, managed
from tests.actors.outcomes import outcomes
from tests.conftest import within
from tests.waiting import until_async

IMPATIENT = ManagerTimings(
    drain_timeout_s=0.1,
    supervisor=SupervisorTimings(report_every_s=0.05, start_timeout_s=0.5),
)


def hosting(home: Path, actors: int) -> Config:
    settings = {"min_actors": actors, "max_actors": actors, "unresponsive_s": 0.2}
    return config(home, hosting=settings)


def test_a_manager_that_starts_beside_a_silent_actor_serves_commands(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with managed(hosting(tmp_path, 2), timings=IMPATIENT) as (manager, cluster):
            await manager.ready()
            manager.abandon()
            next(iter(cluster.running.values())).suspend()
            successor = cluster.start_manager().manager

            [answer] = await outcomes(successor, [create("s")])

            assert answer.status == "done"

    within(20, scenario())


def test_an_actor_that_is_silent_since_the_manager_began_is_restarted(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with managed(hosting(tmp_path, 1), timings=IMPATIENT) as (manager, cluster):
            await manager.ready()
            manager.abandon()
            [only] = cluster.running.values()
            only.suspend()
            successor = cluster.start_manager().manager

            [answer] = await outcomes(successor, [create("s")])

            assert (answer.status, only.pid) == ("done", 2)

    within(20, scenario())


class SuspendedInCheck:
    """A host whose process is suspended once, after it has reported to the supervisor."""

    def __init__(self, host: InProcessHost) -> None:
        self._host, self._runs = host, True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._host, name)

    async def passivated(self, leaving: Sequence[str], /) -> Sequence[str]:
        """See `ShareHost.passivated`."""
        if self._runs:
            self._runs = False
            self._host.suspend()
        return await self._host.passivated(leaving)


class SuspendingCluster(DummyCluster):
    """A cluster whose hosts are suspended in the middle of their first check."""

    async def start_host(self, node: str | None = None) -> tuple[str, Host]:
        """See `Cluster.start_host`."""
        name, host = await super().start_host(node)
        return name, cast(Host, SuspendedInCheck(cast(InProcessHost, host)))


def test_an_actor_that_falls_silent_during_a_check_is_restarted(tmp_path: Path) -> None:
    async def scenario() -> None:
        cluster = SuspendingCluster(hosting(tmp_path, 1), in_memory, IMPATIENT)
        manager = cluster.start_manager().manager
        await manager.ready()

        await until_async(lambda: cluster.running["share-actor-1"].pid == 2)
        [answer] = await outcomes(manager, [create("s")])

        assert answer.status == "done"
        manager.abandon()
        await cluster.close()

    within(20, scenario())
