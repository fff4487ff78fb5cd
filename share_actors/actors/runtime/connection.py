"""A client's connection to a system on Ray."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, cast

from ray.exceptions import RayError

from share_actors.actors.messaging.messages import CommandMessage
from share_actors.actors.runtime import lifecycle
from share_actors.actors.runtime.adapters import RayCatalog
from share_actors.actors.runtime.calls import call_by, ended
from share_actors.actors.runtime.cluster import start_actor
from share_actors.actors.runtime.direct_host import RayDirectHost
from share_actors.actors.runtime.joined_system import JoinedSystem
from share_actors.actors.runtime.manager_handle import ManagerHandle
from share_actors.actors.runtime.names import CALLS, MANAGER, find_actor
from share_actors.actors.runtime.remote_calls import CallsHandle
from share_actors.actors.runtime.trace_gate import TraceGate
from share_actors.errors import Unavailable
from share_actors.versions import OWN, Versions, mismatch


class RayConnection:
    """The manager and the catalog of the system in *namespace*, on this process's Ray cluster.

    *calls*: the class of the system's actor that makes calls for Ray programs.
    """

    def __init__(
        self,
        manager: ManagerHandle,
        namespace: str,
        *,
        owns_ray: bool = False,
        calls: type[Any] | None = None,
    ) -> None:
        self.manager = manager
        self._explain = JoinedSystem(lifecycle.joined_address()).explain
        self.catalog = RayCatalog(namespace, self._explain).connected()
        self._hosts: dict[str, RayDirectHost] = {}
        self._namespace, self._owns_ray, self._calls = namespace, owns_ray, calls
        self._gate = TraceGate(lambda: self.call_manager("hello", OWN.told()))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled as the name of the system; see `reconnected`."""
        return reconnected, (self._namespace, self._calls)

    async def call_manager(self, method: str, *args: object, **kwargs: object) -> Any:
        """The result of one call of the manager; raises `Unavailable` while it is being restarted."""
        if method == "begin":
            args = (await self._gate.passed(cast("list[CommandMessage]", args[0])),)
        try:
            return await call_by(
                lambda: getattr(self.manager, method).remote(*args, **kwargs), self._explain
            )
        except Unavailable:
            self._gate.forget()
            raise

    async def exchange_versions(self) -> None:
        """Tell the manager this process's versions; raises `Unavailable` if they cannot talk."""
        told: Mapping[str, Any] = {}
        if hasattr(self.manager, "hello"):  # the actor of an earlier version has no such method
            told = await self.call_manager("hello", OWN.told())
        if (problem := mismatch(OWN, Versions.of(told), "the system")) is not None:
            raise Unavailable(problem, field="protocol", value=Versions.of(told).protocol)

    async def host(self, name: str) -> RayDirectHost:
        """The host of this name; raises `Unavailable` if there is none."""
        host = self._hosts.get(name)
        if host is None or host.is_lost:
            try:
                handle = await asyncio.to_thread(find_actor, name, self._namespace)
            except RayError as error:  # this process has left the cluster
                raise ended("unknown") from error
            host = self._hosts[name] = RayDirectHost(handle, self._explain)
        return host

    async def start_calls(self) -> CallsHandle:
        """The handle of the system's actor that makes calls for any Ray program, started unless it runs.

        Raises `Unavailable` if the system does not run.
        """
        return await asyncio.to_thread(self._start_calls)

    def _start_calls(self) -> CallsHandle:
        assert self._calls is not None
        find_actor(MANAGER, self._namespace)
        handle: CallsHandle = start_actor(
            self._calls, CALLS, self._namespace, self._namespace, repeats=True
        )
        return handle

    async def stop_system(self, timeout_s: float) -> list[dict[str, Any]]:
        """Stop the system, and shut down the Ray cluster if this process owns it."""
        stop = lifecycle.stop_system
        cut_off = await asyncio.to_thread(stop, self.manager, self._namespace, timeout_s)
        if self._owns_ray:
            lifecycle.shutdown()
        return cut_off


def reconnected(namespace: str, calls: type[Any] | None) -> RayConnection:
    """A connection to the system in *namespace*, on the Ray cluster that this process has joined.

    Raises `Unavailable` if it has joined none, or no such system runs there.
    """
    if not lifecycle.is_initialized():
        raise Unavailable(
            "a handle of a share system can be unpickled only on its Ray cluster, which this process has"
            " not joined: call share_actors.connect() first"
        )
    return RayConnection(lifecycle.find_manager(namespace), namespace, calls=calls)
