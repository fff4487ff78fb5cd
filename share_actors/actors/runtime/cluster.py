"""The Ray cluster as the manager and clients use it: our classes as named Ray actors."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from share_actors.actors.ports import (
    AT,
    CATALOG,
    MANAGER,
    CatalogForCallers,
    Host,
    NodeState,
    Probe,
    Stats,
)
from share_actors.actors.runtime import names
from share_actors.actors.runtime.adapters import RayCatalog, RayHost, RayProbe, RayStats
from share_actors.actors.runtime.calls import call
from share_actors.actors.runtime.joining.announcement import announce
from share_actors.actors.runtime.kept_config import (
    MAX_STARTS,
    NodesToLeave,
    save_config,
    saved_config,
)
from share_actors.actors.runtime.names import HOST, STATS, Handle, actor_names
from share_actors.actors.runtime.ray_actors import (
    BackendProbeRayActor,
    ShareHostRayActor,
    StatsRayActor,
)
from share_actors.config import Config
from share_actors.errors import ShareActorsError, Unavailable

_NAMES = {CATALOG: names.CATALOG, MANAGER: names.MANAGER}
_ACTOR_OPTIONS = {
    "lifetime": "detached",
    "max_restarts": -1,
    "max_task_retries": 0,
    "num_cpus": 0,
    "get_if_exists": True,
    "max_concurrency": 10_000,
}


def start_actor(
    kind: type[Any],
    name: str,
    namespace: str,
    *args: Any,
    node: str | None = None,
    repeats: bool = False,
    on: str | None = None,
) -> Handle:
    """The actor called *name*, of class *kind*, started with *args* unless it runs.

    With *node*, it runs on a node that has this Ray resource; on the one with the id *on*, while that lives.
    If it *repeats*, Ray makes the calls again that
    were under way when it died.
    """
    resources: dict[str, Any] = {} if node is None else {"resources": {node: 0.001}}
    options = {**_ACTOR_OPTIONS, "name": name, "namespace": namespace, **resources}
    if repeats:
        options["max_task_retries"] = -1
    if on is not None:
        options["scheduling_strategy"] = NodeAffinitySchedulingStrategy(on, soft=True)
    return ray.remote(kind).options(**options).remote(*args)


def _own_node() -> str:
    return str(ray.get_runtime_context().get_node_id())


def was_restarted() -> bool:
    """Whether Ray has restarted this process's actor."""
    return bool(ray.get_runtime_context().was_current_actor_reconstructed)


def _stats_name(backend: str, node: str | None) -> str:
    """The name of the stats actor of *backend*: another one on other nodes."""
    return f"{STATS}{backend}" if node is None else f"{STATS}{backend}{AT}{node}"


LEAVE_S = 10.0
"""How long a stats actor that is in the wrong place may take to stop what it runs there."""
ASKING_S = 30.0
"""After so long a question to the cluster that was not answered is asked again."""


def _node_state(node: dict[str, Any]) -> NodeState:
    """*node* is an item of `ray.nodes()`."""
    host, address = node["NodeManagerHostname"], node["NodeManagerAddress"]
    return NodeState(node["NodeID"], host, address, node["Alive"], tuple(sorted(node["Resources"])))


