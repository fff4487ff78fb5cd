"""The Ray cluster as the manager and clients see it: our classes as its actors, found by their names."""

from __future__ import annotations

import gc
import os
import pickle
import sys
import threading
import time
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import ray
from ray.exceptions import RayError, RayTaskError
from ray.experimental.internal_kv import _internal_kv_del, _internal_kv_get, _internal_kv_put
from ray.util.metrics import Gauge

from share_actors.actors.calls import PATIENCE_S, call, ours, patiently
from share_actors.actors.catalog import CatalogActor
from share_actors.actors.host import HostReport, ShareHost
from share_actors.actors.manager import ManagerActor
from share_actors.actors.messages import Answer, Ask
from share_actors.actors.peers import Peers
from share_actors.actors.ports import AT, CatalogPort, Cluster, Host, HostLost, Stats
from share_actors.actors.stats import StatsActor
from share_actors.capabilities import Published
from share_actors.config import Config
from share_actors.errors import Unavailable
from share_actors.values import Share

T = TypeVar("T")
Handle = Any
"""A Ray actor handle; Ray's own type knows no methods."""
MANAGER, CATALOG, HOST, STATS = "manager", "catalog", "share-actor", "stats-"
_FOREVER = {"lifetime": "detached", "max_restarts": -1, "max_task_retries": 0, "num_cpus": 0}


def nodes() -> int:
    """How many nodes of the cluster are alive."""
    known: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return len([node for node in known if node["Alive"]])


class TunedShareHost(ShareHost):
    """A host in a process of its own, which is set up for many small objects and few threads."""

    def __init__(self, config: Config) -> None:
        gc.set_threshold(100_000, 50, 100)  # entities stay: looking at all of them often is no use
        sys.setswitchinterval(0.003)  # so long the log's writer may wait for the loop; less: churn
        config = kept(config)
        super().__init__(config, nodes(), Peers(RayManager(config.namespace).found))
        gc.freeze()


class BackgroundCatalogActor(CatalogActor):
    """The catalog in a process of its own, which gives way to those that serve commands."""

    def __init__(self, config: Config) -> None:
        os.nice(5)
        super().__init__(config, nodes())
        _see_to("follow")


class WakefulManagerActor(ManagerActor):
    """The manager in a process of its own, which sees to what is owed before anybody asks."""

    def __init__(self, config: Config, cluster: Cluster) -> None:
        super().__init__(kept(config), cluster)
        _see_to("ready")


class WakefulStatsActor(StatsActor):
    """A stats actor in a process of its own, which tells though nobody asks."""

    def __init__(self, backend: str, config: Config) -> None:
        os.nice(5)
        manager = RayManager(config.namespace)
        super().__init__(
            backend, kept(config), manager.found, Peers(manager.found), Measures(backend)
        )
        _see_to("follow")


class Measures:
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

    def __call__(self, published: Published) -> None:
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


# -- the configuration in force ------------------------------------------------------------------
def keep(config: Config) -> None:
    """Have actors that Ray restarts begin with *config*, and not with the one of their first start."""
    _internal_kv_put(_kept_under(config), pickle.dumps(config), overwrite=True)


def kept(config: Config) -> Config:
    """The configuration that was kept last, or else *config*."""
    found = _internal_kv_get(_kept_under(config))
    if not found:
        return config
    newest: Config = pickle.loads(found)  # which only our own actors wrote
    return newest


def forget_kept(namespace: str) -> None:
    """A system that is started anew begins with the configuration it is started with."""
    _internal_kv_del(f"share-actors/{namespace}/config")


def _kept_under(config: Config) -> str:
    return f"share-actors/{config.namespace}/config"


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


def named(name: str, namespace: str) -> Handle:
    try:
        return ray.get_actor(name, namespace)
    except ValueError:
        raise Unavailable(
            f"no system runs in namespace {namespace!r} of this cluster: start one with"
            " `share-actors up`",
            field="namespace", value=namespace,
        ) from None  # fmt: skip


def listed(namespace: str) -> list[dict[str, str]]:
    every: list[dict[str, str]] = ray.util.list_named_actors(all_namespaces=True)
    return [actor for actor in every if actor["namespace"] == namespace]


