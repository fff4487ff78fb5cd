"""Where plain classes become Ray actors: the only module that imports Ray."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

import ray
from ray._private import ray_constants
from ray._raylet import Config as RayConfig  # type: ignore[attr-defined]
from ray.exceptions import ActorDiedError, RayActorError, RayError, RayTaskError

from share_actors.actors.catalog import CatalogActor
from share_actors.actors.host import HostReport, ShareHost
from share_actors.actors.manager import ManagerActor
from share_actors.actors.messages import Answer, Ask
from share_actors.actors.ports import CatalogPort, Cluster, Host, HostLost
from share_actors.config import Config
from share_actors.drivers.registry import make_driver
from share_actors.errors import ConfigError, ShareActorsError, Unavailable
from share_actors.running import LOOPBACK, reach
from share_actors.values import Share

T = TypeVar("T")
Handle = Any
"""A Ray actor handle; Ray's own type knows no methods."""
PATIENCE_S = 60.0
"""How long a call waits for an actor that is being restarted."""
MANAGER, CATALOG, HOST = "manager", "catalog", "share-actor"
_FOREVER = {"lifetime": "detached", "max_restarts": -1, "max_task_retries": 0, "num_cpus": 0}


def init(address: str | None, **options: Any) -> None:
    """Join the Ray cluster at *address*; None starts one in this process's care. Quietly.

    `auto` is the system that `share-actors up` left running, or else what Ray takes it for.
    """
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR, "configure_logging": False}
    if address is None:
        quiet["include_dashboard"] = False
        _environment(LOOPBACK)
    else:
        address, needed = reach(address)
        _environment(needed)
    try:
        ray.init(address, **{**quiet, **options})
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise Unavailable(
            f"no Ray cluster at {address!r}: {error}", field="address", value=address
        ) from None


def _environment(needed: Mapping[str, str]) -> None:
    """Have Ray take note of variables: it read its environment when it was imported."""
    os.environ.update(needed)
    if LOOPBACK.items() <= needed.items():
        ray_constants.ENABLE_RAY_CLUSTER = False
    if needed:
        RayConfig.initialize("")


def is_initialized() -> bool:
    return bool(ray.is_initialized())


def shutdown() -> None:
    """Leave the cluster; one that `init` started ends."""
    ray.shutdown()


def nodes() -> int:
    """How many nodes of the cluster are alive."""
    known: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return len([node for node in known if node["Alive"]])


def check_log_fits(config: Config, alive: int) -> None:
    """SQLite is a file of one node: raise `ConfigError` on a cluster of several."""
    if config.log.kind == "sqlite" and alive > 1:
        raise ConfigError(
            f"log.kind 'sqlite' works on one node only, and this cluster has {alive}: set log.kind to"
            " 'postgresql'",
            field="log.kind", value="sqlite",
        )  # fmt: skip


def check_drivers(config: Config) -> None:
    """Raise `ConfigError`, naming the key, unless every backend has a driver and options that fit."""
    for name, backend in config.backends.items():
        make_driver(name, backend.driver, backend.options)


class TunedShareHost(ShareHost):
    """A host in a process of its own, which is set up for many small objects and few threads."""

    def __init__(self, config: Config, alive: int) -> None:
        gc.set_threshold(100_000, 50, 100)  # entities stay: looking at all of them often is no use
        sys.setswitchinterval(0.001)  # the log's writer thread shall not wait long for the loop's
        super().__init__(config, alive)
        gc.freeze()


class BackgroundCatalogActor(CatalogActor):
    """The catalog in a process of its own, which gives way to those that serve commands."""

    def __init__(self, config: Config, alive: int) -> None:
        os.nice(5)
        super().__init__(config, alive)
        _see_to("follow")


class WakefulManagerActor(ManagerActor):
    """The manager in a process of its own, which sees to what is owed before anybody asks."""

    def __init__(self, config: Config, cluster: Cluster) -> None:
        super().__init__(config, cluster)
        _see_to("ready")


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


# -- the actors ----------------------------------------------------------------------------------
def start_system(config: Config) -> Handle:
    """The manager of the system in `config.namespace`, started with its catalog unless it runs.

    If it cannot be started, no actor is left.
    """
    alive, runs = nodes(), bool(_listed(config.namespace))
    check_log_fits(config, alive)
    check_drivers(config)
    try:
        return _started(config, alive)
    except BaseException:
        if not runs:
            _end_actors(config.namespace)
        raise


def _started(config: Config, alive: int) -> Handle:
    catalog = _actor(BackgroundCatalogActor, CATALOG, config, config, alive)
    _unwrapped(lambda: ray.get(catalog.follow.remote()))
    manager = _actor(WakefulManagerActor, MANAGER, config, config, RayCluster(config, alive))
    _unwrapped(lambda: ray.get(manager.ready.remote()))
    return manager


def find_manager(namespace: str) -> Handle:
    """The manager of a running system; raises `Unavailable`."""
    return _named(MANAGER, namespace)


def find_catalog(namespace: str) -> RayCatalog:
    return RayCatalog(namespace)


def stop_system(manager: Handle, namespace: str) -> None:
    """Let all that runs come to its end, then end the actors; the log has everything."""
    try:
        ray.get(manager.stop.remote(), timeout=60)
        ray.get(_named(CATALOG, namespace).stop.remote(), timeout=30)
    except (RayError, Unavailable):
        logging.getLogger(__name__).warning("not all actors ended in order; the log has everything")
    _end_actors(namespace)


