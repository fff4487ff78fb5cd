"""The Ray cluster as the manager and clients see it: our classes as its actors, found by their names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ray

from share_actors.actors.ports import AT, CatalogPort, Host, Stats
from share_actors.actors.runtime.adapters import RayCatalog, RayHost, RayStats
from share_actors.actors.runtime.kept_config import keep, kept
from share_actors.actors.runtime.names import HOST, STATS, Handle, listed
from share_actors.actors.runtime.ray_actors import ShareHostRayActor, StatsRayActor
from share_actors.config import Config

_FOREVER = {"lifetime": "detached", "max_restarts": -1, "max_task_retries": 0, "num_cpus": 0}


# -- the configuration in force ------------------------------------------------------------------


# -- by name ------------------------------------------------------------------------------------
def actor(kind: type[Any], name: str, config: Config, *args: Any, **more: Any) -> Handle:
    options = {
        **_FOREVER,
        "name": name,
        "namespace": config.namespace,
        "get_if_exists": True,
        **more,
    }
    return ray.remote(kind).options(**options, max_concurrency=10_000).remote(*args)


# -- ports ---------------------------------------------------------------------------------------


def _on(node: str | None) -> dict[str, Any]:
    """Options of an actor that has to run on a node with this Ray resource."""
    return {} if node is None else {"resources": {node: 0.001}}


class RayCluster:
    """The Ray cluster that the manager runs on."""

    def __init__(self, config: Config) -> None:
        self._config, self._started = config, 0
        self._catalog: RayCatalog | None = None

    @property
    def catalog(self) -> CatalogPort:
        if self._catalog is None:
            self._catalog = RayCatalog(self._config.namespace)
        return self._catalog

    async def hosts(self) -> Sequence[tuple[str, Host]]:
        names = sorted(str(actor["name"]) for actor in listed(self._config.namespace))
        mine = [name for name in names if name.startswith(HOST)]
        self._started = max((int(name.rpartition("-")[2]) for name in mine), default=0)
        return [(name, RayHost(name, ray.get_actor(name, self._config.namespace))) for name in mine]

    async def start_host(self, node: str | None = None) -> tuple[str, Host]:
        self._started += 1
        where = HOST if node is None else f"{HOST}{AT}{node}"
        name, config = f"{where}-{self._started}", kept(self._config)
        more = _on(node)
        host = RayHost(name, actor(ShareHostRayActor, name, self._config, config, **more))
        await host.report()
        return name, host

    async def stats(self, backend: str, config: Config) -> Stats:
        more = _on(config.backends[backend].node)
        name = f"{STATS}{backend}"
        return RayStats(actor(StatsRayActor, name, config, backend, config, **more))

    async def keep(self, config: Config) -> None:
        keep(config)
