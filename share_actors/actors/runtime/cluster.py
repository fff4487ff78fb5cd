"""The Ray cluster as the manager and clients use it: our classes as named Ray actors."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import ray

from share_actors.actors.ports import AT, CatalogForCallers, Host, NodeState, Stats
from share_actors.actors.runtime.adapters import RayCatalog, RayHost, RayStats
from share_actors.actors.runtime.kept_config import save_config, saved_config
from share_actors.actors.runtime.names import HOST, STATS, Handle, actor_names
from share_actors.actors.runtime.ray_actors import ShareHostRayActor, StatsRayActor
from share_actors.config import Config

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
) -> Handle:
    """The actor called *name*, of class *kind*, started with *args* unless it runs.

    With *node*, it runs on a node that has this Ray resource. If it *repeats*, Ray makes the calls again that
    were under way when it died.
    """
    resources: dict[str, Any] = {} if node is None else {"resources": {node: 0.001}}
    options = {**_ACTOR_OPTIONS, "name": name, "namespace": namespace, **resources}
    if repeats:
        options["max_task_retries"] = -1
    return ray.remote(kind).options(**options).remote(*args)


def was_restarted() -> bool:
    """Whether Ray has restarted this process's actor."""
    return bool(ray.get_runtime_context().was_current_actor_reconstructed)


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
        handle = start_actor(ShareHostRayActor, name, config.namespace, config, node=node)
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

    async def stats(self, backend: str, config: Config) -> Stats:
        """The stats actor of *backend*, started unless it runs."""
        node, name = config.backends[backend].node, f"{STATS}{backend}"
        return RayStats(
            start_actor(StatsRayActor, name, config.namespace, backend, config, node=node)
        )

    async def save_config(self, config: Config) -> None:
        """Save *config* for actors that are started or restarted from now on."""
        save_config(config)
