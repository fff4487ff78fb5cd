"""The manager's verbs about nodes: draining and forgetting them, and moving backends from one to another."""

from __future__ import annotations

import asyncio
import logging
from abc import abstractmethod
from typing import Any

from share_actors.actors.hosting.evacuation import Evacuation
from share_actors.actors.hosting.node_records import NodeRecords, facts
from share_actors.actors.hosting.nodes import find_node
from share_actors.actors.hosting.router import Router
from share_actors.actors.hosting.supervisor import Supervisor
from share_actors.actors.manager.backend_contents import BackendContents
from share_actors.actors.manager.periodic_tasks import PeriodicTasks
from share_actors.actors.manager.share_verbs import Context, context_of, permit
from share_actors.actors.manager.stats_actors import StatsActors
from share_actors.actors.messaging.entity_client import EntityClient
from share_actors.actors.messaging.messages import build
from share_actors.actors.messaging.parameters import word
from share_actors.actors.ports import FIXED, Cluster, NodeState, node_of
from share_actors.actors.scheduling.pool_stats import BackendReports
from share_actors.actors.scheduling.scheduler import Scheduler
from share_actors.config import Config
from share_actors.errors import Refused, ShareActorsError, Unavailable
from share_actors.events.backend import MoveBackend
from share_actors.events.cluster import AcceptNode, DrainNode, ForgetNode, UndrainNode
from share_actors.events.decider import Command
from share_actors.values import Share

logger = logging.getLogger(__name__)
MAX_PROBED = 20
"""How many of a backend's shares its driver is asked for before it is moved."""


