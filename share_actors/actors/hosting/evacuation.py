"""Evacuation: share actors leave nodes that are drained or forgotten, and those a backend was moved from.

What has to leave follows from the log's records and from where the actors are, so a new manager goes on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

from share_actors.actors.hosting.node_records import NodeRecords
from share_actors.actors.hosting.supervisor import Supervisor
from share_actors.actors.ports import Cluster, HostLost, NodeState, node_of
from share_actors.config import Config
from share_actors.errors import ShareActorsError

logger = logging.getLogger(__name__)
LEAVE_POLL_S = 0.1
STOP_S = 5.0
"""How long a host that has nothing left may take to close its log."""


class Evacuation:
    """Moves hosts, one entity after the other: an entity stays while its driver call is under way."""

    def __init__(
        self,
        cluster: Cluster,
        supervisor: Supervisor,
        records: NodeRecords,
        config: Callable[[], Config],
    ) -> None:
        self._cluster, self._supervisor, self._records = cluster, supervisor, records
        self._config = config
        self._outdated: set[str] = set()
        """Hosts that may have entities of a backend that was moved away from their node."""
        self._leaving: dict[str, asyncio.Task[None]] = {}

    def replace_hosts_on(self, resources: Iterable[str | None]) -> None:
        """Have the hosts that are on nodes with these Ray resources leave: a backend was moved from there."""
        resources = set(resources) - {None}
        self._outdated |= {name for name in self._supervisor.hosts if node_of(name) in resources}

    def look(self) -> None:
        """Begin to move the hosts that have to leave; whichever has begun to leave has to end."""
        nodes = self._supervisor.nodes.all()
        self._cluster.avoid([node.id for node in nodes if self._records.is_avoided(node)])
        for name in list(self._supervisor.hosts):
            if name not in self._leaving and self._has_to_leave(name):
                self._leaving[name] = self._supervisor.spawn(self._leave(name))

    def _has_to_leave(self, name: str) -> bool:
        resource = node_of(name)
        report = self._supervisor.reports.get(name)
        if report is not None and report.leaving:  # an earlier manager began it
            return True
        if resource is not None and resource not in self._pinned:
            return True
        return name in self._outdated or self.is_cut_off(resource) or self._can_move(name)

    @property
    def _pinned(self) -> set[str | None]:
        return {settings.node for settings in self._config().backends.values()}

    def is_cut_off(self, resource: str | None) -> bool:
        """Whether all nodes with *resource* are lost or forgotten, and at least one is forgotten."""
        nodes = self._supervisor.nodes
        if resource is None or not nodes.all() or nodes.usable(resource):
            return False
        return self._records.is_forgotten(resource)

    def _can_move(self, name: str) -> bool:
        """Whether a host is on a drained or forgotten node, and another node can have it."""
        node = self.node_of_host(name)
        if node is None or not self._records.is_avoided(node):
            return False
        return bool(self._records.usable(node_of(name), without=node.id))

    def node_of_host(self, name: str) -> NodeState | None:
        """The node that a host is on, or was on when it last reported."""
        nodes = self._supervisor.nodes.all()
        return next((n for n in nodes if name in self._supervisor.actors_on(n.id)), None)

    # -- one host --------------------------------------------------------------------------------
    async def _leave(self, name: str) -> None:
        try:
            if node_of(name) is None and not await self._has_substitute(name):
                return
            logger.info("share actor %s leaves its node", name)
            self._supervisor.directory.close(name)
            try:
                await self._empty(name)
            except (HostLost, TimeoutError) as error:
                logger.warning("share actor %s is ended: %r", name, error)
            await self._cluster.end_host(name)
            self._outdated.discard(name)
            self._supervisor.retire(name)
        except ShareActorsError as error:  # tried again in the next round
            logger.warning("share actor %s can't leave its node: %s", name, error)
        finally:
            del self._leaving[name]

    async def _has_substitute(self, name: str) -> bool:
        """Whether enough other hosts are there; one is started if not."""
        directory = self._supervisor.directory
        others = directory.open_hosts(None) - (name in directory.hosts)
        if others < self._config().hosting.min_actors:
            try:
                await self._supervisor.start_host()
            except HostLost:
                return False
        return True

    async def _empty(self, name: str) -> None:
        """Return once nothing is left in a host; its driver calls end, and commands find their new homes."""
        while not self._supervisor.is_on_lost_node(name):
            host = self._supervisor.hosts[name]
            left = await self._supervisor.answer(host.leave())
            if self._supervisor.directory.keep(name, left):
                self._supervisor.host_lost.set()  # what is pending goes on elsewhere
            if not left:
                async with asyncio.timeout(STOP_S):
                    await host.stop(0.0)
                return
            await asyncio.sleep(LEAVE_POLL_S)
