"""What the log says of nodes, and of where backends were moved: each manager reads it first."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Iterator

from share_actors.actors.hosting.nodes import NodeWatch, is_of_ray
from share_actors.actors.messaging.entity_client import EntityClient
from share_actors.actors.ports import CatalogPort, NodeState
from share_actors.config import Config
from share_actors.errors import ShareActorsError, Unavailable
from share_actors.events.backend import PinBackend
from share_actors.events.cluster import ADDRESS, ReportNode
from share_actors.events.decider import Command
from share_actors.values import (
    SYSTEM_CONTEXT,
    BackendState,
    ClusterNode,
    ClusterState,
    NodeRecord,
    RequestContext,
)

logger = logging.getLogger(__name__)
RETRY_S = 1.0


class NodeRecords:
    """The recorded nodes, and the backends that were moved: which Ray resource they are pinned to instead.

    A move counts as long as the configuration says what it said when the backend was moved.
    """

    def __init__(self, catalog: CatalogPort, entity_client: EntityClient, nodes: NodeWatch) -> None:
        self._catalog, self._entity_client, self._nodes = catalog, entity_client, nodes
        self._state = ClusterState()
        self.moves: dict[str, tuple[str, str]] = {}
        """Of each moved backend, the Ray resource that the configuration names, and the one in force."""
        self._known, self._recording = asyncio.Event(), asyncio.Lock()
        self.is_outdated = True
        """Whether they have not been read for the present configuration."""
        self.reading = asyncio.Lock()
        """Held while they are read."""
        self._changes = 0
        """How many changes were noted that what is being read may not have."""
        self.moving = asyncio.Lock()
        """Held from the checks of a backend's move until it is in force."""
        nodes.is_forgotten = lambda node: self._is(node, "forgotten")

    # -- reading ---------------------------------------------------------------------------------
    async def read(self, config: Config) -> None:
        """Read them until that succeeds; what *config* pins backends to is recorded if that is new.

        What is recorded meanwhile is newer than what was read: it is read again.
        """
        while True:
            changes = self._changes
            try:
                state = await self._catalog.ask("entity", address=ADDRESS)
                moves = [await self._read_move(name, config) for name in config.backends]
            except ShareActorsError as error:
                logger.warning("the recorded nodes can't be read: %s", error)
                await asyncio.sleep(RETRY_S)
            else:
                if changes == self._changes:
                    break
        self._state = state or ClusterState()
        self.moves = {move[0]: move[1:] for move in moves if move is not None}
        self._restore(config)
        self._known.set()

    async def _read_move(self, name: str, config: Config) -> tuple[str, str, str] | None:
        """A backend that was moved, what the configuration says, and where it is; None if it was not.

        Records what the configuration says if that is new, so that the backend's shares are ensured there.
        """
        address, configured = f"backend:{name}", config.backends[name].node
        state: BackendState | None = await self._catalog.ask("entity", address=address)
        if state is None:
            return None
        if state.node is not None and configured is not None and configured == state.moved_from:
            return name, configured, state.node
        if state.node is not None or configured != state.pinned:
            command = PinBackend(backend=name, configured=configured)
            await self._entity_client.tell(address, command, SYSTEM_CONTEXT)
        return None

    def _restore(self, config: Config) -> None:
        """Have the watch know the lost nodes that backends need: the cluster has forgotten what they had."""
        needed = {settings.node for settings in self.effective(config).backends.values()}
        living = {node.id for node in self._nodes.all() if node.alive}
        for record in self._state.nodes:
            node = record.node
            missed = [r for r in node.resources if r in needed and not self._nodes.usable(r)]
            if missed and node.id not in living:
                self._nodes.restore(NodeState(*_fields(node), False, node.resources))

    async def known(self, limit_s: float) -> None:
        """Return once they were read; raises `Unavailable` after *limit_s*."""
        try:
            async with asyncio.timeout(limit_s):
                await self._known.wait()
        except TimeoutError:
            text = "which nodes are in use, and where backends were moved, can't be read from the log yet"
            raise Unavailable(text) from None

    def note_move(self, backend: str, configured: str, node: str) -> None:
        """Take in that *backend* was moved to *node*."""
        self._changes += 1
        self.moves.pop(backend, None)
        if node != configured:
            self.moves[backend] = (configured, node)

    # -- backends --------------------------------------------------------------------------------
    def effective(self, config: Config) -> Config:
        """*config* with each moved backend pinned to where it was moved."""
        changes = {
            name: config.backends[name].model_copy(update={"node": node})
            for name, (configured, node) in self.moves.items()
            if name in config.backends and config.backends[name].node == configured
        }
        return config.model_copy(update={"backends": {**config.backends, **changes}})

    # -- nodes -----------------------------------------------------------------------------------
    async def record(self, command: Command, context: RequestContext) -> None:
        """Have *command* recorded, and take its outcome in."""
        async with self._recording:  # so that the newest state is the last
            self._state = await self._entity_client.ask(ClusterState, ADDRESS, command, context)
            self._changes += 1

    def of(self, node: NodeState) -> NodeRecord | None:
        """What is recorded of *node*, also if its machine was recorded under an earlier id."""
        return self._state.record(node.id) or self._former(node)

    def _former(self, node: NodeState) -> NodeRecord | None:
        """The record of a lost node on the machine of *node*, which has at least its resources."""
        living = {each.id for each in self._nodes.all() if each.alive}
        return next(
            (r for r in self._state.nodes if _is_again(r, node) and r.node.id not in living), None
        )

    def _is(self, node: NodeState, mark: str) -> bool:
        record = self.of(node)
        return record is not None and getattr(record, mark) is not None

    def is_forgotten(self, resource: str) -> bool:
        """Whether a node with *resource* is recorded as forgotten."""
        return any(r.forgotten and resource in r.node.resources for r in self._state.nodes)

    def is_avoided(self, node: NodeState) -> bool:
        """Whether *node* is drained or forgotten."""
        return self._is(node, "drained") or self._is(node, "forgotten")

    def usable(self, resource: str | None, without: str = "") -> list[NodeState]:
        """The living nodes with *resource* that actors may be started on, without the one of this id."""
        nodes = self._nodes.usable(resource)
        return [node for node in nodes if node.id != without and not self.is_avoided(node)]

    async def report(self, pinned: Collection[str]) -> None:
        """Record living nodes that have one of the *pinned* resources, or whose machine is marked."""
        for command in list(self._news(pinned)):
            await self.record(command, SYSTEM_CONTEXT)

    def _news(self, pinned: Collection[str]) -> Iterator[ReportNode]:
        for node in self._nodes.all():
            if not node.alive or self._state.record(node.id) is not None:
                continue
            former = self._former(node)
            if former is not None or set(node.resources) & set(pinned):
                instead_of = None if former is None else former.node.id
                yield ReportNode(node=facts(node, pinned), instead_of=instead_of)


def facts(node: NodeState, pinned: Collection[str]) -> ClusterNode:
    """*node* as it is recorded: with the resources of the operator, and those that backends are pinned to."""
    resources = tuple(r for r in node.resources if r in pinned or not is_of_ray(r))
    return ClusterNode(id=node.id, name=node.name, address=node.address, resources=resources)


def _fields(node: ClusterNode) -> tuple[str, str, str]:
    return node.id, node.name, node.address


def _is_again(record: NodeRecord, node: NodeState) -> bool:
    former = record.node
    same_machine = (former.name, former.address) == (node.name, node.address)
    return same_machine and set(former.resources) <= set(node.resources)
