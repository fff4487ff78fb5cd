"""The manager's verbs for upgrades: the versions of all processes, and whether an upgrade can be finished."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from share_actors.actors.hosting.supervisor import Supervisor
from share_actors.actors.manager.share_verbs import Context, Verbs, permit
from share_actors.errors import Refused, Unavailable
from share_actors.versions import OWN, Versions, mismatch


class UpgradeVerbs(Verbs):
    """Clients tell their versions when they connect, and an operator asks for those of all processes."""

    _supervisor: Supervisor

    @abstractmethod
    async def ready(self) -> None:
        """Return once commands can be routed."""

    async def hello(self, told: Mapping[str, Any]) -> dict[str, Any]:
        """The versions of this process, for a client that *told* its own; `Unavailable` on a mismatch."""
        if (problem := mismatch(OWN, Versions.of(told), "the client")) is not None:
            raise Unavailable(problem, field="protocol", value=Versions.of(told).protocol)
        return OWN.told()

    async def versions(self, context: Context = None) -> dict[str, dict[str, Any]]:
        """What the manager and each share actor that is alive tell of their versions, by name."""
        permit("versions", context)
        await self.ready()
        return {"manager": OWN.told()} | await self._supervisor.upgrades.told()

    async def check_upgrade(self, log_format: int, context: Context = None) -> None:
        """Raise `Refused`, by name, if a process that runs cannot read a format of the log."""
        permit("finish_upgrade", context)
        await self.ready()
        told = {"manager": OWN.told()} | await self._supervisor.upgrades.told()
        versions = {name: Versions.of(each) for name, each in told.items()}
        if older := [
            f"{n} ({v.program})" for n, v in versions.items() if v.log_format < log_format
        ]:
            raise Refused(
                f"the upgrade can't be finished: {', '.join(older)} cannot read log format {log_format}",
                field="format",
                value=log_format,
                next_step="Upgrade the nodes of these processes first: `share-actors upgrade show`.",
            )