# -- ports ---------------------------------------------------------------------------------------
class RayHost:
    """A `Host` that is a Ray actor."""

    def __init__(self, name: str, handle: Handle) -> None:
        self._name, self._handle = name, handle

    async def submit(self, asks: list[Ask], /) -> list[Answer]:
        return await self._call(self._handle.submit.remote(asks))

    async def wait(self, pairs: Sequence[tuple[str, str]], timeout_s: float, /) -> list[Answer]:
        return await self._call(self._handle.wait.remote(pairs, timeout_s))

    async def wake(self, share_ids: Sequence[str], /) -> dict[str, str]:
        return await self._call(self._handle.wake.remote(share_ids))

    async def view(self, share_id: str, /) -> Any:
        return await self._call(self._handle.view.remote(share_id))

    async def report(self) -> HostReport:
        return await self._call(self._handle.report.remote())

    async def departed(self, others: Sequence[str], /) -> Sequence[str]:
        return await self._call(self._handle.departed.remote(others))

    async def resident(self) -> Sequence[str]:
        return await self._call(self._handle.resident.remote())

    async def stop(self) -> None:
        await self._call(self._handle.stop.remote())

    async def reconfigure(self, config: Config, /) -> None:
        await self._call(self._handle.reconfigure.remote(config))

    async def quiet(self) -> None:
        await self._call(self._handle.quiet.remote())

    async def restart(self) -> None:
        ray.kill(self._handle, no_restart=False)

    async def _call(self, pending: Awaitable[T]) -> T:
        try:
            return await pending
        except RayTaskError as error:
            raise ours(error) from None
        except RayError as error:
            raise HostLost(self._name, str(error)) from error


class RayManager:
    """The manager, as other actors of the system reach it: found again by name when it was restarted."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._handle: Handle | None = None

    def found(self) -> RayManager:
        """Itself, once there is a manager; raises `Unavailable`."""
        if self._handle is None:
            self._handle = named(MANAGER, self._namespace)
        return self

    async def submit(self, asks: list[Ask], /) -> list[Answer]:
        answers: list[Answer] = await self._call("submit", asks)
        return answers

    async def wait(self, pairs: Sequence[tuple[str, str]], timeout_s: float, /) -> list[Answer]:
        answers: list[Answer] = await self._call("wait", pairs, timeout_s)
        return answers

    async def view(self, address: str, /) -> Any:
        return await self._call("view", address)

    async def publish(self, published: Published, /) -> None:
        await self._call("publish", published)

    async def _call(self, method: str, *args: Any) -> Any:
        try:
            return await call(getattr(self._handle, method).remote(*args))
        except Unavailable:
            self._handle = None
            raise


class RayStats:
    """A `Stats` that is a Ray actor."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle

    async def follow(self) -> int:
        return int(await call(self._handle.follow.remote()))

    async def latest(self) -> Published | None:
        published: Published | None = await call(self._handle.latest.remote())
        return published

    async def publish_now(self) -> Published:
        published: Published = await call(self._handle.publish_now.remote())
        return published

    async def preview(self, share: Share, driver_options: Mapping[str, Any], /) -> dict[str, Any]:
        told: dict[str, Any] = await call(self._handle.preview.remote(share, dict(driver_options)))
        return told

    async def reconfigure(self, config: Config, /) -> None:
        await call(self._handle.reconfigure.remote(config))

    async def end(self) -> None:
        with suppress(Unavailable):
            await call(self._handle.stop.remote())
        ray.kill(self._handle, no_restart=True)


class RayCatalog:
    """A `CatalogPort` that is a Ray actor, found again by name when it was restarted."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._handle: Handle | None = None

    async def ask(self, what: str, /, **question: Any) -> Any:
        return await self.call("ask", what, **question)

    async def call(self, method: str, *args: Any, **more: Any) -> Any:
        """Any method of `CatalogActor`; they only read, so that a call may be made again."""
        if self._handle is None:
            self._handle = named(CATALOG, self._namespace)
        asked = getattr(self._handle, method)
        limit_s = None if method == "rebuild" else PATIENCE_S
        return await patiently(lambda: asked.remote(*args, **more), limit_s)


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
        host = RayHost(name, actor(TunedShareHost, name, self._config, config, **more))
        await host.report()
        return name, host

    async def stats(self, backend: str, config: Config) -> Stats:
        more = _on(config.backends[backend].node)
        name = f"{STATS}{backend}"
        return RayStats(actor(WakefulStatsActor, name, config, backend, config, **more))

    async def keep(self, config: Config) -> None:
        keep(config)
