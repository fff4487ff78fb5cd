"""The manager's verbs for upgrades: the versions of all processes, and whether an upgrade can be finished."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from share_actors.actors.hosting.supervisor import Supervisor
from share_actors.actors.manager.share_verbs import Context, Verbs, permit
from share_actors.actors.manager.stats_actors import StatsActors
from share_actors.errors import Refused, Unavailable
from share_actors.versions import OWN, Versions, mismatch

UPGRADE_THEM = "Upgrade the nodes of these processes first: `share-actors upgrade show`."
WAIT_OR_FORGET = (
    "Try again once they answer (`share-actors upgrade show`). If their node will not come back:"
    " `share-actors node forget`."
)


class UpgradeVerbs(Verbs):
    """Clients tell their versions when they connect, and an operator asks for those of all processes."""

    _supervisor: Supervisor
    _stats: StatsActors

    @abstractmethod
    async def ready(self) -> None:
        """Return once commands can be routed."""

    async def hello(self, told: Mapping[str, Any]) -> dict[str, Any]:
        """The versions of this process, for a client that *told* its own; `Unavailable` on a mismatch."""
        if (problem := mismatch(OWN, Versions.of(told), "the client")) is not None:
            raise Unavailable(problem, field="protocol", value=Versions.of(told).protocol)
        return OWN.told()

    async def versions(self, context: Context = None) -> dict[str, dict[str, Any]]:
        """What the manager, each share actor and each stats actor tell of their versions, by name.

        One that does not answer is `silent`, with the versions that it told before.
        """
        permit("versions", context)
        await self.ready()
        hosts, stats = await asyncio.gather(
            self._supervisor.upgrades.told(), self._stats.versions()
        )
        return {"manager": OWN.told()} | hosts | stats

    async def check_upgrade(self, log_format: int, context: Context = None) -> None:
        """Raise `Refused`, by name, if a process that reads the log cannot read a format of it.

        One that does not answer may run any version: it is waited for, or given up with its node.
        """
        permit("finish_upgrade", context)
        await self.ready()
        told = {"manager": OWN.told()} | await self._supervisor.upgrades.told()
        versions = {n: Versions.of(each) for n, each in told.items() if not each.get("silent")}
        if older := [
            f"{n} ({v.program})" for n, v in versions.items() if v.log_format < log_format
        ]:
            text = f"{', '.join(older)} cannot read log format {log_format}"
            raise _unfinished(text, log_format, UPGRADE_THEM)
        if unheard := ", ".join(sorted(told.keys() - versions.keys())):
            text = f"it is not known whether {unheard} can read log format {log_format}: no answer"
            raise _unfinished(text, log_format, WAIT_OR_FORGET)


def _unfinished(reason: str, log_format: int, next_step: str) -> Refused:
    text = f"the upgrade can't be finished: {reason}"
    return Refused(text, field="format", value=log_format, next_step=next_step)