class NodeVerbs:
    """Draining, undraining, forgetting and accepting nodes; moving backends."""

    _config: Config
    _configured: Config
    _cluster: Cluster
    _supervisor: Supervisor
    _router: Router
    _scheduler: Scheduler
    _backend_reports: BackendReports
    _entity_client: EntityClient
    _periodic_tasks: PeriodicTasks
    _records: NodeRecords
    _evacuation: Evacuation
    _stats: StatsActors

    @abstractmethod
    async def ready(self) -> None:
        """Return once commands can be routed."""

    # -- in the background -----------------------------------------------------------------------
    async def _follow_nodes(self) -> None:
        """Read what is recorded of nodes, and keep actors where that says."""
        await self._read_records()
        self._evacuation.replace_hosts_on(was for was, _ in self._records.moves.values())
        while not self._supervisor.stopping:
            try:
                async with asyncio.timeout(self._supervisor.timings.max_wait_s):
                    await self._look_after_nodes()
            except (ShareActorsError, TimeoutError) as error:
                logger.warning("the nodes can't be looked after: %r", error)
            except Exception:  # whatever it is, looking after the nodes must go on
                logger.exception("looking after the nodes failed")
            await asyncio.sleep(self._supervisor.timings.report_every_s)

    async def _read_records(self) -> None:
        """Read what is recorded of nodes and moves, and record what the configuration says instead."""
        async with (
            self._records.reading
        ):  # what an older configuration says must not be recorded later
            while self._records.is_outdated:
                self._records.is_outdated = False
                try:
                    await self._records.read(self._configured)
                except BaseException:
                    self._records.is_outdated = True
                    raise
        self._take_in_moves()

    async def _look_after_nodes(self) -> None:
        if self._records.is_outdated:  # by a reload that could not read them
            await self._read_records()
        self._evacuation.look()
        await self._stats.look()
        await self._records.report(self._pinned)
        for node in self._supervisor.nodes.all():
            if node.alive and self._records.is_avoided(node):
                await self._move_fixed(node)

    async def _move_fixed(self, node: NodeState) -> None:
        """Have the catalog, and then the manager, leave a node that all else which can move has left."""
        fixed = await self._cluster.fixed_on(node.id)
        if not fixed or not self._records.usable(None, without=node.id):
            return
        moving = (await self._drained(node))["moving"]
        if moving and set(moving) <= set(FIXED):
            part = next(part for part in FIXED if part in moving)
            logger.info("%s leaves node %s", part, node.name)
            await self._cluster.leave(part)

    @property
    def _pinned(self) -> set[str]:
        configs = (self._configured, self._config)
        nodes = {settings.node for config in configs for settings in config.backends.values()}
        return {node for node in nodes if node is not None}

    def _take_in_moves(self) -> None:
        """Make the configuration with all moves the one in force."""
        self._config = self._periodic_tasks.config = self._records.effective(self._configured)
        self._router.reconfigure(self._config)

    # -- nodes -----------------------------------------------------------------------------------
    async def drain_node(
        self, node: str, reason: str | None = None, context: Context = None
    ) -> dict[str, Any]:
        """Start no actors on a node from now on, and move what it has; how far that is.

        *node* is its name, or the beginning of its id. `moving`: the actors that are still on it and will
        leave. `staying`: what can't move, with the reasons. `under_way`: driver calls that are waited for.
        It may be repeated, to see how far it is.
        """
        permit("drain_node", context)
        state = await self._node(node)
        await self._record(DrainNode, state, context, reason=reason)
        self._evacuation.look()
        return await self._drained(state)

    async def undrain_node(self, node: str, context: Context = None) -> dict[str, Any]:
        """Use a drained node again; actors that have left it stay where they are. Its `id` and `name`."""
        permit("undrain_node", context)
        return await self._marked(UndrainNode, await self._node(node), context)

    async def forget_node(self, node: str, reason: str, context: Context = None) -> dict[str, Any]:
        """Record that a lost node will not come back: its `id`, `name`, and the `backends` pinned to it.

        These can be moved then. Raises `Refused` while the node is alive.
        """
        permit("forget_node", context)
        state = await self._node(node)
        if state.alive and not self._supervisor.nodes.is_forgotten(state):
            raise Refused(
                f"node {state.name} ({state.address}) is alive: only a lost node can be forgotten."
                " Drain it, or end Ray there, first",
                field="node",
                value=node,
            )
        backends = self._backends_on(state)
        marked = await self._marked(ForgetNode, state, context, backends=backends, reason=reason)
        await self._stats.look()
        self._evacuation.look()
        return {**marked, "backends": list(backends)}

    async def accept_node(self, node: str, context: Context = None) -> dict[str, Any]:
        """Use a forgotten node again, which has come back; its `id` and `name`."""
        permit("accept_node", context)
        return await self._marked(AcceptNode, await self._node(node), context)

    async def _node(self, name: str) -> NodeState:
        word("node", name)
        await self._nodes_known()
        return find_node(name, self._supervisor.nodes.all())

    async def _nodes_known(self) -> None:
        """Return once the present nodes of the cluster, and what is recorded of them, are known."""
        await self.ready()
        await self._records.known(self._supervisor.timings.max_wait_s)
        await self._supervisor.look_at_nodes()

    async def _marked(
        self, kind: type[Command], state: NodeState, context: Context, **fields: Any
    ) -> dict[str, Any]:
        await self._record(kind, state, context, **fields)
        self._evacuation.look()
        return {"id": state.id, "name": state.name, "address": state.address}

    async def _record(
        self, kind: type[Command], state: NodeState, context: Context, **fields: Any
    ) -> None:
        """Record a command about a node, once its present id is."""
        command = build(kind, {"node": facts(state, self._pinned), **fields})
        await self._records.report(self._pinned)
        await self._records.record(command, context_of(context))

    def _backends_on(self, state: NodeState) -> tuple[str, ...]:
        backends = self._config.backends.items()
        return tuple(name for name, settings in backends if settings.node in state.resources)

    async def _drained(self, state: NodeState) -> dict[str, Any]:
        """What is on a drained node: see `drain_node`."""
        moving, staying = list[str](), dict[str, str]()
        for host in self._supervisor.actors_on(state.id):
            self._sort(host, node_of(host), state, moving, staying)
        for backend in await self._stats.on(state.id):
            node = self._config.backends[backend].node
            self._sort(f"stats actor of {backend}", node, state, moving, staying)
        for part, why in (await self._cluster.fixed_on(state.id)).items():
            if why is None:
                self._sort(part, None, state, moving, staying)
            else:
                staying[part] = why
        calls = await self._supervisor.under_way(self._supervisor.actors_on(state.id))
        under_way = [call._asdict() for call in calls]
        known = {"id": state.id, "name": state.name, "address": state.address}
        return {**known, "moving": moving, "staying": staying, "under_way": under_way}

    def _sort(
        self,
        actor: str,
        resource: str | None,
        state: NodeState,
        moving: list[str],
        staying: dict[str, str],
    ) -> None:
        if self._records.usable(resource, without=state.id):
            moving.append(actor)
        elif resource is None:
            staying[actor] = "there is no other node that is in use"
        else:
            backends = [n for n, b in self._config.backends.items() if b.node == resource]
            pinned = f"pinned to {resource}: {', '.join(backends)}"
            staying[actor] = f"no other node that is in use has the resource {resource} ({pinned})"

    # -- backends --------------------------------------------------------------------------------
    async def move_backend(
        self, backend: str, node: str, reason: str | None = None, context: Context = None
    ) -> dict[str, Any]:
        """Pin *backend* to the nodes with the Ray resource *node*, instead of what the configuration says.

        Its driver's `check_for_setup_error` has to pass on such a node, and the driver has to find the
        shares. Returns `backend`, `node`, the `former` one, what the configuration says (`configured`), and
        a `problem` if what served the backend could not be stopped on its former node. Raises `Refused` if
        the backend is not pinned, or if its node is silent and not forgotten.
        """
        permit("move_backend", context)
        backend = self._config.backend_name(word("backend", backend))
        await self._nodes_known()
        async with self._records.moving:  # another move of it begins where this one has ended
            former, configured = self._pins_of(backend)
            moved = {"backend": backend, "node": node, "former": former, "configured": configured}
            fields = {"backend": backend, "configured": configured, "node": node, "reason": reason}
            command = build(MoveBackend, fields)
            if node == former:
                return {**moved, "problem": None}
            self._require_settled(backend, former)
            await self._require_working(backend, node)
            was_lost = await self._require_as_before(backend, former, configured)
            await self._entity_client.tell(f"backend:{backend}", command, context_of(context))
            self._records.note_move(backend, configured, node)
            self._take_in_moves()
        self._evacuation.replace_hosts_on([former])
        self._evacuation.look()
        problem = await self._move_stats(backend, was_lost=was_lost)
        await self._scheduler.wait_for_backends([backend])
        return {**moved, "problem": problem}

    def _pins_of(self, backend: str) -> tuple[str, str]:
        """The Ray resource that *backend* is pinned to, and the one that the configuration names."""
        name = self._config.backend_name(backend)
        node, configured = (c.backends[name].node for c in (self._config, self._configured))
        if node is None or configured is None:
            text = f"backend {backend!r} is not pinned to nodes: its shares are hosted on any node"
            raise Refused(text, field="backend", value=backend)
        return node, configured

    async def _require_as_before(self, backend: str, former: str, configured: str) -> bool:
        """See `_require_settled`: the driver's checks took time, in which a node may have become silent."""
        await self._supervisor.look_at_nodes()
        if self._pins_of(backend) != (former, configured):
            raise Refused(
                f"the configuration of backend {backend!r} was changed meanwhile; nothing was moved",
                field="backend",
                value=backend,
            )
        return self._require_settled(backend, former)

    async def _move_stats(self, backend: str, *, was_lost: bool) -> str | None:
        """Have *backend* report from where it is now; see `StatsActors.move`."""
        self._backend_reports.forget(backend)  # it says how it was elsewhere
        self._backend_reports.expect(self._config.backends)
        return await self._stats.move(backend, was_lost=was_lost)

    def _require_settled(self, backend: str, former: str) -> bool:
        """Whether the former node is lost; raises `Refused` if it is only silent, as it may come back."""
        absence = self._supervisor.nodes.absence(former)
        if absence is None:
            return False
        nodes = [n for n in self._supervisor.nodes.all() if former in n.resources]
        silent = [node for node in nodes if not self._supervisor.nodes.is_forgotten(node)]
        if silent:
            raise Refused(
                f"backend {backend!r} can't be moved: {absence}, and may come back. If it will not:"
                f" `node forget {silent[0].name}`, then move the backend",
                field="backend",
                value=backend,
            )
        return True

    async def _require_working(self, backend: str, node: str) -> None:
        """Raise `Unavailable` or `Refused` unless the driver works, and finds the shares, on *node*."""
        if not self._records.usable(node):
            nodes = self._supervisor.nodes
            exists = any(node in known.resources for known in nodes.all())
            text = nodes.absence(node) or ("it is drained" if exists else "none has it")
            raise Unavailable(
                f"no node with the resource {node} can be used: {text}; nothing was moved",
                field="node",
                value=node,
            )
        contents = BackendContents(self._cluster.catalog, self._entity_client)
        shares = [share async for share in contents.shares(backend)]
        present = [s for s in shares if s.status == "available" and s.share_network_id is None]
        missing = await self._probed(backend, node, present[:MAX_PROBED])
        if missing:
            text = f"backend {backend!r} does not have {len(missing)} of {len(present[:MAX_PROBED])} shares"
            raise Refused(
                f"{text} on a node with {node}, such as {missing[0]}; nothing was moved",
                field="node",
                value=node,
            )

    async def _probed(self, backend: str, node: str, shares: list[Share]) -> list[str]:
        limit_s = self._config.backends[backend].timeout_s
        probe = await self._cluster.probe(backend, self._configured, node)
        try:
            async with asyncio.timeout(limit_s):
                return await probe.check(shares)
        except TimeoutError:
            text = f"backend {backend!r} has not answered on a node with {node} for {limit_s:g} s"
            raise Unavailable(f"{text}; nothing was moved", field="node", value=node) from None
        finally:
            await probe.end()
