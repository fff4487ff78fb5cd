"""A `Cluster` in this process: hosts, the catalog, stats actors and the manager, on one event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from share_actors.actors.hosting.timings import HostTimings
from share_actors.actors.manager.timings import ManagerTimings
from share_actors.actors.ports import AT, Host, NodeState, Stats, node_of
from share_actors.actors.stats import RETRY_S as STATS_RETRY_S
from share_actors.config import Config
from share_actors.errors import Unavailable
from share_actors.events.log import OpenLog, open_configured
from share_actors.testing.in_process.host import NODE, InProcessHost
from share_actors.testing.in_process.manager import InProcessManager, ManagerProcess
from share_actors.testing.in_process.process import InProcess
from share_actors.testing.in_process.services import InProcessCatalog, InProcessStats

HOST = "share-actor"
ADDRESS = "127.0.0.1"
START_S = 0.01
"""How long a host takes to start, so that callers have to wait for it."""


class InProcessCluster:
    """Where the hosts of one system run. Every actor is real; only Ray and its processes are replaced."""

    def __init__(
        self,
        config: Config,
        open_log: OpenLog = open_configured,
        *,
        timings: ManagerTimings | None = None,
        stats_retry_s: float = STATS_RETRY_S,
        host_timings: HostTimings | None = None,
    ) -> None:
        self.config, self._open_log = config, open_log
        self._timings, self._stats_retry_s = timings, stats_retry_s
        self._host_timings = host_timings
        self.running: dict[str, InProcessHost] = {}
        """All hosts that were started, by name, the lost ones too."""
        self.stats_actors: dict[str, InProcessStats] = {}
        self.lost_nodes: set[str] = set()
        self._catalog = InProcessCatalog(config, open_log)
        self._manager: ManagerProcess | None = None

    # -- the manager -----------------------------------------------------------------------------
    def start_manager(self) -> ManagerProcess:
        """Start a manager, in place of the one before."""
        manager = InProcessManager(self.config, self, self._timings)
        self._manager = ManagerProcess(manager, InProcess(self._open_log))
        return self._manager

    def find_manager(self) -> ManagerProcess:
        """The current manager; raises `Unavailable` before the first one is started."""
        if self._manager is None:
            raise Unavailable("there is no manager", passing=True)
        return self._manager

    # -- the port --------------------------------------------------------------------------------
    @property
    def catalog(self) -> InProcessCatalog:
        """The catalog of this system."""
        return self._catalog

    async def hosts(self) -> Sequence[tuple[str, Host]]:
        """The hosts that were started, by name, whether or not they can be reached."""
        return list(self.running.items())

    async def start_host(self, node: str | None = None) -> tuple[str, Host]:
        """Start one more host, ready for calls; its name has *node* in it, see `node_of`."""
        name = f"{HOST if node is None else f'{HOST}{AT}{node}'}-{len(self.running) + 1}"
        host = InProcessHost(
            name, lambda: self.config, self._open_log, self.find_manager, self._host_timings
        )
        self.running[name] = host
        await asyncio.sleep(START_S)
        await host.report()
        return name, host

    async def nodes(self) -> Sequence[NodeState]:
        """One node for each resource that backends are pinned to, and one with none."""
        pinned = {b.node for b in self.config.backends.values() if b.node is not None}
        return [
            NodeState(NODE, NODE, ADDRESS, True, ()),
            *(
                NodeState(name, name, ADDRESS, name not in self.lost_nodes, (name,))
                for name in sorted(pinned)
            ),
        ]

    async def stats(self, backend: str, config: Config) -> Stats:
        """The stats actor of *backend*, started unless it runs."""
        running = self.stats_actors.get(backend)
        if running is None or running.process.is_lost:
            running = InProcessStats(
                backend, config, self._open_log, self.find_manager, self._stats_retry_s
            )
            self.stats_actors[backend] = running
        return running

    async def save_config(self, config: Config) -> None:
        """Start or restart hosts with this configuration from now on."""
        self.config = config

    # -- for tests -------------------------------------------------------------------------------
    async def lose_node(self, name: str) -> None:
        """Lose the node with the resource *name*, and what runs there; nothing is restarted elsewhere."""
        self.lost_nodes.add(name)
        for host in self.running.values():
            if node_of(host.name) == name:
                host.kill()
        for backend, stats_actor in self.stats_actors.items():
            if self.config.backends[backend].node == name:
                await stats_actor.end()

    def return_node(self, name: str) -> None:
        """Let a lost node join again; Ray starts its hosts there."""
        self.lost_nodes.discard(name)
        for host in self.running.values():
            if node_of(host.name) == name and host.is_lost:
                host.start()

    def host_of(self, entity_id: str) -> InProcessHost:
        """The host that has the entity in memory; raises `LookupError` unless there is exactly one."""
        hosts = [host for host in self.running.values() if host.hosts(entity_id)]
        if len(hosts) != 1:
            names = ", ".join(host.name for host in hosts) or "no host"
            raise LookupError(f"{entity_id} is in the memory of {names}, not of one host")
        return hosts[0]

    async def close(self) -> None:
        """End everything: hosts that can be reached stop in order."""
        if self._manager is not None:
            self._manager.kill()
        for stats_actor in self.stats_actors.values():
            await stats_actor.end()
        for host in self.running.values():
            await host.close()
        await self._catalog.close()
