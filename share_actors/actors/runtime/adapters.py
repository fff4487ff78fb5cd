"""The ports that the manager and the stats actors use, on Ray actor handles."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import ray
from ray.exceptions import RayError, RayTaskError

from share_actors.actors.messaging.messages import CommandMessage, CommandReply
from share_actors.actors.ports import HostLost, HostReport
from share_actors.actors.runtime.calls import PATIENCE_S, call, ours, patiently
from share_actors.actors.runtime.names import CATALOG, MANAGER, Handle, named
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

    async def submit(self, asks: list[CommandMessage], /) -> list[CommandReply]:
        answers: list[CommandReply] = await self._call("submit", asks)
        return answers

    async def wait(
        self, pairs: Sequence[tuple[str, str]], timeout_s: float, /
    ) -> list[CommandReply]:
        answers: list[CommandReply] = await self._call("wait", pairs, timeout_s)
        return answers

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
        published: BackendReport | None = await call(self._handle.latest.remote())
        return published

    async def publish_now(self) -> BackendReport:
        published: BackendReport = await call(self._handle.publish_now.remote())
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
