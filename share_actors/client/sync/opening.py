"""The synchronous client: `connect()` to a running system, or `start()` one.

It has the methods of `client/aio.py`: each call runs there, on one event loop in a background thread that
all handles of this process share.
"""

from __future__ import annotations

from share_actors.client import aio
from share_actors.client.keywords import CONNECT_TIMEOUT_S
from share_actors.client.sync.background_loop import run
from share_actors.client.sync.system import ShareSystem
from share_actors.config import Config
from share_actors.values import RequestContext


def connect(
    address: str = "auto",
    *,
    namespace: str = "share-actors",
    context: RequestContext | None = None,
    timeout: float = CONNECT_TIMEOUT_S,
) -> ShareSystem:
    """Connect to the system that runs on the Ray cluster at *address*.

    `auto` is the system of this user's home (`share-actors up`), or the cluster that this process has joined.
    While the manager is being restarted, waits up to *timeout* seconds. Raises `Unavailable`, at once if no
    system runs there or one of a version that this one cannot talk to, `Refused` if this process has joined
    another cluster, or `InvalidRequest`.
    """
    aio.join(
        address, namespace, context, timeout
    )  # not in the background thread: Ray sets signal handlers
    connecting = aio.connect(address, namespace=namespace, context=context, timeout=timeout)
    return ShareSystem(run(connecting))


def start(config: Config | None = None, *, context: RequestContext | None = None) -> ShareSystem:
    """Start a system that belongs to this process; `close` stops it. See `aio.start`."""
    owns_ray = aio.begin_ray(
        config, context
    )  # not in the background thread: Ray sets signal handlers
    return ShareSystem(run(aio.start_on_ray(config or Config(), context, owns_ray=owns_ray)))
