"""The asynchronous client: `async with await aio.connect() as system: ...`."""

from __future__ import annotations

import asyncio

from share_actors.actors.messaging.parameters import instance, seconds, word
from share_actors.actors.messaging.retries import with_retries
from share_actors.actors.runtime import lifecycle
from share_actors.actors.runtime.connection import RayConnection
from share_actors.client.keywords import CONNECT_TIMEOUT_S
from share_actors.client.share.calls import ShareCalls
from share_actors.client.share.handle import AsyncShare
from share_actors.client.system import AsyncShareSystem
from share_actors.config import Config
from share_actors.values import RequestContext

__all__ = ["AsyncShare", "AsyncShareSystem", "connect", "start"]


async def connect(
    address: str = "auto",
    *,
    namespace: str = "share-actors",
    context: RequestContext | None = None,
    timeout: float = CONNECT_TIMEOUT_S,
) -> AsyncShareSystem:
    """Connect to the system that runs on the Ray cluster at *address*.

    `auto` is the system of this user's home (`share-actors up`), or the cluster that this process has joined.
    While the manager is being restarted, waits up to *timeout* seconds. Raises `Unavailable`, at once if no
    system runs there or one of a version that this one cannot talk to, `Refused` if this process has joined
    another cluster, or `InvalidRequest`.
    """
    join(address, namespace, context, timeout)  # in this thread: Ray sets signal handlers
    connection = RayConnection(lifecycle.find_manager(namespace), namespace, calls=ShareCalls)
    await with_retries(connection.exchange_versions, timeout)
    config = await with_retries(lambda: connection.call_manager("config"), timeout)
    return AsyncShareSystem(connection, config, context)


async def start(
    config: Config | None = None, *, context: RequestContext | None = None
) -> AsyncShareSystem:
    """Start a system that belongs to this process; `close` stops it.

    Ray is started on this machine unless this process has joined a cluster. By default the log is a
    SQLite file in the configuration's home. Raises `ConfigError`, `LogError` or `Unavailable`, and `Refused`
    if a system runs in the namespace already: `connect` to it.
    """
    owns_ray = begin_ray(config, context)  # in this thread: Ray sets signal handlers
    return await start_on_ray(config or Config(), context, owns_ray=owns_ray)


def join(address: str, namespace: str, context: RequestContext | None, timeout: float) -> None:
    """Check what `connect` was given, and join the Ray cluster."""
    word("namespace", namespace)
    seconds("timeout", timeout)
    _check_context(context)
    lifecycle.join(word("address", address))


def begin_ray(config: Config | None, context: RequestContext | None) -> bool:
    """Check what `start` was given, and start Ray if this process has joined no cluster; whether it did."""
    if config is not None:
        instance("config", config, Config)
    _check_context(context)
    if lifecycle.is_initialized():
        return False
    lifecycle.init(None)
    return True


def _check_context(context: RequestContext | None) -> None:
    if context is not None:
        instance("context", context, RequestContext)


async def start_on_ray(
    config: Config, context: RequestContext | None, *, owns_ray: bool
) -> AsyncShareSystem:
    """Start a system on this process's Ray cluster; if that fails and *owns_ray*, shut the cluster down."""
    try:
        manager = await asyncio.to_thread(lifecycle.start_new_system, config)
    except BaseException:
        if owns_ray:
            lifecycle.shutdown()
        raise
    connection = RayConnection(manager, config.namespace, owns_ray=owns_ray, calls=ShareCalls)
    return AsyncShareSystem(connection, config, context, owns=True)
