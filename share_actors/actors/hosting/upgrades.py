"""Hosts of several versions: those that cannot read an event are drained if there are newer ones."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from share_actors.actors.ports import Host, HostLost
from share_actors.errors import Outdated, ShareActorsError, Unavailable
from share_actors.versions import OWN, Versions, mismatch

if TYPE_CHECKING:
    from share_actors.actors.hosting.supervisor import Supervisor

logger = logging.getLogger(__name__)
ANSWER_S = 10.0
NOT_TOLD = Versions("unknown", 0, 0, 0)
"""The versions of a process that has not answered yet."""
NEXT_STEP = (
    "Start the newer version on a node that can host it, or upgrade the node of one of these share actors;"
    " `share-actors upgrade show` lists the versions."
)


async def told_now(
    call: Awaitable[Mapping[str, Any]], before: Versions | None = None
) -> dict[str, Any]:
    """What a process tells of its version in answer to *call*, or what it told *before* if it is silent."""
    try:
        async with asyncio.timeout(ANSWER_S):
            return Versions.of(await call).told()
    except (HostLost, Unavailable, TimeoutError):
        return silent(before)


def silent(before: Versions | None) -> dict[str, Any]:
    """What is known of a process that does not answer, which told *before* what it was."""
    return (before or NOT_TOLD).told() | {"silent": True}


class Upgrades:
    """What each host tells of its version, and which versions are *outdated*: they cannot read some event.

    Outdated hosts get no entities while another can take them. One that met such an event is drained: it ends
    its driver calls and gives its entities up. Then `Evacuation` ends it, and starts another if needed.
    """

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._told: dict[str, Versions] = {}
        self._pids: dict[str, int] = {}
        self._needs: dict[Versions, str] = {}
        """Of each outdated version: the event that it could not read."""
        self._draining: set[str] = set()

    async def look_at(self, name: str, host: Host, pid: int) -> None:
        """Ask *host* for its versions, once for each of its processes; see `Host.versions`."""
        if self._pids.get(name) == pid:
            return
        told = Versions.of(await host.versions())
        if (problem := mismatch(OWN, told, name)) is not None:
            logger.warning("%s", problem)
        self._told[name], self._pids[name] = told, pid
        self._mark()

    def _mark(self) -> None:
        for name in self._supervisor.hosts:
            self._supervisor.directory.set_outdated(
                name, outdated=self._version(name) in self._needs
            )

    async def ask(self, name: str, host: Host) -> bool:
        """Ask a *host* that could not activate an entity whether an event of a newer version is the cause.

        Returns whether another host may be able to activate it.
        """
        if needs := (await host.versions()).get("needs"):
            with suppress(Unavailable):  # there is no other: this one goes on with the rest
                self.note(name, Outdated(needs, needs=needs))
                return True
        return False

    def note(self, name: str, error: Outdated) -> None:
        """Note that host *name* cannot read an event, and drain it.

        Raises `Unavailable`, with the versions, if no living host of another version can take its entities.
        """
        if self._version(name) not in self._needs:
            logger.warning("share actor %s is outdated: %s", name, error.message)
        self._needs[self._version(name)] = str(error.details.get("needs", error.reason))
        self._mark()
        if not self._supervisor.directory.has_newer(name):
            raise self._no_newer(error)
        host = self._supervisor.hosts.get(name)
        if host is not None and name not in self._draining:
            self._draining.add(name)
            self._supervisor.spawn(self._begin_to_leave(name, host))

    def _no_newer(self, error: Outdated) -> Unavailable:
        needs = error.details.get("needs", error.reason)
        hosts = sorted(
            name for name in self._supervisor.hosts if self._version(name) in self._needs
        )
        which = ", ".join(f"{name} {self._version(name).program}" for name in hosts)
        return Unavailable(
            f"{error.value} needs a newer version of share_actors: {needs}. No share actor that could host"
            f" it can read that: {which}",
            field="id",
            value=error.value,
            needs=needs,
            next_step=NEXT_STEP,
        )

    async def told(self) -> dict[str, dict[str, Any]]:
        """What each host tells of its version now, by name; see `told_now`."""
        hosts = dict(sorted(self._supervisor.hosts.items()))
        told = await asyncio.gather(*(self._told_now(name, host) for name, host in hosts.items()))
        return dict(zip(hosts, told, strict=True))

    async def _told_now(self, name: str, host: Host) -> dict[str, Any]:
        """Ask a host, which may have been restarted in another version since it was looked at."""
        if name not in self._supervisor.directory.hosts:  # a call might not end
            return silent(self._told.get(name))
        told = await told_now(host.versions(), self._told.get(name))
        if not told.get("silent"):
            self._told[name] = Versions.of(told)
        return told

    def _version(self, name: str) -> Versions:
        return self._told.get(name, Versions())

    def status(self, name: str) -> dict[str, Any]:
        """The part of a host's status: its version, and the event that it cannot read if it is outdated."""
        if name not in self._told:
            return {}
        needs = self._needs.get(self._told[name])
        return {"version": self._told[name].program} | ({"outdated": needs} if needs else {})

    async def _begin_to_leave(self, name: str, host: Host) -> None:
        """Have a host take in nothing more, and give up what is not at work; `Evacuation` ends it."""
        try:
            with suppress(
                HostLost, ShareActorsError, TimeoutError
            ):  # noted again if it is still needed
                left = await self._supervisor.answer(host.leave())
                if self._supervisor.directory.keep(name, left):
                    self._supervisor.host_lost.set()  # what is pending goes on elsewhere
                logger.warning("share actor %s leaves, since it is outdated", name)
        finally:
            self._draining.discard(name)
