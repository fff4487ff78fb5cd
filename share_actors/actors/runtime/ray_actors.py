"""The classes that run as Ray actors: each sets up its process, then starts by itself."""

from __future__ import annotations

import gc
import os
import sys
import threading
import time

import ray
from ray.exceptions import RayError
from ray.util.metrics import Gauge

from share_actors.actors.catalog import CatalogActor
from share_actors.actors.hosting.host import ShareHost
from share_actors.actors.manager.manager import ManagerActor
from share_actors.actors.messaging.entity_client import EntityClient
from share_actors.actors.ports import Cluster
from share_actors.actors.runtime.adapters import RayManager
from share_actors.actors.runtime.kept_config import kept
from share_actors.actors.runtime.names import nodes
from share_actors.actors.stats import StatsActor
from share_actors.config import Config
from share_actors.values import BackendReport


class ShareHostRayActor(ShareHost):
    """A host in a process of its own, which is set up for many small objects and few threads."""

    def __init__(self, config: Config) -> None:
        gc.set_threshold(100_000, 50, 100)  # entities stay: looking at all of them often is no use
        sys.setswitchinterval(0.003)  # so long the log's writer may wait for the loop; less: churn
        config = kept(config)
        super().__init__(config, nodes(), EntityClient(RayManager(config.namespace).found))
        gc.freeze()


class CatalogRayActor(CatalogActor):
    """The catalog in a process of its own, which gives way to those that serve commands."""

    def __init__(self, config: Config) -> None:
        os.nice(5)
        super().__init__(config, nodes())
        _see_to("follow")


class ManagerRayActor(ManagerActor):
    """The manager in a process of its own, which sees to what is owed before anybody asks."""

    def __init__(self, config: Config, cluster: Cluster) -> None:
        super().__init__(kept(config), cluster)
        _see_to("ready")


class StatsRayActor(StatsActor):
    """A stats actor in a process of its own, which tells though nobody asks."""

    def __init__(self, backend: str, config: Config) -> None:
        os.nice(5)
        manager = RayManager(config.namespace)
        super().__init__(
            backend, kept(config), manager.found, EntityClient(manager.found), PoolMetrics(backend)
        )
        _see_to("follow")


class PoolMetrics:
    """What a backend tells, as metrics that Ray exports."""

    def __init__(self, backend: str) -> None:
        tags = ("backend", "pool")
        self._backend = backend
        self._gauges = {
            name: Gauge(f"share_actors_pool_{name}", f"{name} of a pool.", tag_keys=tags)
            for name in ("total_capacity_gib", "free_capacity_gib", "allocated_capacity_gib")
        }
        self._up = Gauge(
            "share_actors_backend_up", "1 if the backend answers.", tag_keys=("backend",)
        )

    def __call__(self, published: BackendReport) -> None:
        up = published.reason is None and published.capabilities is not None
        self._up.set(float(up), {"backend": self._backend})
        for pool in published.capabilities.pools if published.capabilities is not None else ():
            for name, gauge in self._gauges.items():
                gauge.set(getattr(pool, name), {"backend": self._backend, "pool": pool.name})


def _see_to(method: str) -> None:
    """Have this process's actor begin by itself: when Ray restarts it, perhaps nobody asks for long.

    An actor's calls to itself are refused until Ray knows that it is back.
    """
    asked = getattr(ray.get_runtime_context().current_actor, method)

    def until_done() -> None:
        while True:
            try:
                ray.get(asked.remote())
            except RayError:
                time.sleep(0.2)
            else:
                return

    threading.Thread(target=until_done, name=method, daemon=True).start()