def _end_actors(namespace: str) -> None:
    """The manager first, which would start others."""
    names = [str(actor["name"]) for actor in _listed(namespace)]
    for name in sorted(names, key=lambda n: n != MANAGER):
        try:
            ray.kill(ray.get_actor(name, namespace), no_restart=True)
        except ValueError:
            continue


def _actor(kind: type[Any], name: str, config: Config, *args: Any) -> Handle:
    options = {**_FOREVER, "name": name, "namespace": config.namespace, "get_if_exists": True}
    return ray.remote(kind).options(**options, max_concurrency=10_000).remote(*args)


def _named(name: str, namespace: str) -> Handle:
    try:
        return ray.get_actor(name, namespace)
    except ValueError:
        raise Unavailable(
            f"no system runs in namespace {namespace!r} of this cluster: start one with"
            " `share-actors up`",
            field="namespace", value=namespace,
        ) from None  # fmt: skip


def _listed(namespace: str) -> list[dict[str, str]]:
    every: list[dict[str, str]] = ray.util.list_named_actors(all_namespaces=True)
    return [actor for actor in every if actor["namespace"] == namespace]


def _unwrapped(call: Any) -> Any:
    """The call's result, or the error of ours that travelled inside one of Ray's."""
    try:
        return call()
    except RayTaskError as error:
        raise _ours(error) from None
    except RayActorError as error:
        raise _ours(error) from None


def _ours(error: RayError) -> Exception:
    cause = getattr(error, "cause", None)
    if isinstance(cause, ShareActorsError):
        return cause
    if isinstance(error, ShareActorsError):
        kind = next(
            k
            for k in type(error).__mro__
            if issubclass(k, ShareActorsError) and not issubclass(k, RayError)
        )
        return kind(error.message, field=error.field, value=error.value, **error.details)
    if cause is not None:
        return ShareActorsError(f"internal error: {cause!r}; Ray's logs hold its traceback")
    return Unavailable(f"the system's actor failed: {type(error).__name__}")


async def call(pending: Awaitable[T]) -> T:
    """Await a call to one of our actors; raises our errors, and `Unavailable` if the actor is gone.

    Its detail `passing` tells that the actor is being restarted, so that it is worth asking again.
    """
    try:
        return await pending
    except RayTaskError as error:
        raise _ours(error) from None
    except ActorDiedError:
        raise Unavailable("the system was stopped: start it with `share-actors up`") from None
    except RayError as error:
        raise Unavailable(
            f"an actor can't be reached: {type(error).__name__}", passing=True
        ) from error


async def patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """The result of a `call`, made again and again while the actor is being restarted."""
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            return await call(ask())
        except Unavailable as error:
            if not error.details.get("passing") or time.monotonic() > until:
                raise
            await asyncio.sleep(0.2)


class RayHost:
    """A `Host` that is a Ray actor."""

    def __init__(self, name: str, handle: Handle) -> None:
        self._name, self._handle = name, handle

    async def submit(self, asks: list[Ask], /) -> list[Answer]:
        return await self._call(self._handle.submit.remote(asks))

    async def wait(self, pairs: Sequence[tuple[str, str]], timeout_s: float, /) -> list[Answer]:
        return await self._call(self._handle.wait.remote(pairs, timeout_s))

    async def wake(self, share_ids: Sequence[str], /) -> None:
        await self._call(self._handle.wake.remote(share_ids))

    async def view(self, share_id: str, /) -> Share:
        return await self._call(self._handle.view.remote(share_id))

    async def report(self) -> HostReport:
        return await self._call(self._handle.report.remote())

    async def resident(self) -> Sequence[str]:
        return await self._call(self._handle.resident.remote())

    async def stop(self) -> None:
        await self._call(self._handle.stop.remote())

    async def _call(self, pending: Awaitable[T]) -> T:
        try:
            return await pending
        except RayTaskError as error:
            raise _ours(error) from None
        except RayError as error:
            raise HostLost(self._name, str(error)) from error


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
            self._handle = _named(CATALOG, self._namespace)
        asked = getattr(self._handle, method)
        return await patiently(lambda: asked.remote(*args, **more))


class RayCluster:
    """The Ray cluster that the manager runs on."""

    def __init__(self, config: Config, alive: int) -> None:
        self._config, self._alive, self._started = config, alive, 0
        self._catalog: RayCatalog | None = None

    @property
    def catalog(self) -> CatalogPort:
        if self._catalog is None:
            self._catalog = RayCatalog(self._config.namespace)
        return self._catalog

    async def hosts(self) -> Sequence[tuple[str, Host]]:
        names = sorted(str(actor["name"]) for actor in _listed(self._config.namespace))
        mine = [name for name in names if name.startswith(HOST)]
        self._started = max((int(name.rpartition("-")[2]) for name in mine), default=0)
        return [(name, RayHost(name, ray.get_actor(name, self._config.namespace))) for name in mine]

    async def start_host(self) -> tuple[str, Host]:
        self._started += 1
        name = f"{HOST}-{self._started}"
        host = RayHost(name, _actor(TunedShareHost, name, self._config, self._config, self._alive))
        await host.report()
        return name, host
