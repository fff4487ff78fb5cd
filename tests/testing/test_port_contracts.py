"""The ports of the manager: the same tests for Ray actors and for their in-process stand-ins."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import count
from pathlib import Path

import pytest

from share_actors.actors.messaging.messages import unpack_error
from share_actors.actors.ports import Cluster, Host, HostLost, HostReport
from share_actors.config import Config
from share_actors.errors import InvalidRequest, Moved, NotFound, Unavailable
from share_actors.events.share.messages import ExtendShare
from tests.actors.in_process import DummyCluster, config, create, tell
from tests.actors.outcomes import outcomes
from tests.conftest import within

MAX_WAIT_S = 150
OpenCluster = Callable[[Config], AbstractAsyncContextManager[Cluster]]
_numbers = count(1)


async def restarted(host: Host) -> HostReport:
    """The first report after a restart."""
    while True:
        try:
            return await host.report()
        except HostLost:
            await asyncio.sleep(0.1)


async def is_lost(host: Host) -> bool:
    """Whether a call raises `HostLost`, once the process has ended."""
    while True:
        try:
            await host.report()
        except HostLost:
            return True


class PortContract:
    """What the manager relies on, whichever process a host, a stats actor or the catalog lives in."""

    def test_a_host_records_commands_and_returns_their_outcomes(
        self, open_cluster: OpenCluster, tmp_path: Path
    ) -> None:
        async def scenario() -> None:
            async with open_cluster(config(tmp_path)) as cluster:
                name, host = await cluster.start_host()
                assert [known for known, _ in await cluster.hosts()] == [name]

                [created, missing] = await outcomes(
                    host, [create("a"), tell("none", ExtendShare(size=2))]
                )

                assert (created.status, missing.status) == ("done", "error")
                assert (await host.view("a")).status == "available"
                assert "a" in await host.resident()
                await host.drop(["a", "elsewhere"])
                assert "a" not in await host.resident()
                assert (await host.view("a")).status == "available"
                assert "elsewhere" in await host.passivated(["a", "elsewhere"])
                assert "a" not in await host.passivated(["a"])
                with pytest.raises(NotFound):
                    await host.view("none")

        within(MAX_WAIT_S, scenario())

    def test_a_restarted_host_is_lost_and_returns_without_entities(
        self, open_cluster: OpenCluster, tmp_path: Path
    ) -> None:
        async def scenario() -> None:
            async with open_cluster(config(tmp_path)) as cluster:
                _, host = await cluster.start_host()
                await outcomes(host, [create("a")])
                before = await host.report()

                await host.restart()
                assert await is_lost(host)
                after = await restarted(host)

                assert after.pid != before.pid
                assert await host.resident() == {}
                assert await host.wake(["a"]) == {}
                assert list(await host.resident()) == ["a"]

        within(MAX_WAIT_S, scenario())

    def test_a_stopped_host_sends_commands_elsewhere(
        self, open_cluster: OpenCluster, tmp_path: Path
    ) -> None:
        async def scenario() -> None:
            async with open_cluster(config(tmp_path)) as cluster:
                _, host = await cluster.start_host()
                await outcomes(host, [create("a")])
                await host.drain()

                await host.stop()
                [reply] = await host.submit([tell("a", ExtendShare(size=2))])

                assert reply.error is not None
                assert isinstance(unpack_error(reply.error), Moved)

        within(MAX_WAIT_S, scenario())

    def test_a_stats_actor_reports_until_it_is_ended(
        self, open_cluster: OpenCluster, tmp_path: Path
    ) -> None:
        async def scenario() -> None:
            settings = config(tmp_path)
            async with open_cluster(settings) as cluster:
                stats = await cluster.stats("dummy", settings, None)
                report = await stats.publish_now()
                latest = await stats.latest()

                assert report.capabilities is not None
                assert latest is not None
                assert latest.backend == report.backend == "dummy"
                await stats.end()
                with pytest.raises(Unavailable):
                    await stats.latest()

        within(MAX_WAIT_S, scenario())

    def test_the_catalog_refuses_an_unknown_query(
        self, open_cluster: OpenCluster, tmp_path: Path
    ) -> None:
        async def scenario() -> None:
            async with open_cluster(config(tmp_path)) as cluster:
                assert await cluster.catalog.ask("share", share_id="none") is None
                with pytest.raises(InvalidRequest):
                    await cluster.catalog.ask("nothing")

        within(MAX_WAIT_S, scenario())


class TestInProcessPorts(PortContract):
    @pytest.fixture
    def open_cluster(self) -> OpenCluster:
        @asynccontextmanager
        async def opened(settings: Config) -> AsyncIterator[Cluster]:
            cluster = DummyCluster(settings)
            try:
                yield cluster
            finally:
                await cluster.close()

        return opened


class TestRayPorts(PortContract):
    @pytest.fixture
    def open_cluster(self, cluster: None) -> OpenCluster:
        @asynccontextmanager
        async def opened(settings: Config) -> AsyncIterator[Cluster]:
            import ray

            from share_actors.actors.runtime import names
            from share_actors.actors.runtime.cluster import RayCluster, start_actor
            from share_actors.actors.runtime.ray_actors import CatalogRayActor

            namespace = f"ports-{next(_numbers)}"
            settings = settings.model_copy(update={"namespace": namespace})
            start_actor(CatalogRayActor, names.CATALOG, namespace, settings)
            try:
                yield RayCluster(settings)
            finally:
                for name in names.actor_names(namespace):
                    ray.kill(ray.get_actor(name, namespace), no_restart=True)

        return opened
