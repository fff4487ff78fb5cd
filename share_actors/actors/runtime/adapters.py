"""The ports of `actors/ports.py`, implemented on Ray actor handles."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import ray
from ray.exceptions import RayError, RayTaskError

from share_actors.actors.messaging.messages import CommandMessage, CommandReply
from share_actors.actors.messaging.retries import MAX_WAIT_S
from share_actors.actors.ports import HostLost, HostReport
from share_actors.actors.runtime.calls import call, call_with_retries, from_ray
from share_actors.actors.runtime.names import CATALOG, MANAGER, Handle, find_actor
from share_actors.config import Config
from share_actors.errors import Unavailable
from share_actors.values import BackendReport, Share

T = TypeVar("T")


class RayHost:
    """A `Host` that is a Ray actor."""

    def __init__(self, name: str, handle: Handle) -> None:
        self._name, self._handle = name, handle

    async def submit(self, asks: list[CommandMessage], /) -> list[CommandReply]:
        return await self._call(self._handle.submit.remote(asks))

    async def wait(
        self, pairs: Sequence[tuple[str, str]], timeout_s: float, /
    ) -> list[CommandReply]:
        return await self._call(self._handle.wait.remote(pairs, timeout_s))

    async def wake(self, share_ids: Sequence[str], /) -> dict[str, str]:
        return await self._call(self._handle.wake.remote(share_ids))

    async def view(self, share_id: str, /) -> Any:
        return await self._call(self._handle.view.remote(share_id))

    async def report(self) -> HostReport:
        return await self._call(self._handle.report.remote())

    async def passivated(self, others: Sequence[str], /) -> Sequence[str]:
        return await self._call(self._handle.passivated.remote(others))

    async def resident(self) -> Sequence[str]:
        return await self._call(self._handle.resident.remote())

    async def stop(self) -> None:
        await self._call(self._handle.stop.remote())

    async def reconfigure(self, config: Config, /) -> None:
        await self._call(self._handle.reconfigure.remote(config))

    async def drain(self) -> None:
        await self._call(self._handle.drain.remote())

    async def restart(self) -> None:
        ray.kill(self._handle, no_restart=False)

    async def _call(self, pending: Awaitable[T]) -> T:
        try:
            return await pending
        except RayTaskError as error:
            raise from_ray(error) from None
        except RayError as error:
            raise HostLost(self._name, str(error)) from error


class RayManager:
    """The manager for the other actors of the system; looked up by name again when a call fails."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._handle: Handle | None = None

    def connected(self) -> RayManager:
        """Look the manager up if necessary, and return self; raises `Unavailable` if there is none."""
        if self._handle is None:
            self._handle = find_actor(MANAGER, self._namespace)
        return self

    async def submit(self, asks: list[CommandMessage], /) -> list[CommandReply]:
        replies: list[CommandReply] = await self._call("submit", asks)
        return replies

    async def wait(
        self, pairs: Sequence[tuple[str, str]], timeout_s: float, /
    ) -> list[CommandReply]:
        replies: list[CommandReply] = await self._call("wait", pairs, timeout_s)
        return replies

    async def view(self, address: str, /) -> Any:
        return await self._call("view", address)

    async def publish(self, published: BackendReport, /) -> None:
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

    async def latest(self) -> BackendReport | None:
        report: BackendReport | None = await call(self._handle.latest.remote())
        return report

    async def publish_now(self) -> BackendReport:
        report: BackendReport = await call(self._handle.publish_now.remote())
        return report

    async def preview(self, share: Share, driver_options: Mapping[str, Any], /) -> dict[str, Any]:
        properties: dict[str, Any] = await call(
            self._handle.preview.remote(share, dict(driver_options))
        )
        return properties

    async def reconfigure(self, config: Config, /) -> None:
        await call(self._handle.reconfigure.remote(config))

    async def end(self) -> None:
        with suppress(Unavailable):
            await call(self._handle.stop.remote())
        ray.kill(self._handle, no_restart=True)


class RayCatalog:
    """A `CatalogPort` that is a Ray actor, looked up by name at the first call."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._handle: Handle | None = None

    async def ask(self, query: str, /, **parameters: Any) -> Any:
        return await self.call("ask", query, **parameters)

    async def call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Call any method of `CatalogActor`; they may be repeated, so a restarting actor is called again."""
        if self._handle is None:
            self._handle = find_actor(CATALOG, self._namespace)
        remote_method = getattr(self._handle, method)
        limit_s = None if method == "rebuild" else MAX_WAIT_S
        return await call_with_retries(lambda: remote_method.remote(*args, **kwargs), limit_s)
