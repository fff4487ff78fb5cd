"""A `Cluster` in this process: hosts, the catalog, stats actors and the manager, on one event loop."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from share_actors.actors.backend_probe import BackendProbe
from share_actors.actors.hosting.timings import HostTimings
from share_actors.actors.manager.timings import ManagerTimings
from share_actors.actors.ports import AT, FIXED, MANAGER, Host, NodeState, Probe, Stats
from share_actors.actors.stats import RETRY_S as STATS_RETRY_S
from share_actors.config import Config
from share_actors.errors import Unavailable
from share_actors.events.log import OpenLog, open_configured
from share_actors.testing.in_process.host import InProcessHost
from share_actors.testing.in_process.manager import InProcessManager, ManagerProcess
from share_actors.testing.in_process.nodes import NODE, InProcessNodes
from share_actors.testing.in_process.process import InProcess
from share_actors.testing.in_process.services import InProcessCatalog, InProcessStats

HOST = "share-actor"
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
        """All hosts that were started, by name, the lost ones too, without those that ended for good."""
        self._ended: list[InProcessHost] = []
        self.stats_actors: dict[str, InProcessStats] = {}
        self.machines = InProcessNodes(self._pinned)
        self._avoided: frozenset[str] = frozenset()
        self._fixed = dict.fromkeys(FIXED, NODE)
        self._started = 0
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
        self._started += 1
        name = f"{HOST if node is None else f'{HOST}{AT}{node}'}-{self._started}"
        host = InProcessHost(
            name,
            lambda: self.config,
            self._open_log,
            self.find_manager,
            self._host_timings,
            self._choose_node(node),
        )
        self.running[name] = host
        await asyncio.sleep(START_S)
        await host.report()
        return name, host

    async def end_host(self, name: str) -> None:
        """Kill a host, which is not started again; one that is cut off is not reached."""
        host = self.running.pop(name)
        if not host.is_lost:
            host.kill()
        self._ended.append(host)

    async def fixed_on(self, node_id: str) -> Mapping[str, str | None]:
        """The manager and the catalog, if they are on this node; at the start they are on `NODE`."""
        return {part: None for part, place in self._fixed.items() if place == node_id}

    async def leave(self, part: str) -> None:
        """Have the manager end, and another one take over on another node; the catalog only moves."""
        self._fixed[part] = self._choose_node(None)
        if part == MANAGER:  # once this call, which is made by the manager, waits for something
            asyncio.get_running_loop().call_soon(self.replace_manager)

    def replace_manager(self) -> None:
        """Kill the manager's process; another manager takes over, as on Ray."""
        self.find_manager().kill()
        self.start_manager().manager.start_by_itself()

    def avoid(self, node_ids: Collection[str]) -> None:
        """Start nothing on these nodes while others will do."""
        self._avoided = frozenset(node_ids)

    async def nodes(self) -> Sequence[NodeState]:
        """One node for each resource that backends are pinned to, one with none, and those added."""
        return self.machines.states()

    def _pinned(self) -> set[str]:
        return {b.node for b in self.config.backends.values() if b.node is not None}

    def _choose_node(self, resource: str | None) -> str:
        """The id of the node for an actor that needs *resource*; Ray would wait until there is one."""
        loads = Counter(host.node for host in self.running.values())
        return self.machines.choose(resource, self._avoided, loads) or resource or NODE

    async def stats(self, backend: str, config: Config, node: str | None) -> Stats:
        """The stats actor of *backend*, started unless it runs."""
        running = self.stats_actors.get(backend)
        if running is None or running.process.is_lost or running.resource != node:
            running = InProcessStats(
                backend,
                config,
                self._open_log,
                self.find_manager,
                self._stats_retry_s,
                self._choose_node(node),
                node,
            )
            self.stats_actors[backend] = running
        return running

    async def end_stats(self, backend: str) -> None:
        """End the stats actor of *backend*."""
        if backend in self.stats_actors:
            await self.stats_actors.pop(backend).end()

    async def probe(self, backend: str, config: Config, node: str) -> Probe:
        """A probe of *backend*; a driver in this process sees the same from each node."""
        return BackendProbe(backend, config)

    async def save_config(self, config: Config) -> None:
        """Start or restart hosts with this configuration from now on."""
        self.config = config

    # -- for tests -------------------------------------------------------------------------------
    async def lose_node(self, name: str) -> None:
        """Lose the node *name*, and what runs there; nothing is restarted elsewhere.

        A host that was cut off before goes on, unreachable, as on a node behind a cut link.
        """
        node_id = self.machines.id_of(name)
        self.machines.lost.add(name)
        for host in self.running.values():
            if host.node == node_id and not host.is_lost:
                host.kill()
        for stats_actor in self.stats_actors.values():
            if stats_actor.on_node == node_id:
                await stats_actor.end()

    def add_node(self, name: str, *resources: str) -> None:
        """Let another node join, with these resources."""
        self.machines.add(name, resources)

    def return_node(self, name: str) -> None:
        """Let a lost node join again, with another id; Ray starts its hosts there."""
        former, node_id = self.machines.id_of(name), self.machines.return_(name)
        for host in self.running.values():
            if host.node == former and host.is_lost:
                host.node = node_id
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
        for host in (*self.running.values(), *self._ended):
            await host.close()
        await self._catalog.close()
