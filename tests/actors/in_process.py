"""A cluster without Ray: real share hosts and a real catalog on one event loop, which can be killed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from share_actors.actors.catalog import CatalogActor
from share_actors.actors.effects.share import ShareWork
from share_actors.actors.effects.share_server import ServerWork
from share_actors.actors.hosting.host import ShareHost
from share_actors.actors.manager.manager import ManagerActor
from share_actors.actors.messaging.entity_client import EntityClient
from share_actors.actors.messaging.messages import CommandMessage, CommandReply, ask
from share_actors.actors.ports import CatalogPort, Host, HostLost, HostReport, Stats
from share_actors.actors.stats import StatsActor
from share_actors.config import Config
from share_actors.drivers.dummy.backend import DummyBackend
from share_actors.errors import Unavailable
from share_actors.events.decider import Command
from share_actors.events.share.messages import CreateShare
from share_actors.values import BackendReport, RequestContext, Share

WHO = RequestContext(user_id="alice", project_id="demo").model_dump_json().encode()


def config(home: Path, *, hosting: dict[str, Any] | None = None, **options: Any) -> Config:
    """One backend, `dummy`, with these options; it keeps its state in `home`."""
    dummy = {"driver": "dummy", "backoff_s": 0.01}
    dummy |= {"options": {"directory": str(home / "dummy"), **options}}
    return Config(home=home, backends={"dummy": dummy}, hosting=hosting or {})


def create(share_id: str, *, wait: bool = True, **fields: Any) -> CommandMessage:
    fields = {"size": 1, "host": "dummy", "project_id": "demo", "user_id": "alice", **fields}
    return tell(share_id, CreateShare(share_id=share_id, **fields), wait=wait)


def tell(
    share_id: str, command: Command, *, wait: bool = True, command_id: str = ""
) -> CommandMessage:
    """*command* as clients send it."""
    return ask(share_id, command, WHO, command_id or uuid4().hex, wait=wait)


class FakeHost:
    """A `Host` in this process. `pid` stands for its process: a new one with each restart."""

    def __init__(self, name: str, settings: Config, entity_client: EntityClient) -> None:
        self.name, self._settings, self._entity_client = name, settings, entity_client
        self.pid = 0
        self.dead: list[ShareHost] = []
        self.begin()

    def begin(self) -> None:
        """Alive, and empty."""
        self.pid += 1
        self.inner = ShareHost(self._settings, entity_client=self._entity_client)
        self._death = asyncio.get_running_loop().create_future()

    @property
    def is_dead(self) -> bool:
        return self._death.done()

    def cut_off(self) -> None:
        """Out of reach, but it goes on."""
        if not self.is_dead:
            self._death.set_result(None)
            self.dead.append(self.inner)

    def kill(self) -> None:
        """Every call raises `HostLost`, and nothing that it still does is recorded."""
        self.cut_off()
        for work in self.inner._works.values():  # its commands to other entities end with it
            if isinstance(work, ShareWork | ServerWork):
                work.tasks.cancel()
        self.inner._log._committer.close()

    async def submit(self, asks: list[CommandMessage], /) -> list[CommandReply]:
        answers: list[CommandReply] = await self._call("submit", asks)
        return answers

    async def wait(
        self, pairs: Sequence[tuple[str, str]], timeout_s: float, /
    ) -> list[CommandReply]:
        answers: list[CommandReply] = await self._call("wait", pairs, timeout_s)
        return answers

    async def wake(self, share_ids: Sequence[str], /) -> dict[str, str]:
        broken: dict[str, str] = await self._call("wake", share_ids)
        return broken

    async def view(self, share_id: str, /) -> Any:
        return await self._call("view", share_id)

    async def reconfigure(self, config: Config, /) -> None:
        self._settings = config
        await self._call("reconfigure", config)

    async def drain(self) -> None:
        await self._call("drain")

    async def report(self) -> HostReport:
        report: HostReport = await self._call("report")
        return report._replace(pid=self.pid)

    async def passivated(self, others: Sequence[str], /) -> Sequence[str]:
        gone: Sequence[str] = await self._call("passivated", others)
        return gone

    async def resident(self) -> Sequence[str]:
        held: Sequence[str] = await self._call("resident")
        return held

    async def stop(self) -> None:
        await self._call("stop")

    async def restart(self) -> None:
        """Out of its process, with all that hangs in it, and alive again after a while."""
        self.kill()
        self.restarted = asyncio.get_running_loop().call_later(0.2, self.begin)

    async def _call(self, method: str, *args: Any) -> Any:
        asked = asyncio.ensure_future(getattr(self.inner, method)(*args))
        if not self._death.done():
            await asyncio.wait({asked, self._death}, return_when=asyncio.FIRST_COMPLETED)
        if self._death.done():
            asked.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
            asked.cancel()
            raise HostLost(self.name, "killed")
        return asked.result()


class FakeStats:
    """A `Stats` in this process."""

    def __init__(self, backend: str, settings: Config, cluster: FakeCluster) -> None:
        self.inner = StatsActor(backend, settings, cluster.found, cluster.entity_client)

    async def follow(self) -> int:
        return await self.inner.follow()

    async def latest(self) -> BackendReport | None:
        return await self.inner.latest()

    async def publish_now(self) -> BackendReport:
        return await self.inner.publish_now()

    async def preview(self, share: Share, driver_options: Mapping[str, Any], /) -> dict[str, Any]:
        return await self.inner.preview(share, driver_options)

    async def reconfigure(self, config: Config, /) -> None:
        await self.inner.reconfigure(config)

    async def end(self) -> None:
        await self.inner.stop()


class FakeCluster:
    """A `Cluster` in this process."""

    def __init__(self, settings: Config) -> None:
        self.settings = settings
        self.running: dict[str, FakeHost] = {}
        self._started = 0
        self.backend = DummyBackend(settings.home / "dummy")
        self._catalog = CatalogActor(settings)
        self.manager: ManagerActor | None = None
        self.entity_client = EntityClient(self.found)
        self.backends: dict[str, FakeStats] = {}

    def found(self) -> ManagerActor:
        """The manager, for hosts and stats actors."""
        if self.manager is None:
            raise Unavailable("there is no manager")
        return self.manager

    async def stats(self, backend: str, config: Config) -> Stats:
        if backend not in self.backends:
            self.backends[backend] = FakeStats(backend, config, self)
        return self.backends[backend]

    async def keep(self, config: Config) -> None:
        self.settings = config

    @property
    def catalog(self) -> CatalogPort:
        return self._catalog

    async def hosts(self) -> Sequence[tuple[str, Host]]:
        return list(self.running.items())

    async def start_host(self, node: str | None = None) -> tuple[str, Host]:
        self._started += 1
        name = f"share-actor{'' if node is None else f'@{node}'}-{self._started}"
        await asyncio.sleep(0.01)  # a process takes longer
        made = self.running[name] = FakeHost(name, self.settings, self.entity_client)
        return name, made

    def home(self, share_id: str) -> FakeHost:
        """The host that holds a share in memory."""
        (found,) = [h for h in self.running.values() if share_id in h.inner._entities]
        return found

    async def status(self, share_id: str) -> str:
        """As the log tells it."""
        found: Share | None = await self._catalog.ask("share", share_id=share_id)
        return "absent" if found is None else found.status

    async def close(self) -> None:
        for stats in self.backends.values():
            await stats.end()
        for host in self.running.values():
            for inner in host.dead:
                inner._backends.close()
                await asyncio.to_thread(inner._log.close)
            if not host.is_dead:
                await host.inner.stop()
        await self._catalog.stop()


@asynccontextmanager
async def managed(settings: Config) -> AsyncIterator[tuple[ManagerActor, FakeCluster]]:
    """A manager and its cluster; all of it is stopped at the end."""
    cluster = FakeCluster(settings)
    manager = cluster.manager = ManagerActor(settings, cluster)
    try:
        yield manager, cluster
    finally:
        forsake(manager)
        await cluster.close()


def forsake(manager: ManagerActor) -> None:
    """As if the manager's process had died."""
    manager._supervisor.stopping = True
    for task in manager._supervisor._background:
        task.cancel()