class RayCluster:
    """A `Cluster`: the Ray cluster that the manager runs on."""

    def __init__(self, config: Config) -> None:
        self._config, self._last_host = config, 0
        self._catalog: RayCatalog | None = None
        self._asking: asyncio.Future[list[dict[str, Any]]] | None = None
        self._asked_at = 0.0
        self._avoided: frozenset[str] = frozenset()
        self._catalog_leaves: str | None = None

    def __getstate__(self) -> dict[str, Any]:
        """What the manager's process gets, also if a later version of the program restarts it."""
        return {"_config": self._config}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["_config"])  # type: ignore[misc]

    @property
    def catalog(self) -> CatalogForCallers:
        """The catalog's actor."""
        if self._catalog is None:
            self._catalog = RayCatalog(self._config.namespace)
        return self._catalog

    async def hosts(self) -> Sequence[tuple[str, Host]]:
        """The names and handles of the share hosts that run."""
        namespace = self._config.namespace
        names = sorted(name for name in actor_names(namespace) if name.startswith(HOST))
        self._last_host = max((int(name.rpartition("-")[2]) for name in names), default=0)
        return [(name, RayHost(name, ray.get_actor(name, namespace))) for name in names]

    async def start_host(self, node: str | None = None) -> tuple[str, Host]:
        """Start a share host, on a node with the Ray resource *node*; returns when it can be called."""
        self._last_host += 1
        prefix = HOST if node is None else f"{HOST}{AT}{node}"
        name, config = f"{prefix}-{self._last_host}", saved_config(self._config)
        on = await self._choose_node(node)
        handle = start_actor(ShareHostRayActor, name, config.namespace, config, node=node, on=on)
        host = RayHost(name, handle)
        await host.report()
        return name, host

    async def nodes(self) -> Sequence[NodeState]:
        """All nodes that the cluster knows; a question that was not answered is not asked again meanwhile."""
        is_late = time.monotonic() - self._asked_at > ASKING_S
        if self._asking is None or self._asking.done() or is_late:
            self._asked_at = time.monotonic()
            self._asking = asyncio.ensure_future(asyncio.to_thread(ray.nodes))
        return [_node_state(node) for node in await asyncio.shield(self._asking)]

    async def end_host(self, name: str) -> None:
        """Kill a share host for good."""
        with suppress(ValueError):
            ray.kill(ray.get_actor(name, self._config.namespace), no_restart=True)

    # -- what there is one of ----------------------------------------------------------------------
    async def fixed_on(self, node_id: str) -> Mapping[str, str | None]:
        """Those of the manager, which is this process, and the catalog that are on a node."""
        places = {CATALOG: await self._place_of_catalog(), MANAGER: _own_node()}
        return {part: self._given_up(part) for part, place in places.items() if place == node_id}

    async def _place_of_catalog(self) -> str:
        """Its node; while it is started on another one, the node that it leaves."""
        try:
            async with asyncio.timeout(LEAVE_S):
                place = str(await RayCatalog(self._config.namespace).call("node"))
        except (Unavailable, TimeoutError):
            if self._catalog_leaves is None:
                text = f"the catalog has not said for {LEAVE_S:g} s on which node it is"
                raise Unavailable(text, passing=True) from None
            return self._catalog_leaves
        self._catalog_leaves = None
        return place

    def _given_up(self, part: str) -> str | None:
        if not self._to_leave(part).given_up(self._avoided):
            return None
        return f"Ray has started it on drained nodes {MAX_STARTS} times"

    def _to_leave(self, part: str) -> NodesToLeave:
        return NodesToLeave(self._config.namespace, _NAMES[part])

    async def leave(self, part: str) -> None:
        """Have the manager or the catalog end, as if it had been killed; Ray starts it again."""
        self._to_leave(part).write(self._avoided)
        if part == MANAGER:
            os._exit(1)
        self._catalog_leaves = await self._place_of_catalog()
        catalog = ray.get_actor(names.CATALOG, self._config.namespace)
        with suppress(Unavailable):
            await call(catalog.end_process.remote())

    # -- nodes -----------------------------------------------------------------------------------
    def avoid(self, node_ids: Collection[str]) -> None:
        """Start nothing on these nodes from now on, while others will do."""
        self._avoided = frozenset(node_ids)

    async def _choose_node(self, resource: str | None) -> str | None:
        """The id of a node that is not avoided, at random; None: Ray chooses among all."""
        if not self._avoided:
            return None
        fitting = [
            node.id
            for node in await self.nodes()
            if node.alive and node.id not in self._avoided and resource in (None, *node.resources)
        ]
        return random.choice(fitting) if fitting else None

    # -- backends --------------------------------------------------------------------------------
    async def stats(self, backend: str, config: Config, node: str | None) -> Stats:
        """The stats actor of *backend*, started unless it runs; one that is pinned elsewhere is ended."""
        name = _stats_name(backend, node)
        for other in self._stats_names(backend):
            if other != name:
                await self._leave_and_end(other)
        on = await self._choose_node(node)
        args = (StatsRayActor, name, config.namespace, backend, config)
        return RayStats(start_actor(*args, node=node, on=on))

    def _stats_names(self, backend: str) -> list[str]:
        names = actor_names(self._config.namespace)
        own = _stats_name(backend, None)
        return [name for name in names if name == own or name.startswith(f"{own}{AT}")]

    async def _leave_and_end(self, name: str) -> None:
        with suppress(ValueError):
            handle = ray.get_actor(name, self._config.namespace)
            with suppress(ShareActorsError, TimeoutError):
                async with asyncio.timeout(LEAVE_S):  # its node may be lost
                    await RayStats(handle).leave()
            ray.kill(handle, no_restart=True)

    async def end_stats(self, backend: str) -> None:
        """Kill the stats actors of *backend*, wherever they are."""
        for name in self._stats_names(backend):
            with suppress(ValueError):
                ray.kill(ray.get_actor(name, self._config.namespace), no_restart=True)

    async def probe(self, backend: str, config: Config, node: str) -> Probe:
        """A probe of *backend* on a node with the Ray resource *node*; it ends with this process."""
        options: dict[str, Any] = {"num_cpus": 0, "resources": {node: 0.001}}
        if (on := await self._choose_node(node)) is not None:
            options["scheduling_strategy"] = NodeAffinitySchedulingStrategy(on, soft=True)
        return RayProbe(ray.remote(BackendProbeRayActor).options(**options).remote(backend, config))

    async def save_config(self, config: Config) -> None:
        """Save *config* for actors that are started or restarted from now on."""
        save_config(config)
        announce(config)
