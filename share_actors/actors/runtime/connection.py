"""A client's connection to a system on Ray."""

from __future__ import annotations

import asyncio
from typing import Any

from share_actors.actors.runtime import lifecycle
from share_actors.actors.runtime.adapters import RayCatalog
from share_actors.actors.runtime.calls import call_by
from share_actors.actors.runtime.joined_system import JoinedSystem
from share_actors.actors.runtime.manager_handle import ManagerHandle


class RayConnection:
    """The manager and the catalog of the system in *namespace*, on this process's Ray cluster."""

    def __init__(self, manager: ManagerHandle, namespace: str, *, owns_ray: bool = False) -> None:
        self.manager = manager
        self._explain = JoinedSystem(lifecycle.joined_address()).explain
        self.catalog = RayCatalog(namespace, self._explain).connected()
        self._namespace, self._owns_ray = namespace, owns_ray

    async def call_manager(self, method: str, *args: object, **kwargs: object) -> Any:
        """The result of one call of the manager; raises `Unavailable` while it is being restarted."""
        return await call_by(
            lambda: getattr(self.manager, method).remote(*args, **kwargs), self._explain
        )

    async def stop_system(self, timeout_s: float) -> list[dict[str, Any]]:
        """Stop the system, and shut down the Ray cluster if this process owns it."""
        stop = lifecycle.stop_system
        cut_off = await asyncio.to_thread(stop, self.manager, self._namespace, timeout_s)
        if self._owns_ray:
            lifecycle.shutdown()
        return cut_off
